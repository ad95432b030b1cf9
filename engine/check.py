"""Names, types and units of expressions: from syntax trees to IR nodes.

    band * min(price, anchor)      ->      (mul (mul (param k) (param fee)) (min (cell index.price) (cell anchor)))

Every mistake becomes a diagnostic at its place, and the expression then has no value (None), so that one mistake is
told once. Memory expressions become hidden cells and the instructions that advance them, in the order of use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Literal

from . import syntax
from .diagnostics import Findings, Span, suggestion
from .expression import ExpressionError, parse
from .ir import Assign, Expr, Instruction, Let, Pool, Type
from .printer import expression_text
from .source import Document, Scalar
from .symbols import FUNCTIONS, INT_LIMIT, LEDGER, Scope, Symbols, Typed
from .units import ONE, SECOND, Unit

__all__ = ["Checker", "Location", "Memory"]

Location = tuple[str | int, ...]

MAX_DEPTH = 150
MAX_SIZE = 4_000
_TOO_LARGE = "compute parts of it once: in `observe`, or in a `let` of the action"


class Memory:
    """Hidden cells of memory expressions, and the instructions that advance them in the order of their first use."""

    def __init__(self) -> None:
        self.cells: dict[str, Type] = {}
        self.initial: dict[str, Expr] = {}
        self.kept: set[str] = set()
        """Observed names that are themselves the cell of a memory expression."""
        self.zeroed: set[str] = set()
        """Cells that rightly start at 0."""
        self.elapsed: set[str] = set()
        self.since: set[str] = set()
        self.seen: set[str] = set()
        self.pending: list[Instruction] = []
        self._advanced: set[str] = set()

    def advance(self, key: str, instructions: Iterable[Instruction]) -> None:
        if key not in self._advanced:
            self._advanced.add(key)
            self.pending.extend(instructions)

    def drain(self) -> tuple[Instruction, ...]:
        """Return the instructions collected since the last call."""
        drained, self.pending = tuple(self.pending), []
        return drained

    def next_event(self) -> None:
        """Begin another event's observations."""
        self._advanced = set()


class Checker:
    """Checks the expressions of one document against its symbols."""

    def __init__(self, document: Document, symbols: Symbols, pool: Pool, findings: Findings) -> None:
        self.document = document
        self.symbols = symbols
        self.pool = pool
        self.findings = findings
        self.memory = Memory()
        self.fields_read: set[tuple[str, str]] = set()
        self._parsed: dict[Location, syntax.Node | None] = {}
        self._expanding: list[str] = []
        self._expanded: dict[tuple[object, ...], tuple[Typed | None, set[tuple[str, str]], Memory]] = {}
        """Lets by name and scope, with the fields they read; the memory is kept so that its id stays its own."""
        self._typing: list[str] = []

    # ------------------------------------------------------------------------------------------------ entry points

    def parse(self, loc: Location) -> syntax.Node | None:
        """Return the syntax tree of the expression at `loc`, or None after reporting why there is none."""
        if loc not in self._parsed:
            scalar = self._scalar(loc)
            text = scalar.value if isinstance(scalar.value, str) else scalar.text
            try:
                self._parsed[loc] = parse(text)
            except ExpressionError as error:
                span = self.document.span_in(scalar, error.start, error.end)
                self.findings.error(error.code, error.message, span, error.help)
                self._parsed[loc] = None
        return self._parsed[loc]

    def check(self, loc: Location, scope: Scope) -> Typed | None:
        """Return the typed expression at `loc`."""
        node = self.parse(loc)
        if node is None:
            return None
        if self._expanding:
            return _Expression(self, loc, scope, node).check(node)
        try:
            self._lets_first(node, scope)
            return _Expression(self, loc, scope, node).check(node)
        except RecursionError:
            self.findings.error(
                "HR111", "the lets in this expression are nested too deeply", self.span(loc), _TOO_LARGE
            )
            return None

    def _lets_first(self, node: syntax.Node, scope: Scope) -> None:
        """Expand the lets that an expression needs, inner ones first, so that a long chain is no deep recursion.

        A cycle is left to the recursion, which tells it where it is entered.
        """
        open_: set[str] = set()
        done: set[str] = set()
        stack = [(name, False) for name in self._lets_in(node)]
        while stack:
            name, inner_are_done = stack.pop()
            if inner_are_done:
                self.expand(name, scope)
                done.add(name)
            elif name in open_ and name not in done:
                return
            elif name not in done:
                open_.add(name)
                tree = self.parse(self.symbols.lets[name])
                stack.append((name, True))
                stack += [] if tree is None else [(inner, False) for inner in self._lets_in(tree) if inner not in done]

    def _lets_in(self, node: syntax.Node) -> list[str]:
        names = (each.path[each.path[0] == "before" :] for each in syntax.walk(node) if isinstance(each, syntax.Name))
        return [path[0] for path in names if len(path) == 1 and path[0] in self.symbols.lets]

    def expand(self, name: str, user: Scope) -> tuple[Typed | None, set[tuple[str, str]]]:
        """Return a let as its user sees it, and the fields that it reads.

        A let is a macro: it sees what its user sees, but for names bound inside an action. It is expanded once a scope.
        """
        key = (name, user.machine, user.event, user.observing, user.history, user.later, id(self.memory))
        if key not in self._expanded:
            scope = replace(user, temps={}, line="")
            read, self.fields_read = self.fields_read, set()
            self._expanding.append(name)
            try:
                typed = self.check(self.symbols.lets[name], scope)
            finally:
                self._expanding.pop()
                found, self.fields_read = self.fields_read, read
            self._expanded[key] = (typed, found, self.memory)
        return self._expanded[key][:2]

    def boolean(self, loc: Location, scope: Scope) -> Expr | None:
        """Return a condition."""
        typed = self.check(loc, scope)
        if typed is None:
            return None
        if typed.type != "bool":
            self.findings.error(
                "HR301",
                f"{scope.place} is true or false, this is a number",
                self.span(loc),
                "write a comparison, e.g. `… > 0`",
            )
            return None
        return typed.expr

    def value(self, loc: Location, scope: Scope, type: Type, unit: Unit | None, what: str) -> Typed | None:
        """Return an expression that must have a type and a unit (None: any); a bare literal takes the unit."""
        node = self.parse(loc)
        if node is None:
            return None
        typed = self.check(loc, scope)
        return None if typed is None else self.fit(typed, type, unit, self.span(loc), what, bare=_is_bare_literal(node))

    def fit(
        self, typed: Typed, type: Type, unit: Unit | None, span: Span, what: str, bare: bool = False
    ) -> Typed | None:
        """Return `typed` converted to `type` in `unit`, or report why it does not fit."""
        if typed.type == "int" and type == "real":
            typed = Typed(self.pool.make("real", (typed.expr,)), typed.unit)
        if typed.type != type:
            found = {"real": "a real number", "int": "an integer", "bool": "true or false"}
            hint = _whole_hint(typed.expr) if type == "int" else f"write an expression that gives {found[type]}"
            self.findings.error("HR301", f"{what} is {found[type]}, this is {found[typed.type]}", span, hint)
            return None
        fits = type == "bool" or unit is None or typed.unit in (None, unit) or (bare and typed.unit == ONE)
        if not fits:
            message = f"{what} is in `{unit}`, this is in `{typed.unit}`"
            if not self.findings.error("HR302", message, span, _unit_help(typed.unit or ONE, unit or ONE)):
                return None
        return Typed(typed.expr, unit if unit is not None else typed.unit, typed.low, typed.high)

    def span(self, loc: Location) -> Span:
        return self.document.at(loc).span

    def _scalar(self, loc: Location) -> Scalar:
        node = self.document.at(loc)
        assert isinstance(node, Scalar), loc
        return node

    # -------------------------------------------------------------------------------------------- names by themselves

    def observed(self, name: str) -> bool:
        """Find the type of an observed name from its expression, once; return whether it is known now."""
        symbols = self.symbols
        if name in symbols.cells:
            return True
        if name not in symbols.observed:
            return False
        event, loc, resolve = symbols.observed[name]
        if name in self._typing:
            self.findings.error(
                "HR203",
                f"the value of `{name}` needs itself",
                self.span(loc),
                f"declare `{name}` under `state:` with a type and an initial value; it then reads its last value",
            )
            return False
        self._typing.append(name)
        kept, self.memory = self.memory, Memory()
        try:
            found = resolve(loc, Scope("an observation", event=event, observing=event))
        finally:
            self.memory = kept
            self._typing.pop()
        symbols.cells.update(found)
        return name in found


def _is_bare_literal(node: syntax.Node) -> bool:
    if isinstance(node, syntax.Unary) and node.op == "-":
        node = node.operand
    return isinstance(node, syntax.Number) and node.unit is None


def _whole_hint(expr: Expr) -> str:
    if expr.op == "const" and isinstance(expr.value, Fraction) and expr.value.denominator == 1:
        return f"write `{expr.value}`, without `.` and `e`"
    return "only whole numbers and int expressions fit"


def _unit_help(left: Unit, right: Unit) -> str:
    if left == ONE or right == ONE:
        other = right if left == ONE else left
        return f"a pure number has no unit: multiply or divide by something in `{other}`"
    return f"multiply or divide by something in `{right / left}` or `{left / right}`"


class _Expression:
    """Checks one expression in one scope."""

    def __init__(self, checker: Checker, loc: Location, scope: Scope, root: syntax.Node | None = None) -> None:
        self.checker = checker
        self.root = root
        self.loc = loc
        self.scope = scope
        self.pool = checker.pool
        self.symbols = checker.symbols

    def check(self, node: syntax.Node) -> Typed | None:
        typed = self._node(node)
        if typed is not None and (typed.expr.depth > MAX_DEPTH or typed.expr.size > MAX_SIZE):
            self.error(
                "HR111",
                "the expression is too large once its lets are expanded",
                node,
                _TOO_LARGE,
            )
            return None
        return typed

    def error(self, code: str, message: str, node: syntax.Node, help: str) -> bool:
        scalar = self.checker.document.at(self.loc)
        assert isinstance(scalar, Scalar)
        span = self.checker.document.span_in(scalar, node.start, node.end)
        return self.checker.findings.error(code, message, span, help)

    # --------------------------------------------------------------------------------------------------------- nodes

    def _node(self, node: syntax.Node) -> Typed | None:
        match node:
            case syntax.Number():
                return self._number(node)
            case syntax.Truth():
                return Typed(self.pool.constant(node.value, "bool"), ONE)
            case syntax.Name():
                return self._name(node, node.path)
            case syntax.Unary():
                return self._unary(node)
            case syntax.Binary():
                return self._binary(node)
            case syntax.Power():
                return self._power(node)
            case syntax.Compare():
                return self._compare(node)
            case syntax.Logic():
                return self._logic(node)
            case syntax.Choice():
                return self._choice(node)
            case syntax.Call():
                return self._call(node)
        raise AssertionError(node)

    def _number(self, node: syntax.Number) -> Typed | None:
        value = node.value
        if abs(value) > _LARGEST:
            self.error(
                "HR304",
                f"`{node.text[:40]}` is larger than a float can hold",
                node,
                "use a number below 1.8e308",
            )
            return None
        if node.unit is not None:
            if node.unit != "s" and node.unit not in self.symbols.bases:
                self.error(
                    "HR302",
                    f"unknown unit `{node.unit}`",
                    node,
                    suggestion(node.unit, ("s", *self.symbols.bases), "declare it under `units:`"),
                )
                return None
            unit = SECOND if node.unit == "s" else Unit(((node.unit, 1),))
            return Typed(self.pool.constant(value, "real"), unit)
        unit_or_any = None if value == 0 else ONE
        if value.denominator == 1 and abs(value) <= INT_LIMIT and not _is_decimal(node.text):
            return Typed(self.pool.constant(int(value), "int"), unit_or_any, int(value), int(value))
        return Typed(self.pool.constant(value, "real"), unit_or_any)

    def _unary(self, node: syntax.Unary) -> Typed | None:
        operand = self._node(node.operand)
        if node.op == "not":
            if operand is None or not self._boolean(operand, node.operand, "`not`"):
                return None
            return Typed(self.pool.make("not", (operand.expr,), "bool"), ONE)
        if operand is None or not self._number_like(operand, node.operand, "`-`"):
            return None
        return Typed(self.pool.make("neg", (operand.expr,), operand.type), operand.unit, -operand.high, -operand.low)

    def _binary(self, node: syntax.Binary) -> Typed | None:
        left, right = self._node(node.left), self._node(node.right)
        if left is None or right is None:
            return None
        if not self._number_like(left, node.left, f"`{node.op}`") or not self._number_like(
            right, node.right, f"`{node.op}`"
        ):
            return None
        if node.op in "+-":
            unit = self._same_unit(left, right, node, "adds" if node.op == "+" else "subtracts")
            if unit is False:
                return None
            return self._arithmetic("add" if node.op == "+" else "sub", left, right, unit, node)
        if node.op == "*":
            unit = None if left.unit is None or right.unit is None else left.unit * right.unit
            return self._arithmetic("mul", left, right, unit, node)
        if right.expr.op == "const" and right.expr.value == 0:
            self.error("HR304", "division by zero", node, "divide by something that is not 0")
            return None
        right_unit = ONE if right.unit is None else right.unit
        unit = None if left.unit is None else left.unit / right_unit
        return Typed(self.pool.make("div", (self._real(left).expr, self._real(right).expr)), unit)

    def _power(self, node: syntax.Power) -> Typed | None:
        base = self._node(node.base)
        if base is None or not self._number_like(base, node.base, "`**`"):
            return None
        result: Typed | None = base
        for _ in range(node.exponent - 1):
            if result is None:
                return None
            unit = None if base.unit is None or result.unit is None else result.unit * base.unit
            result = self._arithmetic("mul", result, base, unit, node)
        return result

    def _compare(self, node: syntax.Compare) -> Typed | None:
        operands = [self._node(operand) for operand in node.operands]
        if any(operand is None for operand in operands):
            return None
        known = [operand for operand in operands if operand is not None]
        parts: list[Expr] = []
        for index, op in enumerate(node.ops):
            left, right = known[index], known[index + 1]
            first, second = node.operands[index], node.operands[index + 1]
            pair = syntax.Compare((first, second), (op,), first.start, second.end)
            if left.type == "bool" or right.type == "bool":
                if left.type != right.type or op not in ("==", "!="):
                    self.error(
                        "HR301",
                        f"`{op}` compares a number with true or false"
                        if left.type != right.type
                        else f"`{op}` orders true and false",
                        pair,
                        "use `and`, `or`, `not`",
                    )
                    return None
            elif self._same_unit(left, right, pair, "compares") is False:
                return None
            elif left.type != right.type:
                left, right = self._real(left), self._real(right)
            parts.append(self.pool.make(_COMPARISONS[op], (left.expr, right.expr), "bool"))
        result = parts[0]
        for part in parts[1:]:
            result = self.pool.make("and", (result, part), "bool")
        return Typed(result, ONE)

    def _logic(self, node: syntax.Logic) -> Typed | None:
        operands = [(operand, self._node(operand)) for operand in node.operands]
        good = [
            typed for operand, typed in operands if typed is not None and self._boolean(typed, operand, f"`{node.op}`")
        ]
        if len(good) < len(operands):
            return None
        result = good[0].expr
        for typed in good[1:]:
            result = self.pool.make(node.op, (result, typed.expr), "bool")
        return Typed(result, ONE)

    def _choice(self, node: syntax.Choice) -> Typed | None:
        then, condition, otherwise = (
            self._node(node.then),
            self._node(node.condition),
            self._node(node.otherwise),
        )
        if condition is not None and not self._boolean(condition, node.condition, "the condition of `if`"):
            condition = None
        if then is None or condition is None or otherwise is None:
            return None
        if (then.type == "bool") != (otherwise.type == "bool"):
            self.error(
                "HR301",
                "one branch is a number, the other is true or false",
                node,
                "give both branches one type",
            )
            return None
        unit = self._same_unit(then, otherwise, node, "chooses between") if then.type != "bool" else ONE
        if unit is False:
            return None
        if then.type != otherwise.type:
            then, otherwise = self._real(then), self._real(otherwise)
        expr = self.pool.make("select", (condition.expr, then.expr, otherwise.expr), then.type)
        return Typed(expr, unit, min(then.low, otherwise.low), max(then.high, otherwise.high))

    # --------------------------------------------------------------------------------------------------------- names

    def _name(self, node: syntax.Node, path: tuple[str, ...]) -> Typed | None:
        symbols, scope = self.symbols, self.scope
        name = ".".join(path)
        if path[0] == "before":
            return self._before(node, path)
        if len(path) == 1:
            if name in scope.temps:
                return scope.temps[name]
            if name in symbols.parameters:
                parameter = symbols.parameters[name]
                return Typed(
                    self.pool.make("param", (), parameter.type, name=name),
                    parameter.unit,
                    parameter.low,
                    parameter.high,
                )
            if name in symbols.lets:
                return self._let(node, name)
            if name in LEDGER and symbols.legs:
                return self._ledger(node, name)
        if name in symbols.cells or name in symbols.observed:
            return self._cell(node, name)
        if len(path) == 2:
            owner, part = path
            if owner in symbols.instruments and part == "price":
                if not self._machine(node, name):
                    return None
                return Typed(self.pool.cell(name), symbols.instruments[owner][1])
            if owner in symbols.legs and part in ("quantity", "average", "realised", "profit"):
                return self._leg(node, owner, part)
            if owner in symbols.events and part in symbols.events[owner]:
                return self._field(node, owner, part)
        self._unknown(node, path)
        return None

    def _unknown(self, node: syntax.Node, path: tuple[str, ...]) -> None:
        symbols, name = self.symbols, ".".join(path)
        if path[0] in symbols.left_out:
            return
        if name in symbols.events:
            fields = ", ".join(f"`{name}.{part}`" for part in symbols.events[name])
            help = f"an event has no value; write {fields}" if fields else "an event without fields has no value"
        elif name in symbols.legs:
            help = f"write `{name}.quantity`, `{name}.average`, `{name}.realised` or `{name}.profit`"
        elif name in symbols.instruments:
            help = f"write `{name}.price`"
        elif name in symbols.states:
            help = f"write `In({name})` to ask whether the machine is in it"
        elif name in symbols.windows:
            help = "a window is read by bound functions only: name it under `with:`"
        elif name in symbols.bases or name == "s":
            help = f"`{name}` is a unit and stands after a number: write `1 {name}`, as in `5 USD / 1 {name}`"
        elif name in ("yes", "on", "no", "off"):
            help = f"write `{'true' if name in ('yes', 'on') else 'false'}`"
        elif name in LEDGER:
            help = f"`{name}` needs legs: declare `legs:` and `capital:`"
        elif name in FUNCTIONS:
            help = f"write `{name}(…)`"
        elif len(path) == 1 and (
            qualified := sorted(f"{e}.{name}" for e, fields in symbols.events.items() if name in fields)
        ):
            help = f"a field is written with its event: `{qualified[0]}`"
        else:
            known = symbols.readable() | set(self.scope.temps)
            help = suggestion(name, known, "declare it under `params:`, `let:` or `state:`")
        self.error("HR201", f"unknown name `{name}`", node, help)

    def _machine(self, node: syntax.Node, name: str) -> bool:
        if not self.scope.machine:
            self.error(
                "HR210",
                f"`{name}` cannot be read in {self.scope.place}",
                node,
                "only params and constants can stand here",
            )
        return self.scope.machine

    def _let(self, node: syntax.Node, name: str) -> Typed | None:
        checker = self.checker
        if name in checker._expanding:
            cycle = " -> ".join((*checker._expanding[checker._expanding.index(name) :], name))
            loc = self.symbols.lets[name]
            checker.findings.error(
                "HR203",
                f"`{name}` is defined by itself: {cycle}"[:300],
                checker.span(loc),
                "break the cycle; a value from the last event is a cell under `state:`",
            )
            return None
        if len(checker._expanding) > MAX_DEPTH:
            self.error("HR111", "lets are nested too deeply", node, _TOO_LARGE)
            return None
        typed, found = checker.expand(name, self.scope)
        checker.fields_read |= found
        return typed

    def _cell(self, node: syntax.Node, name: str) -> Typed | None:
        if not self._machine(node, name):
            return None
        if name in self.scope.later:
            self.error(
                "HR408",
                f"`{name}` is observed further down",
                node,
                f"move it above this line, or write `previous({name})` below it",
            )
            return None
        if not self.checker.observed(name):
            return None
        cell = self.symbols.cells[name]
        return Typed(self.pool.cell(name, cell.type), cell.unit, cell.low, cell.high)

    def _field(self, node: syntax.Node, event: str, name: str) -> Typed | None:
        if self.scope.event not in (event, "*"):
            where = f"here it is `{self.scope.event}`" if self.scope.event else "no event's fields are in scope here"
            self.error(
                "HR204",
                f"`{event}.{name}` exists only while `{event}` is processed; {where}",
                node,
                "keep it in a cell on its event, or read a mark such as `NAME.price`",
            )
            return None
        field = self.symbols.events[event][name]
        self.checker.fields_read.add((event, name))
        expr = self.pool.make("field", (), field.type, name=f"{event}.{name}")
        return Typed(expr, field.unit, field.low, field.high)

    def _leg(self, node: syntax.Node, leg: str, part: str) -> Typed | None:
        if not self._machine(node, f"{leg}.{part}"):
            return None
        pool, names = self.pool, self.symbols.legs[leg]
        quantity_unit, price_unit = self.symbols.instruments[names.instrument]
        quantity, average = pool.cell(f"{leg}.quantity"), pool.cell(f"{leg}.average")
        if part == "quantity":
            return Typed(quantity, quantity_unit)
        if part == "average":
            held = pool.make("ne", (quantity, pool.constant(Fraction(0), "real")), "bool")
            return Typed(pool.make("given", (held, average), name=f"`{leg}` is empty and has no average"), price_unit)
        if part == "realised":
            return Typed(pool.cell(f"{leg}.realised"), quantity_unit * price_unit)
        mark = pool.cell(f"{names.instrument}.price")
        gain = (average, mark) if names.side == "short" else (mark, average)
        return Typed(pool.make("mul", (pool.make("sub", gain), quantity)), quantity_unit * price_unit)

    def _ledger(self, node: syntax.Node, name: str) -> Typed | None:
        if not self._machine(node, name):
            return None
        money = self.symbols.money
        if name != "equity":
            return Typed(self.pool.cell(name), money)
        value = self.pool.cell("cash")
        for leg, names in self.symbols.legs.items():
            holding = self.pool.make(
                "mul", (self.pool.cell(f"{leg}.quantity"), self.pool.cell(f"{names.instrument}.price"))
            )
            value = self.pool.make("sub" if names.side == "short" else "add", (value, holding))
        return Typed(value, money)

    def _before(self, node: syntax.Node, path: tuple[str, ...]) -> Typed | None:
        if not self.scope.history:
            self.error(
                "HR210",
                f"`before` cannot be read in {self.scope.place}",
                node,
                "it is for invariants and helpers",
            )
            return None
        if len(path) == 1:
            self.error("HR201", "`before` needs a name", node, "write e.g. `before.equity`")
            return None
        typed = self._name(node, path[1:])
        return typed and self._as_before(typed)

    def _as_before(self, typed: Typed) -> Typed:
        expr = self.pool.substitute(typed.expr, {"cell": "before", "active": "was"})
        return Typed(expr, typed.unit, typed.low, typed.high)

    # --------------------------------------------------------------------------------------------------------- calls

    def _call(self, node: syntax.Call) -> Typed | None:
        name = node.function
        if name not in FUNCTIONS:
            self.error(
                "HR212",
                f"unknown function `{name}`",
                syntax.Name((name,), node.start, node.name_end),
                suggestion(
                    name,
                    FUNCTIONS,
                    "the language has " + ", ".join(sorted(FUNCTIONS)) + "; models are bound with `call:`",
                ),
            )
            return None
        counts, keywords = _SIGNATURES[name]
        if len(node.arguments) not in counts:
            wanted = f"{counts.start} or more" if len(counts) > 5 else " or ".join(map(str, counts))
            plural = "" if wanted == "1" else "s"
            self.error(
                "HR213",
                f"`{name}` takes {wanted} argument{plural}, {len(node.arguments)} given",
                node,
                _USAGE[name],
            )
            return None
        for keyword, value in node.keywords:
            if keyword not in keywords:
                self.error("HR213", f"`{name}` has no argument `{keyword}`", value, _USAGE[name])
                return None
        given = dict(node.keywords)
        if len(given) < len(node.keywords):
            self.error("HR213", f"an argument of `{name}` is given twice", node, _USAGE[name])
            return None
        handler: Callable[[syntax.Call], Typed | None] = getattr(self, f"_call_{name}")
        return handler(node)

    def _arguments(self, node: syntax.Call) -> list[Typed] | None:
        typed = [self._node(argument) for argument in node.arguments]
        good = [
            t
            for t, argument in zip(typed, node.arguments, strict=True)
            if t is not None and self._number_like(t, argument, f"`{node.function}`")
        ]
        return good if len(good) == len(typed) else None

    def _extreme(self, op: str, arguments: list[Typed], node: syntax.Call) -> Typed | None:
        result = arguments[0]
        for argument in arguments[1:]:
            unit = self._same_unit(result, argument, node, "compares")
            if unit is False:
                return None
            left, right = (
                (result, argument) if result.type == argument.type else (self._real(result), self._real(argument))
            )
            pick = min if op == "min" else max
            expr = self.pool.make(op, (left.expr, right.expr), left.type)
            result = Typed(expr, unit, pick(left.low, right.low), pick(left.high, right.high))
        return result

    def _call_min(self, node: syntax.Call) -> Typed | None:
        arguments = self._arguments(node)
        return None if arguments is None else self._extreme("min", arguments, node)

    def _call_max(self, node: syntax.Call) -> Typed | None:
        arguments = self._arguments(node)
        return None if arguments is None else self._extreme("max", arguments, node)

    def _call_clip(self, node: syntax.Call) -> Typed | None:
        arguments = self._arguments(node)
        if arguments is None:
            return None
        lower = self._extreme("max", arguments[:2], node)
        return None if lower is None else self._extreme("min", [lower, arguments[2]], node)

    def _call_abs(self, node: syntax.Call) -> Typed | None:
        arguments = self._arguments(node)
        if arguments is None:
            return None
        (x,) = arguments
        low = 0 if x.low <= 0 <= x.high else min(abs(x.low), abs(x.high))
        return Typed(self.pool.make("abs", (x.expr,), x.type), x.unit, low, max(abs(x.low), abs(x.high)))

    def _call_sqrt(self, node: syntax.Call) -> Typed | None:
        arguments = self._arguments(node)
        if arguments is None:
            return None
        (x,) = arguments
        root = None if x.unit is None else x.unit.sqrt()
        if x.unit is not None and root is None:
            self.error(
                "HR303",
                f"the square root of `{x.unit}` is no unit",
                node,
                "square the unit first, e.g. `sqrt(x * x)`",
            )
            return None
        return Typed(self.pool.make("sqrt", (self._real(x).expr,)), root)

    def _call_implies(self, node: syntax.Call) -> Typed | None:
        pair = [self._node(argument) for argument in node.arguments]
        good = [
            t
            for t, argument in zip(pair, node.arguments, strict=True)
            if t is not None and self._boolean(t, argument, "`implies`")
        ]
        if len(good) < 2:
            return None
        premise = self.pool.make("not", (good[0].expr,), "bool")
        return Typed(self.pool.make("or", (premise, good[1].expr), "bool"), ONE)

    def _state_argument(self, node: syntax.Call) -> tuple[str, ...] | None:
        (argument,) = node.arguments
        name = ".".join(argument.path) if isinstance(argument, syntax.Name) else ""
        if name not in self.symbols.states:
            self.error(
                "HR205",
                f"unknown state `{name}`" if name else f"`{node.function}` takes the name of a state",
                argument,
                suggestion(name, self.symbols.states, "write the name of a state under `machine:`"),
            )
            return None
        return self.symbols.states[name]

    def _call_In(self, node: syntax.Call) -> Typed | None:  # noqa: N802  # spelt as in SCXML
        leaves = self._state_argument(node)
        if leaves is None or not self._machine(node, "In"):
            return None
        return Typed(self.pool.make("active", (), "bool", states=leaves), ONE)

    def _history(self, node: syntax.Call) -> bool:
        if not self.scope.history:
            self.error(
                "HR210",
                f"`{node.function}` cannot be used in {self.scope.place}",
                node,
                "it is for invariants and helpers",
            )
        return self.scope.history

    def _call_was(self, node: syntax.Call) -> Typed | None:
        leaves = self._state_argument(node)
        if leaves is None or not self._history(node):
            return None
        return Typed(self.pool.make("was", (), "bool", states=leaves), ONE)

    def _call_ordered(self, node: syntax.Call) -> Typed | None:
        return Typed(self.pool.make("ordered", (), "bool"), ONE) if self._history(node) else None

    def _call_changed(self, node: syntax.Call) -> Typed | None:
        if not self._history(node):
            return None
        now = self._node(node.arguments[0])
        if now is None:
            return None
        return Typed(self.pool.make("ne", (now.expr, self._as_before(now).expr), "bool"), ONE)

    def _call_since(self, node: syntax.Call) -> Typed | None:
        (argument,) = node.arguments
        name = ".".join(argument.path) if isinstance(argument, syntax.Name) else ""
        if name not in self.symbols.rules:
            self.error(
                "HR209",
                f"unknown transition `{name}`" if name else "`since` takes the name of a transition",
                argument,
                suggestion(
                    name,
                    (rule for rule in self.symbols.rules if "." not in rule),
                    "give a transition a `name:` and write it here",
                ),
            )
            return None
        if not self._machine(node, "since"):
            return None
        self.checker.memory.since.add(name)
        then = self.pool.cell(f"since({name})", "int")
        return Typed(self.pool.make("seconds", (self.pool.make("now", (), "int"), then)), SECOND)

    def _call_elapsed(self, node: syntax.Call) -> Typed | None:
        (argument,) = node.arguments
        name = ".".join(argument.path) if isinstance(argument, syntax.Name) else ""
        if name not in self.symbols.events:
            self.error(
                "HR206",
                f"unknown event `{name}`" if name else "`elapsed` takes the name of an event",
                argument,
                suggestion(name, self.symbols.events, "declare it under `events:`"),
            )
            return None
        if not self._machine(node, "elapsed"):
            return None
        self.checker.memory.elapsed.add(name)
        return Typed(self.pool.cell(f"elapsed({name})"), SECOND)

    # -------------------------------------------------------------------------------------------------------- memory

    def _remembers(self, node: syntax.Call) -> str | None:
        if self.scope.observing is None:
            self.error(
                "HR210",
                f"`{node.function}` remembers, and can stand in `observe` and `windows` only",
                node,
                "compute it under `observe:` and use its name here",
            )
        return self.scope.observing

    def _keyword(self, node: syntax.Call, keyword: str) -> Typed | None:
        value = dict(node.keywords).get(keyword)
        if value is None:
            self.error("HR213", f"`{node.function}` needs `{keyword}=`", node, _USAGE[node.function])
            return None
        scope = Scope(f"`{keyword}=`", machine=False)
        return _Expression(self.checker, self.loc, scope).check(value)

    def _keep(self, node: syntax.Call, key: str, type: Type) -> str:
        """Return the cell that keeps a memory expression: the observed name whose whole value it is, or a hidden one."""
        if self.scope.line and node is self.root:
            self.checker.memory.kept.add(self.scope.line)
            return self.scope.line
        self.checker.memory.cells[key] = type
        return key

    def _observed_once(self, event: str) -> Expr:
        self.checker.memory.seen.add(event)
        return self.pool.cell(f"observed({event})", "bool")

    def _call_previous(self, node: syntax.Call) -> Typed | None:
        event, x = self._remembers(node), self._node(node.arguments[0])
        if event is None or x is None:
            return None
        memory, key = self.checker.memory, f"previous({event}, {expression_text(x.expr)})"
        cell, temp = self.pool.cell(key, x.type), self.pool.temp(f"{key} before", x.type)
        memory.cells[key] = x.type
        value = self.pool.make("select", (self._observed_once(event), cell, x.expr), x.type)
        memory.advance(key, (Let(temp.name, value), Assign(((key, x.expr),))))
        return Typed(temp, x.unit, x.low, x.high)

    def _call_ewma(self, node: syntax.Call) -> Typed | None:
        event, arguments = self._remembers(node), self._arguments(node)
        decay, initial = self._keyword(node, "decay"), self._keyword(node, "initial")
        if event is None or arguments is None or decay is None or initial is None:
            return None
        x = self._real(arguments[0])
        if self._same_unit(x, initial, node, "averages") is False:
            return None
        if decay.unit is not None and decay.unit != ONE:
            self.error(
                "HR302",
                f"`decay=` is a pure number, this is in `{decay.unit}`",
                node,
                "write e.g. `decay=0.97`",
            )
            return None
        if decay.type == "bool" or initial.type == "bool":
            self.error("HR301", "`decay=` and `initial=` are numbers", node, _USAGE["ewma"])
            return None
        rate = self._real(decay).expr
        if rate.op == "const" and rate.value is not None and not 0 <= rate.value <= 1:
            self.error("HR304", "`decay=` is a share in [0, 1]", node, "write e.g. `decay=0.97`")
            return None
        pool, memory = self.pool, self.checker.memory
        start = self._real(initial).expr
        key = f"ewma({event}, {expression_text(x.expr)}, {expression_text(rate)}, {expression_text(start)})"
        key = self._keep(node, key, "real")
        cell, one = pool.cell(key), pool.constant(Fraction(1), "real")
        kept = pool.make("mul", (rate, cell))
        added = pool.make("mul", (pool.make("sub", (one, rate)), x.expr))
        memory.initial[key] = start
        memory.advance(key, (Assign(((key, pool.make("add", (kept, added))),)),))
        return Typed(cell, x.unit if x.unit is not None else initial.unit)

    def _call_peak(self, node: syntax.Call) -> Typed | None:
        event, arguments = self._remembers(node), self._arguments(node)
        initial = self._keyword(node, "initial") if node.keywords else None
        if event is None or arguments is None or (node.keywords and initial is None):
            return None
        pool, memory = self.pool, self.checker.memory
        (x,) = arguments
        if initial is not None:
            if initial.type == "bool" or self._same_unit(x, initial, node, "compares") is False:
                return None
            if x.type != initial.type:
                x, initial = self._real(x), self._real(initial)
            key = f"peak({event}, {expression_text(x.expr)}, {expression_text(initial.expr)})"
            key = self._keep(node, key, x.type)
            memory.initial[key] = initial.expr
            value = pool.make("max", (pool.cell(key, x.type), x.expr), x.type)
            x = replace(x, low=max(x.low, initial.low), high=max(x.high, initial.high))
        else:
            key = self._keep(node, f"peak({event}, {expression_text(x.expr)})", x.type)
            highest = pool.make("max", (pool.cell(key, x.type), x.expr), x.type)
            value = pool.make("select", (self._observed_once(event), highest, x.expr), x.type)
        memory.advance(key, (Assign(((key, value),)),))
        return Typed(pool.cell(key, x.type), x.unit, x.low, x.high)

    def _call_streak(self, node: syntax.Call) -> Typed | None:
        event, condition, most = (
            self._remembers(node),
            self._node(node.arguments[0]),
            self._keyword(node, "max"),
        )
        if condition is not None and not self._boolean(condition, node.arguments[0], "`streak`"):
            condition = None
        if event is None or condition is None or most is None:
            return None
        if most.type != "int" or most.low < 1 or most.high >= INT_LIMIT:
            self.error(
                "HR301",
                "`max=` is a whole number from 1 to 2^53 − 1, or an int param with such a range",
                node,
                "write e.g. `max=1000`",
            )
            return None
        pool, memory = self.pool, self.checker.memory
        key = f"streak({event}, {expression_text(condition.expr)}, {expression_text(most.expr)})"
        key = self._keep(node, key, "int")
        memory.zeroed.add(key)
        cell, one = pool.cell(key, "int"), pool.constant(1, "int")
        longer = pool.make("min", (pool.make("add", (cell, one), "int"), most.expr), "int")
        value = pool.make("select", (condition.expr, longer, pool.constant(0, "int")), "int")
        memory.advance(key, (Assign(((key, value),)),))
        return Typed(cell, ONE, 0, most.high)

    # ----------------------------------------------------------------------------------------------------- small laws

    def _real(self, typed: Typed) -> Typed:
        if typed.type != "int":
            return typed
        if typed.expr.op == "const" and typed.expr.value is not None:
            return Typed(self.pool.constant(Fraction(typed.expr.value), "real"), typed.unit)
        return Typed(self.pool.make("real", (typed.expr,)), typed.unit)

    def _arithmetic(self, op: str, left: Typed, right: Typed, unit: Unit | None, node: syntax.Node) -> Typed | None:
        if left.type != "int" or right.type != "int":
            return Typed(self.pool.make(op, (self._real(left).expr, self._real(right).expr)), unit)
        if op == "add":
            low, high = left.low + right.low, left.high + right.high
        elif op == "sub":
            low, high = left.low - right.high, left.high - right.low
        else:
            corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            low, high = min(corners), max(corners)
        if low < -INT_LIMIT or high > INT_LIMIT:
            self.error(
                "HR305",
                "this whole number can leave ±2^53",
                node,
                "give its parts a `range:`, or saturate it with `min(…, limit)`",
            )
            return None
        return Typed(self.pool.make(op, (left.expr, right.expr), "int"), unit, low, high)

    def _same_unit(self, left: Typed, right: Typed, node: syntax.Node, verb: str) -> Unit | Literal[False] | None:
        if left.unit is None or right.unit is None or left.unit == right.unit:
            return left.unit if left.unit is not None else right.unit
        waived = self.error(
            "HR302", f"this {verb} `{left.unit}` and `{right.unit}`", node, _unit_help(left.unit, right.unit)
        )
        return left.unit if waived else False

    def _boolean(self, typed: Typed, node: syntax.Node, what: str) -> bool:
        if typed.type != "bool":
            self.error(
                "HR301",
                f"{what} takes true or false, this is a number",
                node,
                "write a comparison, e.g. `… > 0`",
            )
        return typed.type == "bool"

    def _number_like(self, typed: Typed, node: syntax.Node, what: str) -> bool:
        if typed.type == "bool":
            self.error("HR301", f"{what} takes numbers, this is true or false", node, "write `1 if … else 0`")
        return typed.type != "bool"


def _is_decimal(text: str) -> bool:
    return any(char in text for char in ".eE")


_LARGEST = Fraction(1.7976931348623157e308)
_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_SIGNATURES: dict[str, tuple[range, frozenset[str]]] = {
    "min": (range(2, 33), frozenset()),
    "max": (range(2, 33), frozenset()),
    "abs": (range(1, 2), frozenset()),
    "clip": (range(3, 4), frozenset()),
    "implies": (range(2, 3), frozenset()),
    "sqrt": (range(1, 2), frozenset()),
    "In": (range(1, 2), frozenset()),
    "was": (range(1, 2), frozenset()),
    "changed": (range(1, 2), frozenset()),
    "ordered": (range(1), frozenset()),
    "since": (range(1, 2), frozenset()),
    "elapsed": (range(1, 2), frozenset()),
    "previous": (range(1, 2), frozenset()),
    "ewma": (range(1, 2), frozenset(("decay", "initial"))),
    "peak": (range(1, 2), frozenset(("initial",))),
    "streak": (range(1, 2), frozenset(("max",))),
}
_USAGE = {
    "min": "write `min(a, b)`",
    "max": "write `max(a, b)`",
    "abs": "write `abs(x)`",
    "clip": "write `clip(x, low, high)`",
    "implies": "write `implies(premise, conclusion)`",
    "sqrt": "write `sqrt(x)`",
    "In": "write `In(state)`",
    "was": "write `was(state)`",
    "changed": "write `changed(name)`",
    "ordered": "write `ordered()`",
    "since": "write `since(transition)`",
    "elapsed": "write `elapsed(event)`",
    "previous": "write `previous(x)`",
    "ewma": "write `ewma(x, decay=0.97, initial=0)`",
    "peak": "write `peak(x)` or `peak(x, initial=0)`",
    "streak": "write `streak(condition, max=1000)`",
}
