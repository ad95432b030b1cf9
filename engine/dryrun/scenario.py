"""Scenarios as data: `gbm:seed=7,years=1,step=5m` is a table of times and prices, drawn when it is read.

`read_scenario` checks all of the text before anything is drawn. A scenario is a family of paths: path i depends on the seed
and on i alone, not on how many are drawn.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...models.scenarios.bootstrap import usual_block
from ...models.scenarios.grid import Grid
from ...models.scenarios.sessions import sessions_of
from ...models.scenarios.streams import stream
from ..diagnostics import suggestion
from .arrow import array_of
from .problem import RunError
from .readers import RawBatch
from .scenario_draws import Path
from .scenario_keys import AUTO, Key, Value, given_values, show_length, show_value, split_pairs
from .scenario_kinds import KINDS, SHARED, Kind, shared_keys
from .stress_told import StressTold, told_alone

__all__ = ["MOST_ROWS", "VERSION", "Path", "Scenario", "ScenarioReader", "is_scenario", "read_scenario", "scenario"]

VERSION = 1
"""Counts the changes that give other prices for the same text; it is part of a scenario's hash."""

MOST_ROWS = 20_000_000
_ROWS_AT_ONCE = 65_536
_FORM = re.compile(r"([A-Za-z_]\w+)(?::(.*))?", re.ASCII | re.DOTALL)


class Series(NamedTuple):
    """What a bootstrap draws from: log returns (m,), the usual time between two, and whether the prices are of bars."""

    name: str
    sha256: str
    log_returns: npt.NDArray[np.float64]
    gap_ns: int
    bars: bool


@dataclass(frozen=True, eq=False)
class Scenario:
    """A checked scenario. `seed` and `number` choose the path that is read as data; `path` gives any other."""

    kind: str
    seed: int
    number: int
    grid: Grid
    values: dict[str, Value]
    series: Series | None = None
    written: str = field(default="", repr=False)

    def path(self, number: int | None = None) -> Path:
        """Return one path of the family; None is the one that the text names.

        Raises:
            RunError: HR815, the values do not fit together, or a price leaves the range of floats.
        """
        chosen = self.number if number is None else number
        own = {} if self.series is None else {"log_returns": self.series.log_returns}
        try:
            return KINDS[self.kind].draw(self.grid, stream(self.seed, chosen), **self.values, **own)
        except ValueError as error:
            raise RunError("HR815", str(error), self.written, "change the values that it names") from None

    @property
    def rows(self) -> int:
        """The number of rows of a path."""
        return self.grid.steps + 1 + KINDS[self.kind].more_rows(**self.values)

    @property
    def text(self) -> str:
        """The scenario with every value written out, the same for every spelling of it."""
        shown = {key.name: show_value(key, self.values[key.name]) for key in _own_keys(KINDS[self.kind])}
        grid = {"step": show_length(self.grid.step_ns)}
        if KINDS[self.kind].crash is None:
            grid = {
                "begin": show_value(_BEGIN, self.grid.begin_ns),
                "length": show_length(self.grid.span_ns),
                **grid,
                "year": show_length(self.grid.year_ns),
            }
        pairs = {"seed": str(self.seed), "path": str(self.number), **grid, **shown}
        return f"{self.kind}:" + ",".join(f"{name}={value}" for name, value in pairs.items())

    def sha256(self) -> str:
        """Return the hash of the text, of the version of the generators and of the series that a bootstrap draws from.

        It says what was asked for; the prices may differ in last bits from one processor to another.
        """
        series = "" if self.series is None else self.series.sha256
        return hashlib.sha256(f"hedgerow scenario {VERSION}\n{self.text}\n{series}".encode()).hexdigest()

    def notes(self) -> tuple[str, ...]:
        """Return what a report says of the scenario."""
        kind, grid = KINDS[self.kind], self.grid
        told = ", ".join(f"{key.name} {show_value(key, self.values[key.name])}" for key in _own_keys(kind))
        clock = f"one price every {show_length(grid.step_ns)}"
        clock += f", years of {show_length(grid.year_ns)}" if kind.crash is None else " of a session, and its close"
        notes = [
            f"simulated, not recorded: {kind.about}, seed {self.seed}, path {self.number}, {clock}",
            f"scenario: {told}",
        ]
        if self.series is not None:
            size = self.series.log_returns.size
            notes.append(f"drawn from {size:,} returns of {self.series.name}, sha256 {self.series.sha256[:12]}")
        return tuple(notes)


_BEGIN = next(key for key in SHARED if key.name == "begin")


def _own_keys(kind: Kind) -> tuple[Key, ...]:
    """Return the keys whose values draw the path: the start and the kind's own."""
    return (*(key for key in SHARED if key.name == "start"), *kind.keys)


def is_scenario(source: str) -> bool:
    """Whether a source is written as a scenario: a kind's name, or a word, a colon and pairs. A file of the name wins."""
    match = _FORM.fullmatch(source.strip())
    if match is None:
        return False
    if match[1] not in KINDS and not (match[2] and "=" in match[2] and match[2][0] not in "/\\"):
        return False
    try:
        return not FilePath(source).exists()
    except (OSError, ValueError):  # too long for a name
        return True


def scenario(kind: str, **values: str | float) -> Scenario:
    """Return the scenario of a kind, with values as in its text: `scenario("gbm", seed=7, step="5m", volatility=0.3)`.

    Raises:
        RunError: as `read_scenario`.
    """
    pairs = ",".join(f"{name}={value}" for name, value in values.items())
    return read_scenario(f"{kind}:{pairs}" if pairs else kind)


def read_scenario(source: str) -> Scenario:
    """Return the scenario that a text writes: `name` or `name:key=value,key=value`.

    Args:
        source: a name of `KINDS`, and values; docs/scenarios.md has them all. A bootstrap reads its series now.

    Raises:
        RunError: HR815, an unknown name, key or value, a path without a step or with too many rows; of a bootstrap's series,
            what `open_data` raises, and HR806 for a row that is no price.
    """
    written = source.strip()
    name, _, rest = written.partition(":")
    if name not in KINDS:
        known = ", ".join(f"`{each}`" for each in KINDS)
        raise RunError(
            "HR815", f"there is no scenario `{name[:40]}`", written, suggestion(name, KINDS, f"there are {known}")
        )
    kind = KINDS[name]
    texts = split_pairs(rest, written)
    if "years" in texts and "length" in texts:
        raise RunError("HR815", "`years` and `length` are both given", written, "give one of them")
    shared = given_values([*shared_keys(kind), *kind.keys], texts, written)
    own = {key.name: shared[key.name] for key in _own_keys(kind)}
    series = _series(str(own["of"]), str(own["column"]), written) if "of" in own else None
    if series is not None:
        own["of"] = series.name  # a report names a file without its folders
        written = f"{name}:" + ",".join(f"{key}={series.name if key == 'of' else text}" for key, text in texts.items())
        if own["block"] == AUTO:
            own["block"] = _usual_block(series, str(own["blocks"]), written)
    if kind.crash is None:
        grid = _grid(shared, texts, series, written)
    else:
        grid = sessions_of(kind.crash, int(shared["step"]))
    found = Scenario(name, int(shared["seed"]), int(shared["path"]), grid, own, series, written)
    if found.rows > MOST_ROWS:
        message = f"a path of {found.rows:,} rows is longer than {MOST_ROWS:,}"
        raise RunError("HR815", message, written, "choose a longer step, or a shorter path")
    return found


def _grid(shared: dict[str, Value], texts: dict[str, str], series: Series | None, written: str) -> Grid:
    year_ns, step = int(shared["year"]), shared["step"]
    step_ns = series.gap_ns if series is not None and step == AUTO else int(step)
    if series is not None and "years" not in texts and shared["length"] == AUTO:
        steps = series.log_returns.size
    else:
        if "years" in texts or shared["length"] == AUTO:
            # The text and not its float: 0.1 years is a tenth.
            length_ns = int(Fraction(Decimal(texts.get("years", "1"))) * year_ns)
        else:
            length_ns = int(shared["length"])
        steps = length_ns // step_ns
    if not steps:
        message = "the path is shorter than a step"
        raise RunError("HR815", message, written, f"choose a step below {show_length(step_ns)}, or a longer path")
    try:
        return Grid(steps, step_ns, int(shared["begin"]), year_ns)
    except ValueError:
        message = "the path ends after the year 2262, where nanoseconds end"
        raise RunError("HR815", message, written, "choose an earlier begin, or a shorter path") from None


def _series(of: str, column: str, written: str) -> Series:
    from .data import open_data

    data = open_data(of, ["price"], mapping=None if column == AUTO else {"price": column})
    times, prices = [np.zeros(0, np.int64)], [np.zeros(0)]
    for batch in data.batches():
        values = batch.fields[0]
        bad = dict(batch.faults)
        for index in np.flatnonzero(~(values > 0)).tolist():
            bad.setdefault(int(batch.rows[index]), f"the price {values[index]} is not above 0")
        if bad:
            row = min(bad)
            help = "a bootstrap takes the logarithm of every price; mend the row"
            raise RunError("HR806", f"row {row} is bad: {bad[row]}", data.name, help, data.line(row))
        times.append(batch.times)
        prices.append(values)
    moments, levels = np.concatenate(times), np.concatenate(prices)
    if levels.size < 2:
        raise RunError("HR815", f"`{data.name}` holds {levels.size} prices", written, "a bootstrap needs at least 2")
    gap = int(np.median(np.diff(moments)))
    if gap <= 0:
        message = f"the times of `{data.name}` do not go forward"
        raise RunError("HR815", message, written, "sort the rows by time, and split a file of several series")
    return Series(data.name, data.sha256(), np.diff(np.log(levels)), gap, data.kind == "bars")


def _usual_block(series: Series, blocks: str, written: str) -> float:
    try:
        return usual_block(series.log_returns, "moving" if blocks == "moving" else "stationary")
    except ValueError as error:
        help = "say how many rows a block has, with block=…"
        raise RunError("HR815", f"no length of blocks can be found: {error}", written, help) from None


class ScenarioReader:
    """A scenario as a table: `time`, `price`, and `flow` where there is one."""

    daily = False
    first_line: int | None = None

    def __init__(self, source: str) -> None:
        self.scenario = read_scenario(source)
        self.name = self.scenario.written
        self.bars = self.scenario.series is not None and self.scenario.series.bars
        self.notes: Sequence[str] = self.scenario.notes()
        crash = KINDS[self.scenario.kind].crash
        self.stress: StressTold | None = None
        if crash is not None:
            volatility = float(self.scenario.values["volatility"])
            self.stress = told_alone(crash, self.scenario.text, self.scenario.seed, volatility)
        self._read = 0

    @property
    def columns(self) -> tuple[str, ...]:
        return KINDS[self.scenario.kind].columns

    def time_columns(self) -> tuple[str, ...]:
        return ("time",)

    def batches(self, columns: Sequence[str]) -> Iterator[RawBatch]:
        import pyarrow as pa

        path = self.scenario.path()
        kinds: dict[str, tuple[npt.NDArray[Any], Any]] = {
            "time": (path.times, pa.timestamp("ns", "UTC")),
            "price": (path.prices, pa.float64()),
        }
        if path.flow is not None:
            kinds["flow"] = (path.flow, pa.float64())
        for first in range(0, path.times.size, _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, path.times.size)
            parts = tuple(array_of(kinds[column][0][first:last], kinds[column][1]) for column in columns)
            self._read = last
            yield RawBatch(np.arange(first + 1, last + 1), parts)

    def progress(self) -> float:
        return min(1.0, self._read / self.scenario.rows)

    def sha256(self, columns: Sequence[str]) -> str:
        return self.scenario.sha256()
