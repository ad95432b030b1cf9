"""The page: self-contained, escaped, small, the same bytes each time, and no extreme lost."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from band_machine import COLUMNS, BandMachine, subject
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hedgerow.engine.dryrun.data import open_data
from hedgerow.engine.dryrun.decimation import largest_by_bucket, outline, runs
from hedgerow.engine.dryrun.page import page
from hedgerow.engine.dryrun.subject import Subject
from hedgerow.engine.dryrun.summary import summarise
from hedgerow.engine.dryrun.trace import Fill, Trace, record

MADE = {"data": {"name": "made", "kind": "bars"}, "fill": "same", "parameters": {"k": 8.0}}


@pytest.fixture(scope="module")
def ran() -> tuple[Subject, Trace, dict[str, Any]]:
    data = open_data("vix", ["price"])
    trace = record(BandMachine(tired_after=500), COLUMNS, "tick", data)
    made = subject(name="a<b>", about="</script><script>alert(1)</script> & `code`")
    return made, trace, summarise(made, trace, data, fingerprint=MADE, notes=["read <so>"])


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


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_the_page_loads_nothing_and_its_scripts_are_its_own(ran: Any) -> None:
    text = page(*ran)
    reader = read(text)
    assert reader.loads == []
    assert not re.search(r"@import|url\(", re.search(r"<style>(.*?)</style>", text, re.S)[1])  # type: ignore[index]
    assert reader.tags.count("script") == 3


def test_text_of_the_spec_is_text_on_the_page(ran: Any) -> None:
    text = page(*ran)
    assert "<script>alert(1)" not in text
    assert "alert(1)" in read(text).text
    assert "<h1>a&lt;b&gt;</h1>" in text
    assert "Read &lt;so&gt;." in text


def test_a_name_of_the_spec_cannot_end_the_script_that_carries_the_charts(ran: Any) -> None:
    _, trace, summary = ran
    evil = subject(instruments=("</script><b>",), legs=())
    columns = tuple(name.replace("index.", "</script><b>.") for name in trace.columns)
    renamed = Trace(columns, trace.rows, trace.times, trace.values)
    document = page(evil, renamed, summary).split('id="document">')[1].split("</script>")[0]
    assert "\\u003c/script>\\u003cb> price" in document


def test_the_same_run_gives_the_same_page(ran: Any) -> None:
    assert page(*ran) == page(*ran)


def test_what_a_reader_must_be_told_is_on_the_page(ran: Any) -> None:
    text = " ".join(read(page(*ran)).text.split())
    for needle in (
        "What the P&L is made of",
        "On bars this flatters",
        "distinguishable from −fees",
        "Rules never reached: finish",
        "States never reached: flat",
        "Time in each state",
        "break-even one-way fee",
    ):
        assert needle in text


def test_a_million_rows_stay_below_three_megabytes() -> None:
    size = 1_000_000
    generator = np.random.default_rng(5)
    values = generator.normal(size=(len(COLUMNS), size)).cumsum(axis=1) + 1e5
    values[0] = np.repeat(np.arange(size // 1000) % 3, 1000)
    lines = np.sort(generator.integers(0, size, 50_000)).tolist()
    fills = [Fill(line, "long", "index", "up", "buy", 1, 1, line % 97, 0, 0) for line in lines]
    trace = Trace(COLUMNS, np.arange(size) + 1, np.arange(size) * 10**9, values, fills)
    data = open_data("vix", ["price"])
    text = page(subject(), trace, summarise(subject(), trace, data, fingerprint=MADE, notes=[]))
    assert len(text.encode()) < 3_000_000
    assert "no extreme is lost" in text


lines = arrays.arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e9, 1e9))


@given(lines, st.integers(1, 40))
def test_an_outline_keeps_both_ends_and_both_extremes(line: Any, buckets: int) -> None:
    kept = outline([line], buckets, 0)
    assert kept[0] == 0
    assert kept[-1] == len(line) - 1
    assert line[kept].min() == line.min()
    assert line[kept].max() == line.max()
    assert np.array_equal(kept, np.unique(kept))
    assert len(kept) <= 4 * buckets


@given(lines, st.integers(1, 40))
def test_an_outline_keeps_the_range_of_every_bucket(line: Any, buckets: int) -> None:
    kept = outline([line], buckets, 0)
    edges = np.linspace(0, len(line), min(buckets, len(line)) + 1).astype(int)
    for start, end in pairwise(edges):
        inside = kept[(kept >= start) & (kept < end)]
        assert line[inside].min() == line[start:end].min()
        assert line[inside].max() == line[start:end].max()


def test_short_lines_are_drawn_whole() -> None:
    assert outline([np.arange(50.0)], 4, 50).tolist() == list(range(50))


@given(st.lists(st.integers(0, 999), min_size=1, max_size=200, unique=True), st.integers(1, 20))
def test_of_the_marks_in_a_stretch_the_heaviest_stays(places: list[int], buckets: int) -> None:
    position = np.array(sorted(places))
    weight = (position * 7919 % 101).astype(float)
    kept = largest_by_bucket(position, weight, 1000, buckets)
    if len(position) <= buckets:
        assert len(kept) == len(position)
        return
    bucket = position * buckets // 1000
    assert len(kept) == len(set(bucket.tolist()))
    for one in kept:
        assert weight[one] == weight[bucket == bucket[one]].max()


@given(arrays.arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 3)))
def test_runs_cover_the_rows_in_order_and_change_at_each_start(values: Any) -> None:
    starts, kinds = runs(values, 200)
    assert np.array_equal(np.repeat(kinds, np.diff(np.append(starts, len(values)))), values)
    few, common = runs(values, 3)
    assert few[0] == 0
    assert len(few) <= max(3, 1)
    assert set(common.tolist()) <= set(values.tolist())
