"""What README.md and docs/prove.md show of `hedgerow prove` is what it says; only times, versions and effort may differ."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pages import ROOT, Fence, fences

from hedgerow.cli.main import main
from hedgerow.cli.prove import command

PAGE = ROOT / "docs" / "prove.md"
TRAILING = next(fence.text for fence in fences(PAGE) if fence.language == "yaml")
SESSIONS = [
    fence
    for page in (PAGE, ROOT / "README.md")
    for fence in fences(page)
    if fence.language == "console" and "prove" in fence.text.split("\n", 1)[0] + fence.page
]


def settled(text: str) -> str:
    """Return what is said without what differs from machine to machine, and with how the engine goes about it."""
    text = re.sub(r"\b[\d,]+ obligations?\b", "… obligations", text)
    text = re.sub(r"\b[\d,.]+ s\b", "… s", text)
    text = re.sub(r"\bz3 [\d.]+", "z3 …", text)
    return re.sub(r"\b[\d,]+ ways that an event can go, [\d,]+ questions to", "… to", text)


@pytest.mark.parametrize("fence", SESSIONS, ids=str)
def test_a_session_of_the_page_says_what_the_page_says(
    fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trailing.yaml").write_text(TRAILING, "utf-8")
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    asked, _, expected = fence.text.partition("\n")
    arguments = shlex.split(asked.removeprefix("$ hedgerow "))
    if arguments[0] == "run":
        assert main(["prove", "trailing.yaml", "--events", "broken"]) == 1
        capsys.readouterr()
    main(arguments)
    assert settled(capsys.readouterr().out) == settled(expected)


def test_both_pages_show_a_proof() -> None:
    assert {fence.page for fence in SESSIONS} == {"prove.md", "README.md"}


def test_the_page_has_every_option() -> None:
    told = set(re.findall(r"--[a-z-]+", PAGE.read_text("utf-8")))
    options = {name for option in command.params for name in option.opts if name.startswith("--")}
    assert options - told == {"--permit"}
