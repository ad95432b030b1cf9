"""Times in event scripts: `30m`, `+1.5h`, `2024-01-02T15:00:00Z` or whole nanoseconds, exact to the nanosecond.

The clock of a machine is a whole number of nanoseconds from an epoch of its user's choice. A script may count from its own
beginning (`30m` is 1,800,000,000,000) or from 1970 (an ISO 8601 instant in UTC). No float is on the way.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache

from .units import TIME_SUFFIXES

__all__ = ["TIME_PATTERN", "TimeTextError", "read_time", "show_time"]

_NANOSECONDS = {suffix: seconds * 10**9 for suffix, seconds in TIME_SUFFIXES.items()}
_DURATION = r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:" + "|".join(TIME_SUFFIXES) + ")"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?Z"
TIME_PATTERN = f"^(?:{_DURATION}|{_MOMENT})$"
"""What a time in text looks like; a moment must exist besides, and a duration be whole nanoseconds."""

_TIME = re.compile(TIME_PATTERN[1:-1])
_PARTS = re.compile(r"([+-]?)([0-9.]+)([a-z]+)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_FROM = 5 * 10**17
_FORMS = "write whole nanoseconds, or e.g. `30m`, `+30m` or `2024-01-02T15:00:00Z`"


class TimeTextError(ValueError):
    """A value that is no time; `message` says what is wrong with it and `help` what to write."""

    def __init__(self, message: str, help: str = _FORMS) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


def read_time(given: object, before: int = 0) -> int:
    """Return a time of a script in nanoseconds.

    Args:
        given: whole nanoseconds; text with a time suffix, from 0 or, where it begins with `+`, from `before`; or an
            ISO 8601 instant that ends in `Z`, from 1970-01-01T00:00:00Z.
        before: the time that a `+` counts from, in nanoseconds.

    Returns:
        Any whole number: whether it fits a clock is for the machine to say.

    Raises:
        TimeTextError: it is none of them, or falls between two nanoseconds.
    """
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if not isinstance(given, str):
        wrong = f"`{given:g}` is no time" if isinstance(given, float) else "a time is expected here"
        raise TimeTextError(wrong)
    if not _TIME.fullmatch(given):
        if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
            raise TimeTextError(
                f"`{given[:60]}` is no instant of UTC", "write all of it, with a `Z`, as in `2024-01-02T15:00:00Z`"
            )
        raise TimeTextError(f"`{given[:60]}` is no time")
    if given.endswith("Z"):
        return _moment(given)
    return before + _duration(given) if given.startswith("+") else _duration(given)


@lru_cache(maxsize=1024)
def _duration(text: str) -> int:
    match = _PARTS.fullmatch(text)
    assert match is not None
    exact = Fraction(match[2]) * _NANOSECONDS[match[3]]
    if exact.denominator != 1:
        raise TimeTextError(f"`{text[:60]}` falls between two nanoseconds", "a time is a whole number of nanoseconds")
    return -exact.numerator if match[1] == "-" else exact.numerator


def _moment(text: str) -> int:
    whole, _, fraction = text[:-1].partition(".")
    try:
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    except ValueError:
        raise TimeTextError(f"`{text}` does not exist", "look at the month, the day and the hour") from None
    return (moment - _EPOCH) // timedelta(seconds=1) * 10**9 + int(fraction.ljust(9, "0") or 0)


def show_time(time_ns: int) -> str:
    """Return a time in the shortest exact form that `read_time` reads: `30m`, or an instant from about 1985 on."""
    if _ISO_FROM <= time_ns < 2**63:
        seconds, nanoseconds = divmod(time_ns, 10**9)
        tail = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
        return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + tail + "Z"
    if time_ns == 0:
        return "0"
    suffix = next(each for each in ("d", "h", "m", "s", "ms", "us", "ns") if time_ns % _NANOSECONDS[each] == 0)
    return f"{time_ns // _NANOSECONDS[suffix]}{suffix}"
