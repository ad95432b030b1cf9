"""What is proved of the band-limited hedge: of the shipped spec, and of the paper's rule to the letter.

`constraints`, `shipped`, `winding_down` and `as_written` are its parts; `page.md` is the page's text, in which verdicts,
ticks and figures are filled in. There is no chance in it: no seed, and no time on the page.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

from ...studies.report import Study
from .setting import Setting

__all__ = ["conduct"]


def conduct(workers: int | None = None, progress: Callable[[float, str], None] | None = None) -> Study:
    """Conduct the study; it is the same every time.

    Args:
        workers: processes that ask the solver; all cores where it is left out.
        progress: called before each part, with the share that is done and what begins.

    Raises:
        SolverError: the solver is not installed, or does not answer.
    """
    from . import as_written, constraints, shipped, winding_down

    setting = Setting(workers)
    parts = []
    stages = (
        (0.0, constraints.conduct, "the paper's constraints"),
        (0.6, shipped.conduct, "the shipped rule"),
        (0.8, winding_down.conduct, "the exit"),
        (0.81, as_written.conduct, "the rule as written"),
    )
    for done, part, name in stages:
        if progress is not None:
            progress(done, name)
        parts.append(part(setting))
    template = (files(__name__) / "page.md").read_text("utf-8")
    return Study("band_limited_proof", setting.made_of(), tuple(parts), template)
