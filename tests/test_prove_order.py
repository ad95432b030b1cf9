"""In which order a proof tries what it can: what is shallow is shown before what is deep is guessed or looked for."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import hedgerow
from hedgerow.engine.load import Spec, loads
from hedgerow.engine.prove.facts import facts_of
from hedgerow.engine.prove.induction import Induction
from hedgerow.engine.prove.properties import properties_of
from hedgerow.engine.prove.prove import prove
from hedgerow.engine.prove.proving import DEPTH
from hedgerow.engine.prove.result import Proof
from hedgerow.engine.prove.search import LONG, Look, Search
from hedgerow.engine.prove.solvers import Question, Solvers
from hedgerow.engine.prove.walked import Walks

pytest.importorskip("z3", reason="the solver is in the extra `prove`")

SPECS = Path(__file__).resolve().parent.parent / "specs"
FLAWS = {
    "legs_stay_positive": "legs_stay_positive",
    "no_leg_collapses": "no_leg_collapses",
    "exit_ends": "exit_ends.comes",
    "divisions": "divisions",
}
"""What is asked for, and which property it is that events break."""


@pytest.fixture(scope="module")
def as_written() -> Spec:
    return hedgerow.load(SPECS / "band_limited_hedge.as_written.yaml", permit=("HR302",))


@pytest.fixture(scope="module")
def whole(as_written: Spec) -> Proof:
    return prove(as_written, workers=2)


@pytest.fixture
def solvers() -> Iterator[Solvers]:
    with Solvers(1) as made:
        yield made


def written(body: str) -> Spec:
    return loads("hedgerow: 1\nname: small\n" + textwrap.dedent(body).strip("\n") + "\n", "small.yaml")


def told(spec: Spec, *only: str, workers: int = 2) -> tuple[Proof, list[str]]:
    """Return a proof, and what it said that it does, the rounds of its inductions left out."""
    found: list[str] = []
    proof = prove(spec, only=only, workers=workers, progress=found.append)
    return proof, [each for each in found if " facts over " not in each]


# ------------------------------------------------------------------------------------------------------ the literal spec


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_shallow_flaw_is_shown_before_more_is_guessed_and_without_a_walk(
    as_written: Spec, whole: Proof, flaw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Walks, "_walked", lambda *_, **__: pytest.fail("a walk"))
    proof, said = told(as_written, flaw)
    assert said == [f"looking for events that break `{FLAWS[flaw]}`"]
    among_all = {each.name: each for each in whole.results}
    for result in proof.results:
        same = among_all[result.name]
        assert (result.verdict, result.counterexample) == (same.verdict, same.counterexample)
        assert (result.verdict == "refuted") == (result.name == FLAWS[flaw])


def test_what_cannot_happen_is_proved_so_before_it_is_looked_for_at_length(as_written: Spec) -> None:
    proof, said = told(as_written, "thaw")
    assert said == ["looking for events that show: `thaw` can fire", "guessing more"]
    assert [each.verdict for each in proof.results] == ["refuted"]


def test_a_proof_asks_the_same_with_one_worker_and_with_two(as_written: Spec) -> None:
    one, two = (prove(as_written, only=("divisions",), workers=workers) for workers in (1, 2))
    assert (one.questions, one.facts, one.outcomes) == (two.questions, two.facts, two.outcomes)
    assert one.results[0].counterexample == two.results[0].counterexample
    assert set(one.scripts) == set(two.scripts)


# ------------------------------------------------------------------------------------------------------------ small specs

GUARDED = """
events: {tick: {x: {range: [0, 10]}}}
state: {level: {initial: 0}}
machine:
  initial: low
  states:
    low: {on: {tick: [{if: level > 5, to: high}, {do: {set: {level: tick.x}}}]}}
    high: {on: {tick: {if: tick.x < 5, to: low}}}
invariants:
  high_is_high: implies(In(high), level > 5)
"""
COUNTED = """
events: {tick: {}}
state: {n: {type: int, range: [0, 100], initial: 0}}
machine: {initial: on, states: {on: {on: {tick: {name: count, if: n < 100, do: {set: {n: n + 1}}}}}}}
invariants: {few: n <= 40}
"""
"""Broken by 41 events, and by no short sequence."""


def test_what_needs_bolder_guesses_is_looked_for_first_and_proved_then() -> None:
    drawdown = hedgerow.load(SPECS / "drawdown_breaker.yaml")
    proof, said = told(drawdown, "closed_is_within")
    assert said == ["looking for events that break `closed_is_within`", "guessing more"]
    assert proof.verdict == "proved"


def test_what_careful_guesses_prove_is_looked_for_by_nobody() -> None:
    proof, said = told(written(GUARDED), "high_is_high", workers=1)
    assert (proof.verdict, said) == ("proved", [])


def test_what_is_deep_is_walked_to_last() -> None:
    proof, said = told(written(COUNTED), "few", workers=1)
    assert said == [
        "looking for events that break `few`",
        "guessing more",
        "looking longer for events that break `few`",
    ]
    (result,) = proof.results
    assert result.verdict == "refuted"
    assert result.counterexample is not None and len(result.counterexample.events) == 41


def test_long_walks_are_not_made_where_short_ones_have_been_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    walked = Walks._walked

    def counted(self: Walks, *, native: int, live: int) -> object:
        sent.append(native)
        return walked(self, native=native, live=live)

    monkeypatch.setattr(Walks, "_walked", counted)
    proof, said = told(written(GUARDED), workers=1)
    assert proof.verdict == "proved"
    assert (len(sent), said) == (1, [])


# ------------------------------------------------------------------------------------------------------------- inductions


def test_bolder_guesses_rest_on_what_careful_ones_proved_and_prove_it_no_more(solvers: Solvers) -> None:
    spec = hedgerow.load(SPECS / "drawdown_breaker.yaml")
    program, rounds = spec.program(), list[str]()
    first = Induction.of(program, spec.registry, solvers, 5.0)
    first.run(facts_of(program, first.machine.algebra, bold=False))
    second = Induction.of(program, spec.registry, solvers, 5.0, told=rounds.append, after=first)
    second.run(facts_of(program, second.machine.algebra, bold=True))
    assert second.known == first.facts
    assert second.facts and not {id(each.claim) for each in first.facts} & {id(each.claim) for each in second.facts}
    assert rounds[-1] == f"{len(first.facts) + len(second.facts)} facts over {len(second.outcomes)} outcomes"
    alone = Induction.of(program, spec.registry, solvers, 5.0)
    alone.run(facts_of(program, alone.machine.algebra, bold=True))
    assert len(alone.facts) == len(first.facts) + len(second.facts)


def test_a_weaker_guess_that_says_the_same_where_the_guess_broke_is_not_tried(solvers: Solvers) -> None:
    # `level` is below 0 after the first event; that nothing may have been observed by then says nothing else.
    spec = written("""
        events: {tick: {x: {range: [1, 10]}}}
        state: {level: {initial: 0}}
        observe: {tick: {last: previous(tick.x)}}
        machine: {initial: on, states: {on: {on: {tick: {name: sink, do: {set: {level: -last}}}}}}}
    """)
    program, rounds = spec.program(), list[str]()
    induction = Induction.of(program, spec.registry, solvers, 5.0, told=rounds.append)
    facts = facts_of(program, induction.machine.algebra, bold=False)
    (level,) = (fact for fact in facts if {node.name for node in fact.claim.walk() if node.op == "cell"} == {"level"})
    assert level.weaker
    induction.run(facts)
    assert level not in induction.facts
    assert not {id(each) for each in level.weaker} & {id(fact.claim) for fact in induction.facts}
    assert len(rounds) == 2


# --------------------------------------------------------------------------------------------------------------- searches


def searching(spec: Spec, name: str, solvers: Solvers, look: Look) -> tuple[Search, list[int]]:
    """Return a search for what breaks a property, done, and the lengths of the traces that it found."""
    program = spec.program()
    induction = Induction.of(program, spec.registry, solvers, 5.0)
    induction.run(())
    search = Search(program, spec.registry, {}, induction.outcomes, solvers, look)
    about = next(each for each in properties_of(induction.machine, induction.outcomes, {}) if each.name == name)
    places = frozenset((each.origin, each.input) for each in induction.outcomes)
    return search, [len(each.outcomes) for each in search.traces(about, places, DEPTH, 5.0)]


def test_a_look_ends_with_its_questions(solvers: Solvers) -> None:
    spec = written(COUNTED.replace("n <= 40", "n <= 1"))
    search, lengths = searching(spec, "few", solvers, LONG)
    assert lengths == [2, 3, 3]
    every = search.asked
    search, lengths = searching(spec, "few", solvers, Look(every, None))
    assert (search.asked, lengths) == (every, [2, 3, 3])
    search, lengths = searching(spec, "few", solvers, Look(every - 1, None))
    assert lengths == [2, 3]
    search, lengths = searching(spec, "few", solvers, Look(0, None))
    assert (search.asked, lengths) == (0, [])


def test_a_look_passes_over_what_takes_more_effort(solvers: Solvers) -> None:
    spec = written(COUNTED.replace("n <= 40", "n <= 1"))
    _, lengths = searching(spec, "few", solvers, Look(LONG.questions, 1))
    assert lengths == []


HARD = """(declare-const |param x| Real)
(declare-const |param y| Real)
(assert (> (* |param x| |param y|) 1.0))
(assert (< (+ (* |param x| |param x|) (* |param y| |param y|)) 2.0))
"""
"""x·y > 1 and x² + y² < 2: there are none."""


def test_an_effort_ends_a_question_and_more_of_it_answers(solvers: Solvers) -> None:
    little, much = (Question(HARD, 5.0, ("nlsat",), effort=effort) for effort in (1, 1_000_000))
    assert solvers.ask(little).verdict == "unknown"
    assert solvers.ask(little).verdict == "unknown"
    assert solvers.asked == 1
    assert solvers.ask(much).verdict == "unsat"
    assert solvers.asked == 2


def test_an_answer_holds_whatever_the_limits_of_its_question_were(solvers: Solvers) -> None:
    easy = "(declare-const |param x| Real)\n(assert (= (+ |param x| |param x|) 3.0))\n"
    assert solvers.ask(Question(easy, 5.0, effort=1_000_000)).verdict == "sat"
    assert solvers.ask(Question(easy, 1.0, ("nlsat",))).verdict == "sat"
    assert solvers.asked == 1
    answer = solvers.ask(Question(easy, 1.0, model=True))
    assert answer.model == {"param x": 1.5}
    assert solvers.asked == 2  # an answer without values is none to a question for them
    assert solvers.ask(Question(HARD, 5.0)).verdict == "unsat"
    assert solvers.ask(Question(HARD, 5.0, model=True)).verdict == "unsat"
    assert solvers.asked == 3
    assert len(solvers.scripts) == 2
