"""`hedgerow explore` from outside: what it prints and writes, its exit codes, what it refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, fences

from hedgerow.cli.main import BAD_INPUT, DOES_NOT_HOLD, HOLDS, INTERRUPTED, main

pytest.importorskip("llvmlite", reason="the native backend is in the extra `sweep`")

PAGE = tuple(fences(ROOT / "docs" / "explore.md"))
(RATCHET,) = (fence.text for fence in PAGE if fence.language == "yaml")
(SESSION,) = (fence.text for fence in PAGE if fence.language == "console")
MENDED = RATCHET.replace("count <= limit, do", "count < limit, do")


@pytest.fixture(autouse=True, scope="module")
def _kept_nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterable[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGEROW_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("ratchet.yaml").write_text(RATCHET)
    Path("mended.yaml").write_text(MENDED)
    return tmp_path


def test_what_breaks_is_told_as_the_page_shows_and_its_script_breaks_the_same(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, _, shown = SESSION.partition("\n")
    assert main(command.removeprefix("$ hedgerow ").split()) == DOES_NOT_HOLD
    told = capsys.readouterr().out
    # Counts differ between processors, whose `exp` rounds differently; words do not.
    assert [line[:14] for line in told.split("\n")[:8]] == [line[:14] for line in shown.split("\n")[:8]]
    assert "the invariant `within` breaks, after " in told
    assert told.endswith(shown.split("\n")[-2] + "\n")
    assert main(["run", "ratchet.yaml", "--events", "found.yaml"]) == DOES_NOT_HOLD
    assert "`broken` is expected to be [], and is [within]" in capsys.readouterr().err
    assert main(["run", "mended.yaml", "--events", "found.yaml"]) == HOLDS


def test_where_nothing_breaks_that_proves_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "mended.yaml", "--steps", "20000", "--out", "found.yaml"]) == HOLDS
    told = capsys.readouterr().out
    assert "all 2 held on all of these steps" in told
    assert "A walk that finds nothing proves nothing." in told
    assert not Path("found.yaml").exists()


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main(["explore", *arguments, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_has_what_was_reached_and_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "ratchet.yaml", "--steps", "2e4", "--set", "limit=2", "--out", "a.yaml")
    assert (found["steps"], found["seed"], found["backend"], found["set"]) == (20_000, 0, "native", {"limit": 2})
    assert found["states"] == {"reached": 3, "of": 3, "never": []}
    assert found["events"] == {"sent": ["tick", "arm"], "left_out": []}
    assert found["invariants"]["within"] > 0 and found["invariants"]["counts"] == 0
    (finding,) = found["findings"]
    assert (finding["kind"], finding["name"], finding["parameters"]) == ("invariant", "within", {"limit": 2})
    assert [event["event"] for event in finding["events"]] == ["arm", "tick", "tick", "tick"]
    assert found["written"] == ["a.yaml"]
    assert found == document(
        capsys, "ratchet.yaml", "--steps", "20_000", "--set", "limit=2", "--out", "a.yaml", "--force"
    )


def test_params_that_were_set_are_in_the_script(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explore", "ratchet.yaml", "--steps", "2e4", "--set", "limit=2", "--out", "a.yaml"])
    assert "\nset: {limit: 2}\n" in Path("a.yaml").read_text()


def test_send_and_fill_and_backend_reach_the_walks(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "ratchet.yaml", "--steps", "500", "--send", "tick", "--fill", "next", "--backend", "live")
    assert (found["fill"], found["backend"], found["why_not_native"]) == ("next", "live", "it was asked for")
    assert found["events"] == {"sent": ["tick"], "left_out": ["arm"]}
    assert found["transitions"]["reached"] == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["ratchet.yaml", "--steps", "many"], "`many` is no number of steps; write e.g. 1e7"),
        (["ratchet.yaml", "--steps", "1.5"], "`1.5` is no number of steps"),
        (["ratchet.yaml", "--steps", "1e999999999"], "`1e999999999` is no number of steps"),
        (["ratchet.yaml", "--steps", "nan"], "`nan` is no number of steps"),
        (["ratchet.yaml", "--steps", "0"], "--steps: error[HR807]: 0 steps are not between 1 and 10^13"),
        (["ratchet.yaml", "--seed", "-1"], "Invalid value for '--seed'"),
        (["ratchet.yaml", "--workers", "0"], "Invalid value for '--workers'"),
        (["ratchet.yaml", "--backend", "fast"], "Invalid value for '--backend'"),
        (["ratchet.yaml", "--fill", "later"], "Invalid value for '--fill'"),
        (["ratchet.yaml", "--permit", "HR999"], "no finding has the code `HR999`"),
        (["ratchet.yaml", "--set", "limit"], "--set: error[HR807]: `limit` is no pair of a name and a value"),
        (["ratchet.yaml", "--set", "lmit=2"], "--set: error[HR807]: unknown param `lmit`: did you mean `limit`?"),
        (["ratchet.yaml", "--send", "tock"], "--send: error[HR807]: there is no event `tock`"),
        (["ratchet.yaml", "--out", "found.json"], "--out: error[HR807]: scripts are written as YAML"),
        (["ratchet.yaml", "--out", "none/found.yaml"], "error[HR808]: there is no folder `none`"),
        (["ratchet.yaml", "--out", "mended.yaml"], "mended.yaml: error[HR808]: the file is there already"),
        (["absent.yaml"], "absent.yaml:1:1: error[HR001]: `absent.yaml` does not exist"),
    ],
)
def test_bad_input_is_told(arguments: list[str], told: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", *arguments]) == BAD_INPUT
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


def test_a_refusal_is_a_document_too(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = document(capsys, "ratchet.yaml", "--send", "tock")["diagnostics"]
    assert (found["code"], found["file"]) == ("HR807", "--send")
    Path("wrong.yaml").write_text(RATCHET.replace("count <= limit, do", "cuont <= limit, do"))
    (found,) = document(capsys, "wrong.yaml")["diagnostics"]
    assert found["code"] == "HR201"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is refused to root")
def test_a_folder_that_cannot_be_written_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("closed").mkdir(mode=0o500)
    assert main(["explore", "ratchet.yaml", "--steps", "2e4", "--out", "closed/found.yaml"]) == BAD_INPUT
    assert "error[HR808]: the script cannot be written: permission denied" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_tells_what_was_reached_until_then(
    workers: str, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import contextlib

    from hedgerow.cli import explore

    asked = 0

    @contextlib.contextmanager
    def interruptible() -> Any:
        def is_asked() -> bool:
            nonlocal asked
            asked += 1
            return asked > 3

        yield is_asked

    monkeypatch.setattr(explore, "interruptible", interruptible)
    assert main(["explore", "mended.yaml", "--steps", "1e9", "--workers", workers, "--json"]) == INTERRUPTED
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["interrupted"] and found["steps"] < 10**9
    assert found["steps"] > 0 or workers == "2"  # which may not have begun
    assert captured.err == "interrupted; what was reached until then is told\n"
