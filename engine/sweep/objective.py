"""What a walk-forward chooses by: a score of the daily P&L of each set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...models.selection.scores import Matrix, sharpe_ratios, tail_adjusted_means
from ..dryrun.problem import RunError

__all__ = ["SHARPE", "Objective", "read_objective"]

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """What is maximised on the inner folds.

    `sharpe` is mean over standard deviation of the daily P&L: free of scale, so that a set cannot win by trading more
    of the same. `tail` is mean − weight · CVaR of the worst (1 − confidence) share of days, in money a day: for those
    who mind the worst days more than the spread of all, and whose sets are of one size.
    """

    name: Literal["sharpe", "tail"] = "sharpe"
    weight: float = 1.0
    confidence: float = 0.95

    def scores(self, pnl: Matrix) -> Values:
        """Return (sets,) scores of a (sets, days) P&L."""
        return sharpe_ratios(pnl) if self.name == "sharpe" else tail_adjusted_means(pnl, self.weight, self.confidence)

    def __str__(self) -> str:
        told = f"mean − {self.weight:g} · CVaR {self.confidence * 100:g} % of the daily P&L"
        return "mean / standard deviation of the daily P&L" if self.name == "sharpe" else told


SHARPE = Objective()


def read_objective(text: str) -> Objective:
    """Return the objective that a text writes: `sharpe`, `tail`, `tail:WEIGHT` or `tail:WEIGHT:CONFIDENCE`.

    Raises:
        RunError: HR807, another text, a weight below 0, or a confidence outside [0, 1).
    """
    name, *numbers = (part.strip() for part in text.split(":"))
    if name == "sharpe" and not numbers:
        return SHARPE
    help = "write sharpe, tail, or tail with a weight and a confidence: tail:0.5:0.95"
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = [math.nan]
    if name != "tail" or len(values) > 2 or not all(map(math.isfinite, values)):
        raise RunError("HR807", f"`{text[:60]}` is no objective", "--objective", help)
    found = Objective("tail", *values)
    if found.weight < 0:
        raise RunError("HR807", f"the weight of the tail, {found.weight:g}, is below 0", "--objective", help)
    if not 0 <= found.confidence < 1:
        message = f"the confidence of the tail, {found.confidence:g}, is outside [0, 1)"
        raise RunError("HR807", message, "--objective", help)
    return found
