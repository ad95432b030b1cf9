"""The benchmarks do equal work and write their page. No test here looks at a time."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import hedgerow
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
        "Gates", "A journal", "A host", "Shards", "The stop lane", "A native loop", "Compiling to native code",
        "A thousand sets", "A trace to Parquet", "Exploring", "Proving",
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


def test_a_part_that_is_measured_again_takes_its_place_in_the_page(events: ModuleType) -> None:
    from benchmarks.__main__ import SIZES
    from benchmarks.page import Section, page, updated

    first, second, other = (Section(title, (words,), ("", "n"), (), ()) for title, words in ("ax", "by", "az"))
    size = SIZES["tiny"]
    whole = page([first, second], size)
    assert updated(whole, [], size) == whole
    assert updated(whole, [other], size) == page([other, second], size)
    for sections, chosen in (([Section("c", (), ("",), (), ())], size), ([], SIZES["full"])):
        with pytest.raises(ValueError, match="the page"):
            updated(whole, sections, chosen)


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


# --------------------------------------------------------------------------------------------------------------- sweeps


def test_the_peers_of_sweeps_are_in_no_extra() -> None:
    # vectorbt's licence is not a free one.
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*told["dependencies"], *(each for extra in told["optional-dependencies"].values() for each in extra)]
    peers = (ROOT / "benchmarks" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {re.split(r"[^\w.-]", line)[0] for line in peers if not line.startswith("#")}
    assert names == {"numba", "vectorbt"}
    assert not names & {re.split(r"[^\w.-]", each)[0] for each in wanted}


BUSY = {"tau_max": "30d", "gamma1": "0.01"}


@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize(
    ("values", "reached"),
    [
        (BUSY, ("up", "down")),
        (BUSY | {"net_max": 20_000, "delta": 0.5}, ("give_up", "exit_step", "finish")),
        (BUSY | {"net_max": 20_000, "residue": 0.001, "timed_exit": False}, ("exit_step",)),
        (BUSY | {"tau_max": "10h", "k": 10}, ("freeze", "thaw")),
        (BUSY | {"tau_max": "10h", "k": 10, "gross_max": 2_010_000}, ("gave_up_paused", "finish")),
    ],
)
def test_the_hand_written_loop_comes_to_the_results_of_the_native_one(
    events: ModuleType, values: dict[str, Any], reached: Sequence[str], watch: bool
) -> None:
    pytest.importorskip("llvmlite")
    pytest.importorskip("numba", reason="a peer of the benchmarks, in benchmarks/requirements.txt")
    from benchmarks.sweep_hand import hand_written
    from benchmarks.sweep_loop import Kernel, Options, compare, hand_results, kernel_results, spec_file, walk

    spec = load(spec_file())
    times, prices, stops = walk(200_000)
    parameters = spec.compile(**values).parameters
    kernel = Kernel(spec.program("same"), "tick", Options(watch=watch))
    books = np.zeros((4, len(stops)))
    theirs = hand_results(hand_written(watch), parameters, (times, prices, stops), *books[2:])
    # Native code gives what comes after the end to the reference.
    path = times[: theirs["rows"]], prices[: theirs["rows"]], np.minimum(stops, theirs["rows"])
    ours = kernel_results(kernel, parameters, path, *books[:2])
    compare(ours, theirs, watch)
    days = int(np.searchsorted(stops, theirs["rows"])) + 1
    assert np.array_equal(books[:2, :days], books[2:, :days])
    assert all(theirs[name] > 0 for name in reached), theirs


def test_loops_that_differ_in_the_last_bit_are_not_compared(events: ModuleType) -> None:
    from benchmarks.sweep_loop import DifferentResultsError, compare

    compare({"fees": 0.1, "orders": 2, "drawdown": 0.0}, {"fees": 0.1, "orders": 2, "drawdown": 0.5}, False)
    with pytest.raises(DifferentResultsError, match=r"differ in fees: fees 0.3\d* and 0.3$"):
        compare({"fees": 0.1 + 0.2, "orders": 2}, {"fees": 0.3, "orders": 2}, True)


def band_by_hand(prices: Sequence[float], band: float, lot: float, fee: float) -> tuple[float, int, float]:
    """Return net position, orders and P&L of the no-trade band."""
    position, orders, profit, anchor, last = 0.0, 0, 0.0, prices[0], prices[0]
    for price in prices:
        profit += position * (price - last)
        last = price
        if abs(price - anchor) >= band * anchor:
            position += -lot if price > anchor else lot
            orders, profit, anchor = orders + 1, profit - lot * price * fee, price
    return position, orders, profit


def test_the_no_trade_band_trades_as_it_does_by_hand(events: ModuleType) -> None:
    pytest.importorskip("llvmlite")
    from benchmarks.sweep_sets import Peer, agree, made, positions

    spec, path, sets = made(5, 20_000)
    table = hedgerow.sweep(spec, path, sets, backend="native")
    held = [band_by_hand(path.fields[0].tolist(), each["band"], each["lot"], each["fee"]) for each in sets]
    position, orders, profit = zip(*held, strict=True)
    assert min(orders) > 0
    agree(table, positions(spec, path, sets), Peer(np.array(position), np.array(orders), np.array(profit)))


@pytest.mark.parametrize("other", ["position", "orders", "profit"])
def test_sweeps_whose_peer_trades_otherwise_are_not_compared(events: ModuleType, other: str) -> None:
    pytest.importorskip("llvmlite")
    from benchmarks.sweep_sets import DifferentResultsError, Peer, agree, made, positions

    spec, path, sets = made(3, 1000)
    table, held = hedgerow.sweep(spec, path, sets, backend="native"), positions(spec, path, sets)
    same = Peer(held.copy(), table.column("orders").copy(), table.column("profit").copy())
    agree(table, held, same)
    getattr(same, other)[1] += 1
    with pytest.raises(DifferentResultsError, match="of 1 sets differs, first of set 1"):
        agree(table, held, same)


@pytest.mark.slow
def test_vectorbt_trades_the_no_trade_band_as_a_sweep_does(events: ModuleType) -> None:
    pytest.importorskip("vectorbt", reason="a peer of the benchmarks, in benchmarks/requirements.txt")
    from benchmarks.sweep_peer import vectorbt_band
    from benchmarks.sweep_sets import agree, made, positions

    spec, path, sets = made(5, 3000)
    simulate, read = vectorbt_band()
    theirs = read(simulate(path.fields[0], sets.column("band"), 1.0, 0.0005, 1e6, 5000))
    agree(hedgerow.sweep(spec, path, sets, backend="native"), positions(spec, path, sets), theirs)


def test_what_a_larger_sweep_takes_is_told_without_its_results(
    events: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import sweep_memory

    peaks = {
        10: iter([(100.0, 1.0), (104.0, 1.0), (102.0, 1.0)]),
        100: iter([(112.0, 9.0), (113.0, 9.0), (112.0, 9.0)]),
    }
    monkeypatch.setattr(sweep_memory, "_peak", lambda sets, _rows: next(peaks[sets]))
    assert sweep_memory.growth(10, 100, 5, 3, lambda _what: None) == (102.0, 112.0, 1.0, 9.0, 2.0)


def test_the_desk_has_three_gates_and_four_breakers_and_is_still_at_still_prices(events: ModuleType) -> None:
    from benchmarks import gates

    spec = gates.desk()
    program = spec.program("same")
    locks = [gate for gate in program.gates if gate.name.endswith(".no_new_risk")]
    assert (len(locks), len(program.gates) - len(locks)) == (4, 3)  # each breaker has one of its own
    assert [part.name for part in program.parts if part.name] == [
        "strategy", "drawdown.(made)", "drawdown", "value_at_risk", "liquidity", "correlation", "(own)",
    ]  # fmt: skip
    machine = spec.compile().machine()
    for second, price in enumerate(gates.still(500)):
        assert machine.send("tick", second * gates.SECOND, price=price).fired == ()
    assert machine.send("tick", 500 * gates.SECOND, price=5100.0).orders  # and is not deaf


def test_gates_that_stop_orders_are_not_compared(events: ModuleType) -> None:
    from benchmarks import gates

    few = gates.alternating(20)
    same = [gates.gated(each) for each in (None, gates.COMPILED, gates.ASKED, gates.ISOLATED)]
    assert gates.agree(same, few) == 19
    with pytest.raises(events.DifferentCountsError, match=r"how many orders are released: \[19, 0\]"):
        gates.agree([gates.gated(None), gates.gated("position.quantity > 5 IDX")], few)


def test_a_target_is_met_on_its_own_side_only(events: ModuleType) -> None:
    from benchmarks.page import Target

    assert [Target("", found, 2.0, True).met for found in (1.9, 2.0, 2.1)] == [False, True, True]
    assert [Target("", found, 2.0, False).met for found in (1.9, 2.0, 2.1)] == [True, True, False]


def test_a_bound_that_only_the_best_round_has_kept_is_missed_and_said_to_be_that(events: ModuleType) -> None:
    from benchmarks.page import Target

    rates = {bound: Target.of("rate", [1.0, 3.0, 2.0], bound, at_least=True) for bound in (2.0, 2.5, 3.5)}
    assert [each.met for each in rates.values()] == [True, False, False]
    assert [each.row()[2:] for each in rates.values()] == [
        ("2", "3", "yes"), ("2", "3", "in the best round"), ("2", "3", "**no**"),
    ]  # fmt: skip
    assert Target.of("seconds", [1.0, 3.0, 2.0], 1.5, at_least=False).row() == (
        "seconds", "≤ 1.5", "2", "1", "in the best round",
    )  # fmt: skip
    assert Target("share", 0.6, 0.7, True).row() == ("share", "≥ 0.7", "0.6", "", "**no**")


def test_a_page_that_parts_are_to_be_put_into_is_read_before_anything_is_measured(
    events: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import __main__ as command

    def measure(*_: object) -> None:
        raise AssertionError("it measures")

    monkeypatch.setitem(command.MEASUREMENTS, "events", measure)
    here = tmp_path / "page.md"
    arguments = ["--only", "events", "--update", "--page", str(here)]
    missing = CliRunner().invoke(command.main, arguments)
    here.write_text("- size `tiny`;\n", encoding="utf-8")
    other = CliRunner().invoke(command.main, arguments)
    assert (missing.exit_code, missing.output) == (1, f"Error: {here}: No such file or directory; measure all of it\n")
    assert (other.exit_code, other.output) == (
        1, f"Error: {here}: the page was not measured at the size `full`; measure all of it\n"
    )  # fmt: skip


def test_the_published_page_is_a_full_run(events: ModuleType) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "- size `full`" in page
    assert "not installed" not in page
