"""Bound functions: signatures from annotations, arguments and results checked, units solved, other packages' names."""

from __future__ import annotations

import importlib.metadata
import math
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import loads
from hedgerow.engine.registry import (
    Argument,
    Binding,
    BindingError,
    Registry,
    Result,
    builtin_registry,
    checked_results,
)

Series = Annotated[NDArray[np.float64], "P"]


class Pair(NamedTuple):
    total: Annotated[float, "P"]
    many: bool


def worth(price: Annotated[float, "M/Q"], size: Annotated[float, "Q"]) -> Annotated[float, "M"]:
    """Return what a holding is worth."""
    return price * size


def deal(price: Annotated[float, "M/Q"], size: Annotated[float, "Q"], paid: Annotated[float, "M"]) -> bool:
    return price * size > paid


def latest(values: Series, scale: float = 1.0, kind: Literal["last", "mean"] = "last") -> Pair:
    return Pair(float(values[-1] if kind == "last" else values.mean()) * scale, len(values) > 1)


def wait(seconds: Annotated[float, "s"], times: int, sure: bool) -> int:
    return times if sure else int(seconds)


def broken(x: float) -> float:
    raise OSError("the feed is down")


def infinite(x: float) -> float:
    return math.inf


def bare(x) -> float:  # type: ignore[no-untyped-def]  # that is its fault
    return 0.0


def positional(x: float, /) -> float:
    return x


def listed(x: list[float]) -> float:
    return sum(x)


def silent(x: float):  # type: ignore[no-untyped-def]  # that is its fault
    return x


def spelled(x: float) -> str:
    return str(x)


def dangling(x: Missing) -> float:  # type: ignore[name-defined]  # noqa: F821  # that is its fault
    return 0.0


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    worth, deal, latest, wait, broken, infinite, bare, positional, listed, silent, spelled, dangling,
)  # fmt: skip


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    module = types.ModuleType("bound_here")
    for function in FUNCTIONS:
        setattr(module, function.__name__, function)
    module.number = 3.0  # type: ignore[attr-defined]  # a module of our own
    monkeypatch.setitem(sys.modules, "bound_here", module)
    names = [*(function.__name__ for function in FUNCTIONS), "number", "missing"]
    return Registry({f"desk.{name}": Binding(f"desk.{name}", "action", f"bound_here:{name}") for name in names})


def test_a_signature_is_what_the_annotations_say(registry: Registry) -> None:
    signature = registry["desk.latest"].signature()
    assert signature.arguments == (
        Argument("values", "window", "P", (), True),
        Argument("scale", "real", "1", (), False, 1.0),
        Argument("kind", "word", "1", ("last", "mean"), False, "last"),
    )
    assert signature.results == (Result("total", "real", "P"), Result("many", "bool", "1"))
    assert registry["desk.wait"].signature().arguments == (
        Argument("seconds", "real", "s", (), True),
        Argument("times", "int", "1", (), True),
        Argument("sure", "bool", "1", (), True),
    )
    assert registry["desk.worth"].signature().results == (Result("", "real", "M"),)
    assert registry["desk.worth"].doc() == "Return what a holding is worth."


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bare", "`x` of `desk.bare` has no annotation"),
        ("positional", "`x` of `desk.positional` cannot be passed by name"),
        ("listed", "`x` of `desk.listed` is annotated `list[float]`, which a spec cannot give"),
        ("silent", "the result of `desk.silent` is annotated `None`, which a spec cannot give"),
        ("spelled", "the result of `desk.spelled` is neither a number nor true or false"),
        ("dangling", "the annotations of `desk.dangling` cannot be read: name 'Missing' is not defined"),
        ("number", "`bound_here:number` is not a function"),
        ("missing", "`desk.missing` cannot be imported from `bound_here:missing`"),
    ],
)
def test_a_function_that_cannot_be_bound_says_why(name: str, told: str, registry: Registry) -> None:
    with pytest.raises(BindingError) as raised:
        registry[f"desk.{name}"].signature()
    assert str(raised.value).startswith(told)


HEAD = """hedgerow: 1
name: bound
units: [USD, IDX]
events: {tick: {price: {unit: USD/IDX}, size: {unit: IDX}, x: {}, n: {type: int, range: [0, 9]}, sure: {type: bool}}}
windows: {prices: {of: tick.price, on: tick, length: 2, until_full: partial}}
machine: {initial: a, fail_safe: safe, states: {a: {}, safe: {}}}
observe:
  tick:
"""


def told(line: str, registry: Registry) -> list[tuple[str, str, str]]:
    """Return (code, message, what is underlined) of each error."""
    text = HEAD + f"    r: {line}\n"
    try:
        loads(text, registry=registry)
    except SpecError as error:
        rows = text.split("\n")
        return [
            (d.code, d.message, rows[d.span.line - 1][d.span.column - 1 : d.span.end_column - 1])
            for d in error.diagnostics
        ]
    return []


def test_a_call_that_comes_after_the_first_event_is_told_what_to_begin_with(registry: Registry) -> None:
    text = HEAD.replace("a: {}", "a: {on: {go: {if: r > 1}}}").replace("events: {", "events: {go: {}, ")
    line = "    r: {call: desk.wait, with: {seconds: 5 s, times: 2, sure: true}}\n"
    with pytest.raises(SpecError) as raised:
        loads(text + line, registry=registry)
    (error,) = [each for each in raised.value.diagnostics if each.code == "HR407"]
    assert error.help == "add `initial: …` to this call"
    loads(text + line.replace("}}", "}, initial: 0}"), registry=registry)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{call: desk.wrth, with: {price: 1}}", [("HR501", "unknown function `desk.wrth`", "desk.wrth")]),
        ("{call: desk.worth, with: {price: tick.price}}", [("HR502", "`desk.worth` needs `size`", "desk.worth")]),
        (
            "{call: desk.worth, with: {price: tick.price, size: tick.size, fee: 1}}",
            [("HR503", "`desk.worth` has no argument `fee`", "fee")],
        ),
        (
            "{call: desk.worth, with: {prise: tick.price}}",
            [
                ("HR502", "`desk.worth` needs `price`", "desk.worth"),
                ("HR502", "`desk.worth` needs `size`", "desk.worth"),
                ("HR503", "`desk.worth` has no argument `prise`", "prise"),
            ],
        ),
        (
            "{call: desk.worth, with: {price: tick.price, size: tick.sure}}",
            [("HR301", "`size` of `desk.worth` is a real number, this is true or false", "tick.sure")],
        ),
        (
            "{call: desk.wait, with: {seconds: 5, times: tick.x, sure: tick.sure}}",
            [("HR301", "`times` of `desk.wait` is an integer, this is a real number", "tick.x")],
        ),
        (
            "{call: desk.wait, with: {seconds: tick.x, times: tick.n, sure: tick.sure}}",
            [("HR504", "`seconds` of `desk.wait` is in `s` here, this is in `1`", "tick.x")],
        ),
        (
            "{call: desk.latest, with: {values: tick.price}}",
            [("HR504", "`values` of `desk.latest` is a window", "tick.price")],
        ),
        (
            "{call: desk.latest, with: {values: prices, kind: first}}",
            [("HR504", "`kind` of `desk.latest` is one of `last`, `mean`", "first")],
        ),
        (
            "{call: desk.latest, with: {values: prices, scale: 1 USD}}",
            [("HR504", "`scale` of `desk.latest` is in `1` here, this is in `USD`", "1 USD")],
        ),
        ("{call: desk.wait, with: {seconds: 5, times: 2, sure: tick.sure}}", []),
        ("{call: desk.wait, with: {seconds: 1m, times: tick.n, sure: true}}", []),
        ("{call: desk.latest, with: {values: prices, scale: 2, kind: mean}}", []),
    ],
)
def test_an_argument_that_does_not_fit_is_told_at_its_place(
    line: str, expected: list[tuple[str, str, str]], registry: Registry
) -> None:
    assert sorted(told(line, registry)) == expected


def test_the_units_of_a_result_follow_from_those_of_the_arguments(registry: Registry) -> None:
    text = HEAD + "    r: {call: desk.worth, with: {price: tick.price, size: tick.size}}\n"
    text += "    m: {call: desk.latest, with: {values: prices}}\n    sum: r + m.total * 1 IDX\n"
    cells = {cell.name: (cell.type, cell.unit) for cell in loads(text, registry=registry).program().cells}
    assert cells["r"] == ("real", "USD")
    assert cells["m.total"] == ("real", "USD/IDX")
    assert cells["m.many"] == ("bool", "1")
    assert cells["sum"] == ("real", "USD")
    wrong = told("{call: desk.worth, with: {price: tick.price, size: tick.price}}", registry)
    assert wrong == []  # M is what is missing: USD/IDX over IDX is a unit like another
    deal = told("{call: desk.deal, with: {price: tick.price, size: tick.size, paid: tick.price}}", registry)
    assert deal == [("HR504", "`price` of `desk.deal` is in `USD/IDX^2` here, this is in `USD/IDX`", "tick.price")]
    assert told("{call: desk.deal, with: {price: tick.price, size: tick.size, paid: 5 USD}}", registry) == []


def test_a_call_computes_what_the_function_does_on_what_was_seen(registry: Registry) -> None:
    text = HEAD + "    r: {call: desk.worth, with: {price: tick.price, size: tick.size}}\n"
    text += "    m: {call: desk.latest, with: {values: prices, kind: mean, scale: 2}}\n"
    machine = loads(text, registry=registry).compile().machine()
    port = machine.port("tick")
    for time, price in enumerate((2.0, 4.0, 10.0)):
        assert port(time, price, 3.0, 0.0, 0, True).errors == ()
        assert machine.value("r") == price * 3.0
    assert machine.value("m.total") == 14.0
    assert machine.value("m.many") is True


@pytest.mark.parametrize(
    ("name", "reason"), [("broken", "`desk.broken`: the feed is down"), ("infinite", "`desk.infinite` returned inf")]
)
def test_a_function_that_fails_stops_the_start_and_later_leads_to_the_fail_safe(
    name: str, reason: str, registry: Registry
) -> None:
    text = HEAD.replace("observe:\n  tick:\n", "").replace(
        "a: {}", f"a: {{on: {{tick: {{if: tick.sure, do: {{call: desk.{name}, with: {{x: tick.x}}, into: v}}}}}}}}"
    )
    machine = loads(text + "state: {v: {initial: 1}}\n", registry=registry).compile().machine()
    assert machine.port("tick")(0, 1.0, 1.0, 0.0, 0, False).configuration == ("a",)
    step = machine.port("tick")(1, 1.0, 1.0, 0.0, 0, True)
    assert step.configuration == ("safe",)
    assert len(step.errors) == 1
    assert reason in step.errors[0]
    assert machine.value("v") == 1.0


@pytest.mark.parametrize(
    ("type", "value", "kept"),
    [
        ("real", 1.5, 1.5),
        ("real", 2, 2.0),
        ("real", np.float64(0.25), 0.25),
        ("int", 7, 7),
        ("int", np.int64(-7), -7),
        ("int", 2**53, 2**53),
        ("bool", True, True),
        ("bool", np.bool_(False), False),
    ],
)
def test_a_result_becomes_a_plain_value(type: Literal["real", "int", "bool"], value: object, kept: object) -> None:
    found = checked_results("f", (Result("", type, "1"),), value)[""]
    assert (found, found.__class__) == (kept, kept.__class__)


@pytest.mark.parametrize(
    ("type", "value", "shown"),
    [
        ("real", math.nan, "nan, not a finite number"),
        ("real", -math.inf, "-inf, not a finite number"),
        ("real", True, "True, not a finite number"),
        ("real", "1", "'1', not a finite number"),
        ("real", None, "nothing, not a finite number"),
        ("int", 1.0, "1.0, not a whole number"),
        ("int", 2**53 + 1, "9007199254740993, not a whole number"),
        ("int", True, "True, not a whole number"),
        ("bool", 1, "1, not true or false"),
        ("bool", None, "nothing, not true or false"),
    ],
)
def test_a_result_of_another_kind_is_refused(type: Literal["real", "int", "bool"], value: object, shown: str) -> None:
    with pytest.raises(ValueError, match="returned") as raised:
        checked_results("f", (Result("", type, "1"),), value)
    assert str(raised.value) == f"`f` returned {shown}"


def test_a_missing_field_of_a_result_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`f` \(many\) returned nothing, not true or false"):
        checked_results("f", (Result("many", "bool", "1"),), 1.0)


def test_other_packages_add_functions_and_may_not_take_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def offer(*entries: tuple[str, str, str]) -> Registry:
        found = importlib.metadata.EntryPoints(importlib.metadata.EntryPoint(*each) for each in entries)
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda: found)
        return builtin_registry.__wrapped__()

    own = offer(("desk.limit", "desk.limits:within", "hedgerow.guards"))
    assert own["desk.limit"] == Binding("desk.limit", "guard", "desk.limits:within")
    assert set(own.names()) == {*offer().names(), "desk.limit"}
    assert list(own.names()) == sorted(own.names())
    same = ("desk.limit", "desk.limits:within", "hedgerow.guards")
    assert "desk.limit" in offer(same, same)
    with pytest.raises(BindingError, match=r"`sizing.hedge_curve` is offered by `desk:curve` and by `hedgerow"):
        offer(("sizing.hedge_curve", "desk:curve", "hedgerow.actions")).names()


def test_listing_the_shipped_names_imports_no_model() -> None:
    import subprocess

    code = (
        "import sys; from hedgerow.engine.registry import builtin_registry; print(len(builtin_registry().names()));"
        "print(any(name in sys.modules for name in ('numpy', 'hedgerow.models.options', 'hedgerow.actions.sizing')))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    assert run.stdout.split()[1] == "False"
    assert int(run.stdout.split()[0]) >= 4
