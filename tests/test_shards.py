"""Machines over several processes: what one host does, what a process that ends takes with it, and that none is in two."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import Future
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

pytest.importorskip("apsw")  # the extra `journal`

from journals import POSTGRES, drop
from lanes import made, said, served
from pages import ROOT
from test_host import Said

import hedgerow
from hedgerow.engine.control.client import act, has_effect
from hedgerow.engine.diagnostics import WAIVABLE
from hedgerow.engine.host.freight import Specs, document_of, error_from, error_of, listed, step_from
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.problem import Busy, HostError
from hedgerow.engine.host.rendezvous import home_of
from hedgerow.engine.host.shard import Shard
from hedgerow.engine.host.shard_process import _answer, _serve
from hedgerow.engine.host.shards import Shards
from hedgerow.engine.journal.opening import open_store
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.load import loads
from hedgerow.engine.processes import interpreter
from hedgerow.engine.step import Order, Ruling, Step, Verdict

SPEC = ROOT / "specs" / "band_limited_hedge.yaml"
BAND = hedgerow.load(SPEC)
LIVE = loads(BAND.text.replace("\nlegs:", "\nfills: external\nlegs:", 1), "live.yaml")
NAMES = ("a", "c", "f", "h", "m")
WAY = (5000.0, 5001.0, 5200.0, 5100.0, 4900.0, 4905.0, 5300.0)
SECOND = 10**9
needs_server = pytest.mark.skipif(not POSTGRES, reason="HEDGEROW_POSTGRES_URL names no server")


def ticks(names: Any = NAMES, prices: tuple[float, ...] = WAY, first: int = 0) -> list[Sent]:
    return [
        Sent(name, "tick", (first + n) * SECOND, {"price": price}, f"t-{first + n}")
        for n, price in enumerate(prices)
        for name in names
    ]


def opened(place: Any, processes: int = 2, names: Any = NAMES, **more: Any) -> Shards:
    return Shards(place, dict.fromkeys(names, BAND), processes=processes, **more)


def elsewhere(shards: Shards, name: str) -> int:
    return 1 - shards.homes[name]


def move_or_not(shards: Shards, machine: str, shard: int) -> None:
    """Move a machine, or not."""
    with contextlib.suppress(HostError):
        shards.move(machine, shard)


# --- where a key is at home ---


@given(st.text(max_size=20), st.integers(1, 9))
def test_one_shard_more_moves_a_key_to_itself_or_not_at_all(key: str, shards: int) -> None:
    before, after = home_of(key, shards), home_of(key, shards + 1)
    assert 0 <= before < shards
    assert after in (before, shards)


def test_keys_are_spread_evenly_and_where_each_is_no_process_decides() -> None:
    count = 3_000
    spread = Counter(home_of(f"desk-{n}", 3) for n in range(count))
    assert set(spread) == {0, 1, 2}
    # Five standard deviations of a fair draw; the draw is the same each time.
    assert all(abs(each - count / 3) < 5 * (count * 2 / 9) ** 0.5 for each in spread.values())
    weights = [hashlib.sha256(f"{n}:desk".encode()).hexdigest() for n in range(3)]
    assert home_of("desk", 3) == weights.index(max(weights))


# --- what goes between processes ---

_NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans())
_TEXTS = st.text(max_size=5)
_ORDERS = st.builds(Order, _TEXTS, _TEXTS, _TEXTS, st.sampled_from(("buy", "sell")), *[_NUMBERS] * 5, st.integers(0, 9))
_MAYBE = st.none() | _NUMBERS
_STEPS = st.builds(
    Step,
    *[st.lists(_TEXTS, max_size=2).map(tuple)] * 3,
    st.lists(_ORDERS, max_size=2).map(tuple),
    st.lists(_TEXTS, max_size=2).map(tuple),
    st.none() | _TEXTS,
    *[st.lists(_TEXTS, max_size=2).map(tuple)] * 2,
    st.lists(st.tuples(_TEXTS, st.integers()), max_size=2).map(tuple),
    st.lists(st.builds(Verdict, _TEXTS, _TEXTS, _TEXTS, _MAYBE, _MAYBE, _MAYBE, _TEXTS, _TEXTS), max_size=2).map(tuple),
    st.lists(
        st.builds(
            Ruling,
            st.integers(),
            _TEXTS,
            st.just("asked"),
            st.none() | _TEXTS,
            _TEXTS,
            st.lists(st.tuples(_TEXTS, _NUMBERS), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    st.lists(_ORDERS, max_size=2).map(tuple),
)


@given(_STEPS)
def test_a_step_comes_back_from_another_process_as_it_was(step: Step) -> None:
    assert repr(step_from(json.loads(json.dumps(step)))) == repr(step)


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_spec_is_the_same_program_in_another_process_wherever_its_files_are(path: Path) -> None:
    compiled = hedgerow.load(path, permit=WAIVABLE).compile()
    known = Specs("here")
    known.add("desk", json.loads(json.dumps(document_of(compiled))))
    found = known["desk"]
    assert (found.digest, dict(found.parameters), found.spec.file) == (
        compiled.digest,
        dict(compiled.parameters),
        compiled.spec.file,
    )


def test_a_spec_that_is_another_one_there_is_refused() -> None:
    document = document_of(BAND.compile(k=9))
    known = Specs("here")
    for more in ({"digest": "ab"}, {"sources": {}}, {"sources": {BAND.file: "hedgerow: 1"}}, {"parameters": {"z": 1}}):
        known.add("desk", {**document, **more})
        with pytest.raises(HostError) as error:
            known["desk"]
        assert error.value.code == "HR878"


def test_errors_come_back_with_their_codes() -> None:
    busy = Busy("here", "much waits", "wait")
    found = error_from(error_of(busy))
    assert isinstance(found, Busy)
    assert str(found) == str(busy)
    for error in (TypeError("no text"), ValueError("too long")):
        assert repr(error_from(error_of(error))) == repr(error)
    assert repr(error_from(error_of(KeyError("x")))) == repr(RuntimeError("KeyError: 'x'"))


def test_what_goes_wrong_for_one_does_not_end_the_process() -> None:
    class Served:
        def broken(self, *given: object) -> None:
            raise LookupError(given)

    served: Any = Served()
    served.calls = {"broken": served.broken}
    answers: SimpleQueue[Any] = SimpleQueue()
    _answer(served, {"id": 7, "call": "broken", "given": [1]}, answers)
    number, body = answers.get()
    assert (number, repr(error_from(body["error"]))) == (7, repr(RuntimeError("LookupError: (1,)")))


# --- as one host ---


def test_a_process_that_is_left_in_the_middle_of_a_call_closes_its_journal(tmp_path: Path) -> None:
    with Host(tmp_path / "left", {"a": BAND}):
        pass
    texts, known = listed({"a": document_of(BAND)})
    given = {
        "place": str(tmp_path / "left"),
        "name": "left",
        "key": None,
        "lane": None,
        "flatten": {},
        "migrations": [],
    }
    calls = [
        ("open", [{**given, "limits": {}, "texts": texts, "known": known}]),
        ("submit", ["a", "tick", 0, {"price": 5000.0}, "t-0", None, None]),
    ]
    lines = [json.dumps({"id": n, "call": call, "given": each}).encode() for n, (call, each) in enumerate(calls)]
    answers: SimpleQueue[Any] = SimpleQueue()
    _serve(io.BytesIO(b"\n".join([*lines, b'{"id": 2, "call": "sub'])), answers)
    assert [answers.get()[1].get("error") for _ in calls] == [None] * 2
    with Host(tmp_path / "left", {"a": BAND}) as host:
        assert host.recovered.repeated == 0
        assert host.submit("a", "tick", 0, {"price": 5000.0}, id="t-0").result(10).rejected == (
            "a duplicate: an event with this id has been taken"
        )
    _serve(io.BytesIO(lines[0][:99]), answers)
    assert answers.empty()


def test_shards_do_what_one_host_does_and_come_back_as_it_does(tmp_path: Path) -> None:
    with Host(tmp_path / "one.journal", dict.fromkeys(NAMES, BAND)) as one:
        expected = one.submit_all([*ticks(), *ticks(first=20)]).result()
        last = {name: one.snapshot(name).result() for name in NAMES}
        orders = sorted((each.machine, each.order) for each in one.outbox())
    with opened(tmp_path / "many") as shards:
        assert set(shards.homes) == set(NAMES)
        assert shards.homes == {name: home_of(name, 2) for name in NAMES}
        assert set(shards.homes.values()) == {0, 1}
        singly = [shards.submit(each.machine, each.event, each.time_ns, each.fields, id=each.id) for each in ticks()]
        assert [each.result() for each in singly] == expected[: len(singly)]
        assert shards.submit_all([]).result() == []
    with opened(tmp_path / "many") as shards:
        assert all(step.rejected for step in shards.submit_all(ticks()).result())
        assert shards.submit_all(ticks(first=20)).result() == expected[len(singly) :]
        assert {name: shards.snapshot(name).result() for name in NAMES} == last
        out = shards.outbox()
        assert sorted((each.machine, each.order) for each in out) == orders
        assert [shards.delivered(each.id).result() for each in (*out, out[0])] == [True] * len(out) + [False]
        assert shards.outbox() == ()
        assert shards.advance("a", 99 * SECOND).result().rejected is None
        tick = "a", "tick", 99 * SECOND, {"price": WAY[-1]}
        counted = Sent(*tick, source="feed", sequence=3)
        duplicate, late = (
            "a duplicate: number 3 of `feed` has been taken",
            "out of order: number 1 of `feed`, which has come to 3",
        )
        assert [step.rejected for step in shards.submit_all([counted, counted]).result()] == [None, duplicate]
        assert shards.submit(*tick, source="feed", sequence=1).result().rejected == late
        # What a host refuses, shards refuse with the same words.
        with pytest.raises(HostError) as error:
            shards.submit("nobody", "tick", 0)
        assert (error.value.code, error.value.message) == ("HR872", "no machine `nobody`")
        with pytest.raises(TypeError, match="Decimal is no type"):
            shards.submit("a", "tick", 0, {"price": Decimal(1)})
        with pytest.raises(TypeError, match="cannot be sent"):
            shards.submit("a", "tick", 10**5_000)
        step = shards.submit("a", "tick", 999 * SECOND, {"price": float("nan")}).result()
        assert step.rejected == "`price` = nan is not a finite number"
        # New machines, by name and by choice.
        assert shards.add("new", BAND.compile(k=9)).result() > 0
        assert shards.add("chosen", BAND, shadow=True, shard=(at := 1 - home_of("chosen", 2))).result() > 0
        with pytest.raises(HostError) as error:
            shards.add("new", BAND)
        assert error.value.code == "HR872"
        assert shards.submit_all(ticks(("new", "chosen"))).result()
        assert {each.machine for each in shards.outbox()} == {"new"}
        assert shards.rebalance() == ()
    more = {**dict.fromkeys(NAMES, BAND), "new": BAND.compile(k=9), "chosen": BAND}
    with Shards(tmp_path / "many", more, processes=3) as shards:
        assert (shards.homes["new"], shards.homes["chosen"]) == (home_of("new", 2), at)
        before = shards.homes
        went = shards.rebalance()
        for name, home in shards.homes.items():
            assert home == (home_of(name, 3) if name in went else before[name])
            assert home == home_of(name, 3) or name == "chosen"
        assert shards.homes["chosen"] == at
        assert {name: shards.snapshot(name).result() for name in NAMES[1:]} == {name: last[name] for name in NAMES[1:]}
        shards.move("chosen", 2)
        assert shards.rebalance() == ()
    with pytest.raises(HostError) as refused:
        Shards(tmp_path / "many", more, processes=2)
    assert refused.value.code == "HR878"
    with Shards(tmp_path / "many", more, processes=3) as shards:
        assert "chosen" in shards.rebalance(2)
        assert 2 not in shards.homes.values()
    with Shards(tmp_path / "many", more, processes=2) as shards:
        assert all(step.rejected for step in shards.submit_all([*ticks(first=20), *ticks(("chosen",))]).result())
    for number in range(3):
        store = open_store(str(tmp_path / "many" / f"shard-{number}.journal"))
        assert verify(store).holds
        store.close()


@needs_server
def test_shards_keep_their_journals_on_a_server(request: pytest.FixtureRequest) -> None:
    table = f"shards_{uuid.uuid4().hex[:20]}"
    for number in range(2):
        request.addfinalizer(lambda number=number: drop(f"{table}_{number}"))
    for _ in range(2):
        with opened(f"{POSTGRES}?journal={table}") as shards:
            told = shards.submit_all(ticks()).result()
            shards.move("a", elsewhere(shards, "a"))
    assert all(step.rejected for step in told)


# --- moves ---


def test_a_machine_that_moves_goes_on_with_its_orders_and_ids_and_stays_where_somebody_put_it(tmp_path: Path) -> None:
    with opened(tmp_path) as shards:
        steps = shards.submit_all(ticks())
        before = shards.homes["a"]
        shards.move("a", 1 - before)
        # What was submitted before has been taken before.
        assert not any(step.rejected for step in steps.result(10))
        assert shards.homes["a"] == 1 - before
        held = [each.id for each in shards.outbox() if each.machine == "a"]
        assert held
        assert all(step.rejected for step in shards.submit_all(ticks(("a",))).result())
        shards.submit_all(ticks(("a",), first=20)).result()
        new = [each.id for each in shards.outbox() if each.machine == "a"]
        assert new[: len(held)] == held
        assert all(id.endswith("-1") and id.count("-") == 3 for id in new[len(held) :])
        shards.move("a", 1 - before)
        assert shards.rebalance() == ()
        with pytest.raises(HostError) as error:
            shards.move("a", 2)
        assert error.value.code == "HR872"
        last = shards.snapshot("a").result()
    with opened(tmp_path) as shards:
        assert shards.homes["a"] == 1 - before
        assert shards.snapshot("a").result() == last


def test_a_move_that_was_cut_off_is_finished_and_what_left_the_shards_is_not_begun_again(tmp_path: Path) -> None:
    with opened(tmp_path) as shards:
        shards.submit_all(ticks()).result()
        last = shards.snapshot("a").result()
        homes = shards.homes
    for name, to in (("a", f"shard {1 - homes['a']}"), ("c", "another service")):
        with Host(tmp_path / f"shard-{homes[name]}.journal", {}, known=dict.fromkeys(NAMES, BAND)) as host:
            host.remove(name, to=to, pinned=True).result()
    with pytest.raises(HostError, match="`a` is not in the shadow: it sends orders"):
        opened(tmp_path, shadow={"a"})
    with opened(tmp_path) as shards:
        assert shards.homes == {**{name: homes[name] for name in "fhm"}, "a": 1 - homes["a"]}
        assert shards.snapshot("a").result() == last
        assert shards.rebalance() == ()
        with pytest.raises(HostError) as error:
            shards.submit("c", "tick", 0, {"price": 1.0})
        assert error.value.code == "HR872"
        # Another one of its name would have orders with its ids.
        for shard in (None, 0, 1):
            with pytest.raises(HostError, match="a machine `c` has left these shards"):
                shards.add("c", BAND, shard=shard)


def test_a_move_from_a_shard_that_is_not_opened_is_not_begun_anew_from_an_older_one(tmp_path: Path) -> None:
    known = dict.fromkeys(NAMES, BAND)
    with opened(tmp_path, 3) as shards:
        shards.move("c", 2)
        shards.move("c", 1)
        shards.move("c", 2)
        shards.submit_all(ticks()).result()
        shards.rebalance(2)
    with opened(tmp_path) as shards:  # what left the third is in these
        assert "c" in shards.homes
        at = shards.homes["c"]
    with Host(tmp_path / f"shard-{at}.journal", {}, known=known) as host:
        moved = host.remove("c", to="shard 2").result()
    with Host(tmp_path / "shard-2.journal", {}, known=known) as host:
        host.add("c", BAND, moved=moved).result()
        host.remove("c", to=f"shard {at}").result()
    with pytest.raises(HostError) as error:
        opened(tmp_path)
    assert (error.value.code, "`c` is in shard 2" in error.value.message) == ("HR878", True)
    with opened(tmp_path, 3) as shards:
        assert shards.homes["c"] == at
        assert all(step.rejected for step in shards.submit_all(ticks(("c",))).result())
    # What somebody took out of the shards altogether keeps nobody from opening those that are left.
    with Host(tmp_path / f"shard-{at}.journal", {}, known=known) as host:
        host.remove("c", to="another service").result()
    with opened(tmp_path) as shards:
        assert "c" not in shards.homes


def test_a_move_that_was_cut_off_and_is_refused_where_it_led_is_undone(tmp_path: Path) -> None:
    with opened(tmp_path) as shards:
        shards.submit_all(ticks()).result()
        last, source = shards.snapshot("a").result(), shards.homes["a"]
    lane = Said()
    with Host(tmp_path / f"shard-{source}.journal", {}, known=dict.fromkeys(NAMES, BAND), lane=lane) as running:
        lane.say("halt")
        running.remove("a", to=f"shard {1 - source}", pinned=True).result()
        lane.say("release")
        running.departed("a").result()
    # The other shard is not halted, and this one is no longer.
    with opened(tmp_path) as shards:
        assert shards.homes["a"] == source
        assert shards.snapshot("a").result() == last
        assert "a" in {each.machine for each in shards.outbox()}
    # Nobody chose the place where it is.
    with Host(tmp_path / f"shard-{source}.journal", {}, known=dict.fromkeys(NAMES, BAND)) as host:
        assert not host.recovered.machines.members["a"].pinned


def test_a_machine_in_two_shards_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    at = home_of("a", 2)
    with Host(tmp_path / f"shard-{at}.journal", {}, known=dict.fromkeys(NAMES, BAND)) as host:
        moved = host.remove("a").result()
        host.add("a", BAND, moved=moved).result()
    with Host(tmp_path / f"shard-{1 - at}.journal", {}, known=dict.fromkeys(NAMES, BAND)) as host:
        host.add("a", BAND, moved=moved).result()
    with pytest.raises(HostError) as error:
        opened(tmp_path)
    assert (error.value.code, error.value.message) == ("HR878", "`a` is in shard 0 and in shard 1")


@pytest.mark.parametrize("side", ["remove", "add"])
def test_a_process_that_dies_in_a_move_leaves_the_machine_in_one_place(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as shards:
        shards.submit_all(ticks()).result()
        last = shards.snapshot("a").result()
        source, target = shards.homes["a"], elsewhere(shards, "a")
        dying = source if side == "remove" else target
        ask = Shard.ask

        def killing(self: Shard, call: str, *rest: Any, **named: Any) -> Any:
            found = ask(self, call, *rest, **named)
            if call == side:
                os.kill(self.process, signal.SIGKILL)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Shard, "ask", killing)
            # The kill may come before what was asked is done, or behind it.
            with contextlib.suppress(HostError):
                shards.move("a", target)
        if "a" not in shards.homes:
            with pytest.raises(Busy):
                shards.submit("a", "tick", 99 * SECOND, {"price": 1.0})
        assert shards.submit_all(ticks([name for name in NAMES if shards.homes.get(name) == 1 - dying])).result()
        shards.restart(dying)
        assert shards.snapshot("a").result() == last
        assert all(step.rejected for step in shards.submit_all(ticks()).result())
    with opened(tmp_path) as shards:
        assert shards.snapshot("a").result() == last


@pytest.mark.parametrize("side", ["remove", "add"])
def test_a_host_that_stops_in_a_move_may_have_done_its_part_and_is_not_taken_at_its_word(
    side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as shards:
        shards.submit_all(ticks()).result()
        last, target, ask = shards.snapshot("a").result(), elsewhere(shards, "a"), Shard.ask
        stopping = target if side == "add" else 1 - target

        def stopped(self: Shard, call: str, *rest: Any, **named: Any) -> Any:
            found = ask(self, call, *rest, **named)
            if call != side:
                return found
            assert found.exception(10) is None
            failed: Future[Any] = Future()
            failed.set_exception(
                HostError("HR870", "the host takes no more: the disk is full", self.place, "make room")
            )
            return failed

        with monkeypatch.context() as patch:
            patch.setattr(Shard, "ask", stopped)
            with pytest.raises(HostError, match="the disk is full"):
                shards.move("a", target)
        assert "a" not in shards.homes
        with pytest.raises(Busy):
            shards.submit("a", "tick", 99 * SECOND, {"price": 1.0})
        shards.restart(stopping)
        assert shards.homes["a"] == target
        assert shards.snapshot("a").result() == last
    with opened(tmp_path) as shards:
        assert shards.snapshot("a").result() == last


# --- processes that end ---


def test_a_process_that_is_killed_takes_nobody_with_it_and_comes_back_exactly(tmp_path: Path) -> None:
    with opened(tmp_path) as shards:
        shards.submit_all(ticks()).result()
        last = {name: shards.snapshot(name).result() for name in NAMES}
        out = set(shards.outbox())
        dead = shards.homes["a"]
        os.kill(shards.processes[dead], signal.SIGSTOP)
        waiting = shards.submit("a", "tick", 50 * SECOND, {"price": 5000.0}, id="late")
        both = shards.submit_all(ticks(first=60))
        os.kill(shards.processes[dead], signal.SIGKILL)
        for future in (waiting, both):
            error = future.exception(10)
            assert isinstance(error, HostError)
            assert (error.code, error.help.startswith(f"`restart({dead})`")) == ("HR870", True)
        with pytest.raises(HostError, match=f"shard {dead} takes no more"):
            shards.submit("a", "tick", 51 * SECOND, {"price": 5000.0})
        with pytest.raises(HostError, match=f"shard {dead} takes no more"):
            shards.move(next(name for name in NAMES if shards.homes[name] != dead), dead)
        others = [name for name in NAMES if shards.homes[name] != dead]
        assert all(step.rejected for step in shards.submit_all(ticks(others, first=60)).result())
        assert {each.machine for each in shards.outbox()} == set(others)
        shards.restart(dead)
        for name in NAMES:
            if name not in others:
                assert shards.snapshot(name).result() == last[name]
        assert set(shards.outbox()) >= out
        assert shards.submit("a", "tick", 50 * SECOND, {"price": 5000.0}, id="late").result().rejected is None
    with opened(tmp_path) as shards:
        os.kill(shards.processes[0], signal.SIGKILL)
        with pytest.raises(HostError, match="shard 0 takes no more"):
            shards.close()
        shards.close()  # it is closed now
        with pytest.raises(HostError, match="they were closed"):
            shards.restart(0)


def test_a_process_that_hangs_is_killed_where_it_is_to_end_and_comes_back_exactly(tmp_path: Path) -> None:
    with opened(tmp_path, patience_s=0.5) as shards:
        shards.submit_all(ticks()).result()
        last, hung = shards.snapshot("a").result(), shards.homes["a"]
        others = {each for each in shards.outbox() if shards.homes[each.machine] != hung}
        os.kill(shards.processes[hung], signal.SIGSTOP)
        waiting = shards.submit("a", "tick", 50 * SECOND, {"price": 5000.0}, id="late")
        assert set(shards.outbox()) == others
        moving = Thread(target=move_or_not, args=(shards, "a", 1 - hung))
        moving.start()
        while "a" in shards.homes:
            assert moving.is_alive()
        shards.restart(hung)
        moving.join()
        error = waiting.exception(10)
        assert isinstance(error, HostError)
        assert (error.code, "answered nothing for 0.5 s" in error.message) == ("HR870", True)
        assert shards.snapshot("a").result() == last
        assert shards.submit("a", "tick", 50 * SECOND, {"price": 5000.0}, id="late").result().rejected is None
        last = shards.snapshot("a").result()
        os.kill(shards.processes[0], signal.SIGSTOP)
        with pytest.raises(HostError, match="answered nothing"):
            shards.close()
    with opened(tmp_path) as shards:
        assert shards.snapshot("a").result() == last


@pytest.mark.parametrize("hangs", ["from", "to"])
@pytest.mark.parametrize("late", [False, True])
def test_who_moves_a_machine_from_or_to_a_process_that_hangs_is_let_go_and_the_move_is_finished(
    hangs: str, late: bool, tmp_path: Path
) -> None:
    with opened(tmp_path, patience_s=0.5) as shards:
        shards.submit_all(ticks()).result()
        last, source = shards.snapshot("a").result(), shards.homes["a"]
        hung = source if hangs == "from" else 1 - source
        os.kill(shards.processes[hung], signal.SIGSTOP)
        with pytest.raises(HostError, match=f"shard {hung} has answered nothing for 0.5 s") as error:
            shards.move("a", 1 - source)
        assert (error.value.code, error.value.help.startswith(f"`restart({hung})`")) == ("HR870", True)
        assert "a" not in shards.homes
        with pytest.raises(Busy, match="on its way"):
            shards.submit("a", "tick", 50 * SECOND, {"price": 5000.0})
        with pytest.raises(HostError, match=f"shard {hung} has answered nothing"):
            shards.rebalance()
        if late:  # it was only slow, and does what it was asked
            os.kill(shards.processes[hung], signal.SIGCONT)
        shards.restart(hung)
        assert shards.homes["a"] == (source if hangs == "from" and not late else 1 - source)
        assert shards.snapshot("a").result() == last
        assert shards.submit("a", "tick", 50 * SECOND, {"price": 5000.0}).result().rejected is None
        shards.rebalance()
        assert sorted(shards.homes) == sorted(NAMES)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that is what may not hang
def test_shards_belong_to_the_process_that_opened_them(tmp_path: Path) -> None:
    with opened(tmp_path) as shards:
        first = shards._shards[0]
        pipes = {os.fstat(each.fileno()).st_ino for each in (first._input, first._output)}
        # As threads may hold them that are not there afterwards.
        with shards._changing, shards._homes.lock, first._lock:
            child = os.fork()
            if not child:  # pragma: no cover  # it ends before it could tell
                signal.alarm(10)
                told = []
                for call in (lambda: shards.submit("a", "tick", 0, {"price": 5000.0}), shards.close):
                    try:
                        call()
                    except HostError as error:
                        told.append("it belongs to another process" in error.message)
                kept = [each for each in range(256) if _inode(each) in pipes]
                os._exit(0 if told == [True, True] and not kept else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert shards.submit("a", "tick", 0, {"price": 5000.0}).result(10).rejected is None


def _inode(descriptor: int) -> int | None:
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None


def test_who_was_interrupted_closing_can_close_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    with opened(tmp_path) as shards:
        processes = shards.processes
        monkeypatch.setattr("hedgerow.engine.host.shards.end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shards.close()
        monkeypatch.undo()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_orders_are_there_but_for_those_of_a_process_that_ends_while_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Shard.ask

    def ending(shard: Shard, call: str, *given: Any, **more: Any) -> Any:
        if shard.number == 0:
            os.kill(shard.process, signal.SIGKILL)
            while shard.ended is None:
                pass
        return ask(shard, call, *given, **more)

    with opened(tmp_path) as shards:
        shards.submit_all(ticks()).result()
        others = {each for each in shards.outbox() if shards.homes[each.machine]}
        monkeypatch.setattr(Shard, "ask", ending)
        assert set(shards.outbox()) == others != set()
        monkeypatch.undo()
        shards.restart(0)


def test_processes_that_hang_are_waited_for_together(tmp_path: Path) -> None:
    count, patience_s = 4, 2.0
    with opened(tmp_path, count, patience_s=patience_s) as shards:
        for process in shards.processes:
            os.kill(process, signal.SIGSTOP)
        began = time.monotonic()
        assert shards.outbox() == ()
        assert time.monotonic() - began < count * patience_s
        for process in shards.processes:
            os.kill(process, signal.SIGCONT)


def test_a_process_that_hangs_while_it_opens_its_host_keeps_nobody_from_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, hung = opened(tmp_path, patience_s=0.5), []

    def stopped(module: str) -> Any:
        process = interpreter(module)
        os.kill(process.pid, signal.SIGSTOP)
        hung.append(process)
        return process

    monkeypatch.setattr("hedgerow.engine.host.shard.interpreter", stopped)
    told: SimpleQueue[str] = SimpleQueue()

    def tell(call: Any) -> None:
        try:
            call()
        except HostError as error:
            told.put(error.message)

    restarting = Thread(target=tell, args=(lambda: shards.restart(0),))
    restarting.start()
    while not hung:
        assert restarting.is_alive()
    closing = Thread(target=tell, args=(shards.close,), daemon=True)
    closing.start()
    closing.join(20)
    try:
        assert not closing.is_alive()
        messages = sorted((told.get(), told.get()))
        assert ["answered nothing for 0.5 s" in each for each in messages] == [False, True]
        assert "it was closed" in messages[0]
    finally:
        for process in hung:
            process.kill()
        restarting.join()


@pytest.mark.parametrize("patience_s", [0, -1.0, float("nan"), float("inf"), 1e10])
def test_patience_that_no_clock_can_wait_for_is_refused(patience_s: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="patience is more than 0 and at most"):
        opened(tmp_path, patience_s=patience_s)


def test_more_machines_begin_than_events_may_wait(tmp_path: Path) -> None:
    names = [f"m{n}" for n in range(40)]
    with opened(tmp_path, names=names, waiting=1) as shards:
        assert sorted(shards.homes) == sorted(names)
        assert set(shards.rebalance(1)) == {name for name in names if home_of(name, 2)}


def test_a_callback_that_ends_its_thread_does_not_end_that_of_a_shard(tmp_path: Path) -> None:
    def leave(future: Any) -> None:
        raise SystemExit

    with opened(tmp_path) as shards:
        os.kill(shards.processes[shards.homes["a"]], signal.SIGSTOP)
        first = shards.submit("a", "tick", 0, {"price": 5000.0})
        first.add_done_callback(leave)
        os.kill(shards.processes[shards.homes["a"]], signal.SIGCONT)
        assert first.result(10).rejected is None
        assert shards.submit("a", "tick", 1, {"price": 5000.0}).result(10).rejected is None


def test_a_future_that_whoever_waits_has_answered_stops_nobody(tmp_path: Path) -> None:
    with opened(tmp_path) as shards:
        step = shards.submit("a", "tick", 0, {"price": 5000.0}).result()
        process = shards.processes[shards.homes["a"]]
        os.kill(process, signal.SIGSTOP)
        shards.submit("a", "tick", 1, {"price": 5000.0}).set_result(step)
        other = shards.submit("a", "tick", 2, {"price": 5000.0})
        os.kill(process, signal.SIGCONT)
        assert other.result(10).rejected is None
        os.kill(process, signal.SIGSTOP)
        shards.submit("a", "tick", 3, {"price": 5000.0}).set_result(step)
        other = shards.submit("a", "tick", 4, {"price": 5000.0})
        os.kill(process, signal.SIGKILL)
        assert isinstance(other.exception(10), HostError)
        shards.restart(shards.homes["a"])


def test_a_shard_that_has_as_much_as_it_takes_says_so_and_nothing_is_taken(tmp_path: Path) -> None:
    with opened(tmp_path, waiting=2) as shards:
        stopped = shards.homes["a"]
        other = next(name for name in NAMES if shards.homes[name] != stopped)
        os.kill(shards.processes[stopped], signal.SIGSTOP)
        taken: list[Future[Any]] = [shards.submit("a", "tick", n, {"price": 5000.0}) for n in range(2)]
        for call in (
            lambda: shards.submit("a", "tick", 3, {"price": 5000.0}),
            lambda: shards.submit_all(
                [Sent(other, "tick", 3, {"price": 5000.0}), Sent("a", "tick", 3, {"price": 5000.0})]
            ),
            lambda: shards.add("more", BAND, shard=stopped),
        ):
            with pytest.raises(Busy) as error:
                call()
            assert error.value.code == "HR871"
        # The other shard has its room still, and has taken nothing.
        more = [shards.submit(other, "tick", n, {"price": 5000.0}).result(10).rejected for n in range(3)]
        os.kill(shards.processes[stopped], signal.SIGCONT)
        assert [each.result(10).rejected for each in taken] == [None] * 2
        assert more == [None] * 3
        assert shards.add("more", BAND, shard=stopped).result(10) > 0


def test_events_may_come_from_an_iterator_and_take_no_room_for_longer(tmp_path: Path) -> None:
    with opened(tmp_path, waiting=1) as shards:
        for n in range(3):
            events: Any = iter(ticks(first=n))
            assert len(shards.submit_all(events).result()) == len(ticks())
            assert shards.submit_all(events).result() == []


def test_orders_that_nobody_takes_hold_events_up_in_their_shard(tmp_path: Path) -> None:
    with Shards(tmp_path, {"a": LIVE}, processes=1, undelivered=1) as shards:
        shards.submit_all(ticks(("a",), WAY[:3])).result()
        error = shards.submit("a", "tick", 99 * SECOND, {"price": 5000.0}).exception(10)
        assert isinstance(error, Busy)
        assert "orders wait to be delivered" in error.message


def test_what_keeps_one_shard_from_opening_ends_all(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    with pytest.raises(HostError) as error:
        Shards(tmp_path, dict.fromkeys(NAMES, LIVE), processes=2)
    assert error.value.code == "HR873"
    with pytest.raises(HostError) as error:
        opened(tmp_path, names=NAMES[:1])
    assert error.value.code == "HR872"
    with opened(tmp_path):  # and no process of them holds a journal
        pass
    with pytest.raises(HostError, match="`a` is not in the shadow: it sends orders"):
        opened(tmp_path, shadow={"a"})
    with pytest.raises(ValueError, match="at least one process"):
        opened(tmp_path, 0)
    with pytest.raises(ValueError, match="one lane a shard"):
        opened(tmp_path, lanes=["one"])


def test_what_is_no_spec_no_name_and_no_folder_is_told_as_a_host_tells_it(tmp_path: Path) -> None:
    text: Any = str(SPEC)
    with pytest.raises(TypeError, match="a spec that was loaded"):
        Shards(tmp_path, {"a": text}, processes=1)
    with pytest.raises(TypeError, match="a spec that was loaded"):
        Shards(tmp_path, {"a": text}, processes=1, flatten={"a": "manual_exit"})
    for more, what in (
        ({"lanes": "ab"}, "a list of the folders of stop lanes"),
        ({"lanes": [7, 8]}, "a list of the folders of stop lanes"),
        ({"migrations": "moved.yaml"}, "a list of those that were read"),
        ({"flatten": "manual_exit"}, "events by the names of machines"),
        ({"shadow": "a"}, "a set of the names of machines"),
    ):
        with pytest.raises(TypeError, match=what):
            opened(tmp_path, **more)
    with pytest.raises(HostError, match="is no name of a machine"):
        opened(tmp_path, names=["a\udc80"])
    Path(tmp_path, "file").touch()
    with pytest.raises(HostError) as error:
        opened(tmp_path / "file")
    assert error.value.code == "HR862"
    with opened(tmp_path) as shards:
        with pytest.raises(TypeError, match="a spec that was loaded"):
            shards.add("z", text)
        with pytest.raises(HostError, match="is no name for a new machine"):
            shards.add("z\udc80", BAND)
        assert sorted(shards.homes) == sorted(NAMES)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_the_one_that_started_them_and_nothing_acknowledged_is_lost(
    ending: signal.Signals, tmp_path: Path
) -> None:
    # A session of its own: Ctrl-C reaches all processes of a group.
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "shards_process.py"), str(tmp_path), str(SPEC)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("begun ")
        taken = -1
        while taken < 20:
            taken = int(running.stdout.readline().split()[1])
        if ending == signal.SIGINT:
            os.killpg(running.pid, ending)
        else:
            os.kill(running.pid, ending)
        # The processes of the shards have this end of the standard error too: it ends when the last of them does.
        told, errors = running.communicate(timeout=60)
    lines = told.splitlines()
    taken = max([taken, *(int(line.split()[1]) for line in lines if line.startswith("taken "))])
    assert errors == ""
    assert (lines[-1:] == ["closed"]) is (ending == signal.SIGINT)
    with opened(tmp_path, names="acfh") as shards:
        for name in "acfh":
            known = [
                bool(shards.submit(name, "tick", 10**9, {"price": 5000.0}, id=f"t-{number}").result().rejected)
                for number in range(taken + 1)
            ]
            assert all(known)


def test_each_shard_has_a_lane_of_its_own(tmp_path: Path) -> None:
    folders = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        folders.append(made(tmp_path / str(number)))
    with served(folders[0]), served(folders[1]), opened(tmp_path / "shards", lanes=folders) as shards:
        shards.submit_all(ticks()).result()
        halted = {name for name, home in shards.homes.items() if home == 0}
        assert has_effect(folders[0], act(folders[0], said("halt")).act.number, 10.0)
        steps = shards.submit_all(ticks(first=20)).result()
        told = {sent.machine for sent, step in zip(ticks(first=20), steps, strict=True) if step.rejected}
        assert told == halted
        assert {each.machine for each in shards.outbox()} == set(NAMES) - halted
        # What is halted is not let go by going elsewhere: it is back where it was.
        name = sorted(halted)[0]
        with pytest.raises(HostError) as error:
            shards.move(name, 1)
        assert error.value.code == "HR877"
        assert shards.homes[name] == 0
        assert has_effect(folders[0], act(folders[0], said("release", 2)).act.number, 10.0)
        shards.move(name, 1)
        assert name in {each.machine for each in shards.outbox()}
