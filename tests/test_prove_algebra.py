"""Folding what is known changes no value, and no question whether there is one."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_terms import Terms, values

from hedgerow.engine.evaluate import EXACT, Environment, Failure, evaluate
from hedgerow.engine.ir import Expr, Pool, Type
from hedgerow.engine.prove.algebra import Algebra
from hedgerow.engine.prove.symbols import Explorer
from hedgerow.engine.prove.values import Values

SEEDS = st.integers(0, 2**32 - 1)
NOTHING = Environment({}, EXACT)


def value(expr: Expr, env: Environment) -> object:
    """Return a value, or that there is none."""
    try:
        return evaluate(expr, env)
    except Failure:
        return "none"


def lifted(algebra: Algebra, env: Environment, known: set[str]) -> Environment:
    """Return an environment in which some cells are constants and others symbols."""
    types: dict[type, Type] = {Fraction: "real", int: "int", bool: "bool"}

    def leaf(name: str, held: Fraction | int | bool) -> Expr:
        type = types[held.__class__]
        return algebra.constant(held, type) if name in known else algebra.symbol("cell", name, type)

    return Environment({}, EXACT, {name: leaf(name, held) for name, held in env.cells.items()})


@settings(max_examples=1500, deadline=None)
@given(SEEDS, st.sampled_from(("real", "int", "bool")))
def test_folding_changes_no_value(seed: int, type: Type) -> None:
    source = random.Random(seed)
    expr, env = Terms(source, Pool()).any(type, 4), values(source)
    algebra = Algebra()
    explorer = Explorer(algebra, lambda cases: [True] * len(cases))
    known = {name for name in env.cells if source.random() < 0.5}
    folded, defined = Values(explorer).both(expr, lifted(algebra, env, known))
    plain = value(expr, env)
    assert evaluate(defined, env) == (plain != "none")
    if plain != "none":
        assert evaluate(folded, env) == plain


@settings(max_examples=500, deadline=None)
@given(SEEDS)
def test_a_negation_holds_where_the_condition_does_not_and_undoes_itself(seed: int) -> None:
    source = random.Random(seed)
    algebra = Algebra()
    env = values(source)
    explorer = Explorer(algebra, lambda cases: [True] * len(cases))
    condition, defined = Values(explorer).both(Terms(source, Pool()).bool(4), lifted(algebra, env, set()))
    denied = algebra.negation(condition)
    assert algebra.negation(denied) is condition
    if evaluate(defined, env):
        assert evaluate(denied, env) is not evaluate(condition, env)


@settings(max_examples=500, deadline=None)
@given(SEEDS, st.sampled_from(("and", "or")))
def test_a_junction_of_many_says_what_it_says_two_by_two(seed: int, op: str) -> None:
    source = random.Random(seed)
    algebra, env = Algebra(), values(source)
    terms = Terms(source, algebra.pool)
    conditions = [each for each in (terms.bool(1) for _ in range(source.randint(1, 5))) if value(each, env) != "none"]
    # Each other one denied, so that opposites meet.
    conditions += [algebra.negation(each) for each in conditions if source.random() < 0.2]
    together = all if op == "and" else any
    assert evaluate(algebra.junction(op, tuple(conditions)), env) == together(
        evaluate(each, env) for each in conditions
    )


@pytest.mark.parametrize("op", ["div", "sqrt"])
def test_what_has_no_value_stays_as_it_is(op: str) -> None:
    algebra = Algebra()
    zero, less = algebra.constant(0, "real"), algebra.constant(-1, "real")
    made = algebra.make(op, (less, zero)[: 2 if op == "div" else 1], "real")
    assert made.op == op
    with pytest.raises(Failure):
        evaluate(made, NOTHING)


def test_the_same_expression_is_the_same_object() -> None:
    algebra = Algebra()
    x, y = algebra.symbol("cell", "x", "real"), algebra.symbol("cell", "y", "real")
    assert algebra.make("add", (x, y), "real") is algebra.make("add", (x, y), "real")
    assert algebra.make("le", (x, x), "bool") is algebra.true
    assert algebra.make("sub", (x, x), "real") is algebra.constant(0, "real")
    assert algebra.make("real", (algebra.constant(2, "int"),), "real") is algebra.constant(2, "real")
