"""Two hosts, machines that move between them, people who halt them, and crashes: held to machines that nothing befalls."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from test_host import BAND, SECOND, Said, ticking
from test_host_moves import copied, refused

from hedgerow.engine.host.departure import Departed
from hedgerow.engine.host.history import repeat
from hedgerow.engine.host.host import Host, Sent
from hedgerow.engine.host.recovery import rebuild
from hedgerow.engine.journal.memory import MemoryStore
from hedgerow.engine.journal.verify import verify

BEGUN = ("a", "b")
NAMES = (*BEGUN, "c")
"""The last one is added to a host that runs, if it is."""
SPECS = dict.fromkeys(NAMES, BAND)
COMPILED = dict.fromkeys(NAMES, BAND.compile())
HALTED = "the machines are halted"
names, hosts = st.sampled_from(NAMES), st.integers(0, 1)
EVENTS = st.tuples(
    st.sampled_from((5000.0, 5001.0, 5200.0, 4800.0, 5600.0, -1.0, float("nan"))),
    st.integers(-2, 3),
    st.none() | st.integers(0, 12).map("é\udc00{}".format),
    st.none() | st.tuples(st.sampled_from(("feed", "other")), st.integers(0, 6)),
)
"""Prices, seconds from the last event on, ids, and numbers at a source."""


class Expected:
    """A machine by itself, and what a host is to know of it."""

    def __init__(self) -> None:
        self.machine = BAND.compile().machine()
        self.ids: set[str] = set()
        self.sequences: dict[str, int] = {}
        self.waiting: list[Any] = []
        self.moved: Departed | None = None
        self.at: int | None = 0
        """The host that it is at or has left; None before it begins."""
        self.pinned = False

    def send(self, event: str, time_ns: int, **fields: Any) -> Any:
        step = self.machine.send(event, time_ns, **fields)
        self.waiting += step.orders
        return step


class Hosts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stores, self.lanes = [MemoryStore(), MemoryStore()], [Said(), Said()]
        self.running = [self.opened(0, 10**6, begin=True), self.opened(1, 10**6)]
        self.expected = {name: Expected() for name in NAMES}
        self.expected["c"].at = None
        self.halted = [False, False]
        self.ever: list[set[str]] = [set(BEGUN), set()]
        """The machines that each host has ever had."""
        self.known: dict[str, Any] = {}
        """Every order that was ever seen, by its id."""
        self.lines: list[list[str]] = [[], []]
        """The orders that each host had when it was looked at last, in the order of decision."""
        self.now = 0

    def opened(self, number: int, every: int, *, begin: bool = False) -> Host:
        return Host(
            self.stores[number],
            dict.fromkeys(BEGUN, BAND) if begin else {},
            known=SPECS,
            name=f"host {number}",
            lane=self.lanes[number],
            flatten=dict.fromkeys(NAMES, "manual_exit"),
            clock=ticking(),
            state_every=every,
        )

    def here(self, name: str) -> Host | None:
        expected = self.expected[name]
        return None if expected.moved or expected.at is None else self.running[expected.at]

    @precondition(lambda self: self.expected["c"].at is None)
    @rule(number=hosts, pinned=st.booleans())
    def begin(self, number: int, pinned: bool) -> None:
        self.running[number].add("c", BAND, pinned=pinned).result(10)
        self.expected["c"].at, self.expected["c"].pinned = number, pinned
        self.ever[number].add("c")
        assert refused(self.running[number].add, "c", BAND).code == "HR872"

    @rule(name=names, events=st.lists(EVENTS, min_size=1, max_size=6))
    def submit(self, name: str, events: list[tuple[float, int, str | None, Any]]) -> None:
        at, now = self.here(name), self.now
        sent = [
            Sent(name, "tick", now + seconds * SECOND, {"price": price}, id, *(numbered or ()))
            for price, seconds, id, numbered in events
        ]
        if at is None:
            for each in self.running:
                assert refused(each.submit_all, sent).code == "HR872"
            return
        for each, step in zip(sent, at.submit_all(sent).result(10), strict=True):
            self.check(self.expected[name], each, step)

    def check(self, expected: Expected, sent: Sent, step: Any) -> None:
        """Hold a step to what the machine does by itself, or to the reason why it is not to learn of the event."""
        time_ns, id, source, sequence = sent.time_ns, sent.id, sent.source, sent.sequence or 0
        last, at_host = expected.sequences.get(source or "", -1), expected.at
        assert at_host is not None
        if id in expected.ids:
            assert step.rejected == "a duplicate: an event with this id has been taken"
        elif source is not None and sequence == last:
            assert step.rejected == f"a duplicate: number {sequence} of `{source}` has been taken"
        elif source is not None and sequence < last:
            assert step.rejected == f"out of order: number {sequence} of `{source}`, which has come to {last}"
        elif self.halted[at_host]:
            assert step.rejected == HALTED
        else:
            assert step == expected.send("tick", time_ns, **sent.fields)
            self.now = max(self.now, time_ns)
            if id is not None:
                expected.ids.add(id)
            if source is not None:
                expected.sequences[source] = sequence

    @rule(number=hosts, act=st.sampled_from(("halt", "release", "flatten")))
    def speak(self, number: int, act: str) -> None:
        self.lanes[number].say(act)
        self.wait(number)
        if act != "flatten":
            self.halted[number] = act == "halt"
            return
        said = self.lanes[number].done[-1]
        for name, each in self.expected.items():
            if self.here(name) is self.running[number]:
                clock = each.machine.time_ns
                each.send("manual_exit", said.time_ns if clock is None else clock)
                each.ids.add(said.id)

    def wait(self, number: int) -> None:
        """Let a host do something, before which and after which it looks at its lane."""
        self.running[number].delivered("none").result(10)

    @rule(number=hosts)
    def deliver(self, number: int) -> None:
        for each in self.running[number].outbox()[:1]:
            assert self.running[number].delivered(each.id).result(10)
            assert not self.running[1 - number].delivered(each.id).result(10)
            assert self.expected[each.machine].waiting.pop(0) == each.order

    @rule(name=names, pinned=st.booleans())
    def leave(self, name: str, pinned: bool) -> None:
        at = self.here(name)
        if at is not None:
            moved = at.remove(name, to="there", pinned=pinned).result(10)
            assert (moved.body["to"], moved.body.get("pinned", False)) == ("there", pinned)
            assert at.departed(name).result(10) == moved
            self.expected[name].moved, self.expected[name].pinned = moved, pinned

    @precondition(lambda self: any(each.moved for each in self.expected.values()))
    @rule(name=names, number=hosts)
    def arrive(self, name: str, number: int) -> None:
        expected, target = self.expected[name], self.running[number]
        if expected.moved is None:
            return
        moved = Departed.from_json(expected.moved.to_json())
        assert set(moved.ids) == expected.ids
        if moved.halted and not self.halted[number] and number != expected.at:
            assert refused(target.add, name, BAND, moved=moved).code == "HR877"
            return
        target.add(name, BAND, moved=moved).result(10)
        expected.at, expected.moved = number, None
        self.ever[number].add(name)
        assert refused(target.add, name, BAND, moved=moved).code == "HR872"

    @rule(
        number=hosts,
        closed=st.booleans(),
        forgetful=st.booleans(),
        again=st.booleans(),
        every=st.sampled_from((3, 10**6)),
    )
    def restart(self, number: int, closed: bool, forgetful: bool, again: bool, every: int) -> None:
        lane, left = self.lanes[number], copied(self.stores[number])
        self.running[number].close()
        if not closed:
            self.stores[number] = left
        if forgetful:
            self.stores[number]._states.clear()
        if again and lane.done:  # it was in effect, and the lane was never told
            lane.acts.insert(0, lane.done.pop())
        self.running[number] = self.opened(number, every)
        self.wait(number)

    @rule(number=hosts, data=st.data())
    def look(self, number: int, data: st.DataObject) -> None:
        store = copied(self.stores[number])
        bare = copied(store)
        bare._states.clear()
        live = self.running[number].recovered.machines
        for each in (store, bare):
            found = rebuild(each, COMPILED, remembered=65_536).machines
            assert (found.state(), list(found.orders)) == (live.state(), list(live.orders))
            assert [found.memory.of(name) for name in NAMES] == [live.memory.of(name) for name in NAMES]
        last = store.last()
        assert last is not None
        until = data.draw(st.integers(0, last.last))
        assert (
            rebuild(store, COMPILED, until=until).machines.state()
            == rebuild(bare, COMPILED, until=until).machines.state()
        )
        assert repeat(store, dict.fromkeys(self.ever[number], BAND)).machines.state() == live.state()
        verify(store)

    @invariant()
    def every_machine_is_where_and_what_it_would_be(self) -> None:
        for number, running in enumerate(self.running):
            out = running.outbox()
            assert running.halted == self.halted[number]
            machines = running.recovered.machines
            line = list(machines.orders)
            before = [id for id in self.lines[number] if id in machines.orders]
            # One that has come is behind all that were there, over restarts too.
            assert line[: len(before)] == before
            assert [each.id for each in out] == ([] if self.halted[number] else line)
            self.lines[number] = line
            for each in out:
                assert self.known.setdefault(each.id, (each.machine, each.order)) == (each.machine, each.order)
            for name, expected in self.expected.items():
                if self.here(name) is not running:
                    assert machines.memory.of(name) == []
                    assert refused(running.snapshot, name).code == "HR872"
                    continue
                assert running.snapshot(name).result(10) == expected.machine.snapshot()
                assert set(machines.memory.of(name)) == expected.ids
                waiting = [] if self.halted[number] else expected.waiting
                assert [each.order for each in out if each.machine == name] == waiting
                assert (machines[name].sequences, machines[name].pinned) == (expected.sequences, expected.pinned)

    def teardown(self) -> None:
        for each in self.running:
            each.close()


TestHosts = Hosts.TestCase
TestHosts.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
