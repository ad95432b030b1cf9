"""The parameter sets next to one: a set worth trading stands among others like it, a lucky one stands alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..windows import sample

__all__ = ["Neighbourhood"]

SPARSE = 2
"""Sets that fill less than one in so many points of the grid of their values are a sample, and no grid."""


class Neighbourhood:
    """Which sets lie next to which.

    On a grid the neighbours of a set are those one step away in one parameter (steps count values that occur, so
    they need not be even) and equal in all others. Of a sample (Sobol, Latin, random) they are the 2p nearest for p
    parameters, as many as inside a grid, with each parameter scaled to its range; the first of equally near ones.

    A parameter with one value is left out.
    """

    def __init__(self, parameters: Mapping[str, npt.ArrayLike]) -> None:
        """Take the columns of a sweep.

        Args:
            parameters: name → (sets,) numbers (bools count 0 and 1), all columns of one length ≥ 2.

        Raises:
            ValueError: columns of unequal length, a NaN or an infinity, no column that varies, or two sets with the
                same values.
        """
        columns = {name: sample(values, f"`{name}`", least=2) for name, values in parameters.items()}
        if len({column.size for column in columns.values()}) > 1:
            sizes = ", ".join(f"`{name}` {column.size}" for name, column in columns.items())
            raise ValueError(f"every parameter must have one value a set, got {sizes}")
        varying = [column for column in columns.values() if np.ptp(column)]
        if not varying:
            raise ValueError("at least one parameter must differ between sets")
        steps = np.stack([np.unique(column, return_inverse=True)[1] for column in varying])
        order = np.lexsort(steps)
        same = np.flatnonzero((np.diff(steps[:, order], axis=1) == 0).all(axis=0))
        if same.size:
            first, second = sorted(order[same[0] : same[0] + 2].tolist())
            raise ValueError(f"sets {first} and {second} have the same parameters")
        values = np.stack(varying)
        self._steps = steps
        self._scaled = (values - values.min(axis=1, keepdims=True)) / np.ptp(values, axis=1, keepdims=True)
        points = float(np.prod(steps.max(axis=1) + 1.0))
        self.grid = points <= SPARSE * values.shape[1]

    def of(self, index: int) -> npt.NDArray[np.int64]:
        """Return the neighbours of one set, ascending; none where a grid has a hole on every side."""
        if self.grid:
            away = np.abs(self._steps - self._steps[:, index : index + 1]).sum(axis=0)
            return np.flatnonzero(away == 1)
        distance = np.square(self._scaled - self._scaled[:, index : index + 1]).sum(axis=0)
        nearest = np.argsort(distance, kind="stable")
        return np.sort(nearest[nearest != index][: 2 * len(self._steps)])
