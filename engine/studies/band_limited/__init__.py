"""The claims of the band-limited hedge's paper, put to the test by the shipped spec.

`triggers`, `profit`, `scaling`, `balance` and `winding_down` are its parts; `page.md` is the page's text, in which the
figures are filled in.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

from ..report import Study
from .setting import LEAST_PATHS, Setting

__all__ = ["FULL", "LEAST_PATHS", "QUICK", "conduct"]

FULL = 500
QUICK = 40
"""Paths in each market."""


def conduct(seed: int, paths: int, progress: Callable[[float, str], None] | None = None) -> Study:
    """Conduct the study; the same seed and paths give the same study.

    Args:
        seed: ≥ 0.
        paths: in each market, at least `LEAST_PATHS`; all other numbers go with it.
        progress: called before each part, with the share that is done and what begins.

    Raises:
        ValueError: too few paths.
    """
    from . import balance, profit, scaling, triggers, winding_down

    if paths < LEAST_PATHS:
        raise ValueError(f"paths must be at least {LEAST_PATHS}, got {paths}")
    setting = Setting(seed, paths)
    parts = []
    # The shares are those of the time, on the live backend.
    stages = (
        (0.0, triggers.conduct, "triggers"),
        (0.3, profit.conduct, "profit"),
        (0.8, scaling.conduct, "scaling"),
        (0.95, balance.conduct, "balance"),
        (0.97, winding_down.conduct, "the exit"),
    )
    for done, part, name in stages:
        if progress is not None:
            progress(done, name)
        parts.append(part(setting))
    template = (files(__name__) / "page.md").read_text("utf-8")
    return Study("band_limited", setting.made_of(), tuple(parts), template)
