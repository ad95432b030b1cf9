"""`hedgerow study band_limited_proof`: what it refuses, what its exit codes say, and (slow) that docs have its page."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from pages import ROOT

from hedgerow.cli.main import main
from hedgerow.engine.load import loads
from hedgerow.engine.prove.band_limited import conduct, winding_down
from hedgerow.engine.prove.band_limited.setting import Setting
from hedgerow.engine.prove.solvers import SolverError
from hedgerow.engine.studies.evidence import Decision, Statement
from hedgerow.engine.studies.page import render
from hedgerow.engine.studies.report import Part, Study, Table

PAGE = ROOT / "docs" / "studies" / "band_limited_proof.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fake(monkeypatch: pytest.MonkeyPatch, *pairs: tuple[Decision, Decision]) -> None:
    """Put a study of statements, each told to come out so and found so, in the place of the real one."""
    statements = tuple(
        Statement(f"s{index}", "here", "x > 0", told, found) for index, (told, found) in enumerate(pairs)
    )
    study = Study("band_limited_proof", {}, (Part("one", (), {}, (), {}, statements),), "page\n")
    monkeypatch.setattr("hedgerow.engine.prove.band_limited.conduct", lambda **_: study)


# --- statements ---


@pytest.mark.parametrize(
    ("told", "found", "verdict"),
    [
        ("proved", "proved", "holds"),
        ("refuted", "refuted", "holds"),
        ("proved", "refuted", "fails"),
        ("refuted", "proved", "fails"),
        ("proved", "not decided", "not decided"),
        ("refuted", "noted", "fails"),
    ],
)
def test_a_statement_holds_where_it_comes_out_as_the_page_tells(told: Decision, found: Decision, verdict: str) -> None:
    assert Statement("s", "here", "x > 0", told, found).verdict == verdict


def test_a_part_without_claims_needs_no_place_for_them_but_its_tables_do() -> None:
    part = Part("one", (), {"figures": Table(("x",), (("1",),))}, ())
    assert render(Study("small", {}, (part,), "{{table:figures}}\n")) == "| x |\n| --- |\n| 1 |\n"
    with pytest.raises(ValueError, match="no place for"):
        render(Study("small", {}, (part,), "page\n"))


# --- the command ---


@pytest.mark.parametrize("options", [["--seed", "0"], ["--paths", "50"], ["--quick"]])
def test_a_proof_takes_no_chance(options: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "band_limited_proof", *options]) == 2
    assert capsys.readouterr().err == (
        f"{options[0]}: error[HR807]: a proof has no paths and no chance in it\n   help: leave it out\n"
    )
    assert list(folder.iterdir()) == []


def test_a_solver_that_is_not_installed_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert main(["study", "band_limited_proof"]) == 2
    assert capsys.readouterr().err == (
        "hedgerow study: error[HR809]: a proof needs `z3-solver`, which is not installed\n"
        "   help: install the extra: pip install 'hedgerow[prove]'\n"
    )
    assert list(folder.iterdir()) == []


def test_a_solver_that_stops_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stops(progress: object) -> Study:
        raise SolverError("it has stopped")

    monkeypatch.setattr("hedgerow.engine.prove.band_limited.conduct", stops)
    assert main(["study", "band_limited_proof"]) == 2
    assert "error[HR841]: the solver gives no answer: it has stopped\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("proved", "proved"), ("refuted", "refuted")], 0),
        ([("proved", "proved"), ("proved", "not decided")], 3),
        ([("proved", "not decided"), ("proved", "refuted")], 1),
    ],
)
def test_the_exit_code_says_whether_all_comes_out_as_the_page_tells(
    pairs: list[tuple[Decision, Decision]], code: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, *pairs)
    assert main(["study", "band_limited_proof"]) == code
    assert (folder / "band_limited_proof-study" / "band_limited_proof.md").read_text("utf-8") == "page\n"


def test_the_terminal_has_every_statement_with_what_came_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, ("refuted", "refuted"), ("proved", "refuted"))
    main(["study", "band_limited_proof", "--out", "out"])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "s0 (here): holds",
        "  x > 0: refuted",
        "s1 (here): fails",
        "  x > 0: refuted, and the page says proved",
        "written to out; read out/band_limited_proof.md",
    ]


def test_json_has_every_statement(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, ("proved", "refuted"))
    assert main(["study", "band_limited_proof", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["statements"] == [
        {"key": "s0", "setting": "here", "verdict": "fails", "words": "x > 0", "told": "proved", "found": "refuted"}
    ]


# --- what it is made of ---


def test_the_claims_that_are_added_are_not_in_the_shipped_spec_and_nothing_else_changes() -> None:
    setting = Setting()
    names = {name for name, _ in setting.claimed.program().invariants} - {
        name for name, _ in setting.shipped.program().invariants
    }
    assert names == {
        "no_trade_elsewhere", "exit_steps_obey_the_band", "exit_cost_is_covered", "flat_price_never_exits",
    }  # fmt: skip
    shipped, claimed = setting.shipped.program(), setting.claimed.program()
    assert [rule.name for rule in shipped.rules] == [rule.name for rule in claimed.rules]
    added = setting.added.splitlines()
    assert [line for line in setting.claimed.text.splitlines() if line not in added] == [
        line for line in setting.shipped.text.splitlines() if line not in added
    ]


def test_a_spec_without_a_section_is_told() -> None:
    setting = Setting()
    text = re.sub(r"^(decreases|claims):.*\n(  .*\n)+", "", setting.shipped.text, flags=re.MULTILINE)
    setting.__dict__["shipped"] = loads(text, "without.yaml")
    with pytest.raises(ValueError, match=r"has its `decreases:` in another place"):
        _ = setting.claimed


def test_exits_take_as_many_steps_and_cost_as_much_as_is_proved() -> None:
    part = winding_down.conduct(Setting())
    counts = [(row[3], row[4], row[5], row[6]) for row in part.tables["counts"].rows]
    # ⌈log(0.0005)/log(0.7)⌉ = 22, where the paper has 21.3; the others likewise, by hand.
    assert counts[1] == ("21.3", "22", "22", "1")
    assert [count[1] for count in counts] == [count[2] for count in counts] == ["35", "22", "15", "30", "51"]
    # f + slippage = 6 bp of 1,000 IDX at 2,000 USD, all of it at that price.
    assert part.tables["costs"].rows[0] == ("flat", "1,000", "2,000", "1,200.00", "1,200.00", "1.000")


@pytest.mark.slow
def test_the_page_is_what_the_study_writes() -> None:
    study = conduct(workers=2)
    assert {statement.verdict for statement in study.statements} == {"holds"}
    assert render(study) == PAGE.read_text("utf-8")


def test_the_committed_page_is_about_the_programs_that_are_shipped() -> None:
    # Where it is not: `hedgerow study band_limited_proof --out docs/studies` writes it again.
    setting = Setting()
    made = re.findall(r"^- .*, program (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert made == [setting.shipped.compile().digest, setting.as_written.compile().digest]


def test_the_links_of_the_page_lead_somewhere() -> None:
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", PAGE.read_text("utf-8"))]
    assert "../prove.md" in targets
    assert all((PAGE.parent / target).exists() for target in targets if target)
