"""What was promised, held to what is there.

An auditor keeps what was acknowledged, and a twin of each machine: one without a host, which never crashes and takes in one
go what the journal says that was taken. It reads each record once, and the whole journal with `verify`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from hedgerow.engine.host.host import Host
from hedgerow.engine.host.journalled import Journalled, is_quiet
from hedgerow.engine.host.migration import Migration, migrated
from hedgerow.engine.journal import kinds
from hedgerow.engine.journal.canonical import canonical, value_of
from hedgerow.engine.journal.chain import records_since
from hedgerow.engine.journal.kinds import Kind
from hedgerow.engine.journal.records import Record
from hedgerow.engine.journal.store import Store
from hedgerow.engine.journal.verify import verify
from hedgerow.engine.step import Step

from .lane import StopLane
from .specs import COUNTING, FILLED, compiled, version
from .trace import BrokenPromise, Trace
from .venue import Venue

__all__ = ["Auditor", "Lost"]

LEGS = ("long", "short")


class Lost(BrokenPromise):
    """Something that was acknowledged is not there."""


class _Acknowledged(NamedTuple):
    machine: str
    id: str
    step: Step


class Auditor:
    """The record of one journal.

    Attributes:
        seen: the last record that was read, and `head` its hash.
        orders: what the journal has decided, by id: machine and order.
        delivered: the orders that it says somebody has taken.
        acts: ids of what people have said, as it has them.
        halted: whether it says that nothing may leave.
        twins: the machines.
        opening: what machines with real orders held, and had paid, when their venue began.
        settled: orders of before.
    """

    def __init__(self, trace: Trace, remembered: int) -> None:
        self._trace, self._remembered = trace, remembered
        self.seen = -1
        self.head = bytes(32)
        self._bytes = sha256()
        """Of all that was read."""
        self.twins: dict[str, Any] = {}
        self.orders: dict[str, tuple[str, Any]] = {}
        self.delivered: set[str] = set()
        self.acts: list[str] = []
        self.halted = False
        self.opening: dict[str, dict[str, float]] = {}
        self.settled: set[str] = set()
        self.begins = False
        """Whether venue and lane are new, and the journal is not."""
        self._members: dict[str, Journalled] = {}
        """The twins, with what their functions have answered."""
        self._came: tuple[int, int, Any] | None = None
        """Number, kind and content of the last record, if that is of something that a machine has learnt of.

        What its functions have answered stands in the next one.
        """
        self._ids: dict[tuple[str, str], int] = {}
        self._taken: dict[tuple[str, str], Step] = {}
        self._refused: Counter[tuple[str, str, str]] = Counter()
        self._acknowledged: list[_Acknowledged] = []
        self._promised: set[str] = set()

    # ---------------------------------------------------------------------------------------------------- what is told

    def acknowledged(self, machine: str, id: str, step: Step) -> None:
        """Note that somebody was told what became of an event."""
        self._acknowledged.append(_Acknowledged(machine, id, step))

    def noted(self, order: str) -> None:
        """Note that somebody was told that the delivery of an order is noted."""
        self._promised.add(order)

    # ------------------------------------------------------------------------------------------------------- the checks

    def check(self, host: Host, venue: Venue, *, whole: bool) -> None:
        """Hold a host to what was promised.

        Raises:
            Lost: something that was acknowledged is not there.
            BrokenPromise: something is there that should not be.
        """
        store = host._journal.store
        if whole:
            found = verify(store, expected=self.kept())
            if found.damage is not None:
                raise found.damage
            self._trace.counts["verified"] += 1
            if self._bytes_of(store) != self._bytes.digest():
                raise BrokenPromise("the journal is said to hold, and is not the one that was read before")
        self.read(store)
        self._check_acknowledged()
        for name, twin in self.twins.items():
            if host._machines[name].snapshot() != twin.snapshot():
                raise BrokenPromise(f"`{name}` is not where its uncrashed twin is")
        for id, taken in venue.orders.items():
            if id not in self.orders:
                raise Lost(f"the venue has {id}, and the journal has not decided it")
            if self.orders[id] != taken:
                raise BrokenPromise(f"the venue has {id}, {taken}; the journal decided {self.orders[id]}")
        waiting = {each.id for each in host._machines.orders.values()}
        if waiting != self.orders.keys() - self.delivered:
            raise BrokenPromise(f"{sorted(waiting)} wait to be sent, not {sorted(self.orders.keys() - self.delivered)}")
        if host.halted != self.halted:
            raise BrokenPromise(f"the host is {'' if host.halted else 'not '}halted, its journal says otherwise")
        if self.begins:
            self.begins = False
            self._settle()

    def kept(self) -> dict[int, str]:
        """Return what somebody has who exported the journal when it was last looked at."""
        return {self.seen: self.head.hex()} if self.seen >= 0 else {}

    def check_quiet(self, venue: Venue, lane: StopLane) -> None:
        """Hold a journal to its venue and its lane, when nothing is on its way to or from either."""
        missing = self.orders.keys() - venue.orders.keys() - self.settled
        if missing:
            raise Lost(f"the venue never heard of {sorted(missing)}")
        said = [act.id for act in lane.acts]
        if self.acts[len(self.acts) - len(said) :] != said:
            raise Lost(f"people have said {said}, the journal has {self.acts}")
        if self.halted != lane.halted:
            raise BrokenPromise("the host is not as halted as people have said last")
        for name, opening in self.opening.items():
            twin, fees = self.twins[name], 0.0
            for leg in LEGS:
                bought, fee = venue.books[name, leg]
                fees += fee
                held = opening[leg] + (bought if leg == "long" else -bought)
                if abs(twin.value(f"{leg}.quantity") - held) > 1e-9 * max(1.0, held):
                    raise BrokenPromise(f"the venue has {held} of `{name}.{leg}`, it {twin.value(f'{leg}.quantity')}")
                if twin.value(f"{leg}.working"):
                    raise BrokenPromise(f"`{name}.{leg}` waits for what the venue has ended")
            if abs(twin.value("fees") - opening["fees"] - fees) > 1e-9 * max(1.0, twin.value("fees")):
                raise BrokenPromise(f"the venue has taken {fees} for `{name}`, it has paid {twin.value('fees')}")

    def _settle(self) -> None:
        """Take what the journal has now for where a venue and a lane begin that know nothing of before."""
        self.settled = set(self.orders)
        for name in self.opening:
            self.opening[name] = self._holds(name)

    def _holds(self, name: str) -> dict[str, float]:
        twin = self.twins[name]
        return {**{leg: twin.value(f"{leg}.quantity") for leg in LEGS}, "fees": twin.value("fees")}

    # --------------------------------------------------------------------------------------------------------- records

    def _bytes_of(self, store: Store) -> bytes:
        """Return a hash of what a journal holds of what was read before, by nothing but its bytes."""
        found = sha256()
        for group in store.groups():
            if group.last <= self.seen:
                found.update(group.records)
        return found.digest()

    def read(self, store: Store) -> None:
        """Read the records that are new, and let the twins do what they say."""
        last = store.last()
        if last is None or last.last < self.seen:
            raise Lost(f"record {self.seen:,} was there, and the journal ends before")
        first = True
        for record in records_since(store, self.seen + 1):
            if first and record.previous != self.head:
                raise BrokenPromise(f"record {self.seen:,} is another one than was read before")
            first = False
            self._take(record)
            self._bytes.update(record.fields + record.checksum.to_bytes(4, "big") + record.payload)
            self.seen, self.head = record.sequence, record.hash
        self._follow(None)

    def _take(self, record: Record) -> None:
        kind, sequence = record.kind, record.sequence
        body = value_of(record.payload)
        self._follow(record)
        self._trace.counts["records"] += 1
        match kind:
            case Kind.EVENT | Kind.FILL | Kind.APPROVAL:
                if self.halted and kind != Kind.FILL and body.get("id") not in self.acts:
                    raise BrokenPromise(f"record {sequence:,} was taken while the machines are halted: {body}")
                self._came = sequence, kind, body
            case Kind.REFUSAL:
                self._trace.counts["refusals"] += 1
                self._refused[body["machine"], body.get("id", ""), body["reason"]] += 1
                if body.get("told"):
                    self._came = sequence, kind, body
            case Kind.MACHINE:
                self._join(sequence, body)
            case Kind.DELIVERY:
                if body["order"] in self.delivered or body["order"] not in self.orders:
                    raise BrokenPromise(f"{body['order']} is delivered, and did not wait")
                self.delivered.add(body["order"])
            case Kind.CONTROL:
                if body["id"] in self.acts:
                    raise BrokenPromise(f"act {body['id']} is done twice")
                self.acts.append(body["id"])
                if body["act"] in ("halt", "release"):
                    self.halted = body["act"] == "halt"

    def _join(self, sequence: int, body: Mapping[str, Any]) -> None:
        name = body["machine"]
        known = (version(0), version(1)) if name == COUNTING else (compiled()[name],)
        members = [Journalled(name, each, shadow=body.get("shadow", False)) for each in known]
        member = next(each for each in members if each.program == body["program"])
        if "migration" in body:
            self._trace.counts["migrations"] += 1
            migrated(Migration.model_validate(body["migration"]), self.twins[name].snapshot(), member, "a twin")
        elif name in self.twins:
            raise BrokenPromise(f"`{name}` begins twice")
        self._members[name], self.twins[name] = member, member.machine

    def _follow(self, record: Record | None) -> None:
        """Let a twin do what came before, and hold that to the record of its step."""
        came, self._came = self._came, None
        told = None if record is None or record.kind != Kind.STEP else record.payload
        if came is None:
            if told is not None:
                raise BrokenPromise(f"a step, and nothing that led to it: {told!r}")
            return
        sequence, kind, body = came
        results = [] if told is None else value_of(told).get("results", [])
        step = self._event(sequence, kind, body, results)
        answers = self._members[body["machine"]]._answers
        given = results if answers is None or kind == Kind.REFUSAL else answers.given
        done = None if is_quiet(step) and not given else canonical(kinds.step_body(sequence, step, given))
        if done != told:
            raise BrokenPromise(f"record {sequence:,} has led to {done!r}, and the journal says {told!r}")

    def _event(self, sequence: int, kind: int, body: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Step:
        name, twin = body["machine"], self.twins[body["machine"]]
        answers = self._members[name]._answers
        if answers is not None:
            answers.repeat(results)
        if kind == Kind.REFUSAL:
            self._name(sequence, body)
            refused: Step = twin.refuse(body["reason"])
            return refused
        self._trace.counts["events"] += 1
        self._trace.counts["answers"] += len(results)
        step: Step
        if "name" not in body:
            step = twin.advance(body["time_ns"])
        else:
            step = twin.send(body["name"], body["time_ns"], **body.get("fields", {}))
        if step.rejected is not None:
            raise BrokenPromise(f"record {sequence:,}: the twin refuses it: {step.rejected}")
        if name in FILLED and step.errors:
            raise BrokenPromise(f"record {sequence:,}: {step.errors[0]}")
        self._name(sequence, body)
        if "id" in body:
            self._taken[name, body["id"]] = step
        if name in FILLED and name not in self.opening and twin.configuration:
            self.opening[name] = self._holds(name)
        for index, order in enumerate(step.orders):
            self.orders[f"{name}-{sequence}-{index}"] = name, order
        return step

    def _name(self, sequence: int, body: Any) -> None:
        """Note the id of something that a machine has learnt of, for the first time in a long while."""
        if "id" not in body:
            return
        key = body["machine"], body["id"]
        known = self._ids.get(key)
        if known is not None and sequence - known < self._remembered:
            raise BrokenPromise(f"`{key[1]}` was given to `{key[0]}` twice: records {known:,} and {sequence:,}")
        self._ids[key] = sequence

    def _check_acknowledged(self) -> None:
        for machine, id, step in self._acknowledged:
            if step.rejected is None:
                if self._taken.get((machine, id)) != step:
                    raise Lost(f"`{id}` was acknowledged to the sender of `{machine}`, and is not there so")
            elif not self._refused[machine, id, step.rejected]:
                raise Lost(f"`{id}` was refused to the sender of `{machine}`, and the journal does not say so")
        if not self._promised <= self.delivered:
            raise Lost(f"the delivery of {sorted(self._promised - self.delivered)} was noted, and is not there")
        self._acknowledged.clear()
        self._promised.clear()
        self._refused.clear()
