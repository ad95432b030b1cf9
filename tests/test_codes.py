"""Every code: raised somewhere, titled, documented, and shown failing and mended; what people read, compared whole."""

from __future__ import annotations

import os
import re
import shlex
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from pages import ROOT, Fence, fences

from hedgerow.cli.main import main
from hedgerow.engine.codes import CODES
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import loads

PAGE = ROOT / "docs" / "codes.md"
GOLDEN = ROOT / "tests" / "golden" / "messages"
CODE = re.compile(r"\bHR\d{3}\b")

BLOCKS = list(fences(PAGE))
FAILING = [fence for fence in BLOCKS if fence.info[1:2] == ("fails",)]
SESSIONS = [fence for fence in BLOCKS if fence.language == "console"]
HOLDER = next(fence.text for fence in BLOCKS if fence.heading == "Runs over data" and fence.language == "yaml")

# What the commands of the page find in the folder that they are run in.
FILES: dict[str, bytes] = {
    "holder.yaml": HOLDER.encode(),
    "large.yaml": b"# " + b"x" * 500_000,
    "latin1.yaml": b"hedgerow: 1\nname: caf\xe9\n",
    "many.yaml": b"".join(b"- %d\n" % number for number in range(20_100)),
    "long.yaml": b"hedgerow: 1\nname: long\nparams: {k: {default: " + b"1" * 401 + b"}}\n",
    "good.csv": next(fence.text for fence in BLOCKS if fence.language == "csv").encode(),
    "bad.csv": b"time,price\n2024-01-01,100\n2024-01-02,-5\n",
    "unnamed.csv": b"time,last\n2024-01-01,100\n2024-01-02,102\n",
    "timeless.csv": b"price\n100\n",
    "broken.parquet": b"no parquet\n",
    "photos/cat.txt": b"a cat\n",
}


def outcome(text: str, file: str = "spec.yaml") -> tuple[set[str], str]:
    """Return the codes of the errors in a spec and the whole message."""
    try:
        loads(text, file)
    except SpecError as error:
        return {found.code for found in error.diagnostics if found.severity == "error"}, f"{error}\n"
    return set(), ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


# --- the list of codes ---


def test_the_codes_in_the_sources_are_the_codes_that_have_a_title() -> None:
    used: set[str] = set()
    for part in ("engine", "cli", "actions", "guards", "src/hedgerow"):
        for path in (ROOT / part).rglob("*.py"):
            if path != ROOT / "engine" / "codes.py":
                used |= set(CODE.findall(path.read_text("utf-8")))
    assert used == set(CODES)


def test_the_page_has_one_section_a_code_under_its_title_and_in_order() -> None:
    found = re.findall(r"^### (HR\d{3}) (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert found == sorted(CODES.items())


def test_every_code_is_shown_failing_and_mended() -> None:
    for code in CODES:
        section = [fence for fence in BLOCKS if fence.heading.startswith(code)]
        if code in {fence.info[2] for fence in FAILING}:
            kinds = [fence.info[1:] for fence in section]
            assert kinds == [("fails", code), ()] * (len(kinds) // 2), code
        else:
            assert [fence.language for fence in section] == ["console"], code


# --- the examples ---


@pytest.mark.parametrize("fence", FAILING, ids=str)
def test_the_failing_example_gives_its_code_and_no_other(fence: Fence) -> None:
    assert fence.heading.startswith(fence.info[2])
    codes, message = outcome(fence.text, f"spec.{fence.language}")
    assert codes == {fence.info[2]}, message


def test_the_mended_example_differs_from_the_failing_one_in_a_few_lines() -> None:
    for failing, mended in pairwise(BLOCKS):
        if failing in FAILING and len(failing.text.splitlines()) > 3:
            before, after = failing.text.splitlines(), mended.text.splitlines()
            assert mended not in FAILING
            assert len(set(before) - set(after)) <= 4, failing
            assert len(set(after) - set(before)) <= 4, failing


@pytest.mark.parametrize("fence", SESSIONS, ids=str)
def test_a_command_on_the_page_says_what_the_page_says(
    fence: Fence, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if fence.heading.startswith("HR809"):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    command, _, expected = fence.text.partition("\n")
    assert main(shlex.split(command.removeprefix("$ hedgerow "))) == 2
    # `validate` parts what it says of one file from the next by a blank line.
    assert capfd.readouterr().err.rstrip("\n") == expected.rstrip("\n")


def test_every_mended_run_runs(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = ["run", "holder.yaml", "--no-report", "--data"]
    assert main([*run, "good.csv"]) == 0
    assert main([*run, "good.csv", "--set", "stake=100", "--out", "photos", "--force"]) == 0
    assert main([*run, "unnamed.csv", "--map", "price=last"]) == 0
    assert main([*run, "bad.csv", "--skip-bad"]) == 0


# --- what people read ---


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_common_mistake_is_told_in_these_words(path: Path) -> None:
    message = outcome(path.read_text("utf-8"), path.name)[1]
    golden = path.with_suffix(".txt")
    if os.environ.get("HEDGEROW_WRITE_GOLDEN"):
        golden.write_text(message, "utf-8")
    assert message == golden.read_text("utf-8")
    assert message
