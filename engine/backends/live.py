"""The live backend: a machine as a generated class, one method an event.

The generated code computes into locals and stores at the end. Whatever is out of the ordinary (refused input, a failing
guard or action, a due timer, an internal event, an eventless transition, one that enters a history state or moves
several regions) stores nothing and hands the event to the reference, which decides; so the fast path and the reference
cannot differ in what they do about errors.

    def tick(self, time_, price):
        try:
            if type_(time_) is not int_: time_ = whole(time_)
            ...
            if r0_ == 0:                                  # active
                if abs_(price - c5_) >= h2_ * ...:        # up
                    ...
                    self.c5_ = price
                    return k1_
            return k0_
        except Failures_:
            return self._defer(...)
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..bound import Results
from ..diagnostics import suggestion
from ..evaluate import Failure, due
from ..intake import Refusal, in_order
from ..ir import NEVER, Value
from ..semantics import Reference
from ..snapshot import Snapshot, SnapshotError
from ..step import Order, Step, orders_of
from .python import BEFORE_START, Source

if TYPE_CHECKING:
    from ..load import Compiled

__all__ = ["Machine", "generate"]

KEPT = 4_096
"""Steps of firings in several regions that a class keeps for each event."""


class Machine:
    """A running spec; two machines share nothing but their code.

    Made by `Compiled.machine()`. It starts with the first event that the spec can start with (see `program.start_event`).
    """

    __slots__ = ()

    columns: ClassVar[tuple[str, ...]]
    _source: ClassVar[Source]
    _reference: ClassVar[Reference]
    _ports: ClassVar[Mapping[str, Callable[..., Step]]]
    _by_name: ClassVar[Mapping[str, Callable[..., Step]]]

    def port(self, event: str) -> Callable[..., Step]:
        """Return the function that takes an event: ``port(time_ns, *fields)``, fields in declared order.

        Raises:
            KeyError: the spec declares no such event.
        """
        _known("event", event, self._source.methods)
        return getattr(self, self._source.methods[event])  # type: ignore[no-any-return]  # a generated method

    def send(self, event: str, time_ns: int, /, **fields: object) -> Step:
        """Process one event and return what it did; a wrong event is refused, see `Step.rejected`."""
        try:
            return self._by_name[event](self, time_ns, **fields)
        except (KeyError, TypeError) as error:
            # Python matches fields with parameters faster than code here could. An error of the call itself has no
            # frame below this one; any other is a defect.
            below = error.__traceback__ and error.__traceback__.tb_next
            if below is not None:
                raise
        return self._send_slowly(event, time_ns, fields)

    def _send_slowly(self, event: str, time_ns: int, fields: Mapping[str, object]) -> Step:
        try:
            values = in_order(self._reference.program, event, fields)
        except Refusal as refusal:
            return self.refuse(str(refusal))
        return self._ports[event](self, time_ns, *values)

    def refuse(self, reason: str) -> Step:
        """Let the machine see that something was refused which cannot be sent to it, as it sees what it refuses itself."""
        snapshot, step = self._reference.refuse(self.snapshot(), reason)
        self._load(snapshot)
        return step

    def _defer(self, event: str, time_ns: object, values: Sequence[object], results: Results) -> Step:
        """Let the reference process an event; the generated code has stored nothing of it."""
        snapshot, step = self._reference.step(self.snapshot(), event, time_ns, values, results)
        self._load(snapshot)
        return step

    def advance(self, time_ns: int) -> Step:
        """Let time pass without an event: due timers fire. It starts a machine whose spec needs no event to start."""
        raise NotImplementedError  # generated for each program

    def _advance(self, time_ns: object) -> Step:
        snapshot, step = self._reference.advance(self.snapshot(), time_ns)
        self._load(snapshot)
        return step

    @property
    def next_due(self) -> int | None:
        """When the next timer fires, in int64 ns; None while none is armed."""
        if self._has_stopped():
            return None
        first: int = min((getattr(self, slot) for slot in self._source.dues), default=NEVER)
        return None if first == NEVER else first

    def _is_late(self, time_ns: int) -> bool:
        """Return whether an event comes before the clock, or not before a timer is due."""
        clock: int = getattr(self, self._source.clock)
        return not clock <= time_ns < self._set_alarm()

    def _set_alarm(self) -> int:
        """Note before which time no timer is due; a machine that has stopped is late for everything."""
        source = self._source
        first: int = min((getattr(self, slot) for slot in source.dues), default=BEFORE_START)
        alarm = -BEFORE_START if self._has_stopped() else first
        setattr(self, source.alarm, alarm)
        return alarm

    @property
    def configuration(self) -> tuple[str, ...]:
        """The active leaves in document order, one of each region; empty before the start."""
        source = self._source
        found: list[str] = []
        for register, region in zip(source.registers, source.layout.regions, strict=True):
            index = getattr(self, register)
            if index >= 0 and region.leaves[index] in source.places:
                found.append(region.leaves[index])
        return tuple(found)

    def _has_stopped(self) -> bool:
        return self._source.layout.has_stopped(self.configuration)

    @property
    def ended(self) -> bool:
        """Whether the chart has reached a final state and every fill is settled.

        A chart that is parallel as a whole has reached one when all its regions have.
        """
        cells = self._source.cells
        return self._has_stopped() and not any(getattr(self, cells[cell]) for cell in self._reference.program.unsettled)

    @property
    def time_ns(self) -> int | None:
        """The clock: the time of the last accepted event or `advance`, or None before the start."""
        clock: int = getattr(self, self._source.clock)
        return None if clock == BEFORE_START else clock

    def value(self, cell: str) -> Value:
        """Return a named value of the snapshot, e.g. ``long.quantity``.

        Raises:
            KeyError: there is none.
        """
        _known("value", cell, self._source.cells)
        return getattr(self, self._source.cells[cell])  # type: ignore[no-any-return]  # a generated slot

    def observation(self) -> tuple[Value, ...]:
        """Return the registers and the ledger as one flat record, in the order of `columns`.

        A register is the index of the active leaf of its region, or -1.
        """
        raise NotImplementedError  # generated for each program

    def __repr__(self) -> str:
        where = ", ".join(self.configuration) or "not started"
        return f"<Machine {self._reference.program.name}: {where}>"

    def snapshot(self) -> Snapshot:
        """Return the whole state as a value."""
        source, reference = self._source, self._reference
        cells = {name: getattr(self, slot) for name, slot in source.cells.items()}
        windows = {name: getattr(self, slot).values() for name, slot in source.windows.items()}
        history: Mapping[str, tuple[str, ...]] = getattr(self, source.history) if source.history else {}
        return Snapshot(
            program=reference.digest,
            parameters=reference.given,
            time_ns=self.time_ns,
            configuration=self.configuration,
            cells=cells,
            windows=windows,
            history=dict(history),
            ended=self.ended,
        )

    def restore(self, snapshot: Snapshot | str) -> None:
        """Take up a state exactly where it was left; a text is a snapshot's JSON.

        Raises:
            SnapshotError: it is no snapshot of this program with these parameters.
        """
        if isinstance(snapshot, str):
            snapshot = Snapshot.from_json(snapshot)
        elif not isinstance(snapshot, Snapshot):
            raise SnapshotError("a snapshot or its JSON text is expected")
        reference = self._reference
        self._load(snapshot.fitted(reference.program, reference.digest, reference.given))

    def _load(self, snapshot: Snapshot) -> None:
        source = self._source
        setattr(self, source.clock, BEFORE_START if snapshot.time_ns is None else snapshot.time_ns)
        for register in source.registers:
            setattr(self, register, -1)
        for leaf in snapshot.configuration:
            for register, index in source.places[leaf]:
                setattr(self, register, index)
        if source.quiet:
            setattr(self, source.quiet, Step((), snapshot.configuration, snapshot.configuration))
        if source.history:
            setattr(self, source.history, dict(snapshot.history))
        for name, slot in source.cells.items():
            setattr(self, slot, snapshot.cells[name])
        for name, slot in source.windows.items():
            ring = getattr(self, slot)
            if ring.values() != snapshot.windows[name]:
                ring.fill(snapshot.windows[name])
            else:
                ring.drop()
        if source.alarm:
            self._set_alarm()


def _known(what: str, name: str, names: Mapping[str, object]) -> None:
    if name not in names:
        raise KeyError(
            f"no {what} `{name}`: {suggestion(name, names, 'there is ' + (', '.join(names) or 'none')[:200])}"
        )


def whole(value: object) -> int:
    """Return a time as a plain int."""
    if not isinstance(value, bool) and isinstance(value, numbers.Integral):
        return int(value)
    raise Refusal


def number(value: object) -> float:
    """Return a field as a plain float."""
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        return float(value)
    raise Refusal


def fail(reason: str) -> float:
    """Stand where an expression has no value."""
    raise Failure(reason)


def told(step: Step, orders: tuple[Order, ...], broken: tuple[str, ...]) -> Step:
    """Return a step that also tells orders and broken invariants."""
    return step._replace(orders=orders, broken=broken)


class Steps(dict[tuple[int, ...], tuple[Step, Step]]):
    """The steps of firings in several regions, each with the step of the configuration that it leads to.

    A key has the number of what each of `regions` fires, or -1, and then the registers of `varying` before it. `fired`
    has the name of each firing and the register after it, or None. Steps are kept, up to a number of them.
    """

    def __init__(
        self,
        regions: tuple[int, ...],
        fired: tuple[tuple[tuple[str, int | None], ...], ...],
        varying: tuple[int, ...],
        shown: tuple[tuple[tuple[str, ...], ...], ...],
    ) -> None:
        self.regions, self.fired, self.varying, self.shown = regions, fired, varying, shown

    def __missing__(self, key: tuple[int, ...]) -> tuple[Step, Step]:
        registers = [0] * len(self.shown)
        for region, register in zip(self.varying, key[len(self.regions) :], strict=True):
            registers[region] = register
        before = self._configuration(registers)
        names: list[str] = []
        for region, firings, number in zip(self.regions, self.fired, key, strict=False):
            if number >= 0:
                name, leaf = firings[number]
                names.append(name)
                registers[region] = registers[region] if leaf is None else leaf
        after = self._configuration(registers)
        if len(self) >= KEPT:
            self.clear()
        self[key] = found = Step(tuple(names), before, after), Step((), after, after)
        return found

    def _configuration(self, registers: Sequence[int]) -> tuple[str, ...]:
        return tuple(leaf for shown, index in zip(self.shown, registers, strict=True) for leaf in shown[index])


def generate(compiled: Compiled) -> type[Machine]:
    """Return the machine class of a program with its parameters bound."""
    if not float("2.2250738585072014e-308") / 2 > 0:
        raise RuntimeError(
            "this process flushes subnormal numbers to 0, so that results would differ from other machines"
        )
    program = compiled.program
    source = compiled.spec.live_source(program.fill)
    reference = Reference(program, compiled.parameters, compiled.registry)
    if compiled.functions is not None:
        reference.functions = compiled.functions

    def invoke(index: int, arguments: tuple[object, ...], results: Results) -> tuple[Value, ...]:
        instruction = source.calls[index]
        names = (name for name, _ in instruction.arguments)
        found = reference.functions.call(instruction, dict(zip(names, arguments, strict=True)), results)
        return tuple(found[result] for result, _ in instruction.into)

    scope: dict[str, Any] = {
        "parameters_": compiled.parameters,
        "Machine_": Machine,
        "Step_": Step,
        "Steps_": Steps,
        "new_": tuple.__new__,
        "told_": told,
        "orders_of_": orders_of,
        "due_": due,
        "ordered_": lambda orders, prefix: any(order.leg.startswith(prefix) for order in orders),
        "invoke_": invoke,
        "whole_": whole,
        "number_": number,
        "Failures_": (ArithmeticError, ValueError, Failure, Refusal),
        "sqrt_": math.sqrt,
        "floor_": math.floor,
        "fail_": fail,
        "abs_": abs,
        "type_": type,
        "int_": int,
        "str_": str,
        "float_": float,
        "bool_": bool,
    }
    if program.windows:
        from ..window import Ring

        scope["Ring_"] = Ring
    exec(source.code, scope)  # noqa: S102  # our own generated code: names of a spec only as literals and checked names
    made: type[Machine] = scope["Generated"]
    made._source = source
    made._reference = reference
    made._ports = {event: getattr(made, method) for event, method in source.methods.items()}
    made._by_name = {event: port for event, port in made._ports.items() if event in source.by_name}
    made.columns = source.columns
    return made
