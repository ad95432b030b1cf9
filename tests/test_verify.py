"""The verifier: every program of the loader keeps the rules of the IR, and each rule is told where it is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from generated import Sketch, sketches
from hypothesis import HealthCheck, Phase, given, settings

import hedgerow
from hedgerow.engine.ir import (
    Assign,
    Block,
    Call,
    Expr,
    Let,
    Pool,
    Program,
    Propose,
    Push,
    Raise,
    Ranking,
    Require,
    Source,
    Window,
)
from hedgerow.engine.load import loads
from hedgerow.engine.verify import ProgramError, verify

SPECS = Path(__file__).parent.parent / "specs"
SHIPPED = sorted(path.name for path in SPECS.iterdir() if path.suffix in (".yaml", ".json"))
POOL = Pool()
ZERO = POOL.constant(Fraction(0), "real")
TRUE = POOL.constant(True, "bool")
ONE = POOL.constant(1, "int")


@pytest.fixture(scope="module")
def program() -> Program:
    return hedgerow.load(SPECS / "band_limited_hedge.yaml").program("next")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_spec_keeps_every_rule(name: str) -> None:
    spec = hedgerow.load(SPECS / name, permit=("HR302",) if "as_written" in name else ())
    verify(spec.program("same"))
    verify(spec.program("next"))


@settings(
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(sketches())
def test_a_generated_spec_keeps_every_rule(sketch: Sketch) -> None:
    spec = loads(sketch.text)
    verify(spec.program("same"))
    verify(spec.program("next"))


def acting(block: Block) -> Callable[[Program], Program]:
    """Return a change that gives the rule `up` other actions."""
    return lambda p: replace(p, rules=tuple(replace(r, action=block) if r.name == "up" else r for r in p.rules))


def guarded(guard: Expr) -> Callable[[Program], Program]:
    return lambda p: replace(p, rules=tuple(replace(r, guard=guard) if r.name == "up" else r for r in p.rules))


def let(value: Expr) -> Callable[[Program], Program]:
    return acting((Let("t", value),))


def state(name: str, **changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(
        p,
        states=tuple(replace(s, **changes) if s.name == name else s for s in p.states),  # type: ignore[arg-type]
    )


def rule(name: str, **changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(
        p,
        rules=tuple(replace(r, **changes) if r.name == name else r for r in p.rules),  # type: ignore[arg-type]
    )


def op(name: str, *args: Expr, type: str = "real") -> Expr:
    return POOL.make(name, args, type)  # type: ignore[arg-type]  # wrong on purpose


def leaf(name: str, text: str, type: str = "real") -> Expr:
    return POOL.make(name, (), type, name=text)  # type: ignore[arg-type]  # wrong on purpose


def observing(block: Block) -> Callable[[Program], Program]:
    return lambda p: replace(p, events=tuple(replace(e, observe=block) for e in p.events if e.name == "tick"))


BROKEN: dict[str, tuple[Callable[[Program], Program], str]] = {
    "a rule twice": (lambda p: replace(p, rules=(*p.rules, p.rules[0])), "rule: a name is declared twice"),
    "a cell twice": (lambda p: replace(p, cells=(*p.cells, p.cells[0])), "cell: a name is declared twice"),
    "a default of another type": (
        lambda p: replace(p, parameters=(replace(p.parameters[0], default=1), *p.parameters[1:])),
        "parameter stake: it is real, its constant is 1",
    ),
    "a default outside": (
        lambda p: replace(p, parameters=(replace(p.parameters[0], default=Fraction(0)), *p.parameters[1:])),
        "parameter stake: its default is outside its range",
    ),
    "an empty range": (
        lambda p: replace(p, cells=(replace(p.cells[0], low=Fraction(2), high=Fraction(1)), *p.cells[1:])),
        "cell index.price: its range is empty",
    ),
    "no price cell": (
        lambda p: replace(p, instruments=(replace(p.instruments[0], price="gone"),)),
        "instrument index: no cell `gone`",
    ),
    "a leg of nothing": (
        lambda p: replace(p, legs=(replace(p.legs[0], instrument="gone"), p.legs[1])),
        "leg long: no instrument `gone`",
    ),
    "an empty window": (lambda p: replace(p, windows=(Window("w", 0, True),)), "window w: it holds nothing"),
    "a start by nothing": (lambda p: replace(p, start_event="gone"), "start: no event `gone`"),
    "a child before its parent": (state("paused", parent="halted"), "state paused: it stands before its parent"),
    "a compound state without children": (state("paused", kind="compound"), "state paused: it is compound"),
    "a leaf with an initial": (state("paused", initial="active"), "state paused: a leaf has an initial state"),
    "a state of no region": (state("paused", region=1), "state paused: no region 1"),
    "missing leaves": (
        lambda p: replace(p, regions=(replace(p.regions[0], leaves=p.regions[0].leaves[1:]),)),
        "region machine: its leaves are not those of the tree, in order",
    ),
    "an initial that is no leaf": (
        lambda p: replace(p, regions=(replace(p.regions[0], initial="gone"),)),
        "region machine: its initial state is no leaf of it",
    ),
    "a final fail-safe": (lambda p: replace(p, fail_safe="flat"), "fail_safe: not atomic"),
    "a rule from nowhere": (rule("up", source="gone"), "rule up: no state `gone`"),
    "a rule from a final state": (rule("up", source="flat"), "rule up: it leaves a final state"),
    "an entry without a target": (
        rule("up", entered=("paused",)),
        "rule up: it has no target, but a domain or entries",
    ),
    "an entry of another state": (
        rule("freeze", entered=("flat",)),
        "rule freeze: it enters flat, not paused",
    ),
    "an entry of nothing": (rule("freeze", entered=("gone",)), "rule freeze: it enters no state"),
    "a domain elsewhere": (rule("freeze", domain="flat"), "rule freeze: its domain is not around its source"),
    "a guard that is a number": (guarded(ZERO), "rule up guard: bool is wanted, `const` is real"),
    "an unknown cell": (let(leaf("cell", "gone")), "rule up: no cell `gone`"),
    "a cell of another type": (let(leaf("cell", "cash", "int")), "rule up: cell `cash` is real, its value is int"),
    "an unknown param": (let(leaf("param", "gone")), "rule up: no real param `gone`"),
    "a param of another type": (let(leaf("param", "stake", "int")), "rule up: no int param `stake`"),
    "an unknown field": (let(leaf("field", "tick.gone")), "rule up: no real field `tick.gone` here"),
    "a field of another event": (
        rule("active.manual_exit", action=(Let("t", leaf("field", "tick.price")),)),
        "rule active.manual_exit: no real field `tick.price` here",
    ),
    "a field in the carry": (
        lambda p: replace(p, accrue=(Let("t", leaf("field", "tick.price")),)),
        "accrue: no real field `tick.price` here",
    ),
    "an unbound name": (let(leaf("temp", "gone")), "rule up: `gone` is not bound to a real"),
    "a name of another type": (
        acting((Let("t", ONE), Let("u", leaf("temp", "t")))),
        "rule up: `t` is not bound to a real",
    ),
    "a name bound below": (
        acting((Let("u", leaf("temp", "t")), Let("t", ZERO))),
        "rule up: `t` is not bound to a real",
    ),
    "history in an action": (let(leaf("before", "cash")), "rule up: `before` outside of a claim"),
    "was in a guard": (guarded(op("was", type="bool")), "rule up guard: `was` outside of a claim"),
    "ordered in a guard": (guarded(op("ordered", type="bool")), "rule up guard: `ordered` outside of a claim"),
    "active of no leaf": (
        guarded(POOL.make("active", (), "bool", states=("gone",))),
        "rule up guard: `active` asks for what is no leaf",
    ),
    "a constant of another type": (
        let(POOL.make("const", (), "real", value=1)),
        "rule up: it is real, its constant is 1",
    ),
    "a time that is real": (let(op("now")), "rule up: the time is an int"),
    "a write to nothing": (acting((Assign((("gone", ZERO),)),)), "rule up: no cell `gone`"),
    "a write of another type": (acting((Assign((("cash", ONE),)),)), "rule up: cell `cash` is real, its value is int"),
    "two writes of a cell": (
        acting((Assign((("cash", ZERO), ("cash", ZERO))),)),
        "rule up: one assignment writes a cell twice",
    ),
    "a check that is a number": (acting((Require(ZERO, "no"),)), "rule up: bool is wanted, `const` is real"),
    "an order of nothing": (acting((Propose("gone", "close", ZERO),)), "rule up: no such leg"),
    "two orders of a leg": (
        acting((Propose("long", "close", ZERO), Propose("long", "close", ZERO))),
        "rule up: it orders `long` twice",
    ),
    "an order by an observation": (
        observing((Propose("long", "close", ZERO),)),
        "event tick observe: it orders or raises outside of an action",
    ),
    "a raise of nothing": (acting((Raise("gone", ()),)), "rule up: no event `gone`"),
    "a raise without its fields": (acting((Raise("tick", ()),)), "rule up: `tick` is raised with other fields"),
    "a push to nothing": (acting((Push("gone", ZERO),)), "rule up: no window `gone`"),
    "a call with no window": (
        acting((Call("f", (("x", Source("window", "gone")),), (), ()),)),
        "rule up: no window `gone`",
    ),
    "a call into nothing": (acting((Call("f", (), (("", "gone"),), ()),)), "rule up: no cell `gone`"),
    "a fill that binds no fee": (
        lambda p: replace(p, legs=(replace(p.legs[0], fill=()), p.legs[1])),
        "fill long: it does not bind `fee`",
    ),
    "a claim that is a number": (
        lambda p: replace(p, invariants=(("i", ZERO),)),
        "claim i: bool is wanted, `const` is real",
    ),
    "a ranking of nothing": (
        lambda p: replace(p, rankings=(replace_ranking(p.rankings[0], rule="gone"),)),
        "ranking exit_ends: no rule `gone`",
    ),
    "a factor that changes": (
        lambda p: replace(p, rankings=(replace_ranking(p.rankings[0], factor=leaf("cell", "cash")),)),
        "ranking exit_ends: it reads more than parameters",
    ),
    "a limit that changes": (
        lambda p: replace(p, report=replace(p.report, limits=(("net", leaf("cell", "cash")),))),
        "limit net: it reads more than parameters",
    ),
    "a report of nothing": (
        lambda p: replace(p, report=replace(p.report, measures=(("harvest", ("gone",)),))),
        "report: `harvest` names no rule",
    ),
}


def replace_ranking(ranking: Ranking, **changes: object) -> Ranking:
    return replace(ranking, **changes)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_told_where_it_is_broken(name: str, program: Program) -> None:
    change, told = BROKEN[name]
    with pytest.raises(ProgramError) as raised:
        verify(change(program))
    assert told in raised.value.broken


B, R, N = TRUE, ZERO, ONE
MISTYPED = [
    *((name, (R, N), "real") for name in ("add", "sub", "mul", "min", "max", "div")),
    *((name, (N, N), "real") for name in ("add", "sub", "mul", "min", "max", "div")),
    *((name, (B, B), "bool") for name in ("add", "sub", "mul", "min", "max", "lt", "le", "gt", "ge")),
    *((name, (R, N), "bool") for name in ("lt", "le", "gt", "ge", "eq", "ne")),
    *((name, (R, R), "real") for name in ("lt", "le", "gt", "ge", "eq", "ne")),
    *((name, (R, B), "bool") for name in ("and", "or")),
    *((name, (B, B), "real") for name in ("and", "or")),
    ("neg", (B,), "bool"),
    ("abs", (N,), "real"),
    ("not", (R,), "bool"),
    ("sqrt", (N,), "real"),
    ("floor", (R,), "int"),
    ("real", (R,), "real"),
    ("seconds", (R, R), "real"),
    ("select", (R, R, R), "real"),
    ("select", (B, R, N), "real"),
    ("given", (B, R), "real"),
    ("add", (R,), "real"),
    ("pow", (R, R), "real"),
]


@pytest.mark.parametrize(("name", "args", "type"), MISTYPED)
def test_an_operator_over_wrong_types_is_told(name: str, args: tuple[Expr, ...], type: str, program: Program) -> None:
    with pytest.raises(ProgramError) as raised:
        verify(let(op(name, *args, type=type))(program))
    types = ", ".join(argument.type for argument in args)
    assert raised.value.broken == (f"rule up: `{name}` of {types} gives {type}, which it cannot",)


def test_every_broken_rule_is_told_at_once(program: Program) -> None:
    both = acting((Let("t", leaf("cell", "gone")), Propose("gone", "close", ONE)))(program)
    with pytest.raises(ProgramError, match=r"breaks 3 rule\(s\)") as raised:
        verify(both)
    assert raised.value.broken == (
        "rule up: no cell `gone`",
        "rule up: no such leg",
        "rule up: real is wanted, `const` is int",
    )
