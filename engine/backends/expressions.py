"""From the expressions of the IR to Python: what the locals of a method hold, and the text that computes the rest.

Within a method every cell is read at most once, every value that is used again is a local, and what depends on
parameters alone is computed when the class is made. An expression keeps the order and the rounding of the IR.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate

from ..evaluate import nanoseconds
from ..ir import INFIX, NEVER, Block, Expr, Pool, Program, expressions
from ..monitors import TOLERANCE, monitor
from .layout import Layout

__all__ = ["Expressions", "Lines", "Place", "Values"]

_PARTIAL = frozenset(("div", "sqrt", "floor", "given", "due"))
_DEEP = 60
"""Nested brackets that one line may have, give or take those of one operator."""
_CHART = frozenset(("active", "was", "ordered"))


class Lines:
    """Lines with their indentation."""

    def __init__(self, depth: int = 0) -> None:
        self.lines: list[str] = []
        self.depth = depth

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.add(head)
        self.depth += 1
        start = len(self.lines)
        yield
        if len(self.lines) == start:
            self.add("pass")
        self.depth -= 1


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of the configuration at one point of a method.

    `ranges` has the stretch in which each register stands, its end exclusive, and `registers` the local that holds it.
    While a transition is on its way, `active` has the active states of its region, `region`.
    """

    ranges: tuple[tuple[int, int], ...]
    registers: tuple[str, ...]
    active: frozenset[str] | None = None
    region: int = 0

    def narrowed(self, region: int, low: int, high: int) -> Place:
        """Return what is known where a register stands in a stretch."""
        ranges = (*self.ranges[:region], (low, high), *self.ranges[region + 1 :])
        return Place(ranges, self.registers)


class Values:
    """What the locals hold at one point of a method."""

    def __init__(self, place: Place) -> None:
        self.cells: dict[str, str] = {}
        self.temps: dict[str, str] = {}
        self.known: dict[int, str] = {}
        self.texts: dict[str, str] = {}
        """The local that holds the value of a text."""
        self.before: dict[str, str] | None = None
        self.was = place
        self.now = place
        self.ordered = "False"
        self.written: dict[str, None] = {}
        self.checked: set[tuple[str, str]] = set()

    def copy(self) -> Values:
        twin = Values(self.now)
        twin.cells, twin.temps, twin.known = dict(self.cells), dict(self.temps), dict(self.known)
        twin.before = None if self.before is None else dict(self.before)
        twin.was, twin.ordered, twin.written = self.was, self.ordered, dict(self.written)
        twin.checked = set(self.checked)
        twin.texts = dict(self.texts)
        return twin

    def narrowed(self, region: int, low: int, high: int) -> Values:
        """Return a copy for a branch in which a register stands in a stretch."""
        twin = self.copy()
        twin.now = twin.was = self.now.narrowed(region, low, high)
        return twin


class Expressions:
    """Writes expressions into the methods of one program's class."""

    def __init__(self, program: Program, layout: Layout) -> None:
        self.program, self.layout = program, layout
        self.pool = Pool()
        self.slots = {cell.name: f"c{index}_" for index, cell in enumerate(program.cells)}
        self.windows = {window.name: f"w{index}_" for index, window in enumerate(program.windows)}
        self.parameters = {p.name: f"p{index}_" for index, p in enumerate(program.parameters)}
        self.monitors = tuple((name, monitor(self.pool, claim)) for name, claim in program.invariants)
        self.checks = program.conditions
        self.fields: dict[str, str] = {}
        """The locals that hold the fields of the event at hand."""
        self.person = ""
        """The local or literal that says who brought it."""
        self.hoisted: dict[int, str] = {}
        self.hoisted_lines: list[str] = []
        self.reads: dict[int, frozenset[str]] = {}
        self.asks: dict[int, bool] = {}
        """Whether an expression asks for states or orders."""
        self.finite: set[str] = set()
        """Locals that are known to hold finite numbers."""
        self._uses: dict[int, int] = {}
        self._partial: dict[int, bool] = {}
        self._truths: dict[tuple[int, Place, Place, bool], bool | None] = {}
        self._count = 0
        self._analyse()
        self.asking = any(self.asks.values())

    # ------------------------------------------------------------------------------------------------------ for blocks

    def local(self) -> str:
        """Return a new local."""
        self._count += 1
        return f"v{self._count}_"

    def cell(self, code: Lines, values: Values, cell: str) -> str:
        """Return the local that holds a cell now, reading it at its first use."""
        if cell not in values.cells:
            local = self.local()
            code.add(f"{local} = self.{self.slots[cell]}")
            values.cells[cell] = local
            self.finite.add(local)
            if values.before is not None:
                values.before.setdefault(cell, local)
        return values.cells[cell]

    def named(self, code: Lines, values: Values, expr: Expr) -> str:
        """Return a local, parameter or literal that holds the value of `expr`."""
        text = self.expression(code, values, expr)
        if text.isidentifier() or expr.op == "const":
            if expr.op in ("field", "const", "param"):
                self.finite.add(text)
            return text
        local = self.local()
        code.add(f"{local} = {text}")
        return local

    def expression(self, code: Lines, values: Values, expr: Expr) -> str:
        """Return the text of `expr`, after naming the values in it that are used more than once."""
        self._prepare(code, values, expr, True, {})
        return self._text(values, expr)

    def forget(self, values: Values, names: Collection[str]) -> None:
        """Note that cells (or temps) have other values now."""
        values.known = {key: local for key, local in values.known.items() if self.reads[key].isdisjoint(names)}

    def move(self, values: Values, place: Place) -> None:
        """Note that other states are active now."""
        values.now = place
        if self.asking:
            values.known = {key: local for key, local in values.known.items() if not self.asks[key]}

    # ---------------------------------------------------------------------------------------------------------- writing

    def _prepare(self, code: Lines, values: Values, expr: Expr, sure: bool, seen: dict[int, bool]) -> None:
        """Read the cells and name the values that `expr` needs; `sure` means that it is computed in any case."""
        node = self._reduced(values, expr)
        if node is None or seen.get(id(node)) in (True, sure) or id(node) in values.known:
            return
        seen[id(node)] = sure
        if not node.args:
            if node.op == "cell":
                self.cell(code, values, node.name)
            elif node.op == "before":
                self._before(code, values, node.name)
            return
        if self._only_parameters(node):
            return
        for index, argument in enumerate(node.args):
            if index == 1 and self._compares_with_itself(values, node):
                break
            conditional = index > 0 and node.op in ("and", "or", "select", "given")
            self._prepare(code, values, argument, sure and not conditional, seen)
        if self._worth_naming(node) and (sure or not self._partial[id(node)]):
            text = self._text(values, node)
            if not text.isidentifier():
                local = values.texts[text] = self.local()
                code.add(f"{local} = {text}")
                text = local
            values.known[id(node)] = text
        elif node.depth > _DEEP and _brackets(text := self._text(values, node)) > _DEEP:
            # CPython reads 200 nested brackets at most. What may fail, or is not always computed, is named as a thunk.
            thunk = self.local()
            code.add(f"{thunk} = lambda: {text}")
            values.known[id(node)] = f"{thunk}()"

    def _worth_naming(self, node: Expr) -> bool:
        """Return whether a value is used again and its computation costs more than a local."""
        small = node.op in ("real", "neg") or (node.type == "bool" and node.size < 4)
        return self._uses.get(id(node), 0) > 1 and not small

    def _truth(self, values: Values, node: Expr) -> bool | None:
        """Return what a condition is where the states that are known to be active decide it."""
        if not self.asks[id(node)]:
            return None
        key = (id(node), values.now, values.was, values.ordered == "False")
        if key not in self._truths:
            self._truths[key] = self._decide(values, node)
        return self._truths[key]

    def _decide(self, values: Values, node: Expr) -> bool | None:
        match node.op:
            case "active" | "was":
                return self._is_active(values.now if node.op == "active" else values.was, node.name)
            case "ordered":
                return False if values.ordered == "False" else None
            case "not":
                truth = self._truth(values, node.args[0])
                return None if truth is None else not truth
            case "and" | "or":
                first, second = (self._truth(values, argument) for argument in node.args)
                if first is not None:
                    return first if first is (node.op == "or") else second
                # Alone, the second one decides only after a first that cannot fail.
                return second if second is (node.op == "or") and not self._partial[id(node.args[0])] else None
            case "select":
                first = self._truth(values, node.args[0])
                return None if first is None else self._truth(values, node.args[1 if first else 2])
        return None

    def _is_active(self, place: Place, state: str) -> bool | None:
        region, low, high = self.layout.homes[state]
        if place.active is not None and region == place.region:
            return state in place.active
        least, end = place.ranges[region]
        if low <= least and end <= high:
            return True
        return False if high <= least or end <= low else None

    def _reduced(self, values: Values, node: Expr) -> Expr | None:
        """Return the part of an expression that is left to compute; None of a condition that is decided."""
        if not self.asks[id(node)]:
            return node
        if self._truth(values, node) is not None:
            return None
        while node.op in ("and", "or", "select"):
            first, neutral = self._truth(values, node.args[0]), node.op == "and"
            if node.op == "select":
                if first is None:
                    break
                node = node.args[1 if first else 2]
            elif first is neutral:
                node = node.args[1]
            elif self._truth(values, node.args[1]) is neutral:
                node = node.args[0]
            else:
                break
        return node

    def _compares_with_itself(self, values: Values, node: Expr) -> bool:
        """Return whether a node is `a - b <= room`, see monitors, of two sides that are the same local."""
        gap = node.args[0] if node.op == "le" else node
        if gap.op != "sub" or node is gap or (room := node.args[1]).op != "mul" or room.args[1].op != "max":
            return False
        if room.args[0].op != "const" or room.args[0].value != TOLERANCE:
            return False
        if tuple(size.args for size in room.args[1].args if size.op == "abs") != tuple((side,) for side in gap.args):
            return False
        first, second = (self._text(values, side) for side in gap.args)
        return first == second

    def _before(self, code: Lines, values: Values, cell: str) -> str:
        assert values.before is not None
        if cell not in values.before:
            local = self.local()
            code.add(f"{local} = self.{self.slots[cell]}")
            values.before[cell] = local
        return values.before[cell]

    def _text(self, values: Values, expr: Expr) -> str:
        reduced = self._reduced(values, expr)
        if reduced is None:
            return str(self._truth(values, expr))
        expr = reduced
        key = id(expr)
        if key in values.known:
            return values.known[key]
        if key in self.hoisted:
            return self.hoisted[key]
        match expr.op:
            case "const":
                return _constant(expr)
            case "param":
                return self.parameters[expr.name]
            case "cell":
                return values.cells[expr.name]
            case "before":
                assert values.before is not None
                return values.before[expr.name]
            case "field":
                return self.fields[expr.name]
            case "temp":
                return values.temps[expr.name]
            case "now":
                return "time_"
            case "person":
                return self.person
            case "active":
                return self._condition(values.now, expr.name)
            case "was":
                return self._condition(values.was, expr.name)
            case "ordered":
                if values.ordered == "False" or not expr.name:
                    return "False" if values.ordered == "False" else f"bool_({values.ordered})"
                return f"ordered_({values.ordered.replace(' or ', ' + ')}, {expr.name!r})"
        if self._only_parameters(expr):
            return self._hoist(expr)
        if self._compares_with_itself(values, expr):
            # INVARIANT: finite a: a - a is 0.0 and within any room; an infinite or undefined one is within none.
            return f"({self._text(values, expr.args[0])} == 0.0)"
        text = self._operator(expr, [self._text(values, argument) for argument in expr.args])
        return values.texts.get(text, text)

    def _operator(self, expr: Expr, arguments: list[str]) -> str:
        """Return the text of an operator over the texts of its arguments."""
        match expr.op:
            case "neg":
                return f"(-{arguments[0]})"
            case "not":
                if arguments[0] in ("True", "False"):
                    return "False" if arguments[0] == "True" else "True"
                return f"(not {arguments[0]})"
            case "abs":
                return f"abs_({arguments[0]})"
            case "sqrt":
                return f"sqrt_({arguments[0]})"
            case "floor":
                return f"float_(floor_({arguments[0]}))"
            case "real":
                return f"float_({arguments[0]})"
            case "seconds":
                return f"(({arguments[0]} - {arguments[1]}) / 1000000000.0)"
            case "due":
                return self._due(expr, arguments)
            case "select":
                return f"({arguments[1]} if {arguments[0]} else {arguments[2]})"
            case "given":
                return f"({arguments[1]} if {arguments[0]} else fail_({expr.name!r}))"
            case "min" | "max":
                return self._extreme(expr.op, arguments)
            case "and":
                return _logic("and", arguments, "True", "False")
            case "or":
                return _logic("or", arguments, "False", "True")
        return f"({arguments[0]} {INFIX[expr.op]} {arguments[1]})"

    def _extreme(self, op: str, arguments: list[str]) -> str:
        a, b = arguments
        sign = "<" if op == "min" else ">"
        first, second = a, b
        if not _is_atom(a):
            local = self.local()
            first, a = f"({local} := {a})", local
        if not _is_atom(b):
            local = self.local()
            second, b = f"({local} := {b})", local
        # The condition is evaluated first, so the names it binds are there for both branches.
        return f"({b} if {second} {sign} {first} else {a})"

    def _due(self, expr: Expr, arguments: list[str]) -> str:
        """Return the text of a stamp: a sum where the delay is a literal, else a call."""
        then, seconds = arguments
        delay = expr.args[1]
        if delay.op == "const" and delay.value is not None and delay.value >= 0:
            return self._extreme("min", [str(NEVER), f"({then} + {nanoseconds(float(delay.value))})"])
        return f"due_({then}, {seconds})"

    def _condition(self, place: Place, state: str) -> str:
        """Return the condition that a state is active."""
        region, low, high = self.layout.homes[state]
        local, (least, end) = place.registers[region], place.ranges[region]
        # INVARIANT: a firing that asks for states of another region is left to the reference.
        assert place.active is None
        if high - low == 1:
            return f"({local} == {low})"
        if low <= least:
            return f"({local} < {high})"
        return f"({local} >= {low})" if high >= end else f"({low} <= {local} and {local} < {high})"

    def _only_parameters(self, expr: Expr) -> bool:
        """Return whether an operator reads parameters alone and cannot fail."""
        return not self.reads[id(expr)] and not self._partial[id(expr)] and bool(expr.args)

    def _hoist(self, expr: Expr) -> str:
        """Compute a value of the parameters once, when the class is made."""
        nowhere = Values(Place((), ()))
        arguments = [self._text(nowhere, argument) for argument in expr.args]
        name = f"h{len(self.hoisted)}_"
        self.hoisted[id(expr)] = name
        self.hoisted_lines.append(f"{name} = {self._operator(expr, arguments)}")
        return name

    # --------------------------------------------------------------------------------------------------------- analysis

    def _analyse(self) -> None:
        """Count how often each node is an argument or stands by itself, and note what it reads."""
        roots = [expr for block in self._blocks() for each in block for expr in expressions(each)]
        roots += [rule.guard for rule in self.program.rules if rule.guard is not None]
        roots += [*(claim for _, claim in self.monitors), *self.checks]
        for root in roots:
            self._uses[id(root)] = self._uses.get(id(root), 0) + 1
            if id(root) not in self.reads:
                for node in root.walk():
                    if id(node) not in self.reads:
                        self._note(node)

    def _blocks(self) -> Iterable[Block]:
        program = self.program
        yield program.accrue
        for event in program.events:
            yield event.marks
            yield from event.observe
        for state in program.states:
            yield from (state.stamp, state.entry, state.initially, state.exit, state.leave)
        for rule in program.rules:
            yield from (rule.measure, rule.action)
        for leg in program.legs:
            yield leg.fill
        yield program.outlook

    def _note(self, node: Expr) -> None:
        key = id(node)
        if not node.args:
            own = {"cell": node.name, "before": f"before {node.name}", "field": f"field {node.name}"}
            name = own.get(node.op) or (f"temp {node.name}" if node.op == "temp" else node.op)
            self.reads[key] = frozenset(() if node.op in ("const", "param") else (name,))
            self.asks[key], self._partial[key] = node.op in _CHART, False
            return
        for argument in node.args:
            self._uses[id(argument)] = self._uses.get(id(argument), 0) + 1
        self.reads[key] = frozenset().union(*(self.reads[id(argument)] for argument in node.args))
        self.asks[key] = any(self.asks[id(argument)] for argument in node.args)
        self._partial[key] = node.op in _PARTIAL or any(self._partial[id(argument)] for argument in node.args)


def _is_atom(text: str) -> bool:
    return text.isidentifier() or text.replace(".", "", 1).isdigit()


def _brackets(text: str) -> int:
    """Return how deep the brackets of a text nest."""
    return max(accumulate((char == "(") - (char == ")") for char in text))


def _logic(word: str, arguments: list[str], neutral: str, absorbing: str) -> str:
    """Return `a and b` or `a or b` with what is known left out."""
    a, b = arguments
    if a == neutral:
        return b
    if a == absorbing:
        return absorbing
    if b == neutral:
        return a
    return f"({a} {word} {b})"


def _constant(expr: Expr) -> str:
    value = expr.value
    assert value is not None
    if expr.type == "real":
        text = repr(float(value))
        return f"({text})" if text.startswith("-") else text
    return f"({value})" if expr.type == "int" and value < 0 else repr(value)
