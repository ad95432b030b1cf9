"""Monitors: a claim gets room for rounding in the direction that lets it hold, and no more room than that."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.engine.evaluate import FLOAT, Environment, evaluate
from hedgerow.engine.ir import Expr, Pool
from hedgerow.engine.monitors import TOLERANCE, monitor
from hedgerow.engine.printer import expression_text

POOL = Pool()
A, B, C, D = (POOL.temp(name) for name in "abcd")
SIDES = st.floats(-1e6, 1e6)


def op(name: str, *args: Expr) -> Expr:
    return POOL.make(name, args, "bool")


def holds(claim: Expr, **temps: float) -> bool:
    return bool(evaluate(claim, Environment({}, FLOAT, temps=temps)))


def near(value: float, share: float) -> float:
    return value + abs(value) * share


EXACT = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


@pytest.mark.parametrize("name", EXACT)
@given(a=SIDES, b=SIDES)
def test_a_comparison_that_holds_is_never_told_as_broken(name: str, a: float, b: float) -> None:
    if EXACT[name](a, b):
        assert holds(monitor(POOL, op(name, A, B)), a=a, b=b)


@pytest.mark.parametrize("name", EXACT)
@given(a=SIDES, b=SIDES)
def test_a_denied_comparison_that_is_rightly_denied_is_never_told_as_broken(name: str, a: float, b: float) -> None:
    if not EXACT[name](a, b):
        assert holds(monitor(POOL, op("not", op(name, A, B))), a=a, b=b)


@pytest.mark.parametrize(
    ("name", "a", "loose", "denied"),
    [
        # (1 + share) against 1, share in parts of the tolerance; whether the claim holds, and whether its denial does
        ("le", 0.5, True, True),
        ("le", 2.0, False, True),
        ("le", -0.5, True, True),
        ("le", -2.0, True, False),
        ("lt", 0.5, True, True),
        ("lt", 2.0, False, True),
        ("lt", -2.0, True, False),
        ("ge", -0.5, True, True),
        ("ge", -2.0, False, True),
        ("ge", 0.5, True, True),
        ("ge", 2.0, True, False),
        ("gt", -0.5, True, True),
        ("gt", -2.0, False, True),
        ("gt", 2.0, True, False),
        ("eq", 0.5, True, True),
        ("eq", 2.0, False, True),
        ("eq", 0.0, True, False),
        ("ne", 0.5, True, True),
        ("ne", 0.0, False, True),
        ("ne", 2.0, True, False),
    ],
)
def test_the_room_is_the_tolerance_relative_to_the_larger_side(name: str, a: float, loose: bool, denied: bool) -> None:
    for size in (1.0, 1e6, 1e-6, -1.0):
        left = size + abs(size) * a * float(TOLERANCE)
        claim = op(name, A, B)
        assert holds(monitor(POOL, claim), a=left, b=size) is loose, size
        assert holds(monitor(POOL, op("not", claim)), a=left, b=size) is denied, size


def test_the_room_of_an_equality_is_relative_to_the_largest_term_of_its_sums() -> None:
    # a - (b - c) == d, where b and c are near 1 and the others near a millionth: what cancels leaves rounding of 1.
    total = POOL.make("add", (A, POOL.make("neg", (POOL.make("sub", (B, C)),))))
    claim = op("eq", total, D)
    for size in (1.0, 1e6):
        values = {"a": 1e-6 * size, "b": size, "c": size * (1 + 1e-6), "d": 2e-6 * size}
        assert not holds(claim, **values)
        assert holds(monitor(POOL, claim), **values)
        assert holds(monitor(POOL, claim), **(values | {"d": values["d"] + 0.9e-9 * size}))
        assert not holds(monitor(POOL, claim), **(values | {"d": values["d"] + 1.1e-9 * size}))
    product = POOL.make("mul", (POOL.make("sub", (A, B)), C))
    near = {"a": 1.0, "b": 1.0 + 1e-6, "c": 1.0, "d": -1.00000001e-6}
    assert not holds(monitor(POOL, op("eq", product, D)), **near)  # a product is one term


def test_the_room_of_an_inequality_is_not_relative_to_terms() -> None:
    claim = op("le", POOL.make("sub", (A, B)), C)
    assert not holds(monitor(POOL, claim), a=1.0, b=1.0 - 1e-10, c=1e-11)


@pytest.mark.parametrize("terms", [1, 2, 3, 7, 600])
def test_an_equality_of_many_terms_has_a_shallow_claim_and_the_room_of_its_largest(terms: int) -> None:
    leaves = [POOL.temp(f"t{index}") for index in range(terms)]
    while len(leaves) > 1:
        leaves = [
            POOL.make("add", tuple(leaves[index : index + 2])) if index + 1 < len(leaves) else leaves[index]
            for index in range(0, len(leaves), 2)
        ]
    claim = monitor(POOL, op("eq", leaves[0], A))
    assert claim.depth < 30
    largest = {f"t{index}": 0.0 for index in range(terms)} | {f"t{terms - 1}": 3.0}
    assert holds(claim, a=3.0 - 2.9e-9, **largest)
    assert not holds(claim, a=3.0 - 3.1e-9, **largest)


def test_the_tolerance_is_a_billionth() -> None:
    assert Fraction(1, 10**9) == TOLERANCE


@given(a=SIDES, b=SIDES)
def test_a_premise_is_tightened_and_a_conclusion_loosened(a: float, b: float) -> None:
    # implies(a <= b, c <= d), which is `not (a <= b) or c <= d`
    claim = monitor(POOL, op("or", op("not", op("le", A, B)), op("le", C, D)))
    assert holds(claim, a=1.0 + 5e-10, b=1.0, c=2.0, d=1.0)
    assert holds(claim, a=1.0 - 5e-10, b=1.0, c=2.0, d=1.0)
    assert not holds(claim, a=1.0 - 5e-9, b=1.0, c=2.0, d=1.0)
    assert holds(claim, a=a, b=b, c=1.0 + 5e-10, d=1.0)


def test_what_compares_with_zero_truths_and_whole_numbers_is_left_exact() -> None:
    zero = POOL.constant(Fraction(0), "real")
    n, m = POOL.temp("n", "int"), POOL.temp("m", "int")
    p, q = POOL.temp("p", "bool"), POOL.temp("q", "bool")
    for claim in (op("gt", A, zero), op("le", zero, A), op("eq", n, m), op("lt", n, m), op("eq", p, q), p):
        assert monitor(POOL, claim) is claim


def test_both_branches_of_a_choice_are_loosened_and_its_condition_is_not() -> None:
    claim = POOL.make("select", (op("lt", A, B), op("le", A, B), op("ge", A, B)), "bool")
    found = monitor(POOL, claim)
    assert found.args[0] is claim.args[0]
    assert found.args[1] is monitor(POOL, claim.args[1])
    assert found.args[2] is monitor(POOL, claim.args[2])
    assert found.args[1] is not claim.args[1]
    text = "((a - b) <= (1e-09 * max(abs(a), abs(b))))"
    assert expression_text(found.args[1]) == text
