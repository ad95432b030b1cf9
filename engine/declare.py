"""Declarations: units, parameters, events, instruments, legs and cells of a spec, into its symbols."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from .bind import bind_call
from .check import Checker, Location
from .diagnostics import suggestion
from .evaluate import EXACT, LARGEST, Environment, Failure, evaluate
from .ir import Exact, Field, Parameter, Type
from .model import FieldShape, ObservedCall, ParameterShape, Spec, StateShape
from .registry import BindingError, Registry
from .symbols import INT_LIMIT, RESERVED, CellType, LegNames, Resolve, Scope
from .units import ONE, Unit, UnitSyntaxError, parse_unit
from .vocabulary import ENGINE_ROOTS

__all__ = ["Bounds", "constant", "declare", "field_of", "parameter_of"]

Bounds = tuple[Fraction | None, Fraction | None]
LEDGER_CELLS = frozenset(("slippage", "flows", "accrued"))
"""The first words of the events that the engine itself brings."""


def declare(spec: Spec, checker: Checker, registry: Registry) -> None:
    """Fill the checker's symbols from everything that a spec declares, telling every clash and unknown unit."""
    symbols, findings, document = checker.symbols, checker.findings, checker.document
    for index, base in enumerate(spec.units):
        if base in symbols.bases or base == "s":
            findings.error(
                "HR202",
                f"the unit `{base}` exists already",
                document.at(("units", index)).span,
                "remove it" + ("; `s` is always there" if base == "s" else ""),
            )
    symbols.bases = tuple(dict.fromkeys(base for base in spec.units if base != "s"))
    _names_are_unique(spec, checker)
    if spec.capital is not None:
        (money,) = spec.capital
        if money not in symbols.bases:
            findings.error(
                "HR302",
                f"unknown unit `{money}`",
                document.key(("capital", money)).span,
                suggestion(money, symbols.bases, "declare it under `units:`"),
            )
        symbols.money = Unit.base(money)
    elif spec.instruments:
        symbols.money = _likely_money(spec)
    for name, parameter in spec.params.items():
        unit = _unit(checker, parameter.unit, ("params", name, "unit"))
        low, high = _int_bounds(checker, parameter, ("params", name))
        symbols.parameters[name] = CellType(parameter.type, unit, low, high)
    for event, fields in spec.events.items():
        symbols.events[event] = {}
        for name, field in fields.items():
            unit = _unit(checker, field.unit, ("events", event, name, "unit"))
            if field.type == "person":
                _is_a_person(checker, field, ("events", event, name))
                symbols.events[event][name] = CellType("int", ONE, person=True)
                continue
            low, high = _int_bounds(checker, field, ("events", event, name))
            symbols.events[event][name] = CellType(field.type, unit, low, high)
    for name, instrument in spec.instruments.items():
        quantity = _unit(checker, instrument.unit, ("instruments", name, "unit"))
        symbols.instruments[name] = (quantity, (symbols.money or ONE) / quantity)
    if spec.instruments and spec.capital is None and not document.has("capital"):
        findings.error(
            "HR402",
            "`capital` is missing",
            document.key(("instruments",)).span,
            f"prices and legs need money: add e.g. `capital: {{{symbols.money or 'USD'}: 1000000}}`",
        )
    for name, leg in spec.legs.items():
        if leg.instrument not in spec.instruments:
            findings.error(
                "HR208",
                f"unknown instrument `{leg.instrument}`",
                document.at(("legs", name, "instrument")).span,
                _known("the instruments are", spec.instruments) or "declare it under `instruments:`",
            )
            continue
        symbols.legs[name] = LegNames(leg.instrument, leg.side)
    for name, cell in spec.state.items():
        unit = _unit(checker, cell.unit, ("state", name, "unit"))
        low, high = _int_bounds(checker, cell, ("state", name))
        symbols.cells[name] = CellType(cell.type, unit, low, high)
    symbols.lets = {name: ("let", name) for name in spec.let}
    for event, lines in spec.observe.items():
        for name, line in lines.items():
            if isinstance(line, ObservedCall):
                _declare_call(checker, registry, event, name, line)
            elif name not in spec.state:
                symbols.observed[name] = (event, ("observe", event, name), _expression_type(checker, name))


def _likely_money(spec: Spec) -> Unit | None:
    """Return the first base unit that no instrument counts in, so that a missing `capital` is one mistake and not many."""
    counted = {shape.unit for shape in spec.instruments.values()}
    return next((Unit.base(base) for base in spec.units if base not in counted and base != "s"), None)


def _known(text: str, names: Iterable[str]) -> str:
    shown = [f"`{name}`" for name in names]
    return f"{text} {', '.join(shown)}" if shown else ""


def _expression_type(checker: Checker, name: str) -> Resolve:
    def resolve(loc: Location, scope: Scope) -> dict[str, CellType]:
        typed = checker.check(loc, scope)
        return {} if typed is None else {name: CellType(typed.type, typed.unit or ONE, typed.low, typed.high)}

    return resolve


def _declare_call(checker: Checker, registry: Registry, event: str, name: str, line: ObservedCall) -> None:
    """Name the results of an observed call: `name`, or `name.field` for each field of its result."""

    def resolve(loc: Location, scope: Scope) -> dict[str, CellType]:
        bound = bind_call(checker, registry, loc, line.with_, scope)
        if bound is None:
            return {}
        return {
            f"{name}.{result.name}" if result.name else name: CellType(result.type, unit)
            for result, unit in zip(bound.results, bound.units, strict=True)
        }

    loc = ("observe", event, name)
    try:
        results = registry[line.call].signature().results if line.call in registry else ()
    except BindingError:  # told where the call is bound
        results = ()
    names = [f"{name}.{result.name}" if result.name else name for result in results] or [name]
    for result_name in names:
        checker.symbols.observed[result_name] = (event, loc, resolve)


def _reserved(name: str, section: str, spec: Spec) -> str:
    """Return what a name is already, by the language, the ledger or the engine; or nothing."""
    if name in spec.units:
        return "a unit"
    if name in RESERVED:
        return "a word of the language"
    if section in ("state", "observe") and name in LEDGER_CELLS:
        return "a cell of the ledger"
    return "the name of the engine's own events" if section == "events" and name in ENGINE_ROOTS else ""


def _names_are_unique(spec: Spec, checker: Checker) -> None:
    taken: dict[str, Location] = {}
    groups: list[tuple[str, Iterable[str]]] = [
        ("params", spec.params),
        ("events", spec.events),
        ("instruments", spec.instruments),
        ("legs", spec.legs),
        ("state", spec.state),
        ("let", spec.let),
        ("windows", spec.windows),
        ("use", spec.use),
    ]
    places: list[tuple[str, Location]] = [(name, (section, name)) for section, names in groups for name in names]
    for event, lines in spec.observe.items():
        places += [(name, ("observe", event, name)) for name in lines if name not in spec.state]
    for name, loc in places:
        span = checker.document.key(loc).span
        first_word, dot, rest = name.partition(".")
        kind = _reserved(first_word, str(loc[0]), spec)
        if kind:
            help = f"choose another name, e.g. `{first_word}_value{dot}{rest}`"
            checker.findings.error("HR211", f"`{first_word}` is {kind}", span, help)
        elif name in taken:
            first = checker.document.key(taken[name]).span
            checker.findings.error("HR202", f"`{name}` exists already, at {first}", span, "rename one of them")
        taken.setdefault(name, loc)


def _unit(checker: Checker, text: str | None, loc: Location) -> Unit:
    if text is None:
        return ONE
    try:
        return parse_unit(text, checker.symbols.bases)
    except UnitSyntaxError as error:
        scalar = checker.scalar(loc)
        span = checker.document.span_in(scalar, error.offset, error.end)
        checker.findings.error("HR302", error.message, span, error.help)
        return ONE


def constant(checker: Checker, loc: Location, type: Type, unit: Unit, what: str) -> Exact | None:
    """Return the exact value of an expression over literals only."""
    typed = checker.value(loc, Scope(what, machine=False), type, unit, what)
    if typed is None:
        return None
    if any(node.op == "param" for node in typed.expr.walk()):
        checker.findings.error("HR210", f"{what} cannot read params", checker.span(loc), "write a constant")
        return None
    try:
        value: Exact = evaluate(typed.expr, Environment({}, EXACT))
    except Failure as failure:
        checker.findings.error("HR304", f"{what} has no value: {failure}", checker.span(loc), "write a constant")
        return None
    if abs(Fraction(value)) > Fraction(LARGEST):
        help = "use a number below 1.8e308"
        checker.findings.error("HR304", f"{what} is larger than a float can hold", checker.span(loc), help)
        return None
    return value


def bounds(checker: Checker, shape: FieldShape | ParameterShape | StateShape, loc: Location, unit: Unit) -> Bounds:
    """Return the declared range as exact numbers; None is unbounded."""
    if shape.range is None or shape.type == "bool" or shape.type == "person":
        return None, None
    low = constant(checker, (*loc, "range", 0), shape.type, unit, "a bound")
    high = constant(checker, (*loc, "range", 1), shape.type, unit, "a bound")
    if low is not None and high is not None and low > high:
        checker.findings.error(
            "HR304",
            "the range is empty: its first bound is above its second",
            checker.document.at((*loc, "range")).span,
            "write the smaller bound first",
        )
        return None, None
    return None if low is None else Fraction(low), None if high is None else Fraction(high)


def _is_a_person(checker: Checker, field: FieldShape, loc: Location) -> None:
    """Tell a field that is a person and has what only numbers have."""
    for key in ("unit", "range"):
        if getattr(field, key) is not None:
            span = checker.document.key((*loc, key)).span
            checker.findings.error("HR433", f"a person has no {key}", span, "remove it")


def _int_bounds(checker: Checker, shape: FieldShape | ParameterShape | StateShape, loc: Location) -> tuple[int, int]:
    """Return the interval of an int, which must be declared; for other types the widest one."""
    if shape.type == "bool" and shape.range is not None:
        checker.findings.error(
            "HR304", "true and false have no range", checker.document.key((*loc, "range")).span, "remove it"
        )
    if shape.type != "int":
        return -INT_LIMIT, INT_LIMIT
    if shape.range is None:
        checker.findings.error(
            "HR306",
            f"the whole number `{loc[-1]}` has no range",
            checker.document.key(loc).span,
            "add e.g. `range: [0, 1000000]`, so that its arithmetic can be checked",
        )
        return 0, 0
    low, high = bounds(checker, shape, loc, ONE if shape.unit is None else _unit(checker, shape.unit, (*loc, "unit")))
    if low is None or high is None:
        return 0, 0
    return int(low), int(high)


def parameter_of(checker: Checker, name: str, shape: ParameterShape) -> Parameter | None:
    """Return the parameter, its default checked against its range."""
    loc: Location = ("params", name)
    declared = checker.symbols.parameters[name]
    low, high = bounds(checker, shape, loc, declared.unit)
    default = constant(checker, (*loc, "default"), shape.type, declared.unit, f"the default of `{name}`")
    if default is None:
        return None
    if (low is not None and default < low) or (high is not None and default > high):
        checker.findings.error(
            "HR304",
            f"the default of `{name}` is outside its range",
            checker.span((*loc, "default")),
            "widen the range or change the default",
        )
        return None
    if shape.type == "real":
        default = Fraction(default)
    return Parameter(
        name, shape.type, str(declared.unit), default, low, high, shape.about or "", checker.document.key(loc).span
    )


def field_of(checker: Checker, event: str, name: str, shape: FieldShape) -> Field:
    """Return a field of an event."""
    unit = checker.symbols.events[event][name].unit
    if shape.type == "person":
        return Field(name, "int", str(unit), None, None, ())
    low, high = bounds(checker, shape, ("events", event, name), unit)
    return Field(name, shape.type, str(unit), low, high)
