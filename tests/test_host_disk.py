"""A disk that fails under a host: it stops, says why to all who wait, lets no order go, and comes back as acknowledged."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

pytest.importorskip("apsw")  # the extra `journal`

from failing_disk import FailingDisk, Fault
from journals import held_back
from pages import ROOT

import hedgerow
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.problem import HostError
from hedgerow.engine.journal import sqlite
from hedgerow.engine.journal.canonical import value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.sqlite import SqliteStore
from hedgerow.engine.journal.verify import verify

COMPILED = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml").compile()
NAMES = ("a", "b")
SECOND = 10**9
EVENTS = [Sent(NAMES[n % 2], "tick", n * SECOND, {"price": 5000.0 + 200.0 * (n // 2 % 3)}, f"t-{n}") for n in range(24)]
HALVES = (range(12), range(12, 24))
"""What the host is sent each time that it is opened."""


@dataclass
class Told:
    """What was acknowledged by a host before its disk failed.

    Fields:
        phase: what it was at when it failed.
        events: the numbers of the events whose futures had a step.
        orders: those that were in the outbox, by id.
        delivered: the ids of those whose delivery was acknowledged.
    """

    phase: str = ""
    events: set[int] = field(default_factory=set)
    orders: dict[str, Any] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)


@pytest.fixture(autouse=True)
def _a_short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the log be as short as the life of these hosts, so that each of its writes can be the one that fails."""
    monkeypatch.setattr(sqlite, "_LOG_PAGES", 12)


@pytest.fixture(autouse=True)
def _threads_end_well(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test in which an error ends a thread."""
    errors: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", errors.append)
    yield
    assert errors == []


def opened(path: Path, vfs: str | None = None, **more: Any) -> Host:
    store = SqliteStore(path, write=True, vfs=vfs)
    store._connected.execute("PRAGMA wal_autocheckpoint = 12")
    return Host(store, dict.fromkeys(NAMES, COMPILED), state_every=12, **more)


def live(path: Path, vfs: str, told: Told) -> None:
    """Let a host live twice: opened, sent events of which some wait together, told of deliveries, closed."""
    for numbers in HALVES:
        told.phase = "opening" if numbers is HALVES[0] else "opening again"
        host = opened(path, vfs)
        told.phase = "taking events"
        waiting: list[tuple[int, Future[Any]]] = []
        try:
            for number in numbers:
                event = EVENTS[number]
                waiting.append((number, host.submit(*event[:4], id=event.id)))
                if number % 3 == 2:
                    take(waiting, told)
                    for order in host.outbox()[:1]:
                        assert host.delivered(order.id).result(10)
                        told.delivered.add(order.id)
                    told.orders |= {order.id: order.order for order in host.outbox()}
        except HostError as error:
            check_stopped(host, error, [future for _, future in waiting])
            raise
        told.phase = "closing"
        try:
            host.close()
        except HostError as error:
            check_stopped(host, error, [])
            raise


def take(waiting: list[tuple[int, Future[Any]]], told: Told) -> None:
    while waiting:
        number, future = waiting[0]
        assert future.result(10).rejected is None
        told.events.add(number)
        del waiting[0]


def check_stopped(host: Host, error: HostError, waiting: list[Future[Any]]) -> None:
    """Hold a host to being stopped: it says so, and why, to whoever waits and whoever comes."""
    assert error.code == "HR870"
    assert error.message.endswith("(HR862)")
    for future in waiting:
        failed = future.exception(10)
        # What was durable before the failure may still be answered.
        assert failed is None or str(failed) == str(error)
    assert host.outbox() == ()
    for ask in (
        lambda: host.submit("a", "tick", 99 * SECOND, {"price": 5000.0}),
        lambda: host.submit_all(EVENTS[:2]),
        lambda: host.advance("a", 99 * SECOND),
        lambda: host.delivered("a-1-0"),
        lambda: host.snapshot("a"),
        lambda: host.add("c", COMPILED),
        host.close,
    ):
        with pytest.raises(HostError) as again:
            ask()
        assert str(again.value) == str(error)
    assert not host._thread.is_alive()


def check_back(path: Path, vfs: str | None, told: Told) -> None:
    """Open the journal again, now that the disk is mended: nothing acknowledged is missing, and the rest can be sent."""
    with opened(path, vfs) as host:
        reader = SqliteStore(path)
        assert verify(reader).holds
        numbers = held(reader)
        reader.close()
        assert numbers == list(range(len(numbers)))
        assert told.events <= set(numbers)
        twins = {name: COMPILED.machine() for name in NAMES}
        for number in numbers:
            event = EVENTS[number]
            twins[event.machine].send(event.event, event.time_ns, **event.fields)
        assert all(host.snapshot(name).result(10) == twins[name].snapshot() for name in NAMES)
        out = {order.id: order.order for order in host.outbox()}
        assert not told.delivered & out.keys()
        assert all(out[id] == order for id, order in told.orders.items() if id in out)
        rest = host.submit_all(EVENTS[len(numbers) :]).result(10)
        assert all(step.rejected is None for step in rest)
    reader = SqliteStore(path)
    assert (verify(reader).holds, held(reader)) == (True, list(range(len(EVENTS))))
    reader.close()


def held(store: Any) -> list[int]:
    bodies = (value_of(record.payload) for record in records_since(store) if record.kind == Kind.EVENT)
    return [int(body["id"].removeprefix("t-")) for body in bodies]


# --- a disk that fails at any of its operations ---


def operations(fault: Fault, folder: Path) -> int:
    disk = FailingDisk(fault)
    with disk.mounted() as name:
        live(folder / "whole.journal", name, Told())
    return disk.done


def fail_at_each(fault: Fault, once: bool, step: int, folder: Path) -> set[str]:
    """Let a disk fail at every so manieth of its operations, and return what hosts were at when they stopped."""
    phases = set()
    for at in range(0, operations(fault, folder), step):
        path, told, disk = folder / f"{at}.journal", Told(), FailingDisk(fault, at, once=once)
        with disk.mounted() as name:
            try:
                live(path, name, told)
            except HostError:
                phases.add(told.phase)
            except JournalError as error:
                if error.code not in ("HR862", "HR863") or not told.phase.startswith("opening"):
                    raise
                phases.add(told.phase)
            assert disk.failed
            disk.mend()
            check_back(path, name, told)
        for left in folder.glob(f"{at}.journal*"):
            left.unlink()
    return phases


ALL = {"opening", "taking events", "closing", "opening again"}
PHASES = {
    # Files are opened when a host is.
    fault: {"opening", "opening again"} if fault == "open" else ALL
    for fault in get_args(Fault)
}
STEPS = {"full": 7, "sync": 7, "read": 7, "open": 1}
"""Of most faults one in so many operations is seen in the default run, of the others one in 25; in the slow one each is."""


@pytest.mark.parametrize("once", [False, True], ids=["from then on", "once"])
@pytest.mark.parametrize("fault", get_args(Fault))
def test_a_host_stops_where_its_disk_fails_and_comes_back(fault: Fault, once: bool, tmp_path: Path) -> None:
    phases = fail_at_each(fault, once, STEPS.get(fault, 25), tmp_path)
    assert PHASES[fault] - {"closing", "opening again"} <= phases <= PHASES[fault]


@pytest.mark.slow
@pytest.mark.parametrize("once", [False, True], ids=["from then on", "once"])
@pytest.mark.parametrize("fault", get_args(Fault))
def test_a_host_stops_wherever_its_disk_fails_and_comes_back(fault: Fault, once: bool, tmp_path: Path) -> None:
    assert fail_at_each(fault, once, 1, tmp_path) == PHASES[fault]


def test_a_journal_whose_making_was_cut_off_at_any_write_is_made_again(tmp_path: Path) -> None:
    whole, path = FailingDisk("write"), tmp_path / "desk.journal"
    with whole.mounted() as name:
        SqliteStore(tmp_path / "whole.journal", write=True, vfs=name).close()
    for at in range(whole.done):
        disk = FailingDisk("write", at)
        with disk.mounted() as name:
            with contextlib.suppress(JournalError):
                SqliteStore(path, write=True, vfs=name).close()
            assert disk.failed
        SqliteStore(path, write=True).close()
        for left in tmp_path.glob("desk.journal*"):
            left.unlink()


# --- a lane ---


class Act(NamedTuple):
    number: int = 1
    act: str = "halt"
    by: str = "anna"
    reason: str = "the venue is down"
    time_ns: int = 5
    id: str = "act-1"
    event: str = ""
    fields: dict[str, Any] = {}  # noqa: RUF012  # read only


class OneAct:
    """A lane on which one thing was said, once it was."""

    def __init__(self) -> None:
        self.said: Act | None = None
        self.taken_acts: list[Act] = []

    def pending(self) -> Act | None:
        return self.said

    def taken(self, act: Act) -> None:
        self.taken_acts.append(act)
        self.said = None


def test_an_act_that_cannot_be_journalled_is_not_told_as_taken(tmp_path: Path) -> None:
    lane, disk, path = OneAct(), FailingDisk("write"), tmp_path / "desk.journal"
    with disk.mounted() as name:
        host = opened(path, name, lane=lane)
        host.submit_all(EVENTS[:6]).result(10)
        assert host.outbox()
        disk.at = disk.done
        lane.said = Act()
        host._thread.join(10)  # the lane is looked at without any event
        with pytest.raises(HostError) as error:
            host.submit("a", "tick", 99 * SECOND, {"price": 5000.0})
        check_stopped(host, error.value, [])
        assert lane.taken_acts == []
        disk.mend()
        with opened(path, name, lane=lane) as again:
            again.snapshot("a").result(10)
            assert again.halted
            assert again.outbox() == ()
        assert lane.taken_acts == [Act()]
    reader = SqliteStore(path)
    assert sum(record.kind == Kind.CONTROL for record in records_since(reader)) == 1
    reader.close()


# --- who waits ---


def test_who_has_given_up_waiting_keeps_nobody_else_from_an_answer(tmp_path: Path) -> None:
    disk = FailingDisk("write")
    with disk.mounted() as name:
        host = opened(tmp_path / "desk.journal", name)
        host.submit_all(EVENTS[:6]).result(10)
        writing, go = held_back(host._journal.store)
        futures = [host.submit(*EVENTS[6][:4])]
        assert writing.wait(10)
        futures += [host.submit(*event[:4]) for event in EVENTS[7:10]]
        assert futures[2].cancel()
        disk.at = disk.done
        go.set()
        told = [str(futures[n].exception(10)) for n in (0, 1, 3)]
        assert len(set(told)) == 1
        with pytest.raises(HostError, match="the host takes no more: the journal cannot be written"):
            host.close()


# --- a real one ---


def until_it_stops(host: Host) -> tuple[set[int], HostError]:
    """Send events, and then the last one again and again, until that fails; return the numbers of those that were taken."""
    taken = set[int]()
    for number in range(100_000):
        event = EVENTS[min(number, len(EVENTS) - 1)]
        try:
            host.submit(*event[:4], id=event.id).result(10)
        except HostError as error:
            return taken, error
        taken.add(min(number, len(EVENTS) - 1))
    raise AssertionError("there was room for all of it")


def test_a_host_whose_files_may_not_grow_stops_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "desk.journal"
    code = textwrap.dedent(f"""
        import resource, sys
        sys.path.insert(0, {str(ROOT / "tests")!r})
        from pathlib import Path
        from test_host_disk import check_stopped, opened, sqlite, until_it_stops
        sqlite._LOG_PAGES = 12
        host = opened(Path({str(path)!r}))
        size = Path({str(path)!r} + "-wal").stat().st_size
        # A write beyond the limit fails as one to a full disk does, with another errno; Python ignores the signal.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        acknowledged, error = until_it_stops(host)
        check_stopped(host, error, [])
        print(len(acknowledged), error.message)
    """)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    many, _, message = answer.stdout.partition(" ")
    assert message == "the host takes no more: the journal cannot be written: disk i/o error (HR862)\n"
    check_back(path, None, Told(events=set(range(int(many)))))


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Give a folder with a file system of its own; skip the test where that cannot be had."""
    mount = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"no file system can be mounted here: {mount.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a file system, and this is Linux's way"
)


@needs_root
def test_a_host_on_a_disk_that_is_full_stops_and_comes_back_when_there_is_room(
    tmp_path: Path,
) -> None:
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=600k", "tmpfs") as folder:
        path = folder / "desk.journal"
        host = opened(path)
        (folder / "ballast").write_bytes(bytes(200_000))
        acknowledged, error = until_it_stops(host)
        check_stopped(host, error, [])
        assert error.message == "the host takes no more: the disk is full; the group is not journalled (HR862)"
        (folder / "ballast").unlink()
        check_back(path, None, Told(events=acknowledged))


@needs_root
def test_a_host_on_a_read_only_file_system_does_not_open_and_says_so(tmp_path: Path) -> None:
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=8m", "tmpfs") as folder:
        path = folder / "desk.journal"
        with opened(path) as host:
            host.submit_all(EVENTS[:6]).result(10)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(JournalError) as error:
            opened(path)
        assert error.value.code == "HR862"
        reader = SqliteStore(path)
        assert held(reader) == list(range(6))
        reader.close()
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        check_back(path, None, Told(events=set(range(6))))
