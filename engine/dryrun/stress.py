"""Stressed replay: `--stress 1987` lays a crash over data, `--stress 2008` cuts the year out of them.

A crash replaces the prices of as many sessions as it has, from a declared day on: each closes with the published move from
the close before, starting from the data's own last price. After it the data's own moves go on from where the crash left
the price, so that times, rows and the number of sessions stay those of the data. Without data the crash is the whole run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...models.scenarios.crash_path import crash_path
from ...models.scenarios.crashes import CRASHES, Crash
from ...models.scenarios.streams import stream
from ..ir import Event, Program
from .data import Batch, Data, Window, open_data
from .problem import RunError
from .scenario import is_scenario
from .scenario_keys import AUTO, Key, Value, given_values, show_value, split_pairs
from .scenario_kinds import CRASH_VOLATILITY, SHARED
from .stress_told import told_over, told_recorded
from .times import DAY_NS, iso, parse_time

__all__ = ["NAMES", "RECORDED", "Splice", "Stress", "moved_fields", "open_run", "open_stressed", "read_stress"]

RECORDED = {"2008": ("2008-01-01", "2009-01-01")}
"""The stresses that are a stretch of recorded data: the first day, and the first one after it."""
NAMES = tuple(sorted((*CRASHES, *RECORDED)))
SHIPPED = "sp500"
"""The data that a recorded stress is cut out of where none are given."""
GAP_NS = 7 * DAY_NS
"""Data hold a stretch if they begin no later than this after its begin, and end no earlier than this before its end."""
PLACE = "--stress"

_OVER = (Key("at", "moment", AUTO, "the first day of the crash, in the times of the data"),)
_ALONE = tuple(key for key in SHARED if key.name in ("start", "step"))
_EARLIEST = -(2**63)

Values = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Opener = Callable[[str, Window | None], Data]


@dataclass(frozen=True)
class Stress:
    """A stress that was read. `crash` is None for a recorded one, which has no values; `given` are the keys written."""

    name: str
    crash: Crash | None
    values: dict[str, Value] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)

    def text(self, at_ns: int) -> str:
        """Return it with every value written out, as it is laid over data from a day on."""
        shown = {"at": iso(at_ns), "seed": self.values["seed"], "volatility": self.values["volatility"]}
        return f"{self.name}:" + ",".join(f"{name}={value}" for name, value in shown.items())

    def scenario(self) -> str:
        """Return the scenario that is the crash alone."""
        pairs = [f"{key.name}={show_value(key, self.values[key.name])}" for key in (*_drawn(), *_ALONE)]
        return f"crash_{self.name}:" + ",".join(pairs)


def _drawn() -> tuple[Key, ...]:
    return (next(key for key in SHARED if key.name == "seed"), CRASH_VOLATILITY)


def read_stress(text: str) -> Stress:
    """Return the stress that a text writes: `1987`, or `1987:at=2008-09-15,seed=7,volatility=0.03`.

    Raises:
        RunError: HR816, an unknown name or key, or a value that cannot be read or is out of its range.
    """
    name, _, rest = text.strip().partition(":")
    if name not in NAMES:
        known = ", ".join(f"`{each}`" for each in NAMES)
        raise RunError("HR816", f"there is no stress `{name[:40]}`", PLACE, f"the stresses are {known}")
    if name in RECORDED:
        if rest.strip():
            help = "write the year alone: nothing of it is drawn or moved"
            raise RunError("HR816", f"the stress `{name}` has no keys", PLACE, help)
        return Stress(name, None)
    try:
        given = split_pairs(rest, PLACE)
    except RunError as error:
        raise RunError("HR816", error.message, PLACE, f"write e.g. {name}:at=2008-09-15,seed=7") from None
    try:
        values = given_values((*_drawn(), *_OVER, *_ALONE), given, PLACE)
    except RunError as error:
        raise RunError("HR816", error.message, PLACE, error.help) from None
    return Stress(name, CRASHES[name], values, given)


def open_run(
    source: str | None,
    stress: str | None,
    event: Event,
    program: Program | None,
    *,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
) -> Data:
    """Open what a run is over: recorded data, data with a stress, or a stress alone.

    Args:
        source: as in `open_data`, and so are the others; None only with a stress.
        stress: None leaves the data as they are; see `open_stressed`.
        event: what a row is.
        program: says with a stress which fields of the event are prices; None only without one.
        mapping: field → column.
        time_column: None finds it.
        window: which times to keep; None keeps all.

    Raises:
        RunError: what `open_data` and `open_stressed` raise.
        ValueError: neither a source nor a stress.
    """
    if stress is not None:
        assert program is not None
        return open_stressed(stress, source, event, program, mapping=mapping, time_column=time_column, window=window)
    if source is None:
        raise ValueError("a run needs data or a stress")
    fields = [each.name for each in event.fields]
    return open_data(source, fields, mapping=mapping, time_column=time_column, window=window)


def open_stressed(
    text: str,
    source: str | None,
    event: Event,
    program: Program,
    *,
    mapping: Mapping[str, str] | None = None,
    time_column: str | None = None,
    window: Window | None = None,
) -> Data:
    """Open data for one event, with a stress.

    Args:
        text: of the stress; see `read_stress`.
        source: as in `open_data`; None is the crash alone, or for a recorded stress the shipped S&P 500.
        event: what a row is.
        program: says which fields of the event are prices.
        mapping: as in `open_data`, and so are the others. A crash is laid over what the window keeps.
        time_column: None finds it.
        window: not with a recorded stress, which is a window itself.

    Raises:
        RunError: HR816, a text that cannot be read, an event without a price, data without the sessions that a crash
            needs or without the year that is asked for; what `open_data` raises.
    """
    stress = read_stress(text)
    moved = moved_fields(event, program)
    fields = [each.name for each in event.fields]

    def opened(source: str, window: Window | None) -> Data:
        return open_data(source, fields, mapping=mapping, time_column=time_column, window=window)

    if stress.crash is None:
        if window is not None and window != Window():
            help = "leave out --from and --to, or leave out --stress"
            raise RunError("HR816", f"the stress `{stress.name}` is a window of its own", PLACE, help)
        return _recorded(stress.name, source or SHIPPED, opened)
    unfit = [name for name in stress.given if name in (("at",) if source is None else ("start", "step"))]
    if unfit:
        wrong = "there are no data to lay the crash over" if source is None else "the data say where and how it runs"
        help = f"leave out `{unfit[0]}`" + (", or give --data" if source is None else ", or leave out --data")
        raise RunError("HR816", f"`{unfit[0]}` has no meaning here: {wrong}", PLACE, help)
    if source is None:
        return opened(stress.scenario(), window)
    reference = _reference(moved)
    days = _survey(opened(source, window), fields.index(reference))
    data = opened(source, window)
    begin = _begin(stress, stress.crash, days, data.name)
    end = begin + len(stress.crash.sessions)
    seed, volatility = int(stress.values["seed"]), float(stress.values["volatility"])
    path = crash_path(stress.crash, days.sizes[begin:end], stream(seed), volatility=volatility)
    # INVARIANT: a session is before the first one, so that the crash has a price to fall from.
    base = days.closes[begin - 1]
    splice = Splice(
        tuple(fields.index(name) for name in moved),
        fields.index(reference),
        days.days[begin],
        days.days[end - 1],
        base * path,
        base * float(path[-1]) / days.closes[end - 1],
    )
    data.alter = splice.moved
    stretch = [day * DAY_NS for day in days.days[begin:end]]
    data.stress = told_over(stress.crash, stress.text(stretch[0]), stretch, seed, volatility, moved)
    return data


def moved_fields(event: Event, program: Program) -> tuple[str, ...]:
    """Return the fields of an event that a crash moves, all by the same factor.

    They are those with the unit of an instrument's price. A spec without instruments has none; then it is the field
    `price`, or the only one that there is.

    Raises:
        RunError: HR816, there is none.
    """
    marks = {instrument.price for instrument in program.instruments}
    units = {cell.unit for cell in program.cells if cell.name in marks}
    reals = [each for each in event.fields if each.type == "real"]
    if marks:
        found = [each.name for each in reals if each.unit in units]
    else:
        alone = reals if len(event.fields) == 1 else []
        found = [each.name for each in reals if each.name == "price"] or [each.name for each in alone]
    if found:
        return tuple(found)
    named = " or ".join(f"`{unit}`" for unit in sorted(units))
    help = f"a crash moves fields in {named}" if marks else "name the field of the price `price`"
    raise RunError("HR816", f"no field of event `{event.name}` is a price", PLACE, f"{help}; see --event")


def _reference(moved: Sequence[str]) -> str:
    """Return the field whose values are the closes: of a bar the last price of it, not its first."""
    return next((name for name in ("price", "close") if name in moved), moved[0])


class _Days(NamedTuple):
    """Per UTC day that has a price, in order: its number since 1970, how many prices it has, and the last of them."""

    days: list[int]
    sizes: list[int]
    closes: list[float]


@dataclass
class Splice:
    """Lays a path over the rows of data, batch after batch.

    Fields:
        fields: the indices of the fields that are moved.
        reference: the one of them that takes the path.
        first_day: the first day of the path, since 1970.
        last_day: the last one.
        prices: (m,) one for each price of these days.
        after: the factor of all later prices.
    """

    fields: tuple[int, ...]
    reference: int
    first_day: int
    last_day: int
    prices: Values
    after: float
    taken: int = 0
    clock: int = _EARLIEST

    def moved(self, batch: Batch) -> Batch:
        """Return a batch with its prices moved; rows that no machine takes for their time or price keep theirs."""
        old = batch.fields[self.reference]
        good, self.clock = _priced(batch.times, old, self.clock)
        days = batch.times // DAY_NS
        inside = good & (days >= self.first_day) & (days <= self.last_day)
        size = int(inside.sum())
        new = self.prices[self.taken : self.taken + size]
        self.taken += size
        factors = np.where(days > self.last_day, self.after, 1.0)
        factors[inside] = new / old[inside]
        fields = [values * factors if index in self.fields else values for index, values in enumerate(batch.fields)]
        # The path itself, and not the old price times a quotient: published closes are hit to the last bit.
        fields[self.reference][inside] = new
        return replace(batch, fields=tuple(fields))


def _priced(times: Times, prices: Values, clock: int) -> tuple[npt.NDArray[np.bool_], int]:
    """Return (n,) whether a row has a price above 0 at a time that does not go back, and the latest time so far."""
    if not times.size:
        return np.zeros(0, np.bool_), clock
    latest = np.maximum(np.maximum.accumulate(times), clock)
    return (times >= latest) & np.isfinite(prices) & (prices > 0), int(latest[-1])


def _survey(data: Data, reference: int) -> _Days:
    """Read data once through.

    Raises:
        RunError: no row in the window, or none with a price.
    """
    found = _Days([], [], [])
    clock = _EARLIEST
    for batch in data.batches():
        prices = batch.fields[reference]
        good, clock = _priced(batch.times, prices, clock)
        kept = prices[good]
        days, firsts, sizes = np.unique(batch.times[good] // DAY_NS, return_index=True, return_counts=True)
        for day, first, size in zip(days.tolist(), firsts.tolist(), sizes.tolist(), strict=True):
            close = float(kept[first + size - 1])
            if found.days and found.days[-1] == day:
                found.sizes[-1] += size
                found.closes[-1] = close
            else:
                found.days.append(day)
                found.sizes.append(size)
                found.closes.append(close)
    if not found.days:
        if not data.rows_in_window:
            raise data.nothing()
        raise RunError("HR816", "no row of the data has a price above 0", data.name, "see --map")
    return found


def _begin(stress: Stress, crash: Crash, days: _Days, name: str) -> int:
    """Return the index of the first session of the crash: that of its day, or a quarter of the way into the data."""
    needed, there = len(crash.sessions), len(days.days)
    if there <= needed:
        message = f"the data hold {there} sessions, and the stress `{crash.name}` takes {needed} after the first"
        raise RunError("HR816", message, name, f"give longer data, or leave out --data to run `{crash.name}` alone")
    at = stress.values["at"]
    if at == AUTO:
        # Averages need time before it, and what trips needs more of it afterwards, to be seen to reset.
        return max(1, (there - needed) // 4)
    begin = int(np.searchsorted(days.days, int(at) // DAY_NS))
    if not 1 <= begin <= there - needed:
        first, last = iso(days.days[1] * DAY_NS), iso(days.days[there - needed] * DAY_NS)
        message = (
            f"from {iso(int(at))} on the stress `{crash.name}` has no session before it, or fewer than its {needed}"
        )
        raise RunError("HR816", message, name, f"choose a day from {first} to {last}")
    return begin


def _recorded(name: str, source: str, opened: Opener) -> Data:
    """Return the data of a recorded stress.

    Raises:
        RunError: HR816, simulated data, or recorded ones that do not hold it.
    """
    if is_scenario(source):
        message = f"`{source[:60]}` is simulated, and `{name}` is a stretch of recorded data"
        raise RunError("HR816", message, PLACE, f"give recorded data, or leave out --data for `{SHIPPED}`")
    start, end = (parse_time(text) for text in RECORDED[name])
    assert start is not None
    assert end is not None
    whole = opened(source, None)
    for _ in whole.batches():
        pass
    first, last = whole.first_ns, whole.last_ns
    if first is None or last is None:
        raise whole.nothing()
    if first > start + GAP_NS or last < end - GAP_NS:
        message = f"the data do not hold the year {name}: they run from {iso(first)} to {iso(last)}"
        help = f"leave out --data for `{SHIPPED}`, which holds it; the stresses of other years need no data of theirs"
        raise RunError("HR816", message, whole.name, help)
    data = opened(source, Window(start, end))
    data.stress = told_recorded(name, f"the year {name} as it was recorded", start, end - DAY_NS)
    return data
