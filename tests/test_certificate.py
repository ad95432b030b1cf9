"""Certificates: canonical, refused where they are none, and compared so that no difference but time goes by unseen."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from proofs import POSSIBLE, REFUTED, UNDECIDED, obligation, proof, result

from hedgerow.cli.main import main
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import Spec, load
from hedgerow.engine.prove import certify
from hedgerow.engine.prove.agreement import identity_differences, proof_differences
from hedgerow.engine.prove.certificate import Certificate, json_schema, read_certificate
from hedgerow.engine.prove.certify import ELSEWHERE, certificate, certificate_text, engine_sha256, identity
from hedgerow.engine.prove.result import Obligation, Proof
from hedgerow.engine.prove.second import Disagreement, SecondOpinion

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "schemas" / "proof.v1.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text("utf-8")))


@pytest.fixture(scope="module")
def desk() -> Spec:
    return load(ROOT / "specs" / "drawdown_desk.yaml")


def made(spec: Spec, of: Proof, **changes: Any) -> Certificate:
    about = identity(spec, changes.pop("fill", "same"), changes.pop("parameters", {}), changes.pop("only", ()))
    return certificate(about, of, changes.pop("limit", 5.0), **changes)


# --- what is written ---


def test_a_certificate_is_read_as_it_was_written(desk: Spec, tmp_path: Path) -> None:
    second = SecondOpinion("cvc5 1.0", 1, 2, 3, 4, 0.5, (Disagreement("a", "b", "c" * 64, "sat", "unsat"),))
    one = made(desk, proof(REFUTED, UNDECIDED), parameters={"strategy.k": "9"}, only=("small", "hard"), second=second)
    file = tmp_path / "proof.json"
    file.write_text(certificate_text(one), "ascii")
    assert read_certificate(file) == one


def test_a_certificate_is_canonical_and_has_the_published_shape(desk: Spec) -> None:
    text = certificate_text(made(desk, proof(REFUTED, UNDECIDED)))
    document = json.loads(text)
    assert text == json.dumps(document, indent=2, sort_keys=True) + "\n"
    VALIDATOR.validate(document)


def test_the_published_schema_is_what_the_model_says(capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert PUBLISHED.read_text("utf-8") == json.dumps(json_schema(), indent=2) + "\n", "run `hedgerow schema --proof`"
    assert main(["schema", "--proof"]) == 0
    assert capsys.readouterr().out == PUBLISHED.read_text("utf-8")
    assert main(["schema", "--proof", "--events"]) == 2


def test_the_order_in_which_answers_came_does_not_show(desk: Spec) -> None:
    questions = (obligation("b"), obligation("a"), obligation("a", POSSIBLE, "sat"))
    one, other = (
        made(desk, proof(result("invariant", "x", obligations=order), grounds=order, facts=facts))
        for order, facts in ((questions, ("a", "b")), (questions[::-1], ("b", "a")))
    )
    assert certificate_text(one) == certificate_text(other)


def test_a_certificate_names_each_file_by_its_text_and_no_folder_of_the_machine(desk: Spec) -> None:
    about = identity(desk, "same", {}, ())
    names = ["drawdown_desk.yaml", "band_limited_hedge.yaml", "drawdown_breaker.yaml"]
    assert [each.file for each in about.files] == names
    for each in about.files:
        assert each.sha256 == hashlib.sha256((ROOT / "specs" / each.file).read_bytes()).hexdigest()
    assert about.program == desk.compile().digest
    assert identity(desk, "next", {}, ()).program != about.program
    assert str(ROOT) not in certificate_text(made(desk, proof()))


def test_a_counterexample_is_kept_in_exact_fractions(desk: Spec) -> None:
    (kept,) = made(desk, proof(REFUTED)).properties
    assert kept.counterexample is not None
    assert kept.counterexample.parameters == {"k": "19/2", "calm": "true"}
    assert [(each.event, each.time, each.values) for each in kept.counterexample.events] == [
        ("tick", "0", ("100",)),
        ("tick", "1m", ("201/2",)),
    ]


# --- the engine's own code ---


def test_the_hash_of_the_engine_is_that_of_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.py", "prove/b.py", "sweep/c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    monkeypatch.setattr(certify, "__file__", str(tmp_path / "prove" / "certify.py"))
    before = engine_sha256()
    (tmp_path / "sweep" / "c.py").write_text("x = 2\n")
    (tmp_path / "prove" / "b.py").write_bytes(b"x = 1\r\n")
    assert engine_sha256() == before
    (tmp_path / "prove" / "b.py").write_text("x = 2\n")
    changed = engine_sha256()
    (tmp_path / "prove" / "b.py").rename(tmp_path / "prove" / "d.py")
    assert len({before, changed, engine_sha256()}) == 3


def test_what_a_proof_runs_is_hashed() -> None:
    """Of the folders that are left out, a proof loads what reads data and says errors, and nothing that decides."""
    code = (
        "import sys, hedgerow.engine.prove.prove, hedgerow.engine.prove.walked, hedgerow.engine.explore.findings\n"
        "print(*(name.removeprefix('hedgerow.engine.') for name in sys.modules if name.startswith('hedgerow.engine.')))"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name for name in answer.stdout.split() if name.partition(".")[0] in ELSEWHERE}
    assert loaded <= {"dryrun", "dryrun.problem"}


# --- what is refused ---


@pytest.fixture
def document(desk: Spec) -> dict[str, Any]:
    text = certificate_text(made(desk, proof(REFUTED, UNDECIDED)))
    read: dict[str, Any] = json.loads(text)
    return read


def refusal(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RunError) as raised:
        read_certificate(path)
    assert raised.value.code == "HR840"
    return raised.value.message.removeprefix("this is no certificate of a proof: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is no JSON (line 1, column 1)"),
        ('{"format": "hedgerow.proof/1",\n "about"', "it is no JSON (line 2, column 9)"),
        (b"\xff\xfe", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("9" * 5000, "it is no JSON"),
        ('{"format": NaN}', "it is no JSON"),
        ('{"format": "hedgerow.proof/1", "format": 1}', "the key `format` is given twice in it"),
        ("[]", "it does not say `format`"),
        ('{"spec": 1}', "it does not say `format`"),
        ('{"format": "hedgerow.proof/2"}', 'its format is "hedgerow.proof/2"'),
        ('{"format": ["hedgerow.proof/1"]}', 'its format is ["hedgerow.proof/1"]'),
        ('{"format": "hedgerow.proof/1"}', "it lacks `about`"),
    ],
)
def test_what_is_no_certificate_is_refused(text: str | bytes, message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path / "proof.json", text) == message


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.json", "no such file or directory"), (tmp_path, "is a directory")):
        with pytest.raises(RunError, match=f"it cannot be read: {reason}"):
            read_certificate(path)


def set_verdict(document: dict[str, Any]) -> None:
    document["properties"][1]["verdict"] = "holds"


def set_limit(document: dict[str, Any]) -> None:
    document["limit"] = 0


def set_hash(document: dict[str, Any]) -> None:
    document["properties"][0]["obligations"][0]["sha256"] = "A" * 64


def add_key(document: dict[str, Any]) -> None:
    document["properties"][0]["signed"] = True


def drop_key(document: dict[str, Any]) -> None:
    del document["about"]["engine"]


def set_number(document: dict[str, Any]) -> None:
    document["outcomes"] = "7"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_verdict, "`properties[1].verdict` does not fit"),
        (set_limit, "`limit` does not fit"),
        (set_hash, "`properties[0].obligations[0].sha256` does not fit"),
        (add_key, "it has `properties[0].signed`, which no certificate has"),
        (drop_key, "it lacks `about.engine`"),
        (set_number, "`outcomes` does not fit"),
    ],
)
def test_a_document_of_another_shape_is_refused_by_the_loader_and_the_schema(
    change: Callable[[dict[str, Any]], None], message: str, document: dict[str, Any], tmp_path: Path
) -> None:
    VALIDATOR.validate(document)
    change(document)
    assert refusal(tmp_path / "proof.json", json.dumps(document)) == message
    assert not VALIDATOR.is_valid(document)


# --- what differs ---


def test_a_proof_that_comes_to_the_same_does_not_differ_whatever_its_times(desk: Spec) -> None:
    slow = replace(obligation(), seconds=4.0, solver="default")
    one = made(desk, proof(result("invariant", "x", obligations=(obligation(),))))
    again = proof(result("invariant", "x", obligations=(slow,)), seconds=99.0, questions=5)
    assert list(proof_differences(one, made(desk, again, limit=60.0))) == []


ONE = proof(result("invariant", "x", obligations=(obligation("a"), obligation("b"))), result("dead", "up"))


def asking(*questions: Obligation) -> Proof:
    return proof(replace(ONE.results[0], obligations=questions), ONE.results[1])


@pytest.mark.parametrize(
    ("given", "differences"),
    [
        (
            proof(result("invariant", "x", "refuted", obligations=ONE.results[0].obligations), ONE.results[1]),
            ["on the whole it is proved, in the certificate refuted", "HR901 `x`: proved, in the certificate refuted"],
        ),
        (proof(ONE.results[0]), ["HR904 `up` is claimed and not in the certificate"]),
        (proof(*ONE.results, result("dead", "down")), ["HR904 `down` is in the certificate and not claimed"]),
        (proof(*ONE.results, ONE.results[1]), ["the certificate has a property twice"]),
        (
            proof(replace(ONE.results[0], words="x > 1"), ONE.results[1]),
            ["HR901 `x`: it says `after every event: x`, in the certificate `x > 1`"],
        ),
        (asking(obligation("a")), ["HR901 `x`: 1 asked that the certificate lacks (b)"]),
        (
            asking(obligation("a"), obligation("b", POSSIBLE)),
            [
                "HR901 `x`: 1 of the certificate's questions not asked (b)",
                "HR901 `x`: 1 asked that the certificate lacks (b)",
            ],
        ),
        (
            asking(obligation("a"), obligation("b", verdict="unknown")),
            ["HR901 `x`: 1 answered otherwise (b)"],
        ),
        (
            replace(ONE, grounds=(obligation("z"),)),
            ["what all properties rest on: 1 of the certificate's questions not asked (z)"],
        ),
        (replace(ONE, facts=("x >= 0", "x >= 1")), ["facts: not any more `x >= 1`"]),
        (replace(ONE, assumed=()), ["what is assumed: new `params are constant: k in [1, 10]`"]),
        (
            replace(ONE, unproved=("nothing",)),
            ["what is not proved: not any more `nothing`, new `profit, or any expectation`"],
        ),
        (replace(ONE, outcomes=8), ["an event can go 7 ways, in the certificate 8"]),
    ],
)
def test_every_difference_is_told_in_words(given: Proof, differences: list[str], desk: Spec) -> None:
    assert list(proof_differences(made(desk, given), made(desk, ONE))) == differences


def test_many_places_are_told_by_the_first() -> None:
    questions = tuple(obligation(f"place {number}") for number in range(5))
    spec = load(ROOT / "specs" / "drawdown_breaker.yaml")
    one = made(spec, proof(result("invariant", "x", obligations=questions)))
    (told,) = proof_differences(one, made(spec, proof(result("invariant", "x", obligations=()))))
    assert told == "HR901 `x`: 5 of the certificate's questions not asked (place 0; place 1; 3 more places)"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "other"}, "the spec is called `drawdown_desk`, in the certificate `other`"),
        ({"program": "a" * 64}, "the program is {program}, in the certificate aaaaaaaaaaaa"),
        ({"fill": "next"}, "orders fill at the same mark, in the certificate at the next one"),
        ({"parameters": {"k": "9"}}, "fixed params are none, in the certificate k=9"),
        ({"only": ("x",)}, "asked for is all, in the certificate `x`"),
        ({"version": "0.0"}, "this is hedgerow {version}, in the certificate 0.0"),
        ({"engine": "b" * 64}, "the engine's code is {engine}, in the certificate bbbbbbbbbbbb"),
        ({"solver": "z3 1"}, "the solver is {solver}, in the certificate z3 1"),
    ],
)
def test_what_identifies_a_proof_is_compared(change: dict[str, Any], told: str, desk: Spec) -> None:
    found = identity(desk, "same", {}, ())
    given = found.model_copy(update=change)
    values = {
        "program": found.program[:12],
        "version": found.version,
        "engine": found.engine[:12],
        "solver": found.solver,
    }
    assert list(identity_differences(given, found)) == [told.format(**values)]
    assert list(identity_differences(found, found)) == []


def test_a_changed_file_is_named_and_the_specs_own_may_be_called_otherwise(desk: Spec, tmp_path: Path) -> None:
    for file in ("drawdown_desk.yaml", "band_limited_hedge.yaml", "drawdown_breaker.yaml"):
        (tmp_path / file).write_bytes((ROOT / "specs" / file).read_bytes())
    (tmp_path / "drawdown_desk.yaml").rename(tmp_path / "our_desk.yaml")
    given = identity(desk, "same", {}, ())
    assert list(identity_differences(given, identity(load(tmp_path / "our_desk.yaml"), "same", {}, ()))) == []
    with (tmp_path / "drawdown_breaker.yaml").open("a") as stream:
        stream.write("# a comment\n")
    told = list(identity_differences(given, identity(load(tmp_path / "our_desk.yaml"), "same", {}, ())))
    assert told == ["the text of `drawdown_breaker.yaml` is not the one that the certificate is about"]
    with (tmp_path / "our_desk.yaml").open("a") as stream:
        stream.write("# another\n")
    told = list(identity_differences(given, identity(load(tmp_path / "our_desk.yaml"), "same", {}, ())))
    assert told[0] == "the text of `our_desk.yaml` is not the one that the certificate is about"
