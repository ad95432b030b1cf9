"""Calls in an expression: the functions of the language and what they take."""

from __future__ import annotations

from collections.abc import Callable

from . import syntax
from .diagnostics import suggestion
from .names import Names
from .symbols import DESK_VALUES, DESK_WITHIN, FUNCTIONS, Scope, Typed
from .syntax import DESK
from .units import ONE, SECOND

__all__ = ["USAGE", "Calls"]


class Calls(Names):
    """Checks calls of functions without memory."""

    def _call(self, node: syntax.Call) -> Typed | None:
        name = node.function
        if name.startswith(f"{DESK}."):
            return self._call_desk(node, name.partition(".")[2])
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
        counts, keywords = SIGNATURES[name]
        if len(node.arguments) not in counts:
            wanted = f"{counts.start} or more" if len(counts) > 5 else " or ".join(map(str, counts))
            plural = "" if wanted == "1" else "s"
            self.error(
                "HR213",
                f"`{name}` takes {wanted} argument{plural}, {len(node.arguments)} given",
                node,
                USAGE[name],
            )
            return None
        for keyword, value in node.keywords:
            if keyword not in keywords:
                self.error("HR213", f"`{name}` has no argument `{keyword}`", value, USAGE[name])
                return None
        given = dict(node.keywords)
        if len(given) < len(node.keywords):
            self.error("HR213", f"an argument of `{name}` is given twice", node, USAGE[name])
            return None
        handler: Callable[[syntax.Call], Typed | None] = getattr(self, f"_call_{name}")
        return handler(node)

    def _call_desk(self, node: syntax.Call, part: str) -> Typed | None:
        """Return how often something was done by all legs that a gate judges, within a period."""
        if part not in DESK_WITHIN:
            place = syntax.Name((DESK, part), node.start, node.name_end)
            help = suggestion(node.function, (f"{DESK}.{each}" for each in DESK_WITHIN), "")
            if part in DESK_VALUES:
                help = f"it takes no period: write `{DESK}.{part}`"
            self.error("HR212", f"unknown function `{node.function}`", place, help)
            return None
        if len(node.arguments) != 1 or node.keywords:
            self.error("HR213", f"`{node.function}` takes a period", node, f"write `{node.function}(5s)`")
            return None
        scope = Scope("a period", machine=False)
        period = type(self)(self.checker, self.loc, scope)._node(node.arguments[0])
        if period is None:
            return None
        if period.type != "real" or period.unit != SECOND or period.expr.op not in ("const", "param"):
            help = f"write `{node.function}(5s)`, or a param with `unit: s`"
            self.error("HR301", f"the period of `{node.function}` is a time, written out or a param", node, help)
            return None
        return self._of_desk(node, part, DESK_WITHIN[part], period.expr)

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

    def _state_argument(self, node: syntax.Call) -> str | None:
        (argument,) = node.arguments
        name = ".".join(argument.path) if isinstance(argument, syntax.Name) else ""
        if name in self.symbols.states:
            return name
        if self.symbols.left_out.isdisjoint((name, name.partition(".")[0])):
            self.error(
                "HR205",
                f"unknown state `{name}`" if name else f"`{node.function}` takes the name of a state",
                argument,
                suggestion(name, self.symbols.states, "write the name of a state under `machine:`"),
            )
        return None

    def _call_In(self, node: syntax.Call) -> Typed | None:  # noqa: N802  # spelt as in SCXML
        state = self._state_argument(node)
        if state is None or not self._machine(node, "In"):
            return None
        return Typed(self.pool.make("active", (), "bool", name=state), ONE)

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
        state = self._state_argument(node)
        if state is None or not self._history(node):
            return None
        return Typed(self.pool.make("was", (), "bool", name=state), ONE)

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
        if name in self.symbols.left_out:
            return None
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
        if name in self.symbols.left_out:
            return None
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


SIGNATURES: dict[str, tuple[range, frozenset[str]]] = {
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


USAGE = {
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
