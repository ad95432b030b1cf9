"""The report of a sweep: self-contained, escaped, the same bytes each time, and true to the table."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from sweep_market import GATED, SMALL, market, walk

from hedgerow.engine.load import loads
from hedgerow.engine.sweep.charts import _colours, _ink, _shade, _short
from hedgerow.engine.sweep.page import page
from hedgerow.engine.sweep.runner import sweep
from hedgerow.engine.sweep.sets import parameter_sets
from hedgerow.engine.sweep.summary import summarise
from hedgerow.engine.sweep.table import SweepTable


class Reader(HTMLParser):
    """Collects tags, the addresses that they load, and the text outside scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "script" not in self._inside and "style" not in self._inside:
            self.text += data


def swept(about: str = "as it is", **given: Any) -> SweepTable:
    spec = loads(SMALL.replace("about: Buys where", f"about: {about} Buys where"))
    return sweep(spec, market(spec, walk(200, 31)), parameter_sets(spec, **given), backend="live")


GRID = {"step": "0.01:0.04:0.01", "stake": "100:300:100", "most": "1,3"}


@pytest.fixture(scope="module")
def table() -> SweepTable:
    return swept(grid=GRID)


@pytest.fixture(scope="module")
def text(table: SweepTable) -> str:
    return page(table, summarise(table))


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_the_page_loads_nothing_and_its_scripts_are_its_own(text: str) -> None:
    reader = read(text)
    assert reader.loads == []
    assert not re.search(r"@import|url\(", re.search(r"<style>(.*?)</style>", text, re.S)[1])  # type: ignore[index]
    assert reader.tags.count("script") == 3


def test_text_of_the_spec_is_text_on_the_page() -> None:
    made = swept('"</script><script>alert(1)</script> & `code`."\n#', grid={"step": "0.01,0.02"})
    found = page(made, summarise(made))
    assert "<script>alert(1)" not in found
    assert "alert(1)" in read(found).text


def test_the_same_table_gives_the_same_bytes(table: SweepTable, text: str) -> None:
    assert page(table, summarise(table)) == text


def test_the_page_says_what_the_best_what_is_fragile_and_what_luck_finds(table: SweepTable, text: str) -> None:
    told = read(text).text
    best = int(np.argmax(table.column("profit")))
    units = {"stake": " USD"}
    params = ", ".join(f"{name} = {table.column(name)[best]:g}{units.get(name, '')}" for name in table.params)
    assert f"The best set has {params} and a profit of" in told
    assert (
        "are fragile: one step to a cell beside it changes the sign of the median profit, or costs more than 25.0 %"
        in told
    )
    assert "if none of 24 independent sets had an edge, the best would still be expected" in told
    assert "Share of the variance of profit that each param explains by itself" in told
    assert "small_enough in" in told  # the invariant that large stakes break


def test_the_best_sets_are_listed_in_order(table: SweepTable, text: str) -> None:
    rows = re.findall(r'<tr><th scope="row">(\d+)</th>', text)
    assert [int(row) for row in rows[:10]] == np.argsort(-table.column("profit"), kind="stable")[:10].tolist()


@pytest.mark.parametrize(
    ("given", "figures"),
    [
        ({"grid": {"step": "0.01:0.04:0.01"}}, 2),  # profit and drawdown along the param
        ({"grid": {"step": "0.01:0.04:0.01", "stake": "100,200"}}, 4),  # two maps, two lines
        ({"grid": GRID}, 7),  # four maps, three lines
        ({"sample": "sobol", "n": 32, "ranges": {"step": None, "stake": None}}, 4),
        ({"grid": {"step": "0.01"}}, 2),
    ],
)
def test_there_is_a_chart_for_each_pair_and_each_param_that_matter(given: dict[str, Any], figures: int) -> None:
    made = swept(**given)
    found = page(made, summarise(made))
    assert len(re.findall(r'"name":\s*"Figure"', found)) == figures


def test_a_spec_without_money_has_a_page() -> None:
    spec = loads(
        "hedgerow: 1\nname: counter\nevents: {tick: {price: {}}}\n"
        "params: {edge: {default: 100, range: [0, 1000]}}\n"
        "state: {n: {type: int, range: [0, 10000], initial: 0}}\n"
        "machine: {initial: a, states: {a: {on: {tick: {name: up, if: tick.price > edge, "
        'do: {set: {n: "min(n + 1, 10000)"}}}}}}}\n'
    )
    made = sweep(spec, market(spec, walk(50, 3)), parameter_sets(spec, grid={"edge": "90:110:5"}), backend="live")
    assert "highest fired.up" in read(page(made, summarise(made))).text


def test_a_sweep_in_which_no_set_could_start_has_a_page() -> None:
    spec = loads(SMALL.replace("initial: index.price}", "initial: index.price / (stake - stake) * 1 USD}"))
    made = sweep(spec, market(spec, walk(30, 5)), parameter_sets(spec, grid={"stake": "7,8"}), backend="live")
    assert "2 sets refused every row and never started" in read(page(made, summarise(made))).text


def test_the_page_says_in_how_many_sets_gates_stopped_orders() -> None:
    spec = loads(GATED)
    texts = []
    for stakes in ("100,300", "50,60"):
        made = sweep(spec, market(spec, walk(200, 31)), parameter_sets(spec, grid={"stake": stakes}), backend="live")
        texts.append(read(page(made, summarise(made))).text)
    assert "They stopped orders, each with its transition: limits.worth in 1 set." in texts[0]
    assert "They let every order through in every set." in texts[1]


# --- colours ---


def test_gain_is_blue_loss_is_orange_and_nothing_is_nearly_white() -> None:
    palette, low, high = _colours(np.array([-3.0, 1.0]), signed=True)
    assert (low, high) == (-3.0, 3.0)
    assert (palette[0], palette[len(palette) // 2], palette[-1]) == ("#d55e00", "#f7f7f7", "#0072b2")
    assert len(palette) % 2 == 1


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("signed", [True, False])
def test_a_number_can_be_read_on_its_cell(signed: bool) -> None:
    # WCAG 2 asks for a contrast of 3 where the same is told elsewhere too, as in the tip of the cell.
    palette, low, high = _colours(np.array([-1.0, 1.0]) if signed else np.array([0.0, 1.0]), signed)
    for value in np.linspace(low, high, 41).tolist():
        colour = _shade(value, palette, low, high)
        lights = sorted((luminance(colour), luminance(_ink(colour))), reverse=True)
        assert (lights[0] + 0.05) / (lights[1] + 0.05) > 3.5, value


def test_numbers_in_cells_are_short() -> None:
    assert [_short(value, True) for value in (0.0, -3.14159, 1234.0, -2.5e6, 7e9)] == [
        "0",
        "−3.14",
        "1.23 k",
        "−2.5 M",
        "7 G",
    ]
    assert _short(0.01234, False) == "1.23 %"
