"""The benchmarks do equal work and write their page. No test here looks at a time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import events

    return events


def rows(page: str, title: str) -> list[list[str]]:
    """Return the cells of the figures under a heading, the table's head and its targets left out."""
    section = page.split(f"## {title}\n")[1].split("\n## ")[0]
    table = next(block for block in section.split("\n\n") if block.startswith("|"))
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()[2:]]


def test_a_tiny_run_writes_every_section_and_all_that_ran_fired_equally_often(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    command = [sys.executable, "-m", "benchmarks", "--size", "tiny", "--page", str(path)]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    page = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", page, re.M) == ["An event", "Many machines", "Commands", "A dry run"]
    fired: dict[str, set[str]] = {}
    for name, prices, count, *_ in (row for row in rows(page, "An event") if row[1] != "not installed"):
        fired.setdefault(prices, set()).add(count)
        assert int(count) > 0, name
    assert all(len(counts) == 1 for counts in fired.values()), fired
    assert {"hand-written class", "hedgerow port", "hedgerow send", "transitions"} <= {
        row[0] for row in rows(page, "An event") if row[1] != "not installed"
    }


def test_contenders_that_fire_differently_are_not_compared(events: ModuleType) -> None:
    from benchmarks.contenders import CONTENDERS, Contender

    def deaf() -> Callable[[Sequence[int], Sequence[float]], int]:
        return lambda _times, _prices: 0

    hand_written = next(each for each in CONTENDERS if each.name == "hand-written class")
    times, prices = events.walk(1000)
    with pytest.raises(events.DifferentCountsError, match=r"hand-written class \d+, deaf 0"):
        events.agree([hand_written, Contender("deaf", "", deaf)], times, prices)


def test_the_walk_is_the_same_each_time_and_leaves_the_band(events: ModuleType) -> None:
    from benchmarks.contenders import CONTENDERS

    assert events.walk(500) == events.walk(500)
    assert events.agree([each for each in CONTENDERS if each.distribution == "hedgerow"], *events.walk(2000)) > 5


def test_a_target_is_met_on_its_own_side_only(events: ModuleType) -> None:
    from benchmarks.page import Target

    assert [Target("", found, 2.0, True).met for found in (1.9, 2.0, 2.1)] == [False, True, True]
    assert [Target("", found, 2.0, False).met for found in (1.9, 2.0, 2.1)] == [True, True, False]


def test_the_published_page_is_a_full_run(events: ModuleType) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "- size `full`" in page
    assert "not installed" not in page
