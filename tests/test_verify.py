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
CLOCKWORK = Path(__file__).parent / "golden" / "ir" / "clockwork.yaml"
SHIPPED = sorted(path.name for path in SPECS.iterdir() if path.suffix in (".yaml", ".json"))
POOL = Pool()
ZERO = POOL.constant(Fraction(0), "real")
TRUE = POOL.constant(True, "bool")
ONE = POOL.constant(1, "int")


@pytest.fixture(scope="module")
def program() -> Program:
    return hedgerow.load(SPECS / "band_limited_hedge.yaml").program("next")


@pytest.fixture(scope="module")
def clockwork() -> Program:
    return hedgerow.load(CLOCKWORK).program()


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
    return lambda p: replace(p, events=tuple(replace(e, observe=(block,)) for e in p.events if e.name == "tick"))


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
    "missing leaves": (
        lambda p: replace(p, regions=(replace(p.regions[0], leaves=p.regions[0].leaves[1:]),)),
        "regions: they are not those of the tree, in order",
    ),
    "a final fail-safe": (lambda p: replace(p, fail_safe="flat"), "fail_safe: `flat` is not atomic"),
    "an initial state that is none": (lambda p: replace(p, initial=("gone",)), "initial: no state `gone`"),
    "no initial state": (lambda p: replace(p, initial=()), "initial: no state is entered first"),
    "a rule from nowhere": (rule("up", source="gone"), "rule up: no state `gone`"),
    "a rule from a final state": (rule("up", source="flat"), "rule up: it leaves a final state"),
    "a target that is no state": (rule("freeze", targets=("gone",)), "rule freeze: no state `gone`"),
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
    "active of no state": (
        guarded(leaf("active", "gone", "bool")),
        "rule up guard: `active` asks for `gone`, which is no state",
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
    "a check that waits for nothing there": (
        acting((Require(TRUE, "no", waits=("gone",)),)),
        "rule up: no window `gone`",
    ),
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


def timer(name: str, **changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(
        p,
        timers=tuple(replace(t, **changes) if t.name == name else t for t in p.timers),  # type: ignore[arg-type]
    )


def cell(name: str, **changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(
        p,
        cells=tuple(replace(c, **changes) if c.name == name else c for c in p.cells),  # type: ignore[arg-type]
    )


def part(**changes: object) -> Callable[[Program], Program]:
    return lambda p: replace(p, parts=(replace(p.parts[0], **changes),))  # type: ignore[arg-type]


NOW = leaf("now", "", "int")
BROKEN_CHART: dict[str, tuple[Callable[[Program], Program], str]] = {
    "a compound state without children": (
        state("stuck", kind="compound", initial=("stuck",)),
        "state stuck: it is compound, with 0 states inside",
    ),
    "an atomic state with children": (
        state("work", kind="atomic", initial=(), initially=()),
        "state work: it is atomic, with 4 states inside",
    ),
    "a final state with children": (
        state("watch", kind="final", initial=()),
        "state watch: it is final, with 2 states inside",
    ),
    "a history state with children": (
        state("watch", kind="history", initial=("idle",)),
        "state watch: it is history, with 2 states inside",
    ),
    "a history state in an atomic one": (
        state("back", parent="stuck"),
        "state stuck: it is atomic, with a history state inside",
    ),
    "a final region": (
        state("done", parent="plant"),
        "state plant: its region `done` is a final state",
    ),
    "a compound state that enters nothing": (state("watch", initial=()), "state watch: it does not say what it enters"),
    "an initial state elsewhere": (
        state("watch", initial=("idle",)),
        "state watch: it enters `idle`, which is not inside `watch`",
    ),
    "an initial state that is the state": (
        state("watch", initial=("watch",)),
        "state watch: it enters `watch`, which is not inside `watch`",
    ),
    "two initial states of one region": (
        state("watch", initial=("shut", "open")),
        "state watch: `shut` and `open` cannot be active together",
    ),
    "an initial state of a parallel one": (
        state("plant", initial=("work",)),
        "state plant: a transition leads into what is parallel",
    ),
    "an initial state of an atomic one": (
        state("stuck", initial=("stuck",)),
        "state stuck: a transition leads into what is atomic",
    ),
    "steps into an atomic one": (
        state("stuck", initially=(Let("t", ZERO),)),
        "state stuck: a transition leads into what is atomic",
    ),
    "history outside of all": (state("back", parent=None), "state back: it remembers nothing: it is in no state"),
    "history with an entry": (
        state("back", entry=(Let("t", ZERO),)),
        "state back: it is never active, and does something then",
    ),
    "history that falls back elsewhere": (
        state("back", initial=("shut",)),
        "state back: it enters `shut`, which is not inside `work`",
    ),
    "history that falls back on itself": (
        state("back", initial=("back",)),
        "state back: it enters `back`, which is not inside `work`",
    ),
    "history that falls back on nothing": (state("back", initial=()), "state back: it does not say what it enters"),
    "deep and atomic": (state("stuck", deep=True), "state stuck: it is deep, and no history state"),
    "the innermost fail-safe elsewhere": (
        state("work", fail_safe="open"),
        "state work: its fail_safe `open` is no atomic state inside it",
    ),
    "the innermost fail-safe final": (
        state("work", fail_safe="done"),
        "state work: its fail_safe `done` is no atomic state inside it",
    ),
    "two first states of one region": (
        lambda p: replace(p, initial=("busy", "idle")),
        "initial: `busy` and `idle` cannot be active together",
    ),
    "a first state inside another": (
        lambda p: replace(p, initial=("work", "busy")),
        "initial: `work` and `busy` cannot be active together",
    ),
    "two targets that exclude each other": (
        rule("start", targets=("busy", "off")),
        "rule start: `busy` and `off` cannot be active together",
    ),
    "a target inside another": (
        rule("start", targets=("plant", "open")),
        "rule start: `plant` and `open` cannot be active together",
    ),
    "history and a state that it decides": (
        rule("start", targets=("back", "busy")),
        "rule start: `back` and `busy` cannot be active together",
    ),
    "a rule from a history state": (rule("up", source="back"), "rule up: it leaves a history state"),
    "a region of nothing": (
        lambda p: replace(p, regions=p.regions[:2]),
        "regions: they are not those of the tree, in order",
    ),
    "active of a history state": (
        guarded(leaf("active", "back", "bool")),
        "rule up guard: `active` asks for `back`, which is no state",
    ),
    "fields of one of several events": (
        rule("up", events=("tick", "begin")),
        "rule up guard: no real field `tick.x` here",
    ),
    "fields of whatever comes": (rule("up", events=("*",)), "rule up guard: no real field `tick.x` here"),
    "a stamp that may fail": (
        state("idle", stamp=(Require(TRUE, "no"),)),
        "state idle stamp: it does more than assign",
    ),
    "a stamp of a cell with a range": (
        state("idle", stamp=(Assign((("late.loss", ONE),)),)),
        "state idle stamp: `late.loss` may refuse a time",
    ),
    "a stamp that reads the machine": (
        state("idle", leave=(Assign((("due(late)", op("due", NOW, leaf("cell", "n"), type="int")),)),)),
        "state idle leave: `due(late)` reads more than parameters and the clock",
    ),
    "a timer that is set to a time of the past": (
        acting((Assign((("due(late)", NOW),)),)),
        "rule up: `due(late)` is set to what is no due time",
    ),
    "a timer twice": (lambda p: replace(p, timers=(*p.timers, p.timers[0])), "timer: a name is declared twice"),
    "a timer without its cell": (timer("late", due="gone"), "timer late: no cell `gone`"),
    "a timer with a real cell": (timer("late", due="n"), "timer late: cell `n` is real, its value is int"),
    "a timer that keeps a number as who armed it": (
        timer("late", person="n"),
        "timer late: cell `n` is real, its value is int",
    ),
    "a timer that keeps a time as who armed it": (
        timer("late", person="due(late)"),
        "timer late: cell `due(late)` does not hold who armed it",
    ),
    "a timer that is armed at the start": (
        cell("due(late)", initial=0),
        "timer late: cell `due(late)` is not that of a timer that is not armed",
    ),
    "a timer with a range": (
        cell("due(late)", high=Fraction(5)),
        "timer late: cell `due(late)` is not that of a timer that is not armed",
    ),
    "a timer whose cell is of the spec": (
        cell("due(late)", kind="state"),
        "timer late: cell `due(late)` is not that of a timer that is not armed",
    ),
    "a period that changes": (
        timer("every.busy.1", period=leaf("cell", "n")),
        "timer every.busy.1: it reads more than parameters",
    ),
    "a period that is no real": (
        timer("every.busy.1", period=ONE),
        "timer every.busy.1: real is wanted, `const` is int",
    ),
    "a timer of no event": (timer("late", event="gone"), "timer late: no event `gone`"),
    "a timer of another's event": (
        timer("after.idle.1", event="every.busy.1"),
        "timer after.idle.1: no event `every.busy.1`",
    ),
    "a timer without its fields": (timer("late", fields=()), "timer late: it brings other fields"),
    "a timer with fields of no event": (
        timer("after.idle.1", fields=(("alarm.loss", "late.loss"),)),
        "timer after.idle.1: it brings other fields",
    ),
    "a field in a cell of another type": (
        timer("late", fields=(("alarm.loss", "due(late)"),)),
        "timer late: cell `due(late)` is int, its value is real",
    ),
    "a field in a cell of another range": (
        cell("late.loss", high=None),
        "timer late: cell `late.loss` does not hold what `loss` may be",
    ),
    "a cell of no timer": (
        lambda p: replace(p, timers=p.timers[:2]),
        "cell due(late): it belongs to 0 timers",
    ),
    "a cell of two timers": (timer("every.busy.1", due="due(late)"), "cell due(late): it belongs to 2 timers"),
    "no part": (lambda p: replace(p, parts=()), "parts: there is none"),
    "a part twice": (lambda p: replace(p, parts=p.parts * 2), "part: a name is declared twice"),
    "a part in no region": (part(region="idle"), "part : its statechart is in `idle`, which is no region"),
    "an observation without a part": (
        lambda p: replace(p, events=(replace(p.events[0], observe=((), ())), *p.events[1:])),
        "event begin: 2 observations for the parts",
    ),
    "a wrong beginning": (part(begin=(Let("t", leaf("cell", "gone")),)), "begin: no cell `gone`"),
    "a wrong opening": (part(endow=(Let("t", leaf("cell", "gone")),)), "endow: no cell `gone`"),
    "a wrong late opening": (part(endow_late=(Let("t", leaf("cell", "gone")),)), "endow late: no cell `gone`"),
    "a given value that changes": (
        lambda p: replace(p, parameters=(replace(p.parameters[0], given=leaf("cell", "n")),)),
        "parameter wait: it reads more than parameters",
    ),
    "a given value of another type": (
        lambda p: replace(p, parameters=(replace(p.parameters[0], given=ONE),)),
        "parameter wait: real is wanted, `const` is int",
    ),
    "wrong steps into a state": (
        state("work", initially=(Let("t", leaf("cell", "gone")),)),
        "state work initially: no cell `gone`",
    ),
    "a delay that is no real": (
        let(op("due", ONE, ONE, type="int")),
        "rule up: `due` of int, int gives int, which it cannot",
    ),
    "a carry over seconds that nothing gives": (
        lambda p: replace(p, accrue=(Let("t", leaf("temp", "dt")),)),
        "accrue: `dt` is not bound to a real",
    ),
}


@pytest.mark.parametrize("name", BROKEN_CHART)
def test_a_broken_rule_of_the_chart_is_told_where_it_is_broken(name: str, clockwork: Program) -> None:
    change, told = BROKEN_CHART[name]
    with pytest.raises(ProgramError) as raised:
        verify(change(clockwork))
    assert told in raised.value.broken


def test_history_states_of_several_regions_are_targets_together(clockwork: Program) -> None:
    other = replace(clockwork.state("back"), name="before", parent="watch", initial=("open",), deep=True)
    states = tuple(each for s in clockwork.states for each in ((s, other) if s.name == "watch" else (s,)))
    verify(rule("start", targets=("back", "before"))(replace(clockwork, states=states)))


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
    ("due", (N, R), "real"),
    ("due", (R, R), "int"),
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
