"""The documentation is true: its specs load, its programs run, its links lead somewhere, and it leaves out no key."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import PAGES, ROOT, Fence, every_fence, fences
from pydantic import BaseModel

from hedgerow.engine import model
from hedgerow.engine.diagnostics import SpecError
from hedgerow.engine.load import loads
from hedgerow.engine.symbols import DESK_VALUES, DESK_WITHIN, FUNCTIONS, LEDGER
from hedgerow.engine.units import TIME_SUFFIXES
from hedgerow.engine.vocabulary import BUILTIN_EVENTS

LANGUAGE = (ROOT / "docs" / "language.md").read_text("utf-8")


def test_every_fence_says_what_language_it_is_in() -> None:
    known = {"yaml", "json", "python", "sh", "text", "console", "csv", "toml", "jsonl", "mermaid"}
    assert {str(fence) for page in PAGES for fence in fences(page) if fence.language not in known} == set()


@pytest.mark.parametrize("fence", every_fence("yaml", "json"), ids=str)
def test_every_spec_of_the_documentation_does_what_its_fence_says(fence: Fence) -> None:
    file = f"{fence}.{fence.language}"
    match fence.info[1:]:
        case ():
            # What mends one mistake may leave other things loose; what shows the language may not.
            found = [each for each in loads(fence.text, file).diagnostics if each.severity != "note"]
            assert all(each.code.startswith("HR7") for each in found) if fence.page == "codes.md" else not found
        case ("warns", code):
            assert {found.code for found in loads(fence.text, file).diagnostics} == {code}
        case ("fails", code):
            with pytest.raises(SpecError) as raised:
                loads(fence.text, file)
            assert {found.code for found in raised.value.diagnostics} == {code}
        case ("script",):
            pass  # tests/test_events_command.py plays it
        case _:
            pytest.fail(f"{fence}: a fence says nothing, or `fails CODE`")


@pytest.mark.parametrize("page", [page for page in PAGES if any(f.language == "python" for f in fences(page))], ids=str)
def test_the_python_of_a_page_runs_from_its_top_to_its_end(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The blocks of a page are one program, run where the shipped specs are; what it writes goes elsewhere.
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "path_importer_cache", {})  # Python keeps what `.` was when it was first asked
    scope: dict[str, Any] = {"__name__": page.stem}
    shown = ""
    for fence in fences(page):
        if fence.language == "python":
            source = "\n" * (fence.line - 1) + fence.text
            exec(compile(source, str(page), "exec"), scope)  # noqa: S102 - the pages of this repository are programs
            shown = capsys.readouterr().out
        elif fence.info == ("text", "output"):
            assert shown == fence.text, fence


# --- links ---


def anchors(page: Path) -> set[str]:
    """Return the fragments that a page offers, as GitHub makes them of headings."""
    outside = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            name, _, fragment = target.partition("#")
            found = page.parent / name if name else page
            assert found.exists(), target
            assert not fragment or fragment in anchors(found), target


# --- nothing is left out ---


def keys() -> set[str]:
    """Return every key of the language."""
    shapes = [shape for shape in vars(model).values() if isinstance(shape, type) and issubclass(shape, BaseModel)]
    return {field.alias or name for shape in shapes for name, field in shape.model_fields.items()}


def in_code(text: str) -> set[str]:
    """Return the words that stand between backticks, outside of fences."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return {word for code in re.findall(r"`([^`]+)`", outside) for word in re.findall(r"[\w.]+", code)}


def test_the_language_page_has_every_key_function_and_name_of_the_language() -> None:
    wanted = keys() | FUNCTIONS | set(LEDGER) | set(TIME_SUFFIXES) | set(BUILTIN_EVENTS)
    assert wanted - in_code(LANGUAGE) == set()


def test_the_page_of_gates_has_every_name_of_a_desk() -> None:
    page = in_code((ROOT / "docs" / "gates.md").read_text("utf-8"))
    assert {f"desk.{name}" for name in (*DESK_VALUES, *DESK_WITHIN)} - page == set()


def test_the_language_page_shows_every_key_in_a_spec_that_loads() -> None:
    shown = set(re.findall(r"\w+", "".join(fence.text for fence in every_fence("yaml"))))
    shipped = "".join(path.read_text("utf-8") for path in (ROOT / "specs").glob("*.yaml"))
    assert keys() - shown - set(re.findall(r"\w+", shipped)) == set()
