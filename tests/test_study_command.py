"""`hedgerow study`: what it refuses, what it prints, and (slow) that a small study decides every claim as the page says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from hedgerow.cli.main import main
from hedgerow.engine.studies import STUDIES
from hedgerow.engine.studies.band_limited import FULL, LEAST_PATHS, QUICK, conduct
from hedgerow.engine.studies.band_limited.setting import Setting
from hedgerow.engine.studies.evidence import Claim, Finding, Interval, Region
from hedgerow.engine.studies.report import Part, Study

# Claim -> verdict, whatever the seed: the statements are true or false, and a small study tells.
VERDICTS = {
    "constant": "holds",
    "offset": "holds with this repair",
    "sampled": "holds with this repair",
    "coarse": "holds with this repair",
    "engine": "holds",
    "martingale": "holds with this repair",
    "slippage": "holds with this repair",
    "reverting": "holds",
    "trend": "holds with this repair",
    "money": "holds",
    "harvest": "holds with this repair",
    "fixed-lots": "holds",
    "fees": "holds",
    "volatility": "holds",
    "level": "holds",
    "liquidation": "holds with this repair",
    "loser": "holds",
    "balance": "holds with this repair",
    "rate": "holds",
    "cost-quantity": "holds with this repair",
    "cost-money": "holds",
    "cost-rising": "holds with this repair",
    "steps": "holds with this repair",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fake(monkeypatch: pytest.MonkeyPatch, *intervals: tuple[float, float, float]) -> list[tuple[int, int]]:
    """Put a study of claims `0 ≤ x ≤ 1` in the place of the real one; return the seeds and paths it is asked for."""
    asked: list[tuple[int, int]] = []

    def answer(seed: int, paths: int, progress: object = None) -> Study:
        asked.append((seed, paths))
        findings = [Finding("0 ≤ x ≤ 1", "x", Region(0, 1), Interval(*one, 9)) for one in intervals]
        claims = tuple(Claim(f"c{index}", "here", one) for index, one in enumerate(findings))
        return Study("band_limited", {"seed": seed}, (Part("one", claims, {}, ()),), "{{claims:one}}\n")

    monkeypatch.setattr("hedgerow.engine.studies.band_limited.conduct", answer)
    return asked


# --- bad input ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["band_limted"],
            "hedgerow study: error[HR807]: there is no study `band_limted`\n   help: did you mean `band_limited`?\n",
        ),
        (
            ["x"],
            "hedgerow study: error[HR807]: there is no study `x`\n   help: there is `band_limited`, `band_limited_proof`\n",
        ),
        (
            ["band_limited", "--paths", "0"],
            (
                "--paths: error[HR807]: 0 paths are too few for an interval\n"
                f"   help: give at least {LEAST_PATHS}, or leave it out for {FULL}\n"
            ),
        ),
        (
            ["band_limited", "--paths", "100", "--quick"],
            "--paths: error[HR807]: `--quick` and `--paths` both say how many\n   help: leave one of them out\n",
        ),
        (
            ["band_limited", "--out", "file"],
            "file: error[HR808]: this is a file, not a folder\n   help: name another folder with --out\n",
        ),
        (
            ["band_limited", "--out", "none/study"],
            "none/study: error[HR808]: there is no folder to make it in\n   help: make `none` first\n",
        ),
    ],
)
def test_bad_input_is_told_before_anything_runs(
    arguments: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = fake(monkeypatch, (0.5, 0.4, 0.6))
    (folder / "file").write_text("")
    assert main(["study", *arguments]) == 2
    assert capsys.readouterr().err == message
    assert asked == []
    assert sorted(each.name for each in folder.iterdir()) == ["file"]


def test_bad_input_is_told_as_json_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "band", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["diagnostics"][0]["code"] == "HR807"


def test_a_package_that_is_not_installed_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.delitem(sys.modules, "scipy.stats", raising=False)
    assert main(["study", "band_limited"]) == 2
    assert capsys.readouterr().err == (
        "hedgerow study: error[HR809]: a study needs `scipy`, which is not installed\n"
        "   help: install the extra: pip install 'hedgerow[run]'\n"
    )
    assert list(folder.iterdir()) == []


def test_a_negative_seed_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "band_limited", "--seed", "-1"]) == 2


# --- answers ---


@pytest.mark.parametrize(
    ("intervals", "code"),
    [
        ([(0.5, 0.4, 0.6)], 0),
        ([(0.5, 0.4, 0.6), (1, 0.9, 1.1)], 3),
        ([(0.5, 0.4, 0.6), (2, 1.9, 2.1)], 1),
        ([(1, 0.9, 1.1), (2, 1.9, 2.1)], 1),
    ],
)
def test_the_exit_code_says_whether_every_claim_holds(
    intervals: list[tuple[float, float, float]], code: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, *intervals)
    assert main(["study", "band_limited"]) == code
    assert (folder / "band_limited-study" / "band_limited.md").is_file()


@pytest.mark.parametrize(
    ("options", "paths"),
    [([], FULL), (["--quick"], QUICK), (["--paths", "77"], 77), (["--paths", f"{LEAST_PATHS}"], 40)],
)
def test_the_size_is_what_was_asked_for(
    options: list[str], paths: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = fake(monkeypatch, (0.5, 0.4, 0.6))
    assert main(["study", "band_limited", "--seed", "5", *options]) == 0
    assert asked == [(5, paths)]


def test_the_terminal_has_every_claim_with_its_interval(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, (0.5, 0.4, 0.6), (2, 1.9, 2.1))
    main(["study", "band_limited", "--out", "out"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "c0 (here): holds",
        "  0 ≤ x ≤ 1: holds; x 0.5, 0.4 to 0.6 (95 %)",
        "c1 (here): fails",
        "  0 ≤ x ≤ 1: fails; x 2, 1.9 to 2.1 (95 %)",
        "written to out; read out/band_limited.md",
    ]


def test_json_is_one_document(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, (0.5, 0.4, 0.6))
    assert main(["study", "band_limited", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["study"], told["made_of"]) == ("hedgerow.study/1", "band_limited", {"seed": 0})
    assert told["claims"][0]["stated"]["interval"] == [0.4, 0.6]


def test_too_few_paths_are_refused_by_the_study_itself() -> None:
    with pytest.raises(ValueError, match=f"paths must be at least {LEAST_PATHS}, got 0"):
        conduct(0, 0)


def test_the_list_of_studies_is_that_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"`{name}`" in told for name in STUDIES)


# --- one part of it in the small; all of it is slow ---


def test_the_balance_and_the_exit_are_decided_in_seconds_and_the_same_every_time() -> None:
    from hedgerow.engine.studies.band_limited import balance

    part, again = balance.conduct(Setting(3, QUICK)), balance.conduct(Setting(3, QUICK))
    assert {claim.key: claim.verdict for claim in part.claims} == {
        key: VERDICTS[key] for key in ("loser", "balance", "rate")
    }
    assert [claim.to_json() for claim in part.claims] == [claim.to_json() for claim in again.claims]
    assert part.pictures[0].svg == again.pictures[0].svg


@pytest.mark.slow
def test_a_small_study_decides_every_claim_and_writes_the_same_bytes_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Another seed than the page's, so that its verdicts are seen to be no luck of one.
    assert main(["study", "band_limited", "--quick", "--seed", "20", "--out", "a", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {claim["key"]: claim["verdict"] for claim in told["claims"]} == VERDICTS
    assert main(["study", "band_limited", "--quick", "--seed", "20", "--out", "b"]) == 0
    files = sorted(each.name for each in (folder / "a").iterdir())
    assert len(files) == 6
    assert all((folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes() for name in files)
