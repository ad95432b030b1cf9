"""`hedgerow run` over a long CSV file, without its report and with it."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import hedgerow

from .page import Section, Size, Target
from .processes import Cost, cost, hedgerow_command
from .rounds import interleave, rates

__all__ = ["measure"]

ROWS_A_SECOND = 300_000.0
REPORT = 3.0


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure a dry run."""
    spec = Path(hedgerow.__file__).parent / "specs" / "band_limited_hedge.yaml"
    costs: dict[str, list[Cost]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        progress(f"writing {size.rows:,} rows")
        data = Path(folder) / "ticks.csv"
        _write(data, size.rows)
        out = Path(folder) / "run"
        command = [*hedgerow_command(), "run", str(spec), "--data", str(data), "--out", str(out), "--force"]

        def run(report: str, *options: str) -> float:
            # Whether the invariants held on the random data is the spec's affair: 0 or 1.
            costs[report].append(cost([*command, *options], {0, 1}))
            _must_have_run(out, size.rows, report == "with")
            return costs[report][-1].wall

        runs = {
            "run without the report": partial(run, "without", "--no-report"),
            "run with it": partial(run, "with"),
        }
        found = interleave(runs, size.row_rounds, progress)
    without, complete = found.values()
    more = median(b - a for a, b in zip(without, complete, strict=True))
    rows = tuple(
        (name, f"{median(each.wall for each in all_of_them):.2f}", f"{median(each.cpu for each in all_of_them):.2f}",
         f"{median(size.rows / each.wall for each in all_of_them):,.0f}")
        for name, all_of_them in zip(found, costs.values(), strict=True)
    )  # fmt: skip
    targets = (
        Target.of("rows a second without the report", rates(without, size.rows), ROWS_A_SECOND, at_least=True,
                  shown="{:,.0f}"),
        Target("seconds more with the report", more, REPORT, False, "{:.2f}"),
    )  # fmt: skip
    words = (
        (
            f"`hedgerow run band_limited_hedge.yaml` over a CSV file of {size.rows:,} rows of time and price (a seeded "
            "geometric random walk, a row a minute), to the written folder: trace, trades, summary, and the report or not. "
            f"Seconds of wall time of the whole process, start included; rounds: {size.row_rounds}."
        ),
    )
    return Section("A dry run", words, ("", "wall s", "CPU s", "rows a second"), rows, targets)


def _write(path: Path, rows: int) -> None:
    rng = random.Random(11)
    price, start = 4000.0, 1_700_000_000_000_000_000
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("time,price\n")
        for minute in range(rows):
            price *= 1 + rng.gauss(0.0, 0.0003)
            file.write(f"{start + minute * 60_000_000_000},{price:.2f}\n")


def _must_have_run(out: Path, rows: int, report: bool) -> None:
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    if summary["rows"]["accepted"] != rows or (out / "report.html").exists() is not report:
        raise RuntimeError(f"the run did not take all {rows} rows, or wrote another folder than was asked for")
