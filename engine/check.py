"""Names, types and units of expressions: from syntax trees to IR nodes.

    band * min(price, anchor)      ->      (mul (mul (param k) (param fee)) (min (cell index.price) (cell anchor)))

Every mistake becomes a diagnostic at its place, and the expression then has no value (None), so that one mistake is
told once. Memory expressions become hidden cells and the instructions that advance them, in the order of use.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from . import syntax
from .diagnostics import Findings, Span
from .expression import ExpressionError, parse
from .infer import Inference
from .ir import Expr, Pool, Type
from .laws import TOO_LARGE, as_real, unit_help
from .memory import Memory
from .source import Document, Node, Scalar
from .symbols import Scope, Symbols, Typed
from .units import ONE, Unit

__all__ = ["KEY", "Checker", "Location", "is_bare_literal", "places"]

Location = tuple[str | int, ...]
KEY = -1
"""The last part of the place of an expression that is itself a key: `(..., "after", "30m", KEY)`."""


class Checker:
    """Checks the expressions of one document against its symbols."""

    def __init__(self, document: Document, symbols: Symbols, pool: Pool, findings: Findings) -> None:
        self.document = document
        self.symbols = symbols
        self.pool = pool
        self.findings = findings
        self.memory = Memory()
        self.fields_read: set[tuple[str, str]] = set()
        self.counts_money = False
        """Whether a check counts the orders of a desk in this spec's currency."""
        self._parsed: dict[Location, syntax.Node | None] = {}
        self._expanding: list[str] = []
        self._expanded: dict[tuple[object, ...], tuple[Typed | None, set[tuple[str, str]], Memory]] = {}
        """Lets by name and scope, with the fields they read; the memory is kept so that its id stays its own."""
        self._typing: list[str] = []

    # ------------------------------------------------------------------------------------------------ entry points

    def parse(self, loc: Location) -> syntax.Node | None:
        """Return the syntax tree of the expression at `loc`, or None after reporting why there is none."""
        if loc not in self._parsed:
            scalar = self.scalar(loc)
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
            return Inference(self, loc, scope, node).check(node)
        try:
            self._lets_first(node, scope)
            return Inference(self, loc, scope, node).check(node)
        except RecursionError:
            self.findings.error("HR111", "the lets in this expression are nested too deeply", self.span(loc), TOO_LARGE)
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
            elif name in done or self._key(name, scope) in self._expanded:
                continue
            elif name in open_:
                return
            else:
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
        key = self._key(name, user)
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

    def _key(self, name: str, user: Scope) -> tuple[object, ...]:
        """Return what decides the value of a let."""
        return (name, user.machine, user.event, user.observing, user.history, user.desk, user.later, id(self.memory))

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
        return None if typed is None else self.fit(typed, type, unit, self.span(loc), what, bare=is_bare_literal(node))

    def fit(
        self, typed: Typed, type: Type, unit: Unit | None, span: Span, what: str, bare: bool = False
    ) -> Typed | None:
        """Return `typed` converted to `type` in `unit`, or report why it does not fit."""
        if typed.type == "int" and type == "real":
            typed = as_real(self.pool, typed)
        if typed.type != type:
            found = {"real": "a real number", "int": "an integer", "bool": "true or false"}
            hint = _whole_hint(typed.expr) if type == "int" else f"write an expression that gives {found[type]}"
            self.findings.error("HR301", f"{what} is {found[type]}, this is {found[typed.type]}", span, hint)
            return None
        fits = type == "bool" or unit is None or typed.unit in (None, unit) or (bare and typed.unit == ONE)
        if not fits:
            message = f"{what} is in `{unit}`, this is in `{typed.unit}`"
            if not self.findings.error("HR302", message, span, unit_help(typed.unit or ONE, unit or ONE)):
                return None
        return Typed(typed.expr, unit if unit is not None else typed.unit, typed.low, typed.high)

    def before(self, expr: Expr) -> Expr:
        """Return what an expression was when the event came."""
        return self.pool.substitute(expr, {"cell": "before", "active": "was", "desk": "desk_before"})

    def span(self, loc: Location) -> Span:
        return self._node(loc).span

    def scalar(self, loc: Location) -> Scalar:
        """Return the value, or the key, at a place where an expression stands."""
        node = self._node(loc)
        assert isinstance(node, Scalar), loc
        return node

    def _node(self, loc: Location) -> Node:
        return self.document.key(loc) if loc[-1:] == (KEY,) else self.document.at(loc)

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


def places(loc: Location, written: object) -> list[Location]:
    """Return where each expression stands of a list at `loc`, or the one that is written there without a list."""
    return [(*loc, index) for index in range(len(written))] if isinstance(written, list) else [loc]


def is_bare_literal(node: syntax.Node) -> bool:
    """Return whether an expression is a number without a unit, which takes the unit of where it stands."""
    if isinstance(node, syntax.Unary) and node.op == "-":
        node = node.operand
    return isinstance(node, syntax.Number) and node.unit is None


def _whole_hint(expr: Expr) -> str:
    if expr.op == "const" and isinstance(expr.value, Fraction) and expr.value.denominator == 1:
        return f"write `{expr.value}`, without `.` and `e`"
    return "only whole numbers and int expressions fit"
