"""What solvers are asked is what the interpreter computes: each operation's term against its value."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_terms import Terms, values

from hedgerow.engine.evaluate import EXACT, Environment, Failure, evaluate
from hedgerow.engine.ir import NEVER, Exact, Expr, Type
from hedgerow.engine.prove.algebra import Algebra
from hedgerow.engine.prove.smt import number, script

z3 = pytest.importorskip("z3", reason="the solver is in the extra `prove`")

SEEDS = st.integers(0, 2**32 - 1)
TYPES: dict[type, Type] = {Fraction: "real", int: "int", bool: "bool"}


def asked(conditions: Sequence[Expr]) -> str:
    """Return whether conditions can hold together."""
    solver = z3.Solver()
    solver.from_string(script(conditions))
    return str(solver.check())


def bound(algebra: Algebra, env: Environment) -> list[Expr]:
    """Return that each symbol has its value."""
    found = []
    for name, held in env.cells.items():
        type = TYPES[held.__class__]
        leaf = algebra.symbol("cell", name, type)
        found.append(algebra.pool.make("eq", (leaf, algebra.constant(held, type)), "bool"))
    return found


def is_exact(expr: Expr, env: Environment) -> bool:
    """Return whether solvers are asked for exactly this value: roots that are rational, and nothing that rounds."""
    for node in expr.walk():
        if node.op in ("floor", "due"):
            return False
        if node.op == "sqrt":
            try:
                root, below = evaluate(node, env), evaluate(node.args[0], env)
            except Failure:
                continue
            if root * root != below:
                return False
    return True


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.sampled_from(("real", "int", "bool")))
def test_a_term_can_have_its_value_and_no_other(seed: int, type: Type) -> None:
    source = random.Random(seed)
    algebra = Algebra()
    expr, env = Terms(source, algebra.pool, plain=True).any(type, 3), values(source)
    known = bound(algebra, env)
    try:
        held = evaluate(expr, env)
    except Failure:
        return
    if not is_exact(expr, env):
        return
    same = algebra.pool.make("eq", (expr, algebra.constant(held, type)), "bool")
    assert asked([*known, same]) == "sat"
    assert asked([*known, algebra.pool.make("not", (same,), "bool")]) == "unsat"


@pytest.mark.parametrize(
    ("op", "values"),
    [("div", (Fraction(1), Fraction(0))), ("div", (Fraction(0), Fraction(0))), ("sqrt", (Fraction(-4),))],
)
def test_where_there_is_no_value_the_term_may_have_any(op: str, values: tuple[Fraction, ...]) -> None:
    algebra = Algebra()
    symbols = [algebra.symbol("cell", f"v{index}", "real") for index in range(len(values))]
    known = [
        algebra.make("eq", (symbol, algebra.constant(value, "real")), "bool")
        for symbol, value in zip(symbols, values, strict=True)
    ]
    term = algebra.make(op, tuple(symbols), "real")
    for wanted in (-1, 0, 7):
        assert asked([*known, algebra.make("eq", (term, algebra.constant(wanted, "real")), "bool")]) == "sat"


def test_a_quotient_that_is_not_asked_for_rules_nothing_out() -> None:
    algebra = Algebra()
    b, zero = algebra.symbol("cell", "b", "int"), algebra.constant(0, "int")
    real = algebra.make("real", (b,), "real")
    quotient = algebra.make("div", (algebra.constant(1, "real"), real), "real")
    chosen = algebra.choice(algebra.make("gt", (b, zero), "bool"), quotient, algebra.constant(-1, "real"))
    low = algebra.make("lt", (chosen, algebra.constant(0, "real")), "bool")
    assert asked([low]) == "sat"


@pytest.mark.parametrize("op", ["ne", "eq", "gt", "ge", "lt", "le"])
@pytest.mark.parametrize("bound", [-1, 0, 1])
@pytest.mark.parametrize("divisor", [-2, 0, 2])
def test_a_divisor_that_is_kept_from_zero_is_still_any_other(op: str, bound: int, divisor: int) -> None:
    """Conditions that keep a divisor from 0 simplify the question; none may claim to that does not."""
    algebra = Algebra()
    b = algebra.symbol("cell", "b", "real")
    condition = algebra.make(op, (b, algebra.constant(bound, "real")), "bool")
    quotient = algebra.make("div", (algebra.constant(1, "real"), b), "real")
    here = algebra.make("eq", (b, algebra.constant(divisor, "real")), "bool")
    anything = algebra.make("ge", (algebra.make("abs", (quotient,), "real"), algebra.constant(0, "real")), "bool")
    holds = evaluate(condition, Environment({}, EXACT, {"b": Fraction(divisor)}))
    assert asked([condition, here, anything]) == ("sat" if holds else "unsat")


@pytest.mark.parametrize(
    "delay",
    [Fraction(0), Fraction(1, 10**10), Fraction(5, 10**10), Fraction(15, 10**10), Fraction(3, 2), Fraction(10**12)],
)
@pytest.mark.parametrize("then", [0, -(2**61), 10**18, NEVER - 10**9, NEVER - 1])
def test_a_due_time_is_within_half_a_nanosecond_or_never(then: int, delay: Fraction) -> None:
    algebra = Algebra()
    symbol = algebra.symbol("cell", "delay", "real")
    due = algebra.make("due", (algebra.symbol("cell", "then", "int"), symbol), "int")
    env = Environment({}, EXACT, {"then": then, "delay": delay})
    known = bound(algebra, env)
    when: int = evaluate(due, env)

    def at(op: str, time: int) -> str:
        return asked([*known, algebra.make(op, (due, algebra.constant(time, "int")), "bool")])

    assert at("eq", when) == "sat"
    assert at("gt", when + 1) == at("lt", when - 1) == "unsat"
    assert at("gt", NEVER) == "unsat"


@pytest.mark.parametrize("value", [Fraction(-7, 2), Fraction(-2), Fraction(0), Fraction(5, 3), Fraction(4)])
def test_a_floor_is_the_next_whole_number_below_or_nearer(value: Fraction) -> None:
    algebra = Algebra()
    x = algebra.symbol("cell", "x", "real")
    env = Environment({}, EXACT, {"x": value})
    floor = algebra.make("floor", (x,), "real")
    known = bound(algebra, env)

    def at(op: str, bound: Exact) -> str:
        return asked([*known, algebra.make(op, (floor, algebra.constant(bound, "real")), "bool")])

    assert at("eq", evaluate(floor, env)) == "sat"
    assert at("gt", value) == at("le", value - 1) == "unsat"


@pytest.mark.parametrize(
    "name", ["a b", "a.b", "ewma(tick, x / 2)", "früh", 'a"b', "a;b", "(", "let", "true", "1", "#1@2"]
)
def test_a_name_of_odd_characters_is_a_symbol_like_any_other(name: str) -> None:
    algebra = Algebra()
    x, y = algebra.symbol("cell", name, "real"), algebra.symbol("param", name, "real")
    less = algebra.make("lt", (x, y), "bool")
    assert asked([less]) == "sat"
    assert asked([less, algebra.make("lt", (y, x), "bool")]) == "unsat"


@pytest.mark.parametrize("value", [Fraction(0), Fraction(-1, 3), Fraction(22, 7), 2**80, -1, Fraction(1, 10**30)])
def test_a_number_is_written_exactly(value: Fraction | int) -> None:
    fraction = Fraction(value)
    x = z3.Real("x")
    solver = z3.Solver()
    solver.from_string(f"(declare-const x Real) (assert (= x {number(value)}))")
    solver.add(x != z3.Q(fraction.numerator, fraction.denominator))
    assert str(solver.check()) == "unsat"
