"""The trace: one line an accepted event, and everything that a machine did is in it once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from band_machine import COLUMNS, BandMachine, Step
from hypothesis import given
from hypothesis import strategies as st

import hedgerow
from hedgerow.engine.dryrun.data import open_data
from hedgerow.engine.dryrun.trace import Trace, record

prices = st.lists(st.floats(50, 200), min_size=1, max_size=60)


def recorded(folder: Path, values: list[Any], **options: Any) -> Trace:
    machine = options.pop("machine", None) or BandMachine()
    path = folder / "ticks.csv"
    lines = [f"{1_600_000_000 + index},{value}" for index, value in enumerate(values)]
    path.write_text("time,price\n" + "\n".join(lines) + "\n")
    return record(machine, COLUMNS, "tick", open_data(str(path), ["price"]), **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trace")


@given(prices)
def test_the_trace_is_what_the_machine_shows_after_each_event(folder: Path, values: list[float]) -> None:
    trace = recorded(folder, values)
    machine = BandMachine()
    tick = machine.port("tick")
    steps, shown = [], []
    for index, price in enumerate(values):
        steps.append(tick((1_600_000_000 + index) * 10**9, price))
        shown.append(machine.observation())
    assert np.array_equal(trace.values.T, np.array(shown, dtype=float))
    assert trace.rows.tolist() == list(range(1, len(values) + 1))
    assert trace.fired == [(index, step.fired) for index, step in enumerate(steps) if step.fired]
    orders = [(index, order) for index, step in enumerate(steps) for order in step.orders]
    assert [(fill.index, fill.leg, fill.side, fill.quantity, fill.fee) for fill in trace.fills] == [
        (index, order.leg, order.side, order.quantity, order.fee) for index, order in orders
    ]


def test_the_first_bad_row_stops_the_run_and_what_came_before_stays(tmp_path: Path) -> None:
    trace = recorded(tmp_path, [100, 101, "?", 102])
    assert len(trace) == 2
    assert trace.stopped is not None
    assert (trace.stopped.row, trace.stopped.line) == (3, 4)
    assert trace.rejected == 1


@pytest.mark.parametrize("bad", ["-5", "0"])
def test_a_value_that_the_machine_refuses_is_a_bad_row(tmp_path: Path, bad: str) -> None:
    trace = recorded(tmp_path, [100, bad, 102])
    assert trace.stopped is not None
    assert (trace.stopped.row, trace.stopped.reason) == (2, f"`price` is {float(bad)}")


def test_time_that_runs_backwards_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "ticks.csv"
    path.write_text("time,price\n1600000001,1\n1600000000,2\n1600000002,3\n")
    trace = record(BandMachine(), COLUMNS, "tick", open_data(str(path), ["price"]), skip_bad=True)
    assert [(bad.row, bad.reason) for bad in trace.rejections] == [(2, "time runs backwards")]
    assert trace.rows.tolist() == [1, 3]


@given(st.lists(st.one_of(st.floats(50, 200), st.sampled_from(["?", "", "nan", -1])), min_size=1, max_size=40))
def test_with_bad_rows_passed_over_the_rest_is_as_if_they_were_not_there(folder: Path, values: list[Any]) -> None:
    good = [value for value in values if isinstance(value, float)]
    trace = recorded(folder, values, skip_bad=True)
    assert trace.rejected == len(values) - len(good)
    assert trace.rows.tolist() == [row for row, value in enumerate(values, 1) if isinstance(value, float)]
    if good:
        clean = recorded(folder, good)
        assert np.array_equal(trace.values, clean.values)
        assert [(fill.index, fill.quantity) for fill in trace.fills] == [
            (fill.index, fill.quantity) for fill in clean.fills
        ]


def test_bad_rows_reach_the_machine_so_that_a_breaker_can_count_them(tmp_path: Path) -> None:
    seen: list[float] = []

    class Counting(BandMachine):
        def _tick(self, time_ns: int, price: float) -> Step:
            seen.append(price)
            return super()._tick(time_ns, price)

    recorded(tmp_path, [100, "?", 101], machine=Counting(), skip_bad=True)
    assert np.isnan(seen[1])
    assert [seen[0], seen[2]] == [100, 101]


def test_the_run_ends_with_the_machine(tmp_path: Path) -> None:
    trace = recorded(tmp_path, [100, 101, 102, 103], machine=BandMachine(flat_after=2))
    assert trace.ended
    assert trace.rows.tolist() == [1, 2]
    assert "flat" in trace.visited


def test_a_broken_invariant_is_kept_with_its_first_event_and_counted(tmp_path: Path) -> None:
    trace = recorded(tmp_path, [100, 99, 90, 95, 80], machine=BandMachine(breaks_below=96))
    broken = trace.broken["price_stays_up"]
    assert (broken.row, broken.rules, broken.events) == (3, ("down",), 3)


def test_whole_numbers_and_truths_reach_the_machine_in_their_own_types(tmp_path: Path) -> None:
    seen: list[tuple[object, ...]] = []

    class Typed(BandMachine):
        def port(self, event: str) -> Any:
            def take(time_ns: int, price: float, size: int, live: bool) -> Step:
                seen.append((price, size, live))
                return self._tick(time_ns, price)

            return take

    path = tmp_path / "t.csv"
    path.write_text("time,price,size,live\n1600000000,100,3,1\n1600000001,100,2.5,0\n")
    source = open_data(str(path), ["price", "size", "live"])
    record(Typed(), COLUMNS, "tick", source, field_types=["real", "int", "bool"])
    assert [tuple(map(type, values)) for values in seen] == [(float, int, bool), (float, float, bool)]


def test_progress_grows_to_one(tmp_path: Path) -> None:
    shares: list[float] = []
    recorded(tmp_path, [100 + index % 7 for index in range(200_000)], progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 1
    assert shares[-1] == 1.0


def test_what_a_refused_row_fires_stands_at_the_line_before_it(tmp_path: Path) -> None:
    class Breaking(BandMachine):
        def _tick(self, time_ns: int, price: float) -> Step:
            step = super()._tick(time_ns, price)
            return step._replace(fired=("breaker",)) if step.rejected else step

    trace = recorded(tmp_path, [100, 100.1, "?", 100.2], machine=Breaking(), skip_bad=True)
    assert trace.fired == [(1, ("breaker",))]
    assert len(trace) == 3


def test_bad_rows_are_kept_in_the_order_of_the_file(tmp_path: Path) -> None:
    # Row 3 has no time and is known as bad before row 2 is sent; the machine refuses that one.
    path = tmp_path / "ticks.csv"
    path.write_text("time,price\n1600000001,1\n1600000000,2\n,3\n1600000002,?\n")
    trace = record(BandMachine(), COLUMNS, "tick", open_data(str(path), ["price"]), skip_bad=True)
    assert [bad.row for bad in trace.rejections] == [2, 3, 4]


def test_a_time_in_a_reason_is_written_as_a_date(tmp_path: Path) -> None:
    spec = hedgerow.load(Path(hedgerow.__file__).parent / "specs" / "band_limited_hedge.yaml")
    compiled = spec.compile()
    path = tmp_path / "ticks.csv"
    path.write_text("time,price\n2020-01-02,100\n2020-01-01,101\n")
    trace = record(compiled.machine(), compiled.columns, "tick", open_data(str(path), ["price"]))
    assert trace.stopped is not None
    assert trace.stopped.reason == "the time 2020-01-01 is before the last event at 2020-01-02"
