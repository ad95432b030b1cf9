"""Calls of bound functions: arguments and results checked against the function's annotations, and what a call ensures.

A unit variable in an annotation (`M`, `P`, `M/Q`) stands for one unit throughout a call: the first argument that
mentions it decides, the others and the results follow.

    model: {call: options.call_value, ..., ensures: model.value >= 0}

    call options.call_value(...) into model.value=value, ...
    require (model.value >= 0) else '`options.call_value` does not ensure `model.value >= 0`'
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from . import syntax
from .check import Checker, Location, is_bare_literal, places
from .diagnostics import Span, suggestion
from .ir import Call, Expr, Instruction, Require, Source
from .record import Record
from .registry import Argument, BindingError, Registry, Result
from .source import Scalar
from .symbols import Scope, Typed
from .units import ONE, SECOND, Unit, parse_unit

__all__ = ["BoundCall", "bind_call", "ensured", "is_contract"]

_ENSURE = "` does not ensure `"

_LONGEST = 160
"""Letters of a condition that a failure shows."""


class BoundCall(Record):
    """A call whose arguments fit. `units` are those of the results, in their order."""

    function: str
    arguments: tuple[tuple[str, Expr | Source], ...]
    results: tuple[Result, ...]
    units: tuple[Unit, ...]
    windows: tuple[str, ...]

    def instruction(self, into: tuple[tuple[str, str], ...], waits: tuple[str, ...], span: Span) -> Call:
        return Call(self.function, self.arguments, into, waits, span)


def bind_call(
    checker: Checker, registry: Registry, loc: Location, given: Collection[str], scope: Scope
) -> BoundCall | None:
    """Return the call at `loc` with the arguments `given` under `with:`, or report all that is wrong with it."""
    name_node = checker.document.at((*loc, "call"))
    assert isinstance(name_node, Scalar)
    name = name_node.text
    if name not in registry:
        checker.findings.error(
            "HR501",
            f"unknown function `{name}`",
            name_node.span,
            suggestion(name, registry.names(), "`hedgerow bindings` lists the functions there are"),
        )
        return None
    try:
        signature = registry[name].signature()
    except BindingError as error:
        checker.findings.error("HR501", str(error), name_node.span, "mend or install the package that offers it")
        return None
    known = {argument.name: argument for argument in signature.arguments}
    good = True
    for key in given:
        if key not in known:
            span = checker.document.key((*loc, "with", key)).span
            checker.findings.error(
                "HR503",
                f"`{name}` has no argument `{key}`",
                span,
                suggestion(key, known, "it takes " + ", ".join(f"`{k}`" for k in known)),
            )
            good = False
    for argument in signature.arguments:
        if argument.required and argument.name not in given:
            checker.findings.error(
                "HR502", f"`{name}` needs `{argument.name}`", name_node.span, f"add `{argument.name}:` under `with:`"
            )
            good = False
    values = _Arguments(checker, loc, scope, name)
    wanted = [known[key] for key in given if key in known]
    for argument in wanted:
        if not values.is_bare(argument):
            good = values.read(argument) and good
    good = values.settle() and good
    # A bare number takes whatever unit the others have decided.
    for argument in wanted:
        if values.is_bare(argument):
            good = values.read(argument) and good
    if not (good and values.all_told()):
        return None
    ordered = tuple((a.name, values.found[a.name]) for a in signature.arguments if a.name in values.found)
    units = tuple(values.unit_of(result.unit) or ONE for result in signature.results)
    windows = tuple(value.text for _, value in ordered if isinstance(value, Source) and value.kind == "window")
    return BoundCall(name, ordered, signature.results, units, windows)


def is_contract(check: Require) -> bool:
    """Return whether a check is of what a call ensures."""
    return _ENSURE in check.reason


def ensured(checker: Checker, call: Call, loc: Location, scope: Scope, conditions: object) -> Iterator[Instruction]:
    """Yield the checks of what the call at `loc` ensures: `conditions` is one of them, a list, or None.

    They are about its results, and are skipped when it is.
    """
    for at in () if conditions is None else places((*loc, "ensures"), conditions):
        condition = checker.boolean(at, replace(scope, place="what a call ensures", line=""))
        yield from checker.memory.drain()
        written = checker.parse(at)
        if condition is not None and written is not None:
            reason = f"`{call.function}{_ENSURE}{_shortened(syntax.to_text(written))}`"
            yield Require(condition, reason, checker.span(at), call.waits)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


class _Arguments:
    """Reads the arguments of one call and solves its unit variables."""

    def __init__(self, checker: Checker, loc: Location, scope: Scope, function: str) -> None:
        self.checker, self.loc, self.scope, self.function = checker, loc, scope, function
        self.found: dict[str, Expr | Source] = {}
        self.variables: dict[str, Unit] = {}
        self._open: list[tuple[Argument, Typed, str]] = []
        """Arguments whose unit has more than one open variable yet."""

    def settle(self) -> bool:
        """Fit what was left open as far as others have decided its variables; return whether what could be told fits."""
        progress, good = True, True
        while self._open and progress:
            left, self._open = self._open, []
            good = all([self._solve(*each) for each in left]) and good  # noqa: C419  # each mistake is told
            progress = len(self._open) < len(left)
        return good

    def all_told(self) -> bool:
        """Fit what is still open, and tell what cannot be."""
        good = self.settle()
        for argument, _, what in self._open:
            good = False
            self.checker.findings.error(
                "HR504",
                f"the unit of {what} cannot be told: `{argument.unit}` stays open",
                self.checker.span(self._at(argument)),
                "give the other arguments units, e.g. by naming params that have them",
            )
        return good

    def _at(self, argument: Argument) -> Location:
        return (*self.loc, "with", argument.name)

    def is_bare(self, argument: Argument) -> bool:
        if argument.kind not in ("real", "int"):
            return False
        node = self.checker.parse(self._at(argument))
        return node is not None and is_bare_literal(node)

    def read(self, argument: Argument) -> bool:
        checker, at = self.checker, self._at(argument)
        scalar = checker.document.at(at)
        assert isinstance(scalar, Scalar)
        if argument.kind == "word":
            if argument.words and scalar.text not in argument.words:
                checker.findings.error(
                    "HR504",
                    f"`{argument.name}` of `{self.function}` is one of "
                    + ", ".join(f"`{word}`" for word in argument.words),
                    scalar.span,
                    suggestion(scalar.text, argument.words, f"write `{argument.words[0]}`"),
                )
                return False
            self.found[argument.name] = Source("literal", scalar.text)
            return True
        what = f"`{argument.name}` of `{self.function}`"
        if argument.kind == "window":
            if scalar.text not in checker.symbols.windows:
                checker.findings.error(
                    "HR504",
                    f"{what} is a window",
                    scalar.span,
                    suggestion(scalar.text, checker.symbols.windows, "declare one under `windows:`"),
                )
                return False
            if not self._solve(
                argument, Typed(checker.pool.temp("window"), checker.symbols.windows[scalar.text]), what
            ):
                return False
            self.found[argument.name] = Source("window", scalar.text)
            return True
        typed = checker.check(at, self.scope)
        if typed is None:
            return False
        bare = self.is_bare(argument)
        fitted = checker.fit(typed, argument.kind, None, scalar.span, what)
        if fitted is None:
            return False
        wanted = self.unit_of(argument.unit)
        if argument.kind != "bool" and not (bare and wanted is not None) and not self._solve(argument, fitted, what):
            return False
        self.found[argument.name] = fitted.expr
        return True

    def unit_of(self, text: str) -> Unit | None:
        """Return the unit a monomial stands for, or None while one of its variables is open."""
        unit = ONE
        for variable, power in _powers(text).items():
            base = SECOND if variable == "s" else self.variables.get(variable)
            if base is None:
                return None
            unit = unit * base**power
        return unit

    def _solve(self, argument: Argument, typed: Typed, what: str) -> bool:
        """Fit the argument's unit, deciding its one open variable where it can be."""
        if typed.unit is None:
            return True
        wanted = self.unit_of(argument.unit)
        if wanted is None:
            open_ = [v for v in _powers(argument.unit) if v != "s" and v not in self.variables]
            power = _powers(argument.unit)[open_[0]]
            if len(open_) > 1 or abs(power) != 1:
                self._open.append((argument, typed, what))
                return True
            rest = ONE
            for variable, exponent in _powers(argument.unit).items():
                if variable != open_[0]:
                    rest = rest * (SECOND if variable == "s" else self.variables[variable]) ** exponent
            solved = typed.unit / rest
            self.variables[open_[0]] = solved if power == 1 else ONE / solved
            return True
        if wanted != typed.unit:
            self.checker.findings.error(
                "HR504",
                f"{what} is in `{wanted}` here, this is in `{typed.unit}`",
                self.checker.span(self._at(argument)),
                f"its annotation reads `{argument.unit}`; `hedgerow bindings` explains it",
            )
            return False
        return True


def _powers(text: str) -> dict[str, int]:
    """Return the exponents of a monomial over unit variables."""
    bases = tuple(dict.fromkeys(re.findall(r"[A-Za-z]+", text)))
    return dict(parse_unit(text, bases).powers)
