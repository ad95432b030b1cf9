"""The options of a walk-forward over a sweep: how many folds, what is left out between them, and what is chosen by."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..engine.sweep.walkforward_table import Folds

__all__ = ["asked_folds", "fold_options"]

_DETAILS = ("outer", "inner", "horizon", "embargo", "objective")
_OPTIONS = (
    click.option(
        "--walk-forward",
        is_flag=True,
        help="Choose a set on earlier days and judge it on later ones, fold by fold; keeps the days as --days does.",
    ),
    click.option(
        "--outer", type=click.IntRange(1, 1000), default=5, show_default=True, help="Folds that sets are judged on."
    ),
    click.option(
        "--inner",
        type=click.IntRange(2, 1000),
        default=4,
        show_default=True,
        help="Folds that sets are chosen on, in the days before each outer one.",
    ),
    click.option(
        "--horizon",
        type=click.IntRange(0, 100_000),
        metavar="DAYS",
        default=1,
        show_default=True,
        help="Days that a position is held: so many are left out before each judged span.",
    ),
    click.option(
        "--embargo",
        type=click.IntRange(0, 100_000),
        metavar="DAYS",
        default=1,
        show_default=True,
        help="Further days left out after an inner judged span.",
    ),
    click.option(
        "--objective",
        metavar="SCORE",
        default="sharpe",
        show_default=True,
        help="What is chosen by: sharpe, or tail:WEIGHT:CONFIDENCE, the mean day less WEIGHT times its CVaR.",
    ),
)


def fold_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked_folds(
    walk_forward: bool, *, outer: int, inner: int, horizon: int, embargo: int, objective: str
) -> Folds | None:
    """Return the walk-forward that was asked for, or None.

    Raises:
        RunError: details of a walk-forward that is not asked for, or an objective that there is not.
    """
    from ..engine.dryrun.problem import RunError
    from ..engine.sweep.objective import read_objective

    context = click.get_current_context()
    if not walk_forward:
        for name in _DETAILS:
            if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                message = f"`--{name}` belongs to a walk-forward, and none is asked for"
                raise RunError("HR807", message, f"--{name}", "write --walk-forward too, or leave it out")
        return None
    chosen = read_objective(objective)
    from ..engine.sweep.walkforward_table import Folds

    return Folds(outer, inner, horizon, embargo, chosen)
