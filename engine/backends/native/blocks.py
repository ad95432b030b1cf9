"""From the blocks of the IR to LLVM: assignments, raised events, orders, and the checks of what was written."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from ...evaluate import LARGEST
from ...ir import Assign, Block, Cell, Let, Program, Propose, Raise, Require
from ..layout import Layout
from ..panels import panels
from .expressions import Expressions
from .slots import Slots, kind_of
from .text import Kind, real

__all__ = ["LOGGED", "WAITING", "Blocks"]

WAITING = 16
"""Raised events that may wait at a time; a row with more is the reference's."""
LOGGED = 256
"""Additions to the tallies that one row may make; one with more is the reference's."""


class Blocks(Expressions):
    """Writes blocks into a kernel."""

    def __init__(self, program: Program, layout: Layout, slots: Slots) -> None:
        super().__init__(program, layout, slots)
        self.legs = {leg.name: index for index, leg in enumerate(program.legs)}
        self.numbers = {event.name: number for number, event in enumerate(program.events)}
        """The number of each event that may be raised or timed."""
        for timer in program.timers:
            self.numbers.setdefault(timer.event, len(self.numbers))
        self.width = 1 + max((len(event.fields) for event in program.events), default=0)
        """Slots that a waiting event takes: its number and its fields."""
        for event in program.events:
            for field in event.fields:
                self.field(f"{event.name}.{field.name}", kind_of(field.type))
        for timer in program.timers:
            for name, cell in timer.fields:
                self.field(name, kind_of(self.types[cell].type))
        for index in range(len(program.legs)):
            self.code.declare(f"target{index}", "double")
            self.code.declare(f"wanted{index}", "i1")
            self.code.declare(f"ordered{index}", "i1")
        self.panels = panels(program)
        for number in range(len(self.panels)):
            self.code.declare(f"judged{number}", "i1")
        self.code.declare("logged", "i64")
        self.code.declare("first", "i64")
        self.code.declare("waiting", "i64")

    def field(self, name: str, kind: Kind) -> None:
        """Make a field of an event known, by its qualified name."""
        if name not in self.fields:
            self.fields[name] = f"field{len(self.fields)}"
            self.code.declare(self.fields[name], kind)

    # ------------------------------------------------------------------------------------------------------ instructions

    def block(self, block: Block) -> None:
        """Write a block; what has no value or does not hold gives the row to the reference."""
        for instruction in block:
            match instruction:
                case Let():
                    value = self.checked(instruction.value)
                    span = self.span(instruction.value)
                    self.forget()
                    self.temps[instruction.temp], self.spans[instruction.temp] = value, span
                case Assign():
                    targets = instruction.targets
                    values = [(cell, self.fits(self.types[cell], expr), self.checked(expr)) for cell, expr in targets]
                    for cell, fits, value in values:
                        self._assign(self.types[cell], fits, value)
                case Require():
                    self.require(self.checked(instruction.condition))
                case Propose():
                    index = self.legs[instruction.leg]
                    after = self.checked(instruction.after)
                    # Of two transitions that order one leg the reference knows which gives way.
                    self.require(self.code.negate(self.code.get(f"wanted{index}")))
                    self.code.set(f"target{index}", after)
                    self.code.set(f"wanted{index}", "true")
                case Raise():
                    self._raise(instruction)
                case _:
                    raise AssertionError(f"{type(instruction).__name__} in native code")

    def _assign(self, cell: Cell, fits: bool, value: str) -> None:
        if cell.type == "int" and not fits:
            # An int is judged at once: what it is made into next stays within ±2^53 only where it is in its range itself.
            self.require(self.in_range("i64", value, cell.low, cell.high))
            fits = True
        self.write(cell.name, value)
        (self.doubtful.discard if fits else self.doubtful.add)(cell.name)

    def _raise(self, instruction: Raise) -> None:
        code = self.code
        fields = self.program.event(instruction.event).fields
        values = [self.checked(expr) for _, expr in instruction.fields]
        for field, value in zip(fields, values, strict=True):
            self.require(self.in_range(kind_of(field.type), value, field.low, field.high))
        waiting = code.get("waiting")
        self.require(code.op(f"icmp slt i64 {waiting}, {WAITING}"))
        place = self._place(waiting)
        code.do(f"store i64 {self.numbers[instruction.event]}, ptr {place}")
        for number, (field, value) in enumerate(zip(fields, values, strict=True), start=1):
            code.put(code.at(place, number), kind_of(field.type), value)
        code.set("waiting", code.op(f"add i64 {waiting}, 1"))

    def _place(self, number: str) -> str:
        """Return where a waiting event stands."""
        return self.code.at("%queue", number, f"[{self.width} x i64]")

    def take_waiting(self) -> str:
        """Take the first waiting event from the queue, and return where it stands."""
        code = self.code
        first = code.get("first")
        place = self._place(first)
        code.set("first", code.op(f"add i64 {first}, 1"))
        return place

    def load_fields(self, place: str, event: str) -> None:
        """Set the fields of an event from where it waited."""
        for number, field in enumerate(self.program.event(event).fields, start=1):
            value = self.code.take(self.code.at(place, number), kind_of(field.type))
            self.code.set(self.fields[f"{event}.{field.name}"], value)
        self.forget()

    # ----------------------------------------------------------------------------------------------------------- tallies

    def log(self, slot: str, amount: str) -> None:
        """Note an addition to a tally, which takes effect when the row is done."""
        code = self.code
        number = code.get("logged")
        self.require(code.op(f"icmp slt i64 {number}, {LOGGED}"))
        place = code.at("%log", number, "[2 x i64]")
        code.do(f"store i64 {slot}, ptr {place}")
        code.do(f"store i64 {amount}, ptr {code.at(place, 1)}")
        code.set("logged", code.op(f"add i64 {number}, 1"))

    # ------------------------------------------------------------------------------------------------------------ orders

    def fills(self) -> None:
        """Book the orders of a microstep, in the order of the legs, and note which panels judge one of them."""
        for number in range(len(self.panels)):
            self.code.set(f"judged{number}", "false")
        for index, leg in enumerate(self.program.legs):
            code = self.code
            changing, done = code.new_label("fill"), code.new_label("filled")
            held = code.get(self.slots.cells[leg.quantity])
            target = code.get(f"target{index}")
            changes = code.op(f"fcmp une double {target}, {held}")
            code.branch(code.both(code.get(f"wanted{index}"), changes), changing, done)
            self.begin(changing)
            code.set(f"wanted{index}", "false")
            self.temps, self.spans = {"after": target}, {}
            self.block(leg.fill)
            self.check(cell for each in leg.fill if isinstance(each, Assign) for cell, _ in each.targets)
            self._note_judges(leg.name, held, target)
            self._count(index, held, self.temps["delta"], self.temps["notional"])
            code.jump(done)
            self.begin(done)
            code.set(f"wanted{index}", "false")

    def _note_judges(self, leg: str, held: str, after: str) -> None:
        """Note which panels judge an order, see `work.Change`."""
        judging = {number: panel for number, panel in enumerate(self.panels) if leg in panel.legs}
        if not judging:
            return
        code = self.code
        sizes = [code.op(f"call double @llvm.fabs.f64(double {each})") for each in (after, held)]
        below, above = ([code.op(f"fcmp {op} double {each}, 0.0") for each in (after, held)] for op in ("olt", "ogt"))
        turns = code.either(code.both(below[0], above[1]), code.both(above[0], below[1]))
        grows = code.either(code.op(f"fcmp ogt double {sizes[0]}, {sizes[1]}"), turns)
        says = {"all": "true", "increase": grows, "reduce": code.negate(grows)}
        for number, panel in judging.items():
            code.set(f"judged{number}", code.either(code.get(f"judged{number}"), says[panel.applies]))

    def _count(self, leg: int, held: str, delta: str, notional: str) -> None:
        """Count an order, or the two of a change that crosses zero, see `step.orders_of`."""
        code = self.code
        code.set(f"ordered{leg}", "true")
        size, closing = (code.op(f"call double @llvm.fabs.f64(double {each})") for each in (delta, held))
        negative = [code.op(f"fcmp olt double {each}, 0.0") for each in (held, delta)]
        crosses = self.all(
            (
                code.op(f"fcmp une double {held}, 0.0"),
                code.op(f"xor i1 {negative[0]}, {negative[1]}"),
                code.op(f"fcmp ogt double {size}, {closing}"),
            )
        )
        first = code.op(f"fmul double {notional}, {code.op(f'fdiv double {closing}, {size}')}")
        rest = code.op(f"fsub double {notional}, {first}")
        traded = code.get("turnover")
        once = code.op(f"fadd double {traded}, {notional}")
        twice = code.op(f"fadd double {code.op(f'fadd double {traded}, {first}')}, {rest}")
        code.set("turnover", code.op(f"select i1 {crosses}, double {twice}, double {once}"))
        number = code.op(f"select i1 {crosses}, i64 2, i64 1")
        code.set("orders", code.op(f"add i64 {code.get('orders')}, {number}"))

    # ------------------------------------------------------------------------------------------------------------ checks

    def check(self, cells: Iterable[str]) -> None:
        """Check range and finiteness of those cells whose last value may not fit."""
        conditions, unbounded = [], []
        for name in dict.fromkeys(cells):
            if name not in self.doubtful:
                continue
            self.doubtful.discard(name)
            cell = self.types[name]
            value = self.variable(self.slots.cells[name])
            if cell.low is None and cell.high is None:
                unbounded.append(self.op(f"call double @llvm.fabs.f64(double {value})"))
            else:
                conditions.append(self.in_range(kind_of(cell.type), value, cell.low, cell.high))
        if unbounded:
            # Where the sum of their sizes is finite, each is; where only the sum is too large, the reference tells.
            total = unbounded[0]
            for size in unbounded[1:]:
                total = self.op(f"fadd double {total}, {size}")
            conditions.append(self.op(f"fcmp ole double {total}, {real(LARGEST)}"))
        self.require(self.all(conditions))

    def in_range(self, kind: Kind, value: str, low: Fraction | None, high: Fraction | None) -> str:
        """Return the condition that a value is finite and in its range."""
        code = self.code
        if kind == "i1":
            return "true"
        if kind == "i64":
            bounds = [("sge", low), ("sle", high)]
            return self.all(code.op(f"icmp {op} i64 {value}, {int(b)}") for op, b in bounds if b is not None)
        least = real(-LARGEST if low is None else float(low))
        most = real(LARGEST if high is None else float(high))
        return code.both(code.op(f"fcmp oge double {value}, {least}"), code.op(f"fcmp ole double {value}, {most}"))
