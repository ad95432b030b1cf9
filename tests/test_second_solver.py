"""The second solver: real questions to cvc5, and what is made of answers that differ."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import pytest
from proofs import HOLDS, POSSIBLE, obligation, proof, result, sha256

from hedgerow.engine.prove.second import Disagreement, second_opinion, second_version
from hedgerow.engine.prove.solvers import SolverError

pytest.importorskip("cvc5")


def test_the_second_solver_agrees_on_what_is_so() -> None:
    made = proof(result("invariant", "a", obligations=(obligation(), obligation("off", POSSIBLE, "sat"))))
    found = second_opinion(made, seconds=5.0, workers=2)
    assert (found.solver, found.agreed, found.asked, found.disagreements) == (second_version(), 2, 2, ())


def test_a_wrong_answer_of_the_first_is_found_wherever_it_stands() -> None:
    wrong = obligation("off", POSSIBLE, "unsat")
    of_a_result = second_opinion(proof(result("invariant", "a", obligations=(wrong,))), seconds=5.0, workers=1)
    assert of_a_result.disagreements == (Disagreement("a", "off", sha256(POSSIBLE), "unsat", "sat"),)
    of_a_ground = second_opinion(proof(result("invariant", "a"), grounds=(wrong,)), seconds=5.0, workers=1)
    assert [each.place for each in of_a_ground.disagreements] == ["off"]
    assert of_a_ground.agreed == 1


def test_a_question_that_several_rest_on_is_asked_once() -> None:
    made = proof(result("invariant", "a"), result("invariant", "b"), grounds=(obligation("elsewhere"),))
    assert second_opinion(made, seconds=5.0, workers=1).asked == 1


def test_what_the_form_of_a_claim_shows_is_no_question() -> None:
    by_form = result("invariant", "a", obligations=(obligation(),))
    made = proof(by_form, result("divides", "divisions", obligations=()))
    assert second_opinion(made, seconds=5.0, workers=1).asked == 1


def test_no_answer_is_no_opinion() -> None:
    # x⁷ + y⁷ = z⁷ + 1 and more of the kind: nobody settles it within a millisecond.
    terms = " ".join(f"(= (+ (* x{n} x{n} x{n} y{n}) (* y{n} z{n} z{n})) (+ 1.0 (* z{n} x{n} y{n})))" for n in range(9))
    names = "".join(f"(declare-const {letter}{n} Real)\n" for n in range(9) for letter in "xyz")
    hard = f"{names}(assert (and {terms} (> (* x0 y1 z2) (+ x3 (* y4 y4 z5)))))\n"
    asked = result("invariant", "a", obligations=(obligation("hard", hard, "unsat"),))
    found = second_opinion(proof(asked, scripts={sha256(hard): hard}), seconds=0.001, workers=1)
    assert (found.agreed, found.silent, found.disagreements) == (0, 1, ())


def test_a_question_that_only_the_second_answers_decides_nothing() -> None:
    made = proof(result("invariant", "a", "not decided", obligations=(obligation(verdict="unknown"),)))
    found = second_opinion(made, seconds=5.0, workers=1)
    assert (found.agreed, found.alone) == (0, 1)


def test_an_answer_counts_before_no_answer_to_the_same_question() -> None:
    first, again = obligation("a", POSSIBLE, "unknown"), obligation("b", POSSIBLE, "unsat")
    found = second_opinion(proof(result("invariant", "a", obligations=(first, again))), seconds=5.0, workers=1)
    assert [each.place for each in found.disagreements] == ["b"]


def test_a_script_that_is_not_understood_is_an_error_and_no_answer() -> None:
    question = {"script": "(assert (foo))\n", "strategies": ["cvc5"], "seconds": 5.0, "model": False}
    worker = subprocess.run(
        [sys.executable, "-m", "hedgerow.engine.prove.second_worker"],
        input=json.dumps(question) + "\n",
        capture_output=True,
        check=True,
        text=True,
    )
    answer = json.loads(worker.stdout)
    assert answer["verdict"] == "error"
    assert "foo" in answer["reason"]


def test_a_solver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(SolverError, match="`cvc5` is not installed"):
        second_version()


def test_progress_is_told() -> None:
    told: list[str] = []
    made = proof(result("invariant", "a", obligations=(obligation(script=HOLDS),)))
    second_opinion(made, seconds=5.0, workers=1, progress=told.append)
    assert told == [f"{second_version()}: 0 of 1 questions"]
