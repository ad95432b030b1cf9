"""Columns of times, in whatever form a file has them, to int64 nanoseconds of UTC.

ISO 8601 text, dates, Arrow timestamps, and numbers since 1970-01-01 whose unit is taken from their size and
said. Text without a zone is read as UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrow import valid_of, values_of

__all__ = ["Stamps", "iso", "looks_like_time", "parse_time"]

Unit = Literal["s", "ms", "us", "ns", "date"]
NANOSECONDS: dict[Unit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
WORDS: dict[Unit, str] = {
    "s": "numbers read as seconds since 1970 (by their size)",
    "ms": "numbers read as milliseconds since 1970 (by their size)",
    "us": "numbers read as microseconds since 1970 (by their size)",
    "ns": "numbers read as nanoseconds since 1970 (by their size)",
    "date": "eight digits read as dates, YYYYMMDD",
}
DAY_NS = 86_400 * 10**9
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FRACTION = re.compile(r"[.,](\d{1,9})")


def _unit(value: float) -> Unit:
    # 1e11 s is the year 5138 and 1e11 ms is 1973: between them no market data is ambiguous. As seconds,
    # eight digits that read as a date of these two centuries would all fall into August and September 1970.
    size = abs(value)
    if size == int(size) and 19_000_101 <= size <= 20_991_231 and parse_time(str(int(size))) is not None:
        return "date"
    return "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"


def parse_time(text: str) -> int | None:
    """Return one ISO 8601 date or time (UTC unless it names a zone) as ns since 1970, or None.

    Digits of a second past the ninth are refused; `Z` and `+hh:mm` are zones.
    """
    text = text.strip()
    nanoseconds = 0
    if fraction := _FRACTION.search(text):
        nanoseconds = int(fraction.group(1).ljust(9, "0"))
        text = text[: fraction.start()] + text[fraction.end() :]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    stamp = (moment - EPOCH) // _MICROSECOND * 1000 + nanoseconds
    return stamp if -(2**63) <= stamp < 2**63 else None


def looks_like_time(text: str) -> bool:
    """Return whether a value is a date or a time in text with a separator, so that no plain number passes."""
    return "-" in text[1:] and parse_time(text) is not None


def iso(time_ns: int) -> str:
    """Return ns since 1970 as ISO 8601 in UTC, as short as it is exact: a date where it is a whole day."""
    seconds, nanoseconds = divmod(time_ns, 10**9)
    moment = EPOCH + timedelta(seconds=seconds)
    if nanoseconds == 0 and seconds % 86400 == 0:
        return moment.strftime("%Y-%m-%d")
    tail = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + tail + "Z"


class Stamps:
    """Reads the batches of one column of times; the form found in the first batch is held to.

    `said` describes the form in words, for the report; it is empty where the column's type says it all.
    """

    def __init__(self) -> None:
        self.said = ""
        self._unit: Unit | None = None
        self._form: Any = None

    def parse(self, column: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return (n,) ns since 1970, and (n,) whether each could be read; unread stamps are 0.

        Args:
            column: an Arrow array of text, dates, timestamps or numbers.
        """
        import pyarrow as pa

        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._text(column)
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            if pa.types.is_timestamp(kind) and kind.tz is None:
                self.said = "times without a zone, read as UTC"
            return _moments(column)
        if pa.types.is_integer(kind):
            return self._epoch(column.cast(pa.int64(), safe=False))
        if pa.types.is_floating(kind):
            return self._epoch(column.cast(pa.float64()))
        size = len(column)
        return np.zeros(size, np.int64), np.zeros(size, np.bool_)

    def _text(self, column: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        import pyarrow as pa

        # The form of the batch before first: a cast that fails is slow. A number is tried before a date.
        forms = (pa.int64(), pa.float64(), pa.timestamp("ns"), pa.timestamp("ns", "UTC"))
        for form in sorted(forms, key=lambda form: form != self._form):
            try:
                cast = column.cast(form)
            except pa.ArrowInvalid:
                continue
            self._form = form
            if not pa.types.is_timestamp(form):
                return self._epoch(cast)
            self.said = "ISO 8601" if form.tz else "ISO 8601 without a zone, read as UTC"
            return _whole(cast)
        # Mixed or broken text: value by value, so that the good ones are kept and the bad ones named.
        texts: list[str | None] = column.to_pylist()
        if self._unit is None and texts and not any(text is not None and looks_like_time(text) for text in texts):
            self._choose(next((number for text in texts if (number := _number(text)) is not None), None))
        times = np.zeros(len(texts), np.int64)
        valid = np.zeros(len(texts), np.bool_)
        for index, text in enumerate(texts):
            stamp = None if text is None else self._one(text)
            if stamp is not None:
                times[index] = stamp
                valid[index] = True
        return times, valid

    def _choose(self, number: float | None) -> None:
        if number is not None:
            self._unit = _unit(number)
            self.said = WORDS[self._unit]

    def _one(self, text: str) -> int | None:
        if self._unit is None:
            return parse_time(text)
        number = _number(text)
        if number is None:
            return None
        if self._unit == "date":
            return parse_time(text)
        exact = int(text) if text.strip().lstrip("+-").isdigit() else number
        stamp = round(exact * NANOSECONDS[self._unit])
        return stamp if -(2**63) <= stamp < 2**63 else None

    def _epoch(self, column: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        import pyarrow as pa

        floating = pa.types.is_floating(column.type)
        valid = valid_of(column)
        numbers = values_of(column, np.float64 if floating else np.int64)
        if floating:
            valid = valid & np.isfinite(numbers)
        if not valid.all():
            numbers = np.where(valid, numbers, 0)
        if self._unit is None and valid.any():
            self._choose(float(numbers[int(np.argmax(valid))]))
        if self._unit == "date":
            return _dates(numbers, valid)
        scale = NANOSECONDS[self._unit or "s"]
        fits = np.abs(numbers.astype(np.float64)) < 9.2e18 / scale
        valid = valid & fits
        if floating:
            # Whole seconds and the fraction apart: a product in floats would lose the nanoseconds.
            whole = np.floor(np.where(fits, numbers, 0.0))
            rest = np.where(fits, numbers - whole, 0.0)
            return whole.astype(np.int64) * scale + np.rint(rest * scale).astype(np.int64), valid
        return np.where(fits, numbers, 0).astype(np.int64) * scale, valid


def _moments(column: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the ns of dates or timestamps; one outside of the years 1677 to 2262 is unread, and no other for it."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind):
        scale = NANOSECONDS[kind.unit]
    else:
        scale = DAY_NS if pa.types.is_date32(kind) else NANOSECONDS["ms"]
    if pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    numbers = values_of(column.cast(pa.int64()), np.int64)
    most = (2**63 - 1) // scale
    valid = valid_of(column) & (numbers >= -most) & (numbers <= most)
    return np.where(valid, numbers, 0) * scale, valid


def _whole(column: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    valid = valid_of(column)
    return np.where(valid, values_of(column, np.int64), 0), valid


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _dates(
    numbers: npt.NDArray[Any], valid: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    digits = numbers.astype(np.int64)
    years, months, days = digits // 10_000, digits // 100 % 100, digits % 100
    valid = (
        valid & (digits == numbers) & (years >= 1678) & (years < 2262) & (months >= 1) & (months <= 12) & (days >= 1)
    )
    first = ((np.where(valid, years, 1970) - 1970) * 12 + np.where(valid, months, 1) - 1).astype("datetime64[M]")
    moments = first.astype("datetime64[D]") + (np.where(valid, days, 1) - 1)
    valid = valid & (moments.astype("datetime64[M]") == first)
    return np.where(valid, moments.astype(np.int64) * DAY_NS, 0), valid
