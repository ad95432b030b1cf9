"""What the rows of a path lie between, block by block: what a kernel needs to see at a glance that nothing happens in one.

It depends on the path and on what the event declares, and on no parameter: a sweep makes it once for all of its sets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...ir import Event, Field

__all__ = ["ROWS", "ranges_of"]

ROWS = 16
"""Rows of a block; a power of two."""
_IRREGULAR = 2**63 - 1

Values = npt.NDArray[np.float64]


def ranges_of(event: Event, times: npt.NDArray[np.int64], fields: Sequence[Values]) -> npt.NDArray[np.int64]:
    """Return the ranges of each block of `ROWS` rows, the last of which may be shorter.

    Args:
        event: what the rows are.
        times: (n,) nanoseconds.
        fields: of each field of the event its (n,) values.

    Returns:
        (⌈n / ROWS⌉, 1 + 2 F) words of 8 bytes: the time of the last row, and of each field the least and the greatest value,
        as doubles. The time is 2^63 − 1 in a block in which a row has a value that the event does not allow, or a time
        before that of the row before it, which may be in the block before.
    """
    count = len(times)
    blocks = -(-count // ROWS)
    made = np.empty((blocks, 1 + 2 * len(fields)), np.int64)
    reals = made.view(np.float64)
    irregular = np.zeros(blocks, np.bool_)
    for index, (field, values) in enumerate(zip(event.fields, fields, strict=True)):
        low, high = _least(values, np.minimum), _least(values, np.maximum)
        reals[:, 1 + 2 * index], reals[:, 2 + 2 * index] = low, high
        least, most = _bounds(field)
        irregular |= ~((low >= least) & (high <= most))
        if field.type != "real":
            irregular[np.flatnonzero(values != np.floor(values)) // ROWS] = True
    irregular[(np.flatnonzero(times[1:] < times[:-1]) + 1) // ROWS] = True
    made[:, 0] = times[np.minimum(np.arange(1, blocks + 1) * ROWS, count) - 1]
    made[irregular, 0] = _IRREGULAR
    return made


def _least(values: Values, of: np.ufunc) -> Values:
    """Return the least value of each block, or by `of` the greatest; NaN where a value is."""
    whole = len(values) // ROWS * ROWS
    found = values[:whole]
    for _ in range(ROWS.bit_length() - 1):
        found = of(found[0::2], found[1::2])
    rest = values[whole:]
    return np.append(found, of.reduce(rest)) if len(rest) else found


def _bounds(field: Field) -> tuple[float, float]:
    """Return the least and the greatest value that a field may have."""
    largest = {"real": np.finfo(np.float64).max, "int": 2.0**53, "bool": 1.0}[field.type]
    least = 0.0 if field.type == "bool" else -largest
    low = least if field.low is None else max(least, float(field.low))
    return low, largest if field.high is None else min(largest, float(field.high))
