"""The control process: served, killed, stopped, fed garbage; and acts that go past a dead one."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lanes import asked, kill, made, said, served, take_all

import hedgerow
from hedgerow.engine.control import client, process
from hedgerow.engine.control.lane import Lane
from hedgerow.engine.control.log import LOG, read_history
from hedgerow.engine.control.problem import ControlError
from hedgerow.engine.control.server import MAX_LINE, Server, connect
from hedgerow.engine.control.writer import Writer
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.verify import verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """Give a server that takes its rounds in this thread."""
    server = Server(folder)
    yield server
    server.close()


class Asking:
    """A client in the thread of the server."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.socket = server, connect(folder, 5.0)
        self.socket.setblocking(False)

    def send(self, text: bytes) -> None:
        self.socket.send(text)

    def answers(self, rounds: int = 6) -> list[dict[str, Any]] | None:
        """Return what came; None at its end where the server has closed the connection."""
        text, closed = b"", False
        for _ in range(rounds):
            self.server.round(0.001)
            with contextlib.suppress(BlockingIOError):
                more = self.socket.recv(1 << 20)
                text, closed = text + more, closed or not more
        found = [json.loads(line) for line in text.splitlines()]
        return [*found, {"closed": True}] if closed else found

    def ask(self, document: object) -> list[dict[str, Any]] | None:
        self.send(json.dumps(document).encode() + b"\n")
        return self.answers()


@pytest.fixture
def asking(server: Server, folder: Path) -> Iterator[Callable[[], Asking]]:
    made: list[Asking] = []

    def new() -> Asking:
        made.append(Asking(server, folder))
        return made[-1]

    yield new
    for each in made:
        each.socket.close()


# --- questions and answers ---


def test_an_act_is_durable_and_posted_when_it_is_acknowledged(asking: Callable[[], Asking], folder: Path) -> None:
    (answer,) = asking().ask(said("halt")) or []
    (act,) = read_history(folder).acts
    assert answer == {"act": act.to_json(), "again": False}
    with Lane.open(folder) as lane:
        assert take_all(lane) == [act.number]


def test_lines_that_come_in_pieces_and_together_are_answered_in_their_order(asking: Callable[[], Asking]) -> None:
    one = asking()
    text = b"".join(json.dumps(said("halt", number)).encode() + b"\n" for number in range(3))
    one.send(text[:30])
    assert one.answers() == []
    one.send(text[30:])
    assert [answer["act"]["id"] for answer in one.answers(12) or []] == ["id-0", "id-1", "id-2"]


def test_a_refused_act_says_what_to_do_and_ends_nothing(asking: Callable[[], Asking]) -> None:
    one = asking()
    (answer,) = one.ask(said("override", event="tik")) or []
    assert (answer["error"]["code"], answer["error"]["help"]) == ("HR884", "did you mean `tick`?")
    assert one.ask({"ask": "status"}) == [{"serves": os.getpid()}]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"halt\n",
        b"{\n",
        b"[" * 15_000 + b"\n",
        b"1" * 10_000 + b"\n",
        b"\xff\xfe\0\n",
        b'{"act": "halt"}\n',
        b'{"act": NaN}\n',
        b'{"ask": "everything"}\n',
        b"x" * (MAX_LINE + 1),
    ],
    ids=lambda line: repr(line[:20]),
)
def test_what_is_no_question_ends_its_connection_and_no_other(line: bytes, asking: Callable[[], Asking]) -> None:
    beside, hostile = asking(), asking()
    beside.send(b'{"ask": "sta')
    hostile.send(line)
    answers = hostile.answers() or []
    assert answers[0]["error"]["code"] == "HR883"
    assert answers[1:] == [{"closed": True}]
    beside.send(b'tus"}\n')
    assert beside.answers() == [{"serves": os.getpid()}]


@given(
    st.lists(st.binary(max_size=200) | st.sampled_from([b"\n", b'{"ask":"status"}\n', b'{"act":"halt"']), max_size=8)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
def test_no_bytes_end_the_server_or_are_an_act(
    server: Server, asking: Callable[[], Asking], folder: Path, pieces: list[bytes]
) -> None:
    hostile = asking()
    with contextlib.suppress(OSError):
        for piece in pieces:
            hostile.send(piece)
            hostile.answers(1)
    hostile.socket.close()
    assert asking().ask({"ask": "status"}) == [{"serves": os.getpid()}]
    assert read_history(folder).acts == ()


def test_who_does_not_read_what_he_is_told_is_left_alone(asking: Callable[[], Asking], server: Server) -> None:
    deaf, other = asking(), asking()
    question = b'{"ask": "status"}\n' * 400
    with contextlib.suppress(OSError):
        for _ in range(2_000):
            with contextlib.suppress(BlockingIOError):
                deaf.socket.send(question)
            server.round(0)
    assert other.ask({"ask": "status"}) == [{"serves": os.getpid()}]


def test_a_line_that_is_never_finished_ends_its_connection(
    asking: Callable[[], Asking], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = asking()
    slow.send(b'{"ask"')
    assert slow.answers() == []
    now = time.monotonic()
    monkeypatch.setattr("hedgerow.engine.control.server.time.monotonic", lambda: now + 60)
    assert slow.answers() == [{"closed": True}]


def test_where_there_are_too_many_connections_the_quietest_goes(
    asking: Callable[[], Asking], monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setattr(server, "_most", 3)
    first, *others = [asking() for _ in range(3)]
    server.round(0)
    others[0].ask({"ask": "status"})
    newest = asking()
    assert first.answers() == [{"closed": True}]
    assert newest.ask({"ask": "status"}) == others[0].ask({"ask": "status"}) == [{"serves": os.getpid()}]


def test_many_quiet_connections_are_kept(asking: Callable[[], Asking], server: Server) -> None:
    quiet = [asking() for _ in range(200)]
    for _ in range(10):
        server.round(0)
    assert quiet[0].ask({"ask": "status"}) == quiet[-1].ask({"ask": "status"}) == [{"serves": os.getpid()}]
    assert server._most >= 200


def test_a_full_disk_is_told_to_who_asked_and_ends_the_server(
    asking: Callable[[], Asking], server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise JournalError("HR862", "the disk is full", "log", "make room")

    one = asking()
    monkeypatch.setattr(SqliteStore, "write", full)
    one.send(json.dumps(said("release")).encode() + b"\n")
    with pytest.raises(ControlError, match="HR886"):
        server.serve(lambda: False)
    answer = json.loads(one.socket.recv(4096))
    assert (answer["error"]["code"], client.status(folder, 0.01).damaged) == ("HR886", True)


def test_a_lane_in_a_deep_folder_is_served_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    folder = made(deep)
    server = Server(folder)
    one = Asking(server, folder)
    try:
        assert one.ask({"ask": "status"}) == [{"serves": os.getpid()}]
    finally:
        one.socket.close()
        server.close()


# --- processes ---


def test_a_process_serves_until_it_is_told_to_end(folder: Path) -> None:
    with served(folder) as number:
        assert process.start(folder) == number
        done = client.act(folder, said("halt"))
        assert (done.served, done.again, done.act.act) == (True, False, "halt")
        assert client.act(folder, said("halt")).again
        with pytest.raises(ControlError, match="HR882"):
            Writer(folder)
    found = verify(open_store(str(folder / LOG)))
    assert found.holds and found.checkpoints == 1
    assert client.status(folder).serves is None


def test_the_effect_is_waited_for_and_its_absence_told(folder: Path) -> None:
    with served(folder), Lane.open(folder) as lane:
        number = client.act(folder, said("halt")).act.number
        assert not client.has_effect(folder, number, 0.01)
        assert take_all(lane) == [number]
        assert client.has_effect(folder, number, 5.0)


def test_an_engine_that_is_killed_before_it_has_taken_an_act_is_given_it_again(folder: Path) -> None:
    code = (
        "import sys; from hedgerow.engine.control.lane import Lane\n"
        "lane = Lane.open(sys.argv[1])\n"
        "lane.taken(lane.pending())\n"
        "print(lane.pending().number, flush=True)\n"
        "sys.stdin.read()"
    )
    with Writer(folder) as writer:
        writer.act([asked("halt", 1), asked("flatten", 2)])
        with subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as engine:
            assert engine.stdout is not None and engine.stdout.readline() == "2\n"
            with pytest.raises(ControlError, match=r"HR882.*another engine"):
                Lane.open(folder)
            engine.kill()
        with Lane.open(folder) as lane:
            assert lane.halted and take_all(lane) == [2]


def test_past_a_dead_process_an_act_is_logged_and_posted_all_the_same(folder: Path) -> None:
    with served(folder) as number, Lane.open(folder) as lane:
        client.act(folder, said("halt", 1))
        kill(number)
        done = client.act(folder, said("release", 2))
        assert not done.served
        assert len(take_all(lane)) == 2
        assert [act.act for act in read_history(folder).acts] == ["halt", "release"]


def test_two_who_find_it_dead_do_each_act_once(folder: Path) -> None:
    with Writer(folder):
        pass
    found: list[client.Done] = []

    def act(number: int) -> None:
        found.append(client.act(folder, said("halt", number), timeout=30.0))

    threads = [threading.Thread(target=act, args=(each // 2,)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({done.act.number for done in found}) == 4 == len(read_history(folder).acts)
    assert sorted(done.again for done in found) == [False] * 4 + [True] * 4


def test_a_process_that_hangs_is_told_and_a_halt_halts_all_the_same(folder: Path) -> None:
    with served(folder) as number, Lane.open(folder) as lane:
        os.kill(number, signal.SIGSTOP)
        with pytest.raises(ControlError, match=r"HR881.*nobody knows whether the act is done\n") as told:
            client.act(folder, said("release", 1), timeout=0.05)
        again = "and send it again with `--id id-1`, which does it once"
        assert told.value.help == f"end process {number}, which holds the lane, {again}"
        assert lane.pending() is None
        with pytest.raises(ControlError, match=r"HR881.*the machine is halted all the same"):
            client.act(folder, said("halt", 2), timeout=0.05)
        assert take_all(lane) == [0] and lane.halted
        os.kill(number, signal.SIGCONT)
        assert client.act(folder, said("halt", 2), timeout=10.0).act.act == "halt"
        # Nobody waits for the release any more; the halt was done when it could be.
        kinds = [act.act for act in read_history(folder).acts]
        assert set(kinds) == {"halt"}


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 25))])
def test_of_a_process_that_is_killed_no_acknowledged_act_is_lost_and_none_is_done_twice(
    folder: Path, seed: int
) -> None:
    draw = random.Random(seed)
    acknowledged: dict[str, int] = {}
    ended = threading.Event()

    def send(first: int) -> None:
        for number in range(first, first + 25):
            kind = ("halt", "release", "flatten")[number % 3]
            acknowledged[f"id-{number}"] = client.act(folder, said(kind, number), timeout=60.0).act.number

    def killing() -> None:
        while not ended.is_set():
            running = process.start(folder)
            ended.wait(draw.uniform(0.0, 0.08))
            with contextlib.suppress(ProcessLookupError):
                kill(running)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(running, 0)

    seen: list[tuple[int, str]] = []
    with Writer(folder):
        pass
    with Lane.open(folder) as lane:
        senders = [threading.Thread(target=send, args=(first,)) for first in (0, 100)]
        threads = [*senders, threading.Thread(target=killing)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in senders):
            while (act := lane.pending()) is not None:
                lane.taken(act)
                seen.append((act.number, act.id))
        ended.set()
        threads[-1].join()
        with Writer(folder):  # one that was killed between the log and the flag
            pass
        while (act := lane.pending()) is not None:
            lane.taken(act)
            seen.append((act.number, act.id))
        halted = lane.halted
    assert len(acknowledged) == 50
    assert {id: number for number, id in seen} == acknowledged
    assert [number for number, _ in seen] == sorted(acknowledged.values())
    assert [(act.number, act.id) for act in read_history(folder).acts] == seen
    assert client.status(folder).halted is halted
    assert verify(open_store(str(folder / LOG))).holds


# --- with a machine ---


def test_a_machine_is_held_wound_down_and_released(folder: Path) -> None:
    machine = hedgerow.load("specs/band_limited_hedge.yaml").compile(k=9, tau_max="30d").machine()
    sent: list[Any] = []
    held: list[Any] = []
    prices = itertools.cycle((100.0, 101.0))
    clock = iter(range(10**9, 10**12, 10**9))

    def turn(lane: Lane) -> None:
        """Do what an engine does in one turn of its loop."""
        while (act := lane.pending()) is not None:
            if act.event:
                held.extend(machine.send(act.event, next(clock), **act.fields).orders)
            lane.taken(act)
        if not lane.halted:
            held.extend(machine.send("tick", next(clock), price=next(prices)).orders)
        if lane.pending() is None and not lane.halted:
            sent.extend(held)
            held.clear()

    with Writer(folder) as writer, Lane.open(folder) as lane:
        for _ in range(5):
            turn(lane)
        before = len(sent)
        assert before and not held
        writer.act([asked("halt", 1)])
        for _ in range(5):
            turn(lane)
        assert (len(sent), held) == (before, [])
        writer.act([asked("override", 2, event="tick", fields={"price": 99.0})])
        turn(lane)
        assert len(sent) == before and held
        writer.act([asked("flatten", 3), asked("release", 4)])
        turn(lane)
        assert machine.configuration == ("winding_down",)
        assert len(sent) > before and not held
