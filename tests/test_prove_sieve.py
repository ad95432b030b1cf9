"""Guesses held to machines: what is wrong of one falls, what is right of all stays, and nothing else is decided."""

from __future__ import annotations

import textwrap

import pytest

from hedgerow.engine.ir import Expr
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.printer import expression_text
from hedgerow.engine.prove.algebra import Algebra
from hedgerow.engine.prove.facts import Fact
from hedgerow.engine.prove.sieve import Sieve

SPEC = """
hedgerow: 1
name: small
events: {tick: {x: {range: [0, 10]}}, stop: {}}
params:
  share: {default: 0, range: [0, 1]}
  given: {default: 2, range: [0, 10]}
state:
  above: {initial: 0}
  third: {initial: 0}
  step: {initial: 0}
machine:
  initial: on
  states:
    on:
      on:
        tick: {name: take, do: {set: {above: share * tick.x, third: "(tick.x + 0.1) / 3 * 3 - tick.x", step: given}}}
        stop: {to: end}
    end: {final: true}
"""
ALGEBRA = Algebra()


@pytest.fixture(scope="module")
def spec() -> Spec:
    return loads(textwrap.dedent(SPEC).lstrip(), "small.yaml")


def cell(name: str) -> Expr:
    return ALGEBRA.symbol("cell", name, "real")


def compared(op: str, left: Expr, right: Expr | float | str) -> Expr:
    from fractions import Fraction

    other = right if isinstance(right, Expr) else ALGEBRA.constant(Fraction(right), "real")
    return ALGEBRA.make(op, (left, other), "bool")


def sifted(spec: Spec, *facts: Fact, **settings: float) -> list[str]:
    return [expression_text(each.claim) for each in Sieve(spec, "same", settings).sifted(facts)]


def guess(claim: Expr, *weaker: Expr) -> Fact:
    return Fact("", claim, "guess", weaker)


def test_a_guess_that_holds_of_all_machines_stays_in_its_place(spec: Spec) -> None:
    facts = guess(compared("ge", cell("above"), 0)), guess(compared("le", cell("above"), 10))
    assert sifted(spec, *facts) == ["(above >= 0)", "(above <= 10)"]


def test_a_guess_that_some_values_of_a_parameter_break_falls(spec: Spec) -> None:
    # At the default share nothing is ever above 0.
    still = guess(compared("le", cell("above"), 0))
    assert sifted(spec, still) == []
    assert sifted(spec, still, share=0.0) == ["(above <= 0)"]


def test_machines_have_the_parameters_that_are_fixed(spec: Spec) -> None:
    given = guess(compared("ge", compared_sum("step", "-given"), 0))
    assert sifted(spec, guess(compared("le", cell("step"), 2)), given=7.0) == []
    assert sifted(spec, guess(compared("le", cell("step"), 7)), given, given=7.0)[0] == "(step <= 7)"


def compared_sum(name: str, parameter: str) -> Expr:
    other = ALGEBRA.symbol("param", parameter.removeprefix("-"), "real")
    return ALGEBRA.make("sub", (cell(name), other), "real")


def test_a_guess_that_only_rounding_breaks_stays(spec: Spec) -> None:
    exact = guess(ALGEBRA.any_of(compared("eq", cell("third"), "1/10"), compared("eq", cell("third"), 0)))
    assert len(sifted(spec, exact)) == 1


def test_of_a_guess_that_falls_what_is_weaker_is_tried_and_falls_too_where_it_is_wrong(spec: Spec) -> None:
    right, wrong = compared("le", cell("above"), 10), compared("le", cell("above"), "1/1000")
    assert sifted(spec, guess(compared("le", cell("above"), 0), right, wrong)) == ["(above <= 10)"]


def test_a_claim_stays_whatever_machines_do(spec: Spec) -> None:
    false = compared("le", cell("above"), -1)
    assert sifted(spec, Fact("mine", false, "invariant"), guess(false)) == ["(above <= -1)"]


def test_a_guess_about_what_no_machine_has_stays(spec: Spec) -> None:
    assert sifted(spec, guess(compared("ge", cell("since(take)"), 5))) == ["(since(take) >= 5)"]


def test_machines_that_end_at_once_are_looked_at_all_the_same() -> None:
    text = SPEC.replace("{name: take, do:", "{name: take, to: end, do:")
    assert sifted(loads(text.lstrip(), "small.yaml"), guess(compared("le", cell("step"), 0))) == []
