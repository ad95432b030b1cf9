"""The benchmarks do equal work and write their page. No test here looks at a time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from hedgerow import load

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
    assert re.findall(r"^## (.*)$", page, re.M) == [
        "An event", "Three levels", "Two regions", "Many machines", "A large spec", "Commands", "A dry run",
    ]  # fmt: skip
    for title in ("An event", "Three levels", "Two regions"):
        fired: dict[str, set[str]] = {}
        present = [row for row in rows(page, title) if row[1] != "not installed"]
        for name, events, count, *_ in present:
            fired.setdefault(events, set()).add(count)
            assert int(count.replace(",", "")) > 0, (title, name)
        assert all(len(counts) == 1 for counts in fired.values()), (title, fired)
        floor = {"hand-written class"} if title == "An event" else set()
        assert floor | {"hedgerow port", "hedgerow send", "transitions"} <= {row[0] for row in present}


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


# After each event, by hand: the innermost states, and how many transitions have fired.
COURSES = {
    "levels": [
        ("move", {"holding"}, 1),
        ("pause", {"watching"}, 2),  # `holding` takes it before `active`
        ("pause", {"waiting"}, 3),
        ("move", {"ready"}, 4),
        ("pause", {"watching"}, 5),
        ("halt", {"locked"}, 6),
        ("pause", {"locked"}, 6),  # nobody takes it
        ("move", {"unlocked"}, 7),
        ("halt", {"watching"}, 8),
    ],
    "regions": [
        ("tick", {"hedged", "shut"}, 2),
        ("review", {"hedged", "ajar"}, 3),
        ("tick", {"flat", "shut"}, 5),
        ("tick", {"hedged", "ajar"}, 7),
        ("review", {"hedged", "shut"}, 8),
    ],
}


@pytest.mark.parametrize("name", COURSES)
def test_every_contender_runs_the_chart_that_was_meant(events: ModuleType, name: str) -> None:
    from benchmarks.chart_contenders import CONTENDERS
    from benchmarks.chart_events import follow
    from benchmarks.charts import CHARTS
    from benchmarks.host import installed

    sent = [event for event, _, _ in COURSES[name]]
    meant = [(frozenset(leaves), fired) for _, leaves, fired in COURSES[name]]
    for contender in CONTENDERS:
        if installed(contender.distribution):
            assert follow([contender], CHARTS[name], range(1, len(sent) + 1), sent) == meant, contender.name


@pytest.mark.parametrize("name", COURSES)
def test_a_chart_is_sent_the_same_events_each_time_and_all_of_its_events(events: ModuleType, name: str) -> None:
    from benchmarks.charts import CHARTS

    chart = CHARTS[name]
    times, names = chart.sequence(500)
    assert (times, names) == chart.sequence(500)
    assert set(names) == set(chart.events) == {event.name for event in load(chart.path).program("same").events}
    assert all(earlier < later for earlier, later in pairwise(times))


def test_contenders_that_run_a_chart_differently_are_not_compared(events: ModuleType) -> None:
    from benchmarks.chart_contenders import CONTENDERS, Contender, Player
    from benchmarks.chart_events import follow
    from benchmarks.charts import CHARTS

    def deaf(_chart: object) -> Callable[[object], Player]:
        return lambda _told: Player(lambda _times, _names: None, lambda: frozenset({"watching"}))

    port = next(each for each in CONTENDERS if each.name == "hedgerow port")
    with pytest.raises(
        events.DifferentCountsError,
        match="`levels` differs after event 1, `move`: hedgerow port in holding with 1 fired; deaf in watching with 0 f",
    ):
        follow([port, Contender("deaf", "", deaf)], CHARTS["levels"], [1, 2], ["move", "move"])


@pytest.mark.parametrize("regions", [1, 4])
def test_the_large_spec_has_three_transitions_a_state_however_many_regions(
    events: ModuleType, tmp_path: Path, regions: int
) -> None:
    from benchmarks.compiling import large_spec

    path = tmp_path / "large.yaml"
    path.write_text(large_spec(40, regions), encoding="utf-8")
    program = load(path).program("same")
    leaves = [state for state in program.states if state.kind == "atomic"]
    assert len(leaves) == 40
    assert sorted(rule.source for rule in program.rules) == sorted(3 * [state.name for state in leaves])


def test_a_target_is_met_on_its_own_side_only(events: ModuleType) -> None:
    from benchmarks.page import Target

    assert [Target("", found, 2.0, True).met for found in (1.9, 2.0, 2.1)] == [False, True, True]
    assert [Target("", found, 2.0, False).met for found in (1.9, 2.0, 2.1)] == [True, True, False]


def test_the_published_page_is_a_full_run(events: ModuleType) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "- size `full`" in page
    assert "not installed" not in page
