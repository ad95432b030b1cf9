"""Windows: the one-dimensional samples that the other models read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Window", "sample"]

Window = npt.NDArray[np.float64]
"""A (n,) float64 sample, oldest value first. The engine hands out read-only views: no model writes to one.

`typing.get_type_hints` rebuilds this alias: recognise it by `==`, not by `is`.
"""


def sample(values: npt.ArrayLike, name: str, least: int = 1) -> Window:
    """Return `values` as a window, or refuse it.

    Args:
        values: (n,) numbers.
        name: what the message calls them.
        least: the smallest n accepted, ≥ 1.

    Raises:
        ValueError: not one-dimensional, fewer than `least` values, a NaN or an infinity.
    """
    window = np.asarray(values, dtype=np.float64)
    if window.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got {window.ndim} dimensions")
    if window.size < least:
        raise ValueError(f"{name} must hold at least {least} values, got {window.size}")
    if not np.isfinite(window).all():
        raise ValueError(f"{name} must be finite, got a NaN or an infinity")
    return window
