"""A study's page and pictures: written from claims, the same bytes for the same study, and readable without colours."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import ROOT

from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import load
from hedgerow.engine.studies.evidence import Claim, Finding, Interval, Region
from hedgerow.engine.studies.folder import check_folder, write_study
from hedgerow.engine.studies.page import HEAD, render
from hedgerow.engine.studies.report import Part, Picture, Study, Table, figure, span
from hedgerow.engine.studies.svg import Chart, ticks

PAGE = ROOT / "docs" / "studies" / "band_limited.md"
TEMPLATE = (
    "{{count}}\n\n{{every}}\n\n{{claims:one}}\n\n{{pictures:one}}\n\n{{table:figures}}\n\n{{figure:k}}\n\n{{made_of}}\n"
)


def study(template: str = TEMPLATE) -> Study:
    stated = Finding("a = 1", "a|b", Region.about(1, 0.1), Interval(-2.5, -3, -2, 40))
    repair = Finding("a ≤ 0", "a|b", Region(-math.inf, 0), Interval(-2.5, -3, -2, 40))
    plain = Finding("b ≥ 0", "b", Region(0, math.inf), Interval(1234.5, 1200, 1300, 40))
    part = Part(
        "one",
        (Claim("first", "here", stated, repair), Claim("second", "there", plain)),
        {"figures": Table(("x", "y"), (("1", "2"),))},
        (Picture("drawn", "what it shows", chart().svg()),),
        {"k": "8"},
    )
    return Study("small", {"seed": 7}, (part,), template)


def chart(**options) -> Chart:
    drawn = Chart("a < b & c", "time, s", "money, USD", **options)
    drawn.line("bound", [1, 2, 3], [1, 4, 9])
    drawn.points("found", [1, 3], [Interval(2, 1, 3, 9), Interval(5, 4, 6, 9)])
    return drawn


# --- the page ---


def test_a_page_has_each_claim_with_its_number_its_interval_and_its_verdict() -> None:
    assert render(study()) == (
        "1 × *holds*, 1 × *holds with this repair*\n\n"
        "| statement | where | verdict |\n| --- | --- | --- |\n"
        "| a = 1 | here | holds with this repair: a ≤ 0 |\n| b ≥ 0 | there | holds |\n\n"
        "| claim | where | statement | measured | value | 95 % interval | allowed | answer |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| first | here | a = 1 | a\\|b | −2.5 | −3 to −2 | 0.9 to 1.1 | fails |\n"
        "|  |  | repaired: a ≤ 0 | a\\|b | −2.5 | −3 to −2 | −∞ to 0 | **holds with this repair** |\n"
        "| second | there | b ≥ 0 | b | 1,234 | 1,200 to 1,300 | 0 or more | **holds** |\n\n"
        "![what it shows](small.drawn.svg)\n\n| x | y |\n| --- | --- |\n| 1 | 2 |\n\n8\n\n- seed: 7\n"
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (TEMPLATE + "{{table:nothing}}", r"place `\{\{table:nothing\}\}` that nothing fills"),
        (TEMPLATE + "{{figure:nothing}}", "that nothing fills"),
        (TEMPLATE + "{{word}}", "that nothing fills"),
        (TEMPLATE.replace("{{claims:one}}", ""), r"no place for \[\('claims', 'one'\)\]"),
        (TEMPLATE.replace("{{table:figures}}", ""), r"no place for \[\('table', 'figures'\)\]"),
    ],
)
def test_a_page_leaves_nothing_out_and_nothing_open(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(study(template))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (-1 / 6, "−0.1667"),
        (1234.6, "1,235"),
        (0.003682, "0.003682"),
        (math.inf, "∞"),
        (2.0, "2"),
    ],
)
def test_a_number_is_written_as_people_write_it(value: float, text: str) -> None:
    assert figure(value) == text


def test_an_open_end_is_said() -> None:
    assert span(Region(-1, math.inf)) == "−1 or more"


# --- the folder ---


def test_a_study_is_written_the_same_every_time_and_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    written = write_study(tmp_path, study())
    before = [each.read_bytes() for each in written]
    assert [each.name for each in written] == ["small.drawn.svg", "small.md"]
    assert [each.read_bytes() for each in write_study(tmp_path, study())] == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine.txt", "small.drawn.svg", "small.md"]


def test_a_folder_that_cannot_be_is_told_before_the_study(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"HR808.*this is a file, not a folder"):
        check_folder(tmp_path / "file")
    with pytest.raises(RunError, match=r"HR808.*there is no folder to make it in"):
        check_folder(tmp_path / "none" / "study")
    check_folder(tmp_path / "study")
    assert list((tmp_path / "study").iterdir()) == []


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "small.md").mkdir()
    with pytest.raises(RunError, match=r"HR808.*the folder cannot be written"):
        write_study(tmp_path, study())


# --- pictures ---


def test_a_picture_is_well_formed_and_says_its_title_axes_and_series() -> None:
    root = ElementTree.fromstring(chart().svg())
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a < b & c", "time, s", "money, USD", "bound", "found"} <= set(texts)
    assert chart().svg() == chart().svg()


def test_a_higher_value_is_drawn_higher_and_a_bar_spans_its_interval() -> None:
    text = chart().svg()
    circles = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', text)][:2]
    assert circles[0] > circles[1]
    bars = re.findall(r'M([\d.]+) ([\d.]+)V([\d.]+)"', text)
    assert len(bars) == len(circles)
    for (_, low, high), place in zip(bars, circles, strict=True):
        assert float(low) > place > float(high)


def test_series_differ_in_shape_or_dash_and_not_in_colour_alone() -> None:
    drawn = Chart("t", "x", "y")
    for name in ("a", "b", "c"):
        drawn.points(name, [0, 1], [Interval(0, 0, 0, 2), Interval(1, 1, 1, 2)])
    drawn.line("d", [0, 1], [0, 1])
    drawn.line("e", [0, 1], [1, 0])
    shapes = {(one.kind, one.shape, one.dash) for one in drawn._series}
    assert len(shapes) == 5


def test_a_logarithmic_axis_puts_equal_ratios_at_equal_distances() -> None:
    drawn = Chart("t", "x", "y", log=True)
    drawn.points("a", [1, 10, 100], [Interval(v, v, v, 2) for v in (2.0, 20.0, 200.0)])
    places = [tuple(map(float, each)) for each in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn.svg())][:3]
    assert places[1][0] - places[0][0] == pytest.approx(places[2][0] - places[1][0], abs=0.11)
    assert places[0][1] - places[1][1] == pytest.approx(places[1][1] - places[2][1], abs=0.11)


def test_a_logarithmic_axis_takes_no_zero_and_a_plot_needs_a_series() -> None:
    drawn = Chart("t", "x", "y", log=True)
    drawn.line("a", [1, 2], [0, 1])
    with pytest.raises(ValueError, match="values above 0"):
        drawn.svg()
    with pytest.raises(ValueError, match="needs a series"):
        Chart("t", "x", "y").svg()


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_round_numbers_lie_between_the_ends_and_are_evenly_spaced(low: float, width: float) -> None:
    high = low + width
    if not high - low > 1e-9 * max(1, abs(low)):
        return
    found = ticks(low, high)
    room = 1e-6 * (high - low) + 1e-9 * abs(low)
    assert 3 <= len(found) <= 7
    assert low - room <= found[0]
    assert found[-1] <= high + room
    steps = {round((b - a) / (found[1] - found[0]), 3) for a, b in pairwise(found)}
    assert steps == {1.0}


# --- the page of this repository ---


def table_rows(text: str) -> list[list[str]]:
    """Return the rows of every table of claims."""
    lines = text.splitlines()
    head = "| " + " | ".join(HEAD) + " |"
    rows = []
    for index, line in enumerate(lines):
        if line == head:
            for row in lines[index + 2 :]:
                if not row.startswith("|"):
                    break
                rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]])
    return rows


def ends(text: str) -> tuple[float, float]:
    numbers = [
        float(each.replace("−", "-").replace(",", "").replace("∞", "inf"))
        for each in re.split(r" to | or more", text)
        if each
    ]
    return (numbers[0], math.inf) if len(numbers) == 1 else (numbers[0], numbers[1])


def test_the_committed_page_has_the_tables_that_the_command_writes() -> None:
    rows = table_rows(PAGE.read_text("utf-8"))
    assert len(rows) > 20
    for row in rows:
        assert len(row) == len(HEAD)
        assert re.fullmatch(r"(\*\*)?(holds|fails|holds with this repair|not decided)(\*\*)?", row[-1])


def test_the_committed_answers_are_what_the_committed_intervals_say() -> None:
    for row in table_rows(PAGE.read_text("utf-8")):
        (low, high), (least, most) = ends(row[5]), ends(row[6])
        answer = "holds" if least <= low and high <= most else "fails" if high < least or most < low else "not decided"
        said = row[-1].strip("*")
        assert said == (
            answer if not row[2].startswith("repaired") else {"holds": "holds with this repair"}.get(answer, answer)
        )


def test_every_claim_of_the_committed_page_is_decided_and_the_intervals_of_profits_are_narrow() -> None:
    text = PAGE.read_text("utf-8")
    rows = table_rows(text)
    assert "not decided" not in {row[-1].strip("*") for row in rows}
    profits = [row for row in rows if row[3] in ("P&L / fees", "P&L / costs", "(P&L − Σ net·E[ΔP]) / fees")]
    assert len(profits) >= 7
    for row in profits:
        low, high = ends(row[5])
        assert high - low <= 0.25


def test_every_picture_of_the_committed_page_is_there_and_well_formed() -> None:
    links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE.read_text("utf-8"))
    assert len(links) == 5
    for link in links:
        ElementTree.fromstring((PAGE.parent / link).read_text("utf-8"))
    assert {each.name for each in PAGE.parent.glob("band_limited.*")} == {PAGE.name, *links}


def test_every_link_of_the_committed_page_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE.read_text("utf-8"))
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []


def test_the_committed_page_says_what_the_template_says() -> None:
    # Whatever stands between two places of the template stands in the page, in its order.
    template = (ROOT / "engine" / "studies" / "band_limited" / "page.md").read_text("utf-8")
    page, start = PAGE.read_text("utf-8"), 0
    for text in re.split(r"\{\{[^}]+\}\}", template):
        found = page.find(text, start)
        assert found >= 0, text
        start = found + len(text)


def test_the_committed_page_was_made_by_the_program_that_is_shipped() -> None:
    # Where it is not: `hedgerow study band_limited --out docs/studies` writes it again.
    made = re.search(r"^- program sha256: (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert made is not None
    assert made[1] == load(ROOT / "specs" / "band_limited_hedge.yaml").compile().digest
