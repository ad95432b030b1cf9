"""One machine of a host: an event in, its records out.

An event is given to the machine, and only then to the journal: what the machine refuses stands there as a refusal. Nobody
learns of either before both are durable, and a crash between them takes the machine with it.

A quiet event, one that does nothing and leaves the configuration as it was, has no record of its step. Its record and
that of its step would be committed together, so that no step can be missing by accident; what such an event changes (a
mean, a peak, a mark) is proved by the next state's hash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..fills import KINDS
from ..intake import Refusal, in_order
from ..ir import Event
from ..journal import kinds
from ..journal.canonical import canonical
from ..journal.journal import Journal
from ..journal.kinds import Entry, Kind
from ..load import Compiled
from ..snapshot import Snapshot
from ..step import Step
from ..vocabulary import ANSWERS
from .answers import Answers
from .encoding import encoder
from .given import LONGEST_TEXT, Numbered

if TYPE_CHECKING:
    from ..explain import Explanation

__all__ = ["Journalled", "is_quiet"]

_NOTHING = Step((), (), ())[3:]
_REFUSAL = int(Kind.REFUSAL)  # a plain number: an enum's members are slow to compare
_NO_FIELDS: Mapping[str, object] = {}
_SOURCES = 256
_MANY = f"{_SOURCES} sources count their events already, and this is another one"


def is_quiet(step: Step) -> bool:
    """Return whether a step did nothing that is told."""
    return not step.fired and step.before == step.configuration and step[3:] == _NOTHING


class Journalled:
    """A machine with its records.

    Attributes:
        name: that of the machine in its journal.
        machine: itself; whoever else sends to it breaks the journal.
        compiled: what it runs.
        shadow: whether it keeps its orders to itself.
        moves: how often it has moved from one host to another.
        pinned: whether somebody chose this host for it.
        sequences: the last number of each source that counts its events.
    """

    def __init__(self, name: str, compiled: Compiled, *, shadow: bool = False) -> None:
        self.name = name
        self.shadow = shadow
        self.moves = 0
        self.pinned = False
        self.sequences: dict[str, int] = {}
        if shadow and compiled.program.fill == "external":
            compiled = compiled.spec.bind_values(compiled.parameters, fill="same")
        program = compiled.program
        self._answers = Answers(program, compiled.registry) if program.functions else None
        self.compiled = compiled if self._answers is None else compiled.with_functions(self._answers)
        self.machine = self.compiled.machine(shadow=shadow)
        self.program = self.machine.snapshot().program
        """The digest of the IR that it runs."""
        self._inputs = {event.name: _Input(self, event) for event in program.events}
        self._passing = _Input(self, None)
        self._quiet: Step | None = None
        self._encoded: bytes | None = None

    def snapshot(self) -> Snapshot:
        return self.machine.snapshot()

    def encoded(self) -> bytes:
        """Return its part of the state of all machines as canonical JSON, made anew only if it took something since."""
        if self._encoded is None:
            body: dict[str, Any] = {**self.snapshot().members(), "shadow": self.shadow}
            if self.moves:
                body["moves"] = self.moves
            if self.pinned:
                body["pinned"] = True
            if self.sequences:
                body["sequences"] = self.sequences
            self._encoded = canonical(body)
        return self._encoded

    def came(self, moves: int, sequences: Mapping[str, int], *, pinned: bool) -> None:
        """Note how often it has moved, what its sources have come to, and whether somebody chose where to."""
        self._encoded, self.moves, self.pinned, self.sequences = None, moves, pinned, dict(sequences)

    def disorder(self, numbered: Numbered) -> str | None:
        """Return why an event of a source that counts does not come in its turn; None where it does."""
        source, sequence = numbered
        last = self.sequences.get(source)
        if last is None:
            return _MANY if len(self.sequences) >= _SOURCES else None
        if sequence == last:
            return f"a duplicate: number {sequence} of `{source}` has been taken"
        return f"out of order: number {sequence} of `{source}`, which has come to {last}" if sequence < last else None

    def restore(self, snapshot: Snapshot) -> None:
        """Take up a state.

        Raises:
            SnapshotError: it is none of this program with these parameters.
        """
        self._encoded = None
        self.machine.restore(snapshot)

    def declares(self, event: str) -> bool:
        """Return whether it knows an event."""
        return event in self._inputs

    def is_bare(self, event: str) -> bool:
        """Return whether it knows an event, and that has no fields."""
        known = self._inputs.get(event)
        return known is not None and known.size == 0

    def is_book_keeping(self, event: str) -> bool:
        """Return whether an event says what became of an order that was sent."""
        known = self._inputs.get(event)
        return known is not None and known.kind == Kind.FILL

    def take(
        self,
        journal: Journal,
        event: str | None,
        time_ns: int,
        fields: Mapping[str, object],
        received_ns: int,
        id: str | None,
        numbered: Numbered | None = None,
    ) -> tuple[int, Step]:
        """Step the machine and journal what it took and did; nothing of it is durable yet.

        Args:
            journal: where to.
            event: its name; None lets time pass.
            time_ns: that of the event.
            fields: its values by name.
            received_ns: when the host got it.
            id: what its sender calls it.
            numbered: its number among those of its source.

        Returns:
            The sequence of the record of the event or of its refusal, and the step.
        """
        self._encoded = None
        known = self._passing if event is None else self._inputs.get(event)
        answers = self._answers
        if answers is not None:
            answers.listen()
        if numbered is not None:
            self.sequences[numbered.source] = numbered.sequence
        sent: Step | None = None
        payload = b""
        if known is not None and len(fields) == known.size:
            if id is None and numbered is None:
                sent, payload = known.plain(known.port, time_ns, received_ns, fields)
            else:
                sent, payload = known.named(known.port, time_ns, received_ns, fields, id, numbered)
            if sent is self._quiet and sent is not None:
                return journal.append(known.kind, payload), sent
        step = self._unordered(event, fields) if sent is None else sent
        if known is not None and payload:
            of = journal.append(known.kind, payload)
        else:
            reason = step.rejected or ""
            of = journal.append(*self.refusal(event, reason, time_ns, received_ns, id, numbered, told=True))
        given = () if answers is None else answers.given
        if given or not is_quiet(step):
            journal.append(*kinds.step(of, step, given))
        elif answers is None:
            self._quiet = step
        return of, step

    def refusal(
        self,
        event: str | None,
        reason: str,
        time_ns: object,
        received_ns: int,
        id: str | None,
        numbered: Numbered | None,
        *,
        told: bool = False,
    ) -> Entry:
        """Return the entry of an event that is refused, by the machine, which is `told`, or before it learns of it."""
        name = "" if event is None else event[:LONGEST_TEXT]
        # A refused event may have come with anything for a time.
        whole = isinstance(time_ns, int) and not isinstance(time_ns, bool) and -(2**63) <= time_ns < 2**63
        at = int(time_ns) if whole and isinstance(time_ns, int) else None
        return kinds.refusal(name, reason, received_ns, at, id, machine=self.name, told=told, numbered=numbered)

    def _unordered(self, event: str | None, fields: Mapping[str, object]) -> Step:
        """Return the step of an event that is not declared, or has not the fields that it is declared with."""
        try:
            in_order(self.compiled.program, event or "", {str(name): value for name, value in fields.items()})
        except Refusal as refusal:
            return self.machine.refuse(str(refusal))
        return self.machine.refuse("its fields are not named by texts")

    def repeat(self, kind: int, body: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Step:
        """Return what the machine does with what was journalled, whose bound functions answer as they did then."""
        self._encoded = None
        if self._answers is not None:
            self._answers.repeat(results)
        if "source" in body:
            self.sequences[body["source"]] = body["sequence"]
        if kind == _REFUSAL:
            return self.machine.refuse(body["reason"])
        name, fields = body.get("name"), body.get("fields", _NO_FIELDS)
        known = self._passing if name is None else self._inputs.get(name)
        step = None
        if known is not None and len(fields) == known.size:
            step = known.again(known.port, body["time_ns"], fields)
        return self._unordered(name, fields) if step is None else step

    def explain(self, body: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Explanation:
        """Return what an event that was journalled would do now, and why; the machine stays as it is."""
        from ..explain import explain

        if self._answers is not None:
            self._answers.repeat(results)
        return explain(self.compiled, self.snapshot(), body.get("name"), body["time_ns"], body.get("fields", {}))

    def refusal_payload(self, of: int, step: Step, results: Sequence[Mapping[str, Any]]) -> bytes:
        """Return the payload of the step of a refusal that was repeated.

        An event that was refused may have asked functions before that was known, which its repetition does not ask.
        """
        return canonical(kinds.step_body(of, step, results))

    def step_payload(self, of: int, step: Step) -> bytes | None:
        """Return the payload of a step that was repeated; None where a quiet event has none."""
        if step is self._quiet:
            return None
        given = () if self._answers is None else self._answers.given
        if given or not is_quiet(step):
            return canonical(kinds.step_body(of, step, given))
        if self._answers is None:
            self._quiet = step
        return None


class _Input:
    """What a machine takes one event with."""

    __slots__ = ("again", "kind", "named", "plain", "port", "size")

    def __init__(self, owner: Journalled, event: Event | None) -> None:
        machine = owner.machine
        self.port: Callable[..., Step] = machine.advance if event is None else machine.port(event.name)
        self.size = 0 if event is None else len(event.fields)
        self.kind = int(Kind.EVENT if event is None else _kind(owner.compiled, event))
        self.plain, self.named, self.again = encoder(owner.name, event)


def _kind(compiled: Compiled, event: Event) -> Kind:
    if event.leg and event.name.rpartition(".")[2] in KINDS:
        return Kind.FILL
    return Kind.APPROVAL if compiled.program.approvals and event.name in ANSWERS else Kind.EVENT
