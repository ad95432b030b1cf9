"""Windows: the one-dimensional samples that the other models read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Window", "sample"]

if TYPE_CHECKING:
    Window = npt.NDArray[np.float64]
else:

    class Window:
        """A (n,) float64 array, oldest value first. The engine hands out read-only views: no model writes to one.

        To a type checker it is the NumPy type; at run time it is a name, so that a signature is read without NumPy.
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
    import numpy as np

    window = np.asarray(values, dtype=np.float64)
    if window.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got {window.ndim} dimensions")
    if window.size < least:
        raise ValueError(f"{name} must hold at least {least} values, got {window.size}")
    if not np.isfinite(window).all():
        raise ValueError(f"{name} must be finite, got a NaN or an infinity")
    return window
