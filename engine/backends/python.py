"""From the IR to the Python source of a machine class.

Within a method every cell is read at most once, every value that is used again is a local, and what depends on
parameters alone is computed when the class is made. An expression keeps the order and the rounding of the IR.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from types import CodeType

from ..chart import matches
from ..evaluate import LARGEST
from ..ir import (
    INFIX,
    Assign,
    Block,
    Call,
    Cell,
    Event,
    Expr,
    Let,
    Pool,
    Program,
    Propose,
    Push,
    Raise,
    Require,
    Rule,
    Value,
)
from ..ir import Source as CallSource
from ..monitors import TOLERANCE, monitor

__all__ = ["BEFORE_START", "Source", "source_of"]

BEFORE_START = 2**63
"""The clock of a machine that has not started: later than any time, so that every event takes the slow way."""

_PARTIAL = frozenset(("div", "sqrt", "floor", "given"))
_DEEP = 60
"""Nested brackets that one line may have, give or take those of one operator."""


@dataclass(frozen=True, slots=True)
class Source:
    """The code of a machine class and where it keeps things."""

    text: str
    code: CodeType
    register: str
    clock: str
    leaves: tuple[str, ...]
    final: frozenset[int]
    cells: Mapping[str, str]
    windows: Mapping[str, str]
    methods: Mapping[str, str]
    by_name: frozenset[str]
    """Events whose method takes the fields under their own names."""
    columns: tuple[str, ...]
    calls: tuple[Call, ...]


class _Defer(Exception):
    """This path always takes the slow way: nothing to generate for it."""


class _Code:
    """Lines with their indentation."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0

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


class _Values:
    """What the locals hold at one point of a method."""

    def __init__(self, leaf: int | None) -> None:
        self.cells: dict[str, str] = {}
        self.temps: dict[str, str] = {}
        self.known: dict[int, str] = {}
        self.texts: dict[str, str] = {}
        """The local that holds the value of a text; a local is bound once on every path, so this is never undone."""
        self.before: dict[str, str] | None = None
        self.was = leaf
        self.leaf = leaf
        self.ordered = "False"
        self.written: dict[str, None] = {}
        self.checked: set[tuple[str, str]] = set()

    def copy(self) -> _Values:
        twin = _Values(self.leaf)
        twin.cells, twin.temps, twin.known = dict(self.cells), dict(self.temps), dict(self.known)
        twin.before = None if self.before is None else dict(self.before)
        twin.was, twin.ordered, twin.written = self.was, self.ordered, dict(self.written)
        twin.checked = set(self.checked)
        twin.texts = dict(self.texts)
        return twin


def source_of(program: Program) -> Source:
    """Return the source of a program's machine class."""
    return _Generator(program).source()


class _Generator:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.pool = Pool()
        self.slots = {cell.name: f"c{index}_" for index, cell in enumerate(program.cells)}
        self.types = {cell.name: cell for cell in program.cells}
        self.windows = {window.name: f"w{index}_" for index, window in enumerate(program.windows)}
        self.parameters = {p.name: f"p{index}_" for index, p in enumerate(program.parameters)}
        self.leaves = program.regions[0].leaves
        self.states = {state.name: state for state in program.states}
        self.ancestors = program.lineage()
        self.final = frozenset(
            i
            for i, leaf in enumerate(self.leaves)
            if self.states[leaf].kind == "final" and self.states[leaf].parent is None
        )
        self.rules: dict[str, list[Rule]] = {name: [] for name in self.states}
        for rule in program.rules:
            self.rules[rule.source].append(rule)
        self.monitors = tuple((name, monitor(self.pool, claim)) for name, claim in program.invariants)
        self.hoisted: dict[int, str] = {}
        self.hoisted_lines: list[str] = []
        self.constants: list[str] = []
        self.shared: dict[str, str] = {}
        self.calls: list[Call] = []
        self.uses: dict[int, int] = {}
        self.reads: dict[int, frozenset[str]] = {}
        self.partial: dict[int, bool] = {}
        self.truths: dict[tuple[int, int | None, int | None, bool], bool | None] = {}
        self.finite: set[str] = set()
        """Locals that are known to hold finite numbers."""
        self.pushed: list[str] = []
        """Windows that the event at hand has staged a value for."""
        self._count = 0

    # ------------------------------------------------------------------------------------------------------- the class

    def source(self) -> Source:
        program = self.program
        self._count_uses()
        body = _Code()
        body.depth = 2
        methods: dict[str, str] = {}
        by_name: set[str] = set()
        for index, event in enumerate(program.events):
            method = f"event{index}_"
            methods[event.name] = method
            if all(_argument(field.name) == field.name for field in event.fields):
                by_name.add(event.name)
            self._event(body, method, event)
        columns = self._observation(body)
        code = _Code()
        with code.block("def make_(parameters_):"):
            for name, local in self.parameters.items():
                code.add(f"{local} = parameters_[{name!r}]")
            for line in self.hoisted_lines:
                code.add(line)
            for line in self.constants:
                code.add(line)
            with code.block("class Generated(Machine_):"):
                slots = ("t_", "r_", *self.slots.values(), *self.windows.values())
                code.add(f"__slots__ = {slots!r}")
                with code.block("def __init__(self):"):
                    code.add(f"self.t_ = {BEFORE_START}")
                    code.add("self.r_ = -1")
                    for cell in program.cells:
                        code.add(f"self.{self.slots[cell.name]} = {_literal(cell.initial, cell)}")
                    for window in program.windows:
                        code.add(f"self.{self.windows[window.name]} = Ring_({window.length})")
                code.lines += body.lines
            code.add("return Generated")
        text = "\n".join(code.lines) + "\n"
        return Source(
            text,
            compile(text, f"<hedgerow {program.name}>", "exec"),
            "r_",
            "t_",
            self.leaves,
            self.final,
            self.slots,
            self.windows,
            methods,
            frozenset(by_name),
            columns,
            tuple(self.calls),
        )

    def _observation(self, body: _Code) -> tuple[str, ...]:
        program = self.program
        cells = [instrument.price for instrument in program.instruments] + [leg.quantity for leg in program.legs]
        if program.legs:
            cells += ["cash", "fees", "slippage", "flows"]
        cells += [f"report.{name}" for name, _ in program.report.measures]
        cells += [cell.name for cell in program.cells if cell.kind == "state"]
        with body.block("def observation(self):"):
            body.add("return (self.r_, " + "".join(f"self.{self.slots[cell]}, " for cell in cells) + ")")
        return ("state", *cells)

    def _constant(self, expression: str) -> str:
        name = f"k{len(self.constants)}_"
        self.constants.append(f"{name} = {expression}")
        return name

    # --------------------------------------------------------------------------------------------------------- an event

    def _event(self, code: _Code, method: str, event: Event) -> None:
        fields = {field.name: _argument(field.name) for field in event.fields}
        arguments = ", ".join(fields.values())
        values = f"({arguments},)" if fields else "()"
        self.fields = {f"{event.name}.{name}": local for name, local in fields.items()}
        calls = any(isinstance(i, Call) for b in self._blocks_of(event) for i in b)
        self.pushed = []
        self.results = "results_" if calls else "{}"
        self.defer = f"return self._defer({event.name!r}, time_, {values}, {self.results})"
        with code.block(f"def {method}(self, time_, {arguments}):" if fields else f"def {method}(self, time_):"):
            if calls:
                code.add("results_ = {}")
            with code.block("try:"):
                with code.block("if type_(time_) is not int_:"):
                    code.add("time_ = whole_(time_)")
                with code.block(f"if not (self.t_ <= time_ and time_ < {BEFORE_START}):"):
                    code.add(self.defer)
                for field in event.fields:
                    self._take(code, field.type, fields[field.name], field.low, field.high)
                values_ = _Values(0 if len(self.leaves) == 1 else None)
                if values_.leaf is None:
                    code.add("r_ = self.r_")
                self._advance(code, values_, event)
                values_.before = dict(values_.cells)
                self._dispatch(code, values_, event, 0, len(self.leaves))
            with code.block("except Failures_:"):
                code.add(self.defer)

    def _blocks_of(self, event: Event) -> Iterable[Block]:
        yield event.observe
        for rule in self.program.rules:
            yield rule.measure
            yield rule.action
        for state in self.program.states:
            yield state.entry
            yield state.exit

    def _take(self, code: _Code, type: str, local: str, low: Fraction | None, high: Fraction | None) -> None:
        """Check one field; what does not fit is told by the reference."""
        if type == "bool":
            with code.block(f"if {local} is not True and {local} is not False:"):
                code.add(self.defer)
            return
        if type == "int":
            with code.block(f"if type_({local}) is not int_:"):
                code.add(f"{local} = whole_({local})")
            assert low is not None and high is not None
            check = _within(str(int(low)), local, str(int(high)))
        else:
            with code.block(f"if type_({local}) is not float_:"):
                code.add(f"{local} = number_({local})")
            least = -LARGEST if low is None else float(low)
            most = LARGEST if high is None else float(high)
            check = _within(repr(least), local, repr(most))
        with code.block(f"if not {check}:"):
            code.add(self.defer)

    def _advance(self, code: _Code, values: _Values, event: Event) -> None:
        """Carry, marks and observations."""
        if self.program.accrue:
            values.temps["dt"] = self._local()
            code.add(f"{values.temps['dt']} = (time_ - self.t_) / 1000000000.0")
        for block in (self.program.accrue, event.marks, event.observe):
            self._block(code, values, block, [])
            self._check(code, values, values.written)

    def _dispatch(self, code: _Code, values: _Values, event: Event, low: int, high: int) -> None:
        """Choose the code of the active leaf by halving."""
        if high - low == 1:
            if low in self.final:
                code.add(self.defer)
            else:
                inner = values.copy()
                inner.leaf = inner.was = low
                self._leaf(code, inner, event)
            return
        middle = (low + high) // 2
        with code.block(f"if r_ < {middle}:"):
            self._dispatch(code, values, event, low, middle)
        with code.block("else:"):
            self._dispatch(code, values, event, middle, high)

    def _candidates(self, leaf: str, event: str | None) -> list[Rule]:
        return [
            rule
            for name in (leaf, *self.ancestors[leaf])
            for rule in self.rules[name]
            if (rule.event is None) == (event is None) and (event is None or matches(rule.event or "", event))
        ]

    def _leaf(self, code: _Code, values: _Values, event: Event) -> None:
        assert values.leaf is not None
        leaf = self.leaves[values.leaf]
        self._eventless(code, values, leaf)
        for rule in self._candidates(leaf, event.name):
            if rule.guard is None:
                self._fire(code, values, rule)
                return
            condition = self._expression(code, values, rule.guard)
            with code.block(f"if {condition}:"):
                self._fire(code, values.copy(), rule)
        self._finish(code, values, (), [])

    def _eventless(self, code: _Code, values: _Values, leaf: str) -> None:
        """Hand over where an eventless transition would fire."""
        for rule in self._candidates(leaf, None):
            if rule.guard is None:
                code.add(self.defer)
                return
            condition = self._expression(code, values, rule.guard)
            with code.block(f"if {condition}:"):
                code.add(self.defer)

    def _fire(self, code: _Code, values: _Values, rule: Rule) -> None:
        assert values.leaf is not None
        leaf = self.leaves[values.leaf]
        start, depth = len(code.lines), code.depth
        proposals: list[tuple[str, str]] = []
        written = values.written
        values.written = {}
        try:
            self._block(code, values, rule.measure, proposals)
            if rule.target is not None:
                chain = (leaf, *self.ancestors[leaf])
                for name in chain if rule.domain is None else chain[: chain.index(rule.domain)]:
                    self._block(code, values, self.states[name].exit, proposals)
            self._block(code, values, rule.action, proposals)
            if rule.target is not None:
                values.leaf = self.leaves.index(rule.entered[-1])
                values.known = {}
                for name in rule.entered:
                    self._block(code, values, self.states[name].stamp, proposals)
                    self._block(code, values, self.states[name].entry, proposals)
                entered = self.states[rule.entered[-1]]
                if entered.kind == "final" and entered.parent is not None:
                    raise _Defer
            orders = self._fills(code, values, rule, proposals)
            self._check(code, values, values.written)
        except _Defer:
            del code.lines[start:]
            code.depth = depth
            code.add(self.defer)
            return
        values.written = {**written, **values.written}
        values.ordered = " or ".join(orders) if orders else "False"
        if values.leaf not in self.final:
            self._eventless(code, values, self.leaves[values.leaf])
        self._finish(code, values, (rule.name,), orders)

    def _finish(self, code: _Code, values: _Values, fired: tuple[str, ...], orders: list[str]) -> None:
        """Judge the invariants, store what was written, and return the step."""
        assert values.leaf is not None and values.was is not None
        broken = None
        for name, claim in self.monitors:
            condition = self._expression(code, values, claim)
            if condition == "True":
                continue
            if broken is None:
                broken = self._local()
                code.add(f"{broken} = ()")
            with code.block(f"if not {condition}:"):
                code.add(f"{broken} += {(name,)!r}")
        for cell in values.written:
            code.add(f"self.{self.slots[cell]} = {values.cells[cell]}")
        if values.leaf != values.was:
            code.add(f"self.r_ = {values.leaf}")
        code.add("self.t_ = time_")
        for window in self.pushed:
            code.add(f"self.{window}.commit()")
        before, after = (self.leaves[values.was],), (self.leaves[values.leaf],)
        quiet = self._quiet(fired, before, after)
        step = f"Step_({fired!r}, {before!r}, {after!r}, {{}}, (), None, (), {broken or '()'})"
        if orders:
            code.add(f"return {step.format(' + '.join(orders))}")
        elif broken is None:
            code.add(f"return {quiet}")
        else:
            code.add(f"return {step.format('()')} if {broken} else {quiet}")

    def _quiet(self, fired: tuple[str, ...], before: tuple[str, ...], after: tuple[str, ...]) -> str:
        """Return the shared step of an event that did nothing more than this."""
        expression = f"Step_({fired!r}, {before!r}, {after!r})"
        if expression not in self.shared:
            self.shared[expression] = self._constant(expression)
        return self.shared[expression]

    # ------------------------------------------------------------------------------------------------------ instructions

    def _block(self, code: _Code, values: _Values, block: Block, proposals: list[tuple[str, str]]) -> None:
        for instruction in block:
            match instruction:
                case Let():
                    local = self._named(code, values, instruction.value)
                    values.temps[instruction.temp] = local
                    self._forget(values, f"temp {instruction.temp}")
                case Assign():
                    self._assign(code, values, instruction.targets)
                case Require():
                    condition = self._expression(code, values, instruction.condition)
                    with code.block(f"if not {condition}:"):
                        code.add(self.defer)
                case Propose():
                    if any(leg == instruction.leg for leg, _ in proposals):
                        raise _Defer
                    proposals.append((instruction.leg, self._named(code, values, instruction.after)))
                case Raise():
                    raise _Defer
                case Push():
                    window = self.windows[instruction.window]
                    value = self._named(code, values, instruction.value)
                    if value not in self.finite:
                        with code.block(f"if not {_within(repr(-LARGEST), value, repr(LARGEST))}:"):
                            code.add(self.defer)
                    code.add(f"self.{window}.stage({value})")
                    self.pushed.append(window)
                case Call():
                    self._call(code, values, instruction)

    def _assign(self, code: _Code, values: _Values, targets: tuple[tuple[str, Expr], ...]) -> None:
        new = [(cell, self._named(code, values, expr)) for cell, expr in targets]
        for cell, local in new:
            values.cells[cell] = local
            values.written[cell] = None
            self._forget(values, cell)

    def _forget(self, values: _Values, name: str) -> None:
        values.known = {key: local for key, local in values.known.items() if name not in self.reads[key]}

    def _call(self, code: _Code, values: _Values, instruction: Call) -> None:
        index = len(self.calls)
        self.calls.append(instruction)
        locals_ = {cell: self._local() for _, cell in instruction.into}
        for cell, local in locals_.items():
            if instruction.waits:
                code.add(f"{local} = {self._cell(code, values, cell)}")
        arguments = []
        ready = " and ".join(f"self.{self.windows[name]}.full()" for name in instruction.waits) or "True"
        with code.block(f"if {ready}:"):
            inner = values.copy()
            for _, value in instruction.arguments:
                if isinstance(value, CallSource):
                    text = repr(value.text) if value.kind == "literal" else f"self.{self.windows[value.text]}.view()"
                else:
                    text = self._expression(code, inner, value)
                arguments.append(text)
            targets = ", ".join(locals_.values())
            code.add(
                f"{targets}, = invoke_({index}, ({', '.join(arguments)},), {self.results})"
                if arguments
                else f"{targets}, = invoke_({index}, (), {self.results})"
            )
        for cell, local in locals_.items():
            values.cells[cell] = local
            values.written[cell] = None
            self._forget(values, cell)

    def _fills(self, code: _Code, values: _Values, rule: Rule, proposals: list[tuple[str, str]]) -> list[str]:
        """Book the proposals of a microstep in the order of the legs; return the locals that hold the orders."""
        legs = [leg.name for leg in self.program.legs]
        made: list[str] = []
        for name, after in sorted(proposals, key=lambda each: legs.index(each[0])):
            leg = self.program.leg(name)
            held = self._cell(code, values, leg.quantity)
            price = self._cell(code, values, f"{leg.instrument}.price")
            changed = [
                cell for instruction in leg.fill if isinstance(instruction, Assign) for cell, _ in instruction.targets
            ]
            joined = {cell: self._local() for cell in changed}
            orders = self._local()
            for cell in changed:
                self._cell(code, values, cell)
            with code.block(f"if {after} != {held}:"):
                inner = values.copy()
                inner.temps = {"after": after}
                inner.known = {
                    key: local
                    for key, local in inner.known.items()
                    if not any(r.startswith("temp ") for r in self.reads[key])
                }
                self._block(code, inner, leg.fill, [])
                for cell in changed:
                    code.add(f"{joined[cell]} = {inner.cells[cell]}")
                temps = inner.temps
                code.add(
                    f"{orders} = orders_of_({leg.name!r}, {leg.instrument!r}, {rule.name!r}, {leg.side == 'short'}, {held}, "
                    f"{temps['delta']}, {price}, ({temps['notional']}, {temps['fee']}, {temps['slip']}))"
                )
            with code.block("else:"):
                for cell in changed:
                    code.add(f"{joined[cell]} = {values.cells[cell]}")
                code.add(f"{orders} = ()")
            for cell in changed:
                values.cells[cell] = joined[cell]
                values.written[cell] = None
                self._forget(values, cell)
            made.append(orders)
        return made

    def _check(self, code: _Code, values: _Values, written: Iterable[str]) -> None:
        """Check range and finiteness of written cells, but for copies of what was checked before."""
        for cell in sorted(written):
            declared, local = self.types[cell], values.cells[cell]
            if declared.type == "bool" or (cell, local) in values.checked:
                continue
            values.checked.add((cell, local))
            low, high = declared.low, declared.high
            if declared.type == "int":
                if low is None or high is None:
                    continue
                check = _within(str(int(low)), local, str(int(high)))
            else:
                if low is None and high is None and local in self.finite:
                    continue
                least = -LARGEST if low is None else float(low)
                most = LARGEST if high is None else float(high)
                check = _within(repr(least), local, repr(most))
            with code.block(f"if not {check}:"):
                code.add(self.defer)

    # ------------------------------------------------------------------------------------------------------- expressions

    def _local(self) -> str:
        self._count += 1
        return f"v{self._count}_"

    def _cell(self, code: _Code, values: _Values, cell: str) -> str:
        """Return the local that holds a cell now, reading it at its first use."""
        if cell not in values.cells:
            local = self._local()
            code.add(f"{local} = self.{self.slots[cell]}")
            values.cells[cell] = local
            self.finite.add(local)
            if values.before is not None:
                values.before.setdefault(cell, local)
        return values.cells[cell]

    def _named(self, code: _Code, values: _Values, expr: Expr) -> str:
        """Return a local, parameter or literal that holds the value of `expr`."""
        text = self._expression(code, values, expr)
        if text.isidentifier() or expr.op == "const":
            if expr.op in ("field", "const", "param"):
                self.finite.add(text)
            return text
        local = self._local()
        code.add(f"{local} = {text}")
        return local

    def _expression(self, code: _Code, values: _Values, expr: Expr) -> str:
        """Return the text of `expr`, after naming the values in it that are used more than once."""
        self._prepare(code, values, expr, True, {})
        return self._text(values, expr)

    def _prepare(self, code: _Code, values: _Values, expr: Expr, sure: bool, seen: dict[int, bool]) -> None:
        """Read the cells and name the values that `expr` needs; `sure` means that it is computed in any case."""
        node = self._reduced(values, expr)
        if node is None or seen.get(id(node)) in (True, sure) or id(node) in values.known:
            return
        seen[id(node)] = sure
        if node.op == "cell":
            self._cell(code, values, node.name)
            return
        if node.op == "before":
            self._before(code, values, node.name)
            return
        if self._only_parameters(node):
            return
        for index, argument in enumerate(node.args):
            if index == 1 and self._compares_with_itself(values, node):
                break
            conditional = index > 0 and node.op in ("and", "or", "select", "given")
            self._prepare(code, values, argument, sure and not conditional, seen)
        if self._worth_naming(node) and (sure or not self.partial[id(node)]):
            text = self._text(values, node)
            if not text.isidentifier():
                local = values.texts[text] = self._local()
                code.add(f"{local} = {text}")
                text = local
            values.known[id(node)] = text
        elif node.depth > _DEEP and _brackets(text := self._text(values, node)) > _DEEP:
            # CPython reads 200 nested brackets at most. What may fail, or is not always computed, is named as a thunk.
            thunk = self._local()
            code.add(f"{thunk} = lambda: {text}")
            values.known[id(node)] = f"{thunk}()"

    def _worth_naming(self, node: Expr) -> bool:
        """Return whether a value is used again and its computation costs more than a local."""
        small = node.op in ("real", "neg") or (node.type == "bool" and node.size < 4)
        return bool(node.args) and self.uses.get(id(node), 0) > 1 and not small

    def _truth(self, values: _Values, node: Expr) -> bool | None:
        """Return what a condition is in the leaf at hand, where that alone decides it."""
        key = (id(node), values.leaf, values.was, values.ordered == "False")
        if key not in self.truths:
            self.truths[key] = self._decide(values, node)
        return self.truths[key]

    def _decide(self, values: _Values, node: Expr) -> bool | None:
        match node.op:
            case "active" | "was":
                leaf = values.leaf if node.op == "active" else values.was
                return None if leaf is None else self.leaves[leaf] in node.states
            case "ordered":
                return False if values.ordered == "False" else None
            case "not":
                truth = self._truth(values, node.args[0])
                return None if truth is None else not truth
            case "and" | "or":
                first = self._truth(values, node.args[0])
                # The second one decides nothing before the first, which may fail.
                return first if first is None or first is (node.op == "or") else self._truth(values, node.args[1])
            case "select":
                first = self._truth(values, node.args[0])
                return None if first is None else self._truth(values, node.args[1 if first else 2])
        return None

    def _reduced(self, values: _Values, node: Expr) -> Expr | None:
        """Return the part of an expression that is left to compute; None of a condition that is decided."""
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

    def _compares_with_itself(self, values: _Values, node: Expr) -> bool:
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

    def _before(self, code: _Code, values: _Values, cell: str) -> str:
        assert values.before is not None
        if cell not in values.before:
            local = self._local()
            code.add(f"{local} = self.{self.slots[cell]}")
            values.before[cell] = local
        return values.before[cell]

    def _text(self, values: _Values, expr: Expr) -> str:
        reduced = self._reduced(values, expr)
        if reduced is None:
            return str(self._truth(values, expr))
        expr = reduced
        key = id(expr)
        if key in values.known:
            return values.known[key]
        if key in self.hoisted:
            return self.hoisted[key]
        if self._only_parameters(expr):
            return self._hoist(expr)
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
            case "active":
                return self._in(expr.states, values.leaf)
            case "was":
                return self._in(expr.states, values.was)
            case "ordered":
                return "False" if values.ordered == "False" else f"bool_({values.ordered})"
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
        if not _atom(a):
            local = self._local()
            first, a = f"({local} := {a})", local
        if not _atom(b):
            local = self._local()
            second, b = f"({local} := {b})", local
        # The condition is evaluated first, so the names it binds are there for both branches.
        return f"({b} if {second} {sign} {first} else {a})"

    def _in(self, states: tuple[str, ...], leaf: int | None) -> str:
        indices = [self.leaves.index(state) for state in states]
        if leaf is not None:
            return str(leaf in indices)
        return "(" + (" or ".join(f"r_ == {index}" for index in indices) or "False") + ")"

    def _only_parameters(self, expr: Expr) -> bool:
        """Return whether an operator reads parameters alone and cannot fail."""
        return bool(expr.args) and not self.reads[id(expr)] and not self.partial[id(expr)]

    def _hoist(self, expr: Expr) -> str:
        """Compute a value of the parameters once, when the class is made."""
        arguments = [self._text(_Values(None), argument) for argument in expr.args]
        name = f"h{len(self.hoisted)}_"
        self.hoisted[id(expr)] = name
        self.hoisted_lines.append(f"{name} = {self._operator(expr, arguments)}")
        return name

    # ---------------------------------------------------------------------------------------------------------- analysis

    def _count_uses(self) -> None:
        """Count how often each node is an argument or stands by itself, and note what it reads."""
        program = self.program
        blocks: list[Block] = [program.accrue]
        for event in program.events:
            blocks += [event.marks, event.observe]
        for state in program.states:
            blocks += [state.stamp, state.entry, state.exit]
        blocks += [block for rule in program.rules for block in (rule.measure, rule.action)]
        blocks += [leg.fill for leg in program.legs]
        roots = [expr for block in blocks for instruction in block for expr in _expressions(instruction)]
        roots += [rule.guard for rule in program.rules if rule.guard is not None] + [
            claim for _, claim in self.monitors
        ]
        for root in roots:
            self.uses[id(root)] = self.uses.get(id(root), 0) + 1
            for node in root.walk():
                self._count_node(node)

    def _count_node(self, node: Expr) -> None:
        if id(node) in self.reads:
            return
        for argument in node.args:
            self.uses[id(argument)] = self.uses.get(id(argument), 0) + 1
        own: frozenset[str] = frozenset()
        if node.op in ("cell", "before", "field"):
            own = frozenset((node.name if node.op == "cell" else f"{node.op} {node.name}",))
        elif node.op == "temp":
            own = frozenset((f"temp {node.name}",))
        elif node.op in ("now", "active", "was", "ordered"):
            own = frozenset((node.op,))
        self.reads[id(node)] = own.union(*(self.reads[id(argument)] for argument in node.args))
        self.partial[id(node)] = node.op in _PARTIAL or any(self.partial[id(argument)] for argument in node.args)


def _expressions(instruction: object) -> Iterator[Expr]:
    match instruction:
        case Let() | Push():
            yield instruction.value
        case Assign():
            yield from (expr for _, expr in instruction.targets)
        case Require():
            yield instruction.condition
        case Propose():
            yield instruction.after
        case Raise():
            yield from (expr for _, expr in instruction.fields)
        case Call():
            yield from (value for _, value in instruction.arguments if isinstance(value, Expr))


def _argument(field: str) -> str:
    """Return the parameter that takes a field; the language has no name that ends in an underscore."""
    return f"{field}_" if keyword.iskeyword(field) or field == "self" else field


def _within(low: str, local: str, high: str) -> str:
    """Return a range check that NaN fails; CPython 3.11 runs it faster than the chained comparison."""
    return f"({low} <= {local} and {local} <= {high})"


def _atom(text: str) -> bool:
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


def _literal(value: Value, cell: Cell) -> str:
    return repr(float(value)) if cell.type == "real" else repr(value)
