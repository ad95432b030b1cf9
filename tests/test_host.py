"""Machines that are journalled: what is acknowledged, what is refused, and that they come back exactly."""

from __future__ import annotations

import math
import os
import threading
import uuid
from collections.abc import Mapping
from fractions import Fraction
from itertools import count, pairwise, product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from journals import POSTGRES, chained_anew, drop, filled, groups_of, held_back, kept
from pages import ROOT
from test_approvals import BOOK, HEAD

import hedgerow
from hedgerow.engine.host.history import repeat
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.journalled import Journalled
from hedgerow.engine.host.machines import Machines, Outgoing
from hedgerow.engine.host.memory import Memory
from hedgerow.engine.host.problem import Busy, Divergence, HostError
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.host.replaying import replay
from hedgerow.engine.journal import kinds
from hedgerow.engine.journal.canonical import canonical, value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.journal import Journal
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.problem import JournalError
from hedgerow.engine.journal.records import Group, State
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.load import loads
from hedgerow.engine.snapshot import SnapshotError
from hedgerow.engine.step import Order, Step

BAND = hedgerow.load(ROOT / "specs" / "band_limited_hedge.yaml")
LIVE = loads(BAND.text.replace("\nlegs:", "\nfills: external\nlegs:", 1), "live.yaml")
COUNTER = loads(
    "hedgerow: 1\nname: counter\nevents: {up: {}, pass: {}}\nstate: {count: {type: int, initial: 0, range: [0, 9]}}\n"
    "machine: {initial: on, states: {on: {on: {up: {do: [{set: {count: count + 1}}]}}}}}\n",
    "counter.yaml",
)
"""A machine whose transition leaves its configuration as it is, and orders nothing."""
WAY = (5000.0, 5001.0, 5200.0, 5100.0, 4900.0, 4905.0, 5300.0)
SECOND = 10**9
needs_server = pytest.mark.skipif(not POSTGRES, reason="HEDGEROW_POSTGRES_URL names no server")


def ticking() -> Any:
    """Return a clock that moves by one at each look."""
    ticks = count(1)
    return lambda: next(ticks)


def host(store: Any, spec: Any = BAND, **given: Any) -> Host:
    return Host(store, {"desk": spec}, clock=ticking(), **given)


def ticks(prices: tuple[float, ...] = WAY, first: int = 0) -> list[Sent]:
    return [
        Sent("desk", "tick", (first + n) * SECOND, {"price": price}, f"t-{first + n}") for n, price in enumerate(prices)
    ]


def records(store: Any) -> list[tuple[str, Any]]:
    return [(Kind(record.kind).word, value_of(record.payload)) for record in records_since(store)]


def twin(store: Any, spec: Any = BAND) -> Any:
    """Return a machine that was sent, in one go and without a host, what the journal says that was taken."""
    machine = spec.compile().machine()
    for kind, body in records(store):
        if kind in ("event", "fill", "approval"):
            machine.send(body["name"], body["time_ns"], **body.get("fields", {}))
        elif kind == "refusal" and body.get("told"):
            machine.refuse(body["reason"])
    return machine


# --- what is acknowledged ---


def test_a_hosted_machine_does_what_it_does_alone() -> None:
    alone = BAND.compile().machine()
    with host(MemoryStore()) as running:
        for sent in ticks():
            step = running.submit("desk", sent.event, sent.time_ns, sent.fields).result()
            assert step == alone.send(sent.event, sent.time_ns, **sent.fields)
        assert running.snapshot("desk").result() == alone.snapshot()


def test_nothing_is_acknowledged_and_no_order_leaves_before_it_is_durable() -> None:
    store = MemoryStore()
    running = host(store)
    writing, go = held_back(store)
    first = running.submit_all(ticks())
    assert writing.wait(10)
    assert not first.done()
    assert running.outbox() == ()
    go.set()
    assert sum(len(step.orders) for step in first.result(10)) == len(running.outbox()) > 0
    running.close()


def test_a_quiet_event_is_one_record_and_any_other_is_followed_by_its_step() -> None:
    store = MemoryStore()
    with Host(store, {"desk": BAND, "counter": COUNTER}) as running:
        sent = [*ticks(), *(Sent("counter", event, n) for n, event in enumerate(("up", "pass", "up")))]
        steps = running.submit_all(sent).result()
    told = records(store)
    events = [n for n, (kind, _) in enumerate(told) if kind == "event"]
    assert len(events) == len(sent)
    for place, step in zip(events, steps, strict=True):
        quiet = not step.fired and step.before == step.configuration
        assert (told[place + 1][0] == "step") is not quiet
        if not quiet:
            assert told[place + 1][1]["of"] == place
            assert told[place + 1][1].get("fired", []) == list(step.fired)


def test_a_host_that_cannot_write_stops_and_says_so() -> None:
    class Full(MemoryStore):
        full = False

        def write(self, group: Group, state: State | None = None) -> None:
            if self.full:
                raise JournalError("HR862", "the disk is full; the group is not journalled", self.place, "make room")
            super().write(group, state)

    store = Full()
    running = host(store)
    running.submit_all(ticks(WAY[:2])).result()
    store.full = True
    lost = running.submit_all(ticks(WAY[2:], 2))
    with pytest.raises(HostError) as error:
        lost.result(10)
    assert error.value.code == "HR870"
    assert "the disk is full" in error.value.message
    assert running.outbox() == ()
    with pytest.raises(HostError, match="the disk is full"):
        running.submit("desk", "tick", 99 * SECOND, {"price": 1.0})
    with pytest.raises(HostError, match="the disk is full"):
        running.close()
    store.full = False
    with host(store) as again:
        assert again.snapshot("desk").result() == twin(store).snapshot()
        assert again.submit_all(ticks(WAY[2:], 2)).result()[0].fired


def test_a_future_that_whoever_waits_has_answered_stops_no_host() -> None:
    with host(slow := MemoryStore()) as running:
        writing, go = held_back(slow)
        step = Step((), (), ())
        first = running.submit("desk", "tick", 0, {"price": 5000.0})
        assert writing.wait(10)
        first.set_result(step)
        running.submit("desk", "tick", 1, {"price": 5000.0}).set_result(step)  # like one that is cancelled
        go.set()
        assert running.submit("desk", "tick", 1, {"price": 5000.0}, id="b").result(10).rejected is None
    assert [body.get("id") for kind, body in records(slow) if kind == "event"] == [None, "b"]


def test_a_callback_that_ends_its_thread_does_not_end_that_of_the_host() -> None:
    def leave(future: Any) -> None:
        raise SystemExit

    store, writing, go = MemoryStore(), threading.Event(), threading.Event()
    with host(store) as running:
        running.submit("desk", "tick", 0, {"price": 5000.0}).add_done_callback(lambda _: writing.set() or go.wait(10))
        assert writing.wait(10)
        futures = [running.submit("desk", "tick", n, {"price": 5000.0}) for n in (1, 2)]
        for each in futures:
            each.add_done_callback(leave)
        go.set()
        assert [each.result(10).rejected for each in futures] == [None, None]
        assert running.submit("desk", "tick", 3, {"price": 5000.0}).result(10).rejected is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that is what may not hang
def test_a_host_belongs_to_the_process_that_opened_it() -> None:
    with host(MemoryStore()) as running:
        child = os.fork()
        if not child:  # pragma: no cover  # it ends before it could tell
            try:
                running.submit("desk", "tick", 0, {"price": 5000.0})
            except HostError as error:
                os._exit(0 if "it belongs to another process" in error.message else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert running.submit("desk", "tick", 0, {"price": 5000.0}).result(10).rejected is None


def test_a_host_that_has_as_much_as_it_takes_says_so_and_takes_nothing() -> None:
    store = MemoryStore()
    running = host(store, waiting=2)
    writing, go = held_back(store)
    taken = [running.submit("desk", "tick", 0, {"price": 5000.0})]
    assert writing.wait(10)
    taken += [running.submit("desk", "tick", n, {"price": 5000.0}) for n in (1, 2)]
    with pytest.raises(Busy) as error:
        running.submit("desk", "tick", 3, {"price": 5000.0})
    assert error.value.code == "HR871"
    go.set()
    assert [each.result(10).rejected for each in taken] == [None] * 3
    running.close()
    assert sum(kind == "event" for kind, _ in records(store)) == 3


@pytest.mark.parametrize(("group", "commits"), [(1, 4), (3, 2), (10, 2)])
def test_as_much_as_was_allowed_is_committed_together(group: int, commits: int) -> None:
    store = MemoryStore()
    with host(store, group=group) as running:
        before = len(groups_of(store))
        writing, go = held_back(store)
        futures = [running.submit("desk", "tick", 0, {"price": 5000.0})]
        assert writing.wait(10)
        futures += [running.submit("desk", "tick", n, {"price": 5000.0}) for n in (1, 2, 3)]
        go.set()
        assert [each.result(10).rejected for each in futures] == [None] * 4
        assert len(groups_of(store)) - before == commits


def test_a_machine_for_which_there_was_no_room_can_be_added_later() -> None:
    store = MemoryStore()
    running = host(store, waiting=1)
    writing, go = held_back(store)
    taken = [running.submit("desk", "tick", 0, {"price": 5000.0})]
    assert writing.wait(10)
    taken.append(running.submit("desk", "tick", 1, {"price": 5000.0}))
    with pytest.raises(Busy):
        running.add("other", BAND)
    go.set()
    assert [each.result(10).rejected for each in taken] == [None, None]
    assert running.add("other", BAND).result(10) > 0
    running.close()


def test_orders_that_nobody_takes_hold_events_up_and_not_fills() -> None:
    with host(MemoryStore(), LIVE, undelivered=1) as running:
        running.submit_all(ticks(WAY[:3])).result()
        with pytest.raises(Busy, match="orders wait to be delivered"):
            running.submit("desk", "tick", 9 * SECOND, {"price": 5000.0})
        order = running.outbox()[0].order
        cancelled = running.submit("desk", f"{order.leg}.cancelled", 9 * SECOND, {"order": order.number})
        assert cancelled.result().rejected is None


def test_a_machine_whose_adding_was_called_off_can_be_added_later() -> None:
    store = MemoryStore()
    with host(store) as running:
        writing, go = held_back(store)
        running.submit("desk", "tick", 0, {"price": 5000.0})
        assert writing.wait(10)
        assert running.add("other", BAND).cancel()
        again = running.add("other", BAND)
        go.set()
        assert again.result(10) > 0


# --- what is refused ---


def test_duplicates_are_refused_also_after_a_restart_and_change_nothing() -> None:
    store = MemoryStore()
    with host(store) as running:
        running.submit_all(ticks()).result()
        before = running.snapshot("desk").result()
        assert running.submit("desk", "tick", 99 * SECOND, {"price": 1.0}, id="t-2").result().rejected
        assert running.snapshot("desk").result() == before
    with host(store) as again:
        told = again.submit_all([*ticks(), Sent("desk", "tick", 99 * SECOND, {"price": 5000.0}, "new")]).result()
        assert [bool(step.rejected) for step in told] == [True] * len(WAY) + [False]
    refusals = [body for kind, body in records(store) if kind == "refusal"]
    assert len(refusals) == len(WAY) + 1
    assert {body["reason"] for body in refusals} == {"a duplicate: an event with this id has been taken"}


@pytest.mark.parametrize("place", ["sqlite", pytest.param("postgres", marks=needs_server)])
def test_a_host_comes_back_from_every_store(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    name, last = str(tmp_path / "desk.journal"), None
    if place == "postgres":
        table = f"host_{uuid.uuid4().hex}"
        request.addfinalizer(lambda: drop(table))
        name = f"{POSTGRES}?journal={table}"
    for first in (0, 20, 40):
        with host(name, state_every=10) as running:
            assert last is None or running.snapshot("desk").result() == last
            running.submit_all(ticks(WAY, first)).result()
            last = running.snapshot("desk").result()
    with pytest.raises(HostError) as error:
        host(name, LIVE)
    assert error.value.code == "HR873"  # and it has let go of the journal
    with host(name) as running:
        assert running.snapshot("desk").result() == last


def test_an_id_is_known_for_as_many_records_as_was_promised_and_then_forgotten() -> None:
    store = MemoryStore()
    with host(store, remembered=4) as running:
        running.submit_all(ticks((5000.0,) * 8)).result()
        late = running.submit("desk", "tick", 20 * SECOND, {"price": 5000.0}, id="t-0").result()
        known = running.submit("desk", "tick", 20 * SECOND, {"price": 5000.0}, id="t-7").result()
    assert late.rejected is None
    assert known.rejected is not None


def test_a_recovery_knows_the_ids_of_as_many_records_as_was_promised_of_whatever_kind() -> None:
    store, spec = MemoryStore(), loads(HEAD + BOOK, "approved.yaml")
    sent = [
        Sent("desk", "tick", 0, {"price": 49.0}, "a"),
        Sent("desk", "approve", SECOND, {"number": 1, "by": "anna"}, "b"),
        Sent("desk", "tick", SECOND, {"price": float("nan")}, "c"),
        Sent("live", "tick", 0, {"price": 5000.0}, "d"),
        Sent("live", "tick", SECOND, {"price": 5200.0}, "e"),
        Sent("live", "long.cancelled", 2 * SECOND, {"order": 1}, "f"),
        Sent("desk", "tick", SECOND, {"price": 60.0}, "b"),
        Sent("desk", "tick", 2 * SECOND, {"price": 60.0}),
    ]
    with Host(store, {"desk": spec, "live": LIVE}) as running:
        running.submit_all(sent).result()
    told = records(store)
    kinds_told = [kind for kind, body in told if "id" in body]
    assert kinds_told == ["event", "approval", "refusal", "event", "event", "fill", "refusal"]
    for remembered in range(1, len(told) + 2):
        found = rebuild(store, {"desk": spec.compile(), "live": LIVE.compile()}, remembered=remembered).machines.memory
        last = [body for kind, body in told[-remembered:] if "id" in body and (kind != "refusal" or body.get("told"))]
        for name in ("desk", "live"):
            assert found.of(name) == [body["id"] for body in last if body["machine"] == name]


def test_an_id_is_known_from_when_it_came_last() -> None:
    memory = Memory(4)
    for sequence, id in enumerate(("x", "y", "x", "z", "w")):
        memory.add("desk", id, sequence)
    assert [("desk", id) in memory for id in "xyzw"] == [True, True, True, True]
    assert len(memory) == 4
    assert memory.of("desk") == ["y", "x", "z", "w"]
    memory.add("desk", "v", 5)
    assert [("desk", id) in memory for id in "xyzwv"] == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("event", "time_ns", "fields", "reason"),
    [
        ("tick", 1, {"price": 5000.0}, "the time 1 is before the last event at 6000000000"),
        ("tick", 2**70, {"price": 5000.0}, f"the time {2**70} does not fit in 64 bits"),
        ("tick", 2**63, {"price": 5000.0}, f"the time {2**63} does not fit in 64 bits"),
        ("tick", -(2**63) - 1, {"price": 5000.0}, f"the time {-(2**63) - 1} does not fit in 64 bits"),
        ("tick", True, {"price": 5000.0}, "the time True is not a whole number of nanoseconds"),
        ("tick", 7 * SECOND, {"price": float("nan")}, "`price` = nan is not a finite number"),
        ("tick", 7 * SECOND, {"price": None}, "`price` = None is not a number"),
        ("tick", 7 * SECOND, {}, "`tick` came without its field `price`"),
        ("tock", 7 * SECOND, {}, "unknown event `tock`: did you mean `tick`?"),
    ],
)
def test_what_the_machine_refuses_stands_in_the_journal_and_comes_back(
    event: str, time_ns: int, fields: dict[str, Any], reason: str
) -> None:
    store = MemoryStore()
    with host(store) as running:
        running.submit_all(ticks()).result()
        step = running.submit("desk", event, time_ns, fields, id="bad").result()
        assert step.rejected == reason
        assert step.raised == ("input.rejected",)
        after = running.snapshot("desk").result()
    refusal = next(body for kind, body in records(store) if kind == "refusal")
    assert (refusal["reason"], refusal["told"], refusal["id"]) == (reason, True, "bad")
    assert ("time_ns" in refusal) is (type(time_ns) is int and -(2**63) <= time_ns < 2**63)
    store._states.clear()
    assert rebuild(store, {"desk": BAND.compile()}).machines["desk"].snapshot() == after


def test_a_source_that_counts_its_events_is_heard_in_its_order() -> None:
    store = MemoryStore()
    sent = ((3, 0), (4, 1), (4, 2), (2, 3), (9, 4), (8, 5))

    def say(running: Host, sequence: int, second: int, source: str = "feed") -> str | None:
        event = running.submit("desk", "tick", second * SECOND, {"price": 5000.0}, source=source, sequence=sequence)
        return event.result().rejected

    with host(store) as running:
        assert [say(running, *each) for each in sent] == [
            None,
            None,
            "a duplicate: number 4 of `feed` has been taken",
            "out of order: number 2 of `feed`, which has come to 4",
            None,
            "out of order: number 8 of `feed`, which has come to 9",
        ]
        assert say(running, 0, 6, "other") is None  # each source counts by itself
        assert say(running, 1, 0, "other") == "the time 0 is before the last event at 6000000000"
        after = running.snapshot("desk").result()
    told = [(kind, body.get("source"), body.get("sequence")) for kind, body in records(store) if "source" in body]
    assert told.count(("refusal", "feed", 4)) == told.count(("event", "feed", 4)) == 1
    # What the sources have come to is kept, with the state or without, however many records ago.
    for states in (list(store._states), []):
        store._states[:] = states
        found = rebuild(store, {"desk": BAND.compile()}).machines["desk"]
        assert (found.snapshot(), found.sequences) == (after, {"feed": 9, "other": 1})
    with host(store, remembered=1) as again:
        assert say(again, 9, 7) == "a duplicate: number 9 of `feed` has been taken"
        assert say(again, 10, 7) is None
        assert [say(again, 0, 7, f"s{n}") for n in range(256)] == [None] * 254 + [
            "256 sources count their events already, and this is another one"
        ] * 2
        for source, sequence in (
            ("feed", None),
            (None, 1),
            ("feed", -1),
            ("feed", 1.0),
            ("feed", True),
            ("", 1),
            (7, 1),
        ):
            with pytest.raises(TypeError):
                again.submit("desk", "tick", 0, {"price": 1.0}, source=source, sequence=sequence)  # type: ignore[arg-type]
    assert verify(store).holds


def test_what_a_halted_host_refused_may_come_again_with_its_number() -> None:
    lane = Said()
    with host(MemoryStore(), lane=lane) as running:
        send = lambda: running.submit("desk", "tick", 0, {"price": 5000.0}, source="feed", sequence=7).result()  # noqa: E731
        lane.say("halt")
        assert send().rejected == "the machines are halted"
        lane.say("release")
        assert send().rejected is None


def test_what_no_event_can_have_is_told_to_who_sends_it() -> None:
    with host(MemoryStore()) as running:
        for event, id, value in (("tick", "x", object()), ("tick", "", 1.0), ("", None, 1.0)):
            with pytest.raises(TypeError):
                running.submit("desk", event, 0, {"price": value}, id=id)
        with pytest.raises(TypeError, match="values by name"):
            running.submit("desk", "tick", 0, [1.0])  # type: ignore[arg-type]  # what a caller without types may do
        with pytest.raises(HostError) as error:
            running.submit("dask", "tick", 0, {"price": 1.0})
        assert error.value.code == "HR872"


class Hostile(str):
    """A text that is not what it seems to be."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __str__(self) -> str:
        raise RuntimeError("shown")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_is_larger_than_any_double_is_refused_as_an_infinite_one(sign: int) -> None:
    with host(MemoryStore()) as running:
        for event in ("tick", "no_event"):
            said = [
                running.submit("desk", event, 0, {"price": price}).result().rejected
                for price in (Fraction(sign * 10**400), sign * math.inf)
            ]
            assert said[0] == said[1] is not None
        assert running.submit("desk", "tick", 0, {"price": Fraction(9999, 2)}).result().rejected is None


def test_nothing_that_is_given_stops_a_host() -> None:
    with host(MemoryStore()) as running:
        anything: Any
        for anything in (5, [], {}, object(), "x" * 201):
            for call in (running.departed, running.delivered, running.snapshot, running.remove):
                with pytest.raises((TypeError, HostError)):
                    call(anything).result(10)
            with pytest.raises((TypeError, HostError)):
                running.remove("desk", to=anything or [0]).result(10)
        for name in (5, None, object()):
            with pytest.raises(TypeError, match="values by name"):
                running.submit("desk", "tick", 0, {name: 1.0})  # type: ignore[dict-item]  # a caller without types may
        hostile = Hostile("tick")
        running.submit("desk", hostile, 0, {Hostile("price"): 5000.0}, id=hostile, source=hostile, sequence=0).result(
            10
        )
        assert running.submit("desk", "tick", 0, {"price": 1.0}, id="tick").result(10).rejected is not None
        running.add("other", BAND, shadow=[0], pinned=[0]).result(10)  # type: ignore[arg-type]  # a caller without types may
        assert running.remove("other", pinned=[0]).result(10).shadow  # type: ignore[arg-type]  # a caller without types may
        assert running.submit("desk", "tick", SECOND, {"price": 5000.0}).result(10).rejected is None


@pytest.mark.parametrize("limit", ["waiting", "undelivered", "group", "remembered", "state_every"])
def test_a_limit_with_which_nothing_would_be_done_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match=f"`{limit}` is 0"):
        host(MemoryStore(), **{limit: 0})


@pytest.mark.parametrize(
    "call",
    [
        lambda running: running.submit("desk", None, 0),
        lambda running: running.submit(["desk"], "tick", 0),
        lambda running: running.submit_all([("desk", "tick")]),
        lambda running: running.submit_all([7]),
        lambda running: running.submit_all(["desk"]),
        lambda running: running.delivered(["desk-1-0"]),
        lambda running: running.delivered(7),
        lambda running: running.departed(7),
        lambda running: running.departed([]),
        lambda running: running.remove("desk", to=object()),
        lambda running: running.remove("desk", to=7),
        lambda running: running.add(7, BAND),
        lambda running: running.add("other", "specs/band_limited_hedge.yaml"),
    ],
)
def test_what_is_called_with_something_else_is_told_and_stops_nobody(call: Any) -> None:
    with host(MemoryStore()) as running:
        with pytest.raises(TypeError):
            call(running)
        assert running.submit("desk", "tick", 0, {"price": 5000.0}).result(10).rejected is None


def test_an_event_of_a_list_may_be_a_plain_tuple() -> None:
    with host(MemoryStore()) as running:
        steps = running.submit_all([("desk", "tick", 0, {"price": 5000.0}), Sent("desk", "manual_exit", 1)]).result(10)
        assert [step.rejected for step in steps] == [None, None]
        assert [step.configuration for step in steps] == [("active",), ("winding_down",)]


def test_what_is_true_is_kept_as_true_whatever_it_was() -> None:
    with host(MemoryStore()) as running:
        running.add("other", BAND, shadow=cast(Any, object()), pinned=cast(Any, object())).result(10)
        assert running.remove("other", pinned=cast(Any, object())).result(10).machine == "other"
        assert running.submit("desk", "tick", 0, {"price": 5000.0}).result(10).rejected is None


def test_a_machine_is_given_as_its_spec_and_not_as_a_file() -> None:
    store = MemoryStore()
    with pytest.raises(TypeError, match="a spec that was loaded"):
        Host(store, {"desk": "specs/desk.yaml"})  # type: ignore[dict-item]  # what a caller without types may do
    assert store.last() is None


# --- coming back ---

events = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.sampled_from((5000.0, 5010.0, 5200.0, 4800.0, 5600.0, float("nan"), -1.0))),
        st.tuples(st.just("again"), st.integers(0, 10)),
        st.tuples(st.just("late"), st.just(0)),
        st.tuples(st.sampled_from(("exit", "restart", "crash", "deliver", "pass", "fill")), st.just(0)),
    ),
    max_size=40,
)


class Kept(MemoryStore):
    """A store that outlives its host, as a file does a process that was killed."""

    def copy(self) -> Kept:
        other = Kept()
        other._groups, other._states = list(self._groups), list(self._states)
        return other


@settings(max_examples=60, deadline=None)
@given(events, st.sampled_from((3, 7, 1000)), st.booleans())
def test_machines_come_back_as_an_uncrashed_twin_is(told: list[tuple[str, Any]], every: int, external: bool) -> None:
    spec, store = (LIVE if external else BAND), Kept()
    running, delivered, seen = host(store, spec, state_every=every), set[str](), dict[str, Any]()
    for number, (what, value) in enumerate(told):
        now = number * SECOND
        if what == "tick":
            running.submit("desk", "tick", now, {"price": value}, id=f"e-{number}").result()
        elif what == "again":
            running.submit("desk", "tick", now, {"price": 5000.0}, id=f"e-{value}").result()
        elif what == "late":
            running.submit("desk", "tick", -5, {"price": 5000.0}).result()
        elif what == "exit":
            running.submit("desk", "manual_exit", now).result()
        elif what == "pass":
            running.advance("desk", now).result()
        elif what == "fill":
            for each in running.outbox()[:1]:
                fill = {"order": each.order.number, "quantity": each.order.quantity, "price": 5000.0, "fee": 0.0}
                name = f"{each.order.leg}.filled"
                running.submit("desk", name, now, {**fill, "total": each.order.quantity}).result()
        elif what == "deliver":
            for each in running.outbox()[:2]:
                assert running.delivered(each.id).result()
                assert not running.delivered(each.id).result()
                delivered.add(each.id)
        elif what == "restart":
            running.close()
            running = host(store, spec, state_every=every)
        else:
            # What a crash leaves is what was committed: the old host goes on in the dark, over a copy.
            left = store.copy()
            running.close()
            store = left
            running = host(store, spec, state_every=every)
        out = {each.id: each for each in running.outbox()}
        assert not delivered & out.keys()
        assert all(seen.get(id, each) == each for id, each in out.items())
        assert set(seen) <= set(out) | delivered
        seen |= out
    last = running.snapshot("desk").result()
    running.close()
    assert last == _twin_with_time(store, spec).snapshot()
    assert verify(store).holds
    store._states.clear()
    assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last


def test_a_host_that_is_killed_at_any_commit_ends_where_an_unkilled_one_does() -> None:
    sent = [*ticks(), *ticks((4800.0, 5200.0, 4700.0), 20)]

    def go_on(store: Any) -> tuple[Any, dict[str, Any], list[str]]:
        """Send all that there is to send, as a sender does that does not know what has come, and deliver what there is."""
        delivered = {}
        with host(store, state_every=6) as running:
            for each in sent:
                running.submit_all([each]).result()
                for order in running.outbox()[:1]:
                    delivered[order.id] = order
                    running.delivered(order.id).result()
            while left := running.outbox():
                delivered[left[0].id] = left[0]
                running.delivered(left[0].id).result()
            last = running.snapshot("desk").result()
        ids = [body["id"] for kind, body in records(store) if kind == "event"]
        return last, delivered, ids

    unkilled = Remembering()
    last, orders, ids = go_on(unkilled)
    assert ids == [each.id for each in sent]
    for commits in range(1, len(unkilled.writes)):
        store = MemoryStore()
        for write in unkilled.writes[:commits]:
            store.write(*write)
        again, delivered, came = go_on(store)
        assert (again, came) == (last, ids)
        assert {(each.order, id.rpartition("-")[2]) for id, each in delivered.items()} <= {
            (each.order, id.rpartition("-")[2]) for id, each in orders.items()
        }
        noted = {body["order"] for kind, body in records(store) if kind == "delivery"}
        assert len(noted) == len(orders)


class Remembering(MemoryStore):
    """A store that remembers what was written together, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[tuple[Group, State | None]] = []

    def write(self, group: Group, state: State | None = None) -> None:
        self.writes.append((group, state))
        super().write(group, state)


def _twin_with_time(store: Any, spec: Any) -> Any:
    machine = spec.compile().machine()
    for kind, body in records(store):
        if kind in ("event", "fill", "approval"):
            if "name" in body:
                machine.send(body["name"], body["time_ns"], **body.get("fields", {}))
            else:
                machine.advance(body["time_ns"])
        elif kind == "refusal" and body.get("told"):
            machine.refuse(body["reason"])
    return machine


DESK = hedgerow.load(ROOT / "specs" / "desk.yaml")
DELTA = hedgerow.load(ROOT / "specs" / "delta_band_hedge.yaml")


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from((DESK, DELTA, LIVE)))
def test_any_events_of_any_spec_come_back_from_the_first_record_and_from_a_state(data: Any, spec: Any) -> None:
    declared = {event.name: event.fields for event in spec.program(spec.fill).events}
    store, now = MemoryStore(), 0
    with Host(store, {"desk": spec}, clock=ticking(), state_every=15) as running:
        for _ in range(data.draw(st.integers(1, 25))):
            now += data.draw(st.sampled_from((0, 1, SECOND, 3600 * SECOND, 40 * 86_400 * SECOND)))
            event = data.draw(st.sampled_from(("tick", "tick", *declared)))
            fields = {each.name: _value(data, each) for each in declared[event]}
            running.submit("desk", event, now, fields).result()
            if data.draw(st.booleans()):
                running.advance("desk", now + 1).result()
        last = running.snapshot("desk").result()
    assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last
    store._states.clear()
    assert rebuild(store, {"desk": spec.compile()}).machines["desk"].snapshot() == last


def _value(data: Any, field: Any) -> Any:
    if field.people is not None:
        return data.draw(st.sampled_from(field.people))
    if field.type == "int":
        return data.draw(st.integers(1, 4))
    near = max(float(field.low or 0), 1.0)
    return data.draw(st.sampled_from((near, 90.0, 100.0, 101.0, 130.0, 5000.0)))


def test_a_state_that_the_journal_does_not_prove_is_passed_over() -> None:
    store = MemoryStore()
    with host(store, state_every=4) as running:
        running.submit_all(ticks()).result()
        running.submit_all(ticks(WAY, 20)).result()
        last = running.snapshot("desk").result()
    proper, before = store._states
    store._states = [State(proper.of, proper.text.replace(b"5300.0", b"5301.0")), before]
    found = rebuild(store, {"desk": BAND.compile()})
    assert found.since == before.of
    assert found.machines["desk"].snapshot() == last
    store._states = [State(1, proper.text)]
    assert rebuild(store, {"desk": BAND.compile()}).since is None


@pytest.mark.parametrize("every", range(1, 6))
def test_a_state_is_kept_as_soon_as_so_many_records_came_and_not_twice(every: int) -> None:
    store = MemoryStore()
    with host(store, state_every=every) as running:
        for sent in ticks():
            running.submit_all([sent]).result()
            told = [kind for kind, _ in records(store)]
            assert len(told) < every or "snapshot" in told[-every:]
    told = [kind for kind, _ in records(store)]
    assert ("snapshot", "snapshot") not in pairwise(told)
    assert told[-2:] == ["snapshot", "checkpoint"]


def test_a_state_in_the_middle_is_what_the_records_lead_to() -> None:
    store = MemoryStore()
    with host(store, state_every=2) as running:
        for sent in ticks():
            running.submit_all([sent]).result()
    proven = sum(kind == "snapshot" for kind, _ in records(store))
    assert proven > 3
    # From the first record on every snapshot's hash is compared on the way.
    store._states.clear()
    assert rebuild(store, {"desk": BAND.compile()}).repeated == len(WAY)


def test_a_machine_can_be_had_as_it_was_after_any_record() -> None:
    store = MemoryStore()
    with host(store) as running:
        after = [running.submit_all([sent]).result() and running.snapshot("desk").result() for sent in ticks()]
    places = [n for n, (kind, _) in enumerate(records(store)) if kind == "event"]
    for place, snapshot in zip(places, after, strict=True):
        found = rebuild(store, {"desk": BAND.compile()}, until=place)
        assert found.machines["desk"].snapshot() == snapshot


def test_the_first_difference_is_told_with_its_record_and_member() -> None:
    store = MemoryStore()
    with host(store) as running:
        running.submit_all(ticks()).result()
    place = next(n for n, (kind, body) in enumerate(records(store)) if kind == "step" and body.get("fired"))
    other = loads(f"# a comment changes nothing\n{BAND.text}", "other.yaml")
    changed = BAND.compile(alpha=0.2)
    with pytest.raises(Divergence) as error:
        replay(Machines("memory"), records_since(store), {"desk": changed}, changed=True)
    assert (error.value.code, error.value.sequence, error.value.member) == ("HR874", place - 1, "orders")
    assert f"record {place - 1}: `desk` does not come back as it was: `orders` was [{{" in error.value.message
    assert replay(Machines("memory"), records_since(store), {"desk": other.compile()}, changed=True) == len(WAY)


def test_an_event_that_was_quiet_and_no_longer_is_differs_too() -> None:
    store = MemoryStore()
    with host(store, BAND.compile(k=10)) as running:
        assert running.submit_all(ticks((5000.0, 5020.0))).result()[1].fired == ()
    with pytest.raises(Divergence) as error:
        replay(Machines("memory"), records_since(store), {"desk": BAND.compile(k=6)}, changed=True)
    assert (error.value.sequence, error.value.member) == (4, "fired")
    assert (error.value.journalled, error.value.found) == (None, ["up"])


def test_a_state_whose_hash_is_another_is_told() -> None:
    store = MemoryStore()
    with host(store) as running:
        running.submit_all(ticks()).result()
    place, body = next((n, body) for n, (kind, body) in enumerate(records(store)) if kind == "snapshot")
    forged = kept(chained_anew(groups_of(store), place, canonical({**body, "sha256": "ab" * 32})))
    with pytest.raises(Divergence) as error:
        rebuild(forged, {"desk": BAND.compile()})
    assert (error.value.sequence, error.value.member, error.value.journalled) == (place, "sha256", "ab" * 32)


def test_another_program_or_other_parameters_are_refused() -> None:
    store = MemoryStore()
    with host(store) as running:
        running.submit_all(ticks()).result()
    for changed in (BAND.compile(k=9), LIVE.compile()):
        with pytest.raises(HostError) as error:
            Host(store, {"desk": changed})
        assert error.value.code == "HR873"
    with pytest.raises(HostError) as error:
        Host(store, {"other": BAND})
    assert error.value.code == "HR872"


def test_a_journal_that_no_host_wrote_is_refused(tmp_path: Path) -> None:
    store = MemoryStore()
    filled(store, [3])
    with pytest.raises(HostError) as error:
        Host(store, {"desk": BAND})
    assert error.value.code == "HR876"


def test_machines_of_one_host_share_a_journal_and_nothing_else() -> None:
    store = MemoryStore()
    with Host(store, {"a": BAND, "b": LIVE}, shadow={"b"}, clock=ticking()) as running:
        running.add("c", BAND.compile(k=9)).result()
        sent = [Sent(name, each.event, each.time_ns, each.fields, each.id) for each in ticks() for name in "abc"]
        steps = running.submit_all(sent).result()
        assert {each.machine for each in running.outbox()} == {"a", "c"}
        assert any(step.shadowed for step in steps)
        last = [running.snapshot(name).result() for name in "abc"]
    for name, spec in (("a", BAND.compile()), ("c", BAND.compile(k=9))):
        machine = spec.machine()
        for each in ticks():
            machine.send(each.event, each.time_ns, **each.fields)
        assert machine.snapshot() == last["abc".index(name)]
    for states in (list(store._states), []):
        store._states[:] = states
        with Host(store, {"a": BAND, "b": LIVE, "c": BAND.compile(k=9)}, clock=ticking()) as again:
            assert [again.snapshot(name).result() for name in "abc"] == last
            assert [again.recovered.machines[name].shadow for name in "abc"] == [False, True, False]


def test_a_journal_in_which_something_has_no_step_is_none_that_a_host_wrote() -> None:
    entries = (
        kinds.event("tick", {"price": float(WAY[0])}, 0, 1, machine="desk"),
        kinds.refusal("tick", "late", 1, 0, machine="desk", told=True),
    )
    for entry, ends in product(entries, (True, False)):
        journal = Journal.begin(MemoryStore(), kinds.host("host", 1))
        Machines("memory").join(journal, Journalled("desk", BAND.compile()), 1)
        of = journal.append(*entry)
        if not ends:
            journal.append(*kinds.delivery("none", 1))
        journal.commit()
        with pytest.raises(Divergence) as error:
            rebuild(journal.store, {"desk": BAND.compile()})
        assert (error.value.sequence, error.value.machine) == (of, "desk")


# --- the stop lane ---


class Act(NamedTuple):
    number: int
    act: str
    by: str
    reason: str
    time_ns: int
    id: str
    event: str = ""
    fields: Mapping[str, Any] = MappingProxyType({})


class Said:
    """A lane that says what a test has put on it."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.done: list[Act] = []

    def say(self, act: Any, **more: Any) -> None:
        number = len(self.acts) + len(self.done) + 1
        self.acts.append(Act(number, act, "anna", "the venue is down", 5, f"act-{number}", **more))

    def pending(self) -> Act | None:
        return self.acts[0] if self.acts else None

    def taken(self, act: Act) -> None:
        assert self.acts.pop(0) == act
        self.done.append(act)


@pytest.fixture
def lane() -> Said:
    return Said()


def test_while_halted_events_are_refused_orders_are_held_and_fills_are_booked(lane: Said) -> None:
    store = MemoryStore()
    running = host(store, LIVE, lane=lane)
    running.submit_all(ticks(WAY[:3])).result()
    held = running.outbox()
    assert held
    lane.say("halt")
    assert running.outbox() == ()
    step = running.submit("desk", "tick", 9 * SECOND, {"price": 5000.0}, id="n").result()
    assert step.rejected == "the machines are halted"
    assert running.halted
    order = held[0].order
    done = {"order": order.number, "quantity": order.quantity, "price": 5200.0, "fee": 0.0, "total": order.quantity}
    assert running.submit("desk", f"{order.leg}.filled", 9 * SECOND, done).result().rejected is None
    running.close()
    told = repeat(store, {"desk": LIVE}).to_json()
    assert (told["halted"], [each["id"] for each in told["orders"]]) == (True, [each.id for each in held])
    with host(store, LIVE, lane=lane) as again:
        assert again.halted
        assert again.outbox() == ()
        lane.say("release")
        assert again.submit("desk", "tick", 10 * SECOND, {"price": 5000.0}, id="n").result().rejected is None
        assert again.outbox() == held
        last = again.snapshot("desk").result()
    store._states.clear()
    found = rebuild(store, {"desk": LIVE.compile()}).machines
    assert (found["desk"].snapshot(), found.halted, found.acts) == (last, False, ["act-1", "act-2"])
    assert [body["act"] for kind, body in records(store) if kind == "control"] == ["halt", "release"]


def test_an_event_that_is_called_as_a_fill_and_of_no_leg_is_none(lane: Said) -> None:
    store, spec = MemoryStore(), loads(COUNTER.text.replace("pass: {}", "filled: {}"), "counter.yaml")
    with host(store, spec, lane=lane) as running:
        assert running.submit("desk", "filled", 0).result().rejected is None
        lane.say("halt")
        assert running.submit("desk", "filled", 1).result().rejected == "the machines are halted"
    assert [kind for kind, body in records(store) if body.get("name") == "filled"] == ["event", "refusal"]


def test_flatten_and_override_become_events_of_the_machine(lane: Said) -> None:
    store = MemoryStore()
    with host(store, lane=lane, flatten={"desk": "manual_exit"}) as running:
        running.submit_all(ticks(WAY[:2])).result()
        lane.say("flatten")
        running.submit("desk", "tick", 3 * SECOND, {"price": 5001.0}).result()
        assert running.snapshot("desk").result().configuration == ("winding_down",)
        lane.say("override", event="tick", fields={"price": 5002.0})
        running.submit("desk", "tick", 4 * SECOND, {"price": 5003.0}).result()
        last = running.snapshot("desk").result()
    told = records(store)
    for act, event in ((1, "manual_exit"), (2, "tick")):
        place = next(n for n, (kind, body) in enumerate(told) if kind == "control" and body["number"] == act)
        assert (told[place + 1][1]["name"], told[place + 1][1]["id"]) == (event, f"act-{act}")
    said = {"by": "anna", "reason": "the venue is down", "time_ns": 5}
    assert [body for kind, body in told if kind == "control"] == [
        {"act": "flatten", "number": 1, "id": "act-1"} | said,
        {"act": "override", "number": 2, "id": "act-2", "event": "tick", "fields": {"price": 5002.0}} | said,
    ]
    store._states.clear()
    assert rebuild(store, {"desk": BAND.compile()}).machines["desk"].snapshot() == last


def test_machines_of_several_specs_are_flattened_each_by_an_event_that_it_has(lane: Said) -> None:
    names = {"desk": "manual_exit", "other": "wind_down", "third": "flatten"}
    specs = {name: loads(BAND.text.replace("manual_exit", event), f"{name}.yaml") for name, event in names.items()}
    with Host(MemoryStore(), specs, clock=ticking(), lane=lane, flatten={"other": "wind_down"}) as running:
        running.submit_all([Sent(name, "tick", 0, {"price": 5000.0}) for name in names]).result(10)
        lane.say("flatten", event="manual_exit")  # as a lane of the first of them says
        assert [running.snapshot(name).result(10).configuration for name in names] == [("winding_down",)] * 3


def test_what_flattens_a_machine_has_no_fields(lane: Said) -> None:
    spec = loads(
        BAND.text.replace("  tick:", "  flatten: {why: {type: int, range: [0, 9]}}\n  tick:", 1), "fields.yaml"
    )
    with Host(store := MemoryStore(), {"desk": spec}, lane=lane, flatten={"desk": "manual_exit"}) as running:
        running.submit("desk", "tick", 0, {"price": 5000.0}).result(10)
        lane.say("flatten", event="flatten")
        assert running.snapshot("desk").result(10).configuration == ("winding_down",)
    assert "refusal" not in [kind for kind, _ in records(store)]


@pytest.mark.parametrize(
    ("given", "code", "message", "help"),
    [
        ({"shadow": {"dsek"}}, "HR872", "no machine `dsek` to be in the shadow", "did you mean `desk`?"),
        (
            {"flatten": {"desk": "manual_exti"}},
            "HR885",
            "`desk` has no event `manual_exti` without fields",
            "did you mean `manual_exit`?",
        ),
        (
            {"flatten": {"desk": "tick"}},
            "HR885",
            "`desk` has no event `tick` without fields",
            "its events without fields are `manual_exit`",
        ),
    ],
)
def test_a_name_that_means_nothing_is_told_before_anybody_relies_on_it(
    tmp_path: Path, given: Any, code: str, message: str, help: str
) -> None:
    for open_one in (Host, lambda *a, **g: hedgerow.Shards(*a, processes=1, **g)):
        with pytest.raises(HostError) as error:
            open_one(tmp_path / "here", {"desk": BAND}, **given)
        assert (error.value.code, error.value.message, error.value.help) == (code, message, help)
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_sends_orders_is_not_taken_for_one_in_the_shadow() -> None:
    store = MemoryStore()
    host(store).close()
    with pytest.raises(HostError) as error:
        host(store, shadow={"desk"})
    assert (error.value.code, error.value.message) == ("HR873", "`desk` is not in the shadow: it sends orders")
    host(store).close()


@pytest.mark.parametrize(
    ("place", "machines", "given", "error"),
    [
        (None, {"desk": BAND}, {}, TypeError),
        (b"desk.journal", {"desk": BAND}, {}, TypeError),
        ("desk.journal", [BAND], {}, TypeError),
        ("desk.journal", "desk.yaml", {}, TypeError),
        ("desk.journal", {7: BAND}, {}, TypeError),
        (None, None, {}, TypeError),
        ("desk.journal", None, {}, TypeError),
        ("desk.journal", {"desk": BAND}, {"known": "desk"}, TypeError),
        ("desk.journal", {"desk": BAND}, {"known": {7: BAND}}, TypeError),
        ("desk.journal", {"desk": BAND}, {"before": [BAND]}, TypeError),
        ("desk.journal", {"desk": BAND}, {"shadow": "desk"}, TypeError),
        ("desk.journal", {"desk": BAND}, {"shadow": 7}, TypeError),
        ("desk.journal", {"desk": BAND}, {"shadow": [b"desk"]}, TypeError),
        ("desk.journal", {"desk": BAND}, {"flatten": "manual_exit"}, TypeError),
        ("desk.journal", {"desk": BAND}, {"flatten": {7: "manual_exit"}}, TypeError),
        ("desk.journal", {"desk": BAND}, {"flatten": {"desk": 7}}, TypeError),
        ("desk.journal", {"desk": BAND}, {"migrations": "moved.yaml"}, TypeError),
        ("desk.journal", {"desk": BAND}, {"migrations": ["moved.yaml"]}, TypeError),
        ("desk.journal", {"desk": BAND}, {"migrations": 7}, TypeError),
        ("desk.journal", {"desk": BAND}, {"lane": "lane"}, TypeError),
        ("desk.journal", {"desk": BAND}, {"signer": "desk.pem"}, TypeError),
        ("desk.journal", {"desk": BAND}, {"group": 0}, ValueError),
        ("desk.journal", {"desk": BAND}, {"waiting": -1}, ValueError),
        ("desk.journal", {"desk": BAND}, {"undelivered": True}, ValueError),
        ("desk.journal", {"desk": BAND}, {"state_every": 1.5}, ValueError),
        ("desk.journal", {"desk": BAND}, {"remembered": 0}, ValueError),
    ],
)
def test_a_host_that_is_given_something_else_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, machines: Any, given: Any, error: type[Exception]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        Host(place, machines, **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("before", [0, 70])
def test_an_act_that_is_journalled_is_not_put_into_effect_again(lane: Said, before: int) -> None:
    store = MemoryStore()
    with host(store, lane=lane, flatten={"desk": "manual_exit"}) as running:
        running.submit_all(ticks(WAY[:2])).result()
        for _ in range(before):
            lane.say("release")
        lane.say("flatten")
        running.submit("desk", "tick", 3 * SECOND, {"price": 5001.0}).result()
    # A crash came before the lane was told.
    lane.acts = [lane.done.pop()]
    with host(store, lane=lane, flatten={"desk": "manual_exit"}) as again:
        again.submit("desk", "tick", 4 * SECOND, {"price": 5001.0}).result()
    assert lane.acts == []
    assert sum(kind == "control" for kind, _ in records(store)) == before + 1


def test_an_act_amid_a_list_of_events_has_its_effect_on_the_rest_of_it(lane: Said) -> None:
    with host(MemoryStore(), lane=lane) as running:
        journal, pending = running._journal, lane.pending
        first = journal.next

        def amid() -> Act | None:
            if journal.next > first + 3 and not (lane.acts or lane.done):
                lane.say("halt")
            return pending()

        lane.pending = amid  # type: ignore[method-assign]
        told = [step.rejected for step in running.submit_all(ticks((5000.0,) * 9)).result(10)]
    taken = told.index("the machines are halted")
    assert 0 < taken < 9
    assert told == [None] * taken + ["the machines are halted"] * (9 - taken)


def test_an_act_has_its_effect_without_any_event(lane: Said) -> None:
    running = host(MemoryStore(), lane=lane)
    seen = threading.Event()
    taken = lane.taken

    def note(act: Act) -> None:
        taken(act)
        seen.set()

    lane.taken = note  # type: ignore[method-assign]
    lane.say("halt")
    assert seen.wait(10)
    assert running.halted
    running.close()


# --- what is written ---


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-300, 1e300), st.integers(-(2**63), 2**63 - 1), st.text(min_size=1, max_size=20))
def test_events_are_written_as_canonical_json(price: float, time_ns: int, id: str) -> None:
    store = MemoryStore()
    with host(store) as running:
        running.submit("desk", "tick", time_ns, {"price": price}, id=id).result()
    payload = next(record.payload for record in records_since(store) if record.kind in (Kind.EVENT, Kind.REFUSAL))
    assert payload == canonical(value_of(payload))
    body = value_of(payload)
    assert (body["id"], body["time_ns"]) == (id, time_ns)
    assert body.get("fields", {"price": price}) == {"price": price}


def test_a_state_is_that_of_a_host_and_has_its_orders_as_they_were_decided() -> None:
    machines, order = Machines("memory"), Order("long", "index", "enter", "buy", 1.0, 100.0, 100.0, 0.0, 0.0)
    # Of one record there are more than nine; what came from elsewhere has numbers of there, and stands where it came.
    for id, sequence in (
        ("desk-7-9", 7),
        ("desk-7-10", 7),
        ("other-90-0", 8),
        ("other-3-0-1", 8),
        ("desk-10-0", 10),
        ("desk-9-0", 11),
    ):
        machines.orders[id] = Outgoing(id, id.partition("-")[0], sequence, order)
    again = Machines("memory")
    again.restore(machines.state(), {})
    assert list(again.orders.items()) == list(machines.orders.items())
    with pytest.raises(SnapshotError, match="no state of a host"):
        again.restore(canonical({**value_of(machines.state()), "format": "hedgerow.host/2"}), {})


def test_the_state_of_machines_is_one_canonical_text_whichever_of_them_took_something_since() -> None:
    store, names = MemoryStore(), ("b", "a", "a.c", "B_1")
    journal, machines = Journal.begin(store, kinds.host("host", 1)), Machines(store.place)
    for name in names:
        machines.join(journal, Journalled(name, BAND.compile(), shadow=name == "b"), 1)
    for number, name in enumerate(("a", "b", "a", "B_1", "B_1", "a.c", "a")):
        machines.take(journal, name, "tick", number * SECOND, {"price": WAY[number]}, 1)
        found = machines.state()
        assert canonical(value_of(found)) == found
        for each, member in machines.members.items():
            assert value_of(found)["machines"][each] == {**member.snapshot().members(), "shadow": each == "b"}
