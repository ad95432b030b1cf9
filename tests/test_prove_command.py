"""`hedgerow prove`: what it asks for, says, writes, checks and refuses; and real proofs of small specs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from proofs import OVERLAP, REFUTED, UNDECIDED, obligation, proof, result

from hedgerow.cli.main import main
from hedgerow.engine.load import ParameterError
from hedgerow.engine.prove.certificate import read_certificate
from hedgerow.engine.prove.result import Proof
from hedgerow.engine.prove.second import Disagreement, SecondOpinion
from hedgerow.engine.prove.solvers import SolverError
from hedgerow.engine.prove.symbols import TooManyError
from hedgerow.engine.prove.widest import End, Widest

ROOT = Path(__file__).resolve().parent.parent
SPEC = """\
hedgerow: 1
name: band
params:
  limit: {default: 5, range: [1, 10]}
events:
  tick: {x: {range: [0, 100]}}
state:
  high: {initial: 0}
machine:
  initial: calm
  states:
    calm: {on: {tick: {name: rise, if: tick.x > limit, to: wild, do: {set: {high: tick.x}}}}}
    wild: {on: {tick: {name: fall, if: tick.x <= limit, to: calm, do: {set: {high: 0}}}}}
invariants:
  within: high <= 100
"""
FALSE = SPEC.replace("high <= 100", "high <= 99")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "band.yaml").write_text(SPEC)
    (tmp_path / "false.yaml").write_text(FALSE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    """Return what puts an answer in the place of a proof; it returns the list of what is asked for."""

    def answers(answer: Proof | Exception) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def prove(spec: object, **options: Any) -> Proof:
            asked.append({key: value for key, value in options.items() if key != "progress"})
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr("hedgerow.engine.prove.prove.prove", prove)
        return asked

    return answers


Fake = Callable[[Proof | Exception], list[dict[str, Any]]]

# --- answers ---


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (proof(), 0),
        (proof(result("invariant", "small"), OVERLAP), 0),
        (proof(REFUTED), 1),
        (proof(UNDECIDED), 3),
        (proof(REFUTED, UNDECIDED), 1),
        (proof(result("invariant", "small"), UNDECIDED), 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst_property(answer: Proof, code: int, folder: Path, fake: Fake) -> None:
    fake(answer)
    assert main(["prove", "band.yaml"]) == code


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], {"fill": "same", "parameters": {}, "seconds": 5.0, "workers": None, "only": ()}),
        (
            ["--set", "limit=6", "--fill", "next", "--timeout", "0.5", "--workers", "3", "--only", "small"],
            {"fill": "next", "parameters": {"limit": "6"}, "seconds": 0.5, "workers": 3, "only": ("small",)},
        ),
    ],
)
def test_what_the_options_say_is_what_is_proved(
    options: list[str], asked: dict[str, Any], folder: Path, fake: Fake
) -> None:
    found = fake(proof(REFUTED))
    main(["prove", "band.yaml", *options])
    assert found == [asked]


def test_json_is_the_certificate(folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake(proof(REFUTED))
    assert main(["prove", "band.yaml", "--json", "--out", "proof.json"]) == 1
    assert capsys.readouterr().out == (folder / "proof.json").read_text()


def test_the_scripts_of_counterexamples_are_written_and_those_of_witnesses_are_not(
    folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = result("dead", "up", counterexample=REFUTED.counterexample)
    broken = replace(REFUTED, kind="orders", code="HR911", name="off")
    fake(proof(REFUTED, shown, broken))
    assert main(["prove", "band.yaml", "--events", "broken"]) == 1
    assert sorted(each.name for each in Path("broken").iterdir()) == ["off-orders.yaml", "small.yaml"]
    assert REFUTED.counterexample is not None
    assert Path("broken/small.yaml").read_text() == REFUTED.counterexample.script
    assert "replay it: hedgerow run band.yaml --events broken/small.yaml" in capsys.readouterr().out


def test_a_spec_with_too_many_outcomes_is_not_decided(
    folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    # A proof says so itself, of each property; this is what is left where none is made.
    fake(TooManyError("one event has more than 4,000 outcomes"))
    assert main(["prove", "band.yaml", "--out", "proof.json"]) == 3
    said = "band.yaml: error[HR842]: not decided: one event has more than 4,000 outcomes\n"
    assert capsys.readouterr().err.startswith(said)
    assert not Path("proof.json").exists()


# --- the second solver ---


def opinion(*disagreements: Disagreement) -> SecondOpinion:
    return SecondOpinion("cvc5 1.0", 3, 1, 0, 0, 0.5, disagreements)


def test_a_disagreement_is_told_loudly_and_nothing_counts_as_proved(
    folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cvc5")
    fake(proof())
    odd = Disagreement("small", "on on tick", "a" * 64, "unsat", "sat")
    monkeypatch.setattr("hedgerow.engine.prove.second.second_opinion", lambda *_, **__: opinion(odd))
    assert main(["prove", "band.yaml", "--second-solver", "--out", "proof.json"]) == 1
    told = capsys.readouterr()
    assert told.err == "error: the two solvers disagree, so nothing counts as proved\n"
    assert told.out.splitlines()[-1] == "the solvers disagree on 1 question"
    kept = read_certificate(Path("proof.json")).second
    assert kept is not None
    assert kept.disagreements == ("a" * 64,)


def test_what_the_second_solver_cannot_answer_changes_nothing(
    folder: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cvc5")
    fake(proof())
    monkeypatch.setattr("hedgerow.engine.prove.second.second_opinion", lambda *_, **__: opinion())
    assert main(["prove", "band.yaml", "--second-solver"]) == 0
    assert "3 of 4 questions have the same answer; 1 without an answer from it" in capsys.readouterr().out


# --- a certificate checked ---


@pytest.fixture
def kept(folder: Path, fake: Fake) -> Path:
    fake(proof(result("invariant", "small")))
    assert main(["prove", "band.yaml", "--set", "limit=6", "--timeout", "7", "--out", "proof.json"]) == 0
    return folder / "proof.json"


def test_a_check_proves_what_the_certificate_says(kept: Path, fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    asked = fake(proof(result("invariant", "small"), seconds=100.0))
    assert main(["prove", "band.yaml", "--check", "proof.json"]) == 0
    assert asked == [{"fill": "same", "parameters": {"limit": "6"}, "seconds": 7.0, "workers": None, "only": ()}]
    assert capsys.readouterr().out.splitlines()[-1] == "certificate: it comes to the same again"


def test_a_check_says_what_differs_before_and_after_the_proof(
    kept: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept.parent / "band.yaml").write_text(SPEC + "# a comment\n")
    capsys.readouterr()
    fake(proof(result("invariant", "small", obligations=(obligation(script="(assert false)"),))))
    assert main(["prove", "band.yaml", "--check", "proof.json", "--set", "limit=7"]) == 1
    text = "the text of `band.yaml` is not the one that the certificate is about"
    fixed = "fixed params are limit=7, in the certificate limit=6"
    told = capsys.readouterr()
    assert told.err.splitlines() == [f"certificate: {text}", f"certificate: {fixed}"]
    assert told.out.splitlines()[-5:] == [
        "certificate: it does not come to the same again",
        f"  {text}",
        f"  {fixed}",
        "  HR901 `small`: 1 of the certificate's questions not asked (on on tick)",
        "  HR901 `small`: 1 asked that the certificate lacks (on on tick)",
    ]


def test_a_check_in_json_has_the_differences_beside_the_proof(
    kept: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    fake(proof(replace(REFUTED, obligations=(obligation(),))))
    assert main(["prove", "band.yaml", "--check", "proof.json", "--json"]) == 1
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert document["differences"] == [
        "on the whole it is refuted, in the certificate proved",
        "HR901 `small`: refuted, in the certificate proved",
    ]
    assert document["proof"]["verdict"] == "refuted"
    assert told.err == ""


def test_a_certificate_that_holds_and_proves_not_everything_is_no_success(folder: Path, fake: Fake) -> None:
    fake(proof(UNDECIDED))
    assert main(["prove", "band.yaml", "--out", "proof.json"]) == 3
    assert main(["prove", "band.yaml", "--check", "proof.json"]) == 3


@pytest.mark.parametrize("field", ["verdict", "words", "sha256"])
def test_a_certificate_that_was_changed_does_not_hold(field: str, folder: Path, fake: Fake) -> None:
    fake(proof(UNDECIDED if field == "verdict" else result("invariant", "small")))
    main(["prove", "band.yaml", "--out", "proof.json"])
    document = json.loads(Path("proof.json").read_text())
    (changed,) = document["properties"]
    match field:
        case "verdict":
            changed["verdict"] = document["verdict"] = "proved"
        case "words":
            changed["words"] = "it makes money"
        case _:
            changed["obligations"][0]["sha256"] = "0" * 64
    Path("proof.json").write_text(json.dumps(document))
    assert main(["prove", "band.yaml", "--check", "proof.json"]) == 1


# --- how far a param may go ---


def widened(monkeypatch: pytest.MonkeyPatch, low: End, high: End) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def widest(spec: object, parameter: str, **options: Any) -> Widest:
        asked.append({"parameter": parameter, **{key: options[key] for key in options if key != "progress"}})
        return Widest(parameter, "1", low, high, ("within",), 7)

    monkeypatch.setattr("hedgerow.engine.prove.widest.widest", widest)
    return asked


@pytest.mark.parametrize(
    ("low", "high", "code", "told"),
    [
        (
            End(None),
            End(None),
            0,
            ["limit: 1 claim is proved for every value", "  all of the declared range is in it"],
        ),
        (
            End(Fraction(1), Fraction(1, 2), ("within",)),
            End(Fraction(10)),
            0,
            [
                "limit: 1 claim is proved for every value from 1 to 10",
                "  below it, as for 0.5, not proved: `within`",
                "  all of the declared range is in it",
            ],
        ),
        (
            End(None),
            End(Fraction(9), Fraction(19, 2), ("within", "divisions")),
            3,
            [
                "limit: 1 claim is proved for every value up to 9",
                "  above it, as for 9.5, not proved: `within`, `divisions`",
                "  the declared range goes beyond it, above",
            ],
        ),
        (
            End(Fraction(2)),
            End(Fraction(9)),
            3,
            [
                "limit: 1 claim is proved for every value from 2 to 9",
                "  the declared range goes beyond it, below and above",
            ],
        ),
        (
            End(Fraction(2)),
            End(None),
            3,
            ["limit: 1 claim is proved for every value from 2", "  the declared range goes beyond it, below"],
        ),
    ],
)
def test_the_widest_range_is_told_and_laid_beside_the_declared_one(
    low: End,
    high: End,
    code: int,
    told: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    widened(monkeypatch, low, high)
    assert main(["prove", "band.yaml", "--widest", "limit"]) == code
    assert capsys.readouterr().out.splitlines() == [*told, "  7 ranges were tried"]


def test_the_widest_range_in_json_is_exact(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = widened(monkeypatch, End(None), End(Fraction(1, 3), Fraction(2, 3), ("within",)))
    options = ["--json", "--only", "within", "--timeout", "2", "--workers", "1", "--fill", "next"]
    assert main(["prove", "band.yaml", "--widest", "limit", *options]) == 3
    assert asked == [{"parameter": "limit", "fill": "next", "only": ("within",), "seconds": 2.0, "workers": 1}]
    assert json.loads(capsys.readouterr().out) == {
        "parameter": "limit",
        "unit": "1",
        "claims": ["within"],
        "tried": 7,
        "low": {"bound": None, "beyond": None, "broken": []},
        "high": {"bound": "1/3", "beyond": "2/3", "broken": ["within"]},
        "declared_is_proved": False,
    }


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--out", "proof.json"], "--out: error[HR807]: `--out` does not go with --widest"),
        (["--set", "limit=2"], "--set: error[HR807]: `--set` does not go with --widest"),
        (["--only", "inside"], "--only: error[HR807]: no property is called `inside`"),
    ],
)
def test_what_says_nothing_of_a_range_is_refused_beside_it(
    options: list[str], error: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    widened(monkeypatch, End(None), End(None))
    assert main(["prove", "band.yaml", "--widest", "limit", *options]) == 2
    assert capsys.readouterr().err.splitlines()[0] == error


def test_a_claim_that_is_not_proved_at_the_default_has_no_range(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prove", "false.yaml", "--widest", "limit", "--workers", "2"]) == 3
    assert capsys.readouterr().out == "not proved: at `limit` = 5: within\n"


# --- bad input ---


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--out", "none/proof.json"], "none/proof.json: error[HR808]: there is no folder to write it in"),
        (["--out", "."], ".: error[HR808]: this is a folder, not a file"),
        (["--events", "band.yaml"], "band.yaml: error[HR808]: this is a file, not a folder"),
        (["--set", "limit"], "--set: error[HR807]: `limit` is no pair of a name and a value"),
        (
            ["--check", "none.json"],
            "none.json: error[HR840]: this is no certificate of a proof: it cannot be read: no such file or directory",
        ),
    ],
)
def test_bad_input_is_told_before_anything_is_proved(
    options: list[str], error: str, folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = fake(proof())
    assert main(["prove", "band.yaml", *options]) == 2
    assert capsys.readouterr().err.splitlines()[0] == error
    assert asked == []


def test_a_name_of_no_property_is_refused_and_proves_nothing(
    folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(proof(result("ends", "exit.shrinks")))
    assert main(["prove", "band.yaml", "--only", "exit"]) == 0
    assert main(["prove", "band.yaml", "--only", "exit", "--only", "exti"]) == 2
    assert capsys.readouterr().err == (
        "--only: error[HR807]: no property is called `exti`\n   help: did you mean `exit`?\n"
    )


def test_an_unknown_param_is_bad_input(folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake(ParameterError("unknown param `k`: the params are `limit`"))
    assert main(["prove", "band.yaml", "--set", "k=1", "--json"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith("--set: error[HR807]: unknown param `k`: the params are `limit`\n")
    assert json.loads(told.out)["diagnostics"][0]["code"] == "HR807"


def test_a_solver_that_dies_is_told_and_is_no_answer(
    folder: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(SolverError("the solver has stopped with exit code -9"))
    assert main(["prove", "band.yaml"]) == 2
    said = "hedgerow prove: error[HR841]: the solver gives no answer: the solver has stopped with exit code -9\n"
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("package", "options", "message"),
    [
        (
            "z3",
            [],
            (
                "hedgerow prove: error[HR809]: a proof needs `z3-solver`, which is not installed\n"
                "   help: install the extra: pip install 'hedgerow[prove]'\n"
            ),
        ),
        (
            "cvc5",
            ["--second-solver"],
            (
                "--second-solver: error[HR809]: a second opinion needs `cvc5`, which is not installed\n"
                "   help: install it: pip install cvc5\n"
            ),
        ),
    ],
)
def test_a_package_that_is_not_installed_is_named(
    package: str,
    options: list[str],
    message: str,
    folder: Path,
    fake: Fake,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = fake(proof())
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["prove", "band.yaml", *options]) == 2
    assert capsys.readouterr().err == message
    assert asked == []


# --- real proofs ---


def test_a_small_spec_is_proved_and_its_certificate_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "band.yaml", "--workers", "2", "--out", "proof.json"]) == 0
    assert "  proved       HR901 within" in capsys.readouterr().out
    assert main(["prove", "band.yaml", "--workers", "1", "--check", "proof.json"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "certificate: it comes to the same again"
    about = read_certificate(Path("proof.json"))
    (within,) = [each for each in about.properties if each.name == "within"]
    assert {each.verdict for each in within.obligations} == {"unsat"}


def test_a_certificate_of_another_spec_does_not_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "band.yaml", "--workers", "2", "--out", "proof.json"]) == 0
    Path("band.yaml").write_text(SPEC.replace("high <= 100", "high <= 200"))
    capsys.readouterr()
    assert main(["prove", "band.yaml", "--workers", "2", "--check", "proof.json"]) == 1
    told = capsys.readouterr().out
    assert "  the text of `band.yaml` is not the one that the certificate is about" in told
    assert "HR901 `within`" in told


def test_a_refuted_claim_is_replayed_by_its_script(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "false.yaml", "--workers", "2", "--events", "broken"]) == 1
    assert "  refuted      HR901 within" in capsys.readouterr().out
    assert main(["run", "false.yaml", "--events", "broken/within.yaml"]) == 1
    assert main(["run", "band.yaml", "--events", "broken/within.yaml"]) == 0


def test_the_second_solver_agrees_on_a_real_proof_and_on_what_it_rests_on(folder: Path) -> None:
    pytest.importorskip("cvc5")
    breaker = str(ROOT / "specs" / "drawdown_breaker.yaml")
    assert main(["prove", breaker, "--workers", "2", "--second-solver", "--out", "proof.json"]) == 0
    made = read_certificate(Path("proof.json"))
    assert made.grounds
    assert made.second is not None
    assert made.second.disagreements == ()
    assert made.second.agreed >= len({each.sha256 for each in made.grounds}) > 0
