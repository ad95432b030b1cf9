"""The progress bar of a sweep: sets done, sets and rows a second, and the time left."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..engine.sweep.runner import Progress as Told

__all__ = ["sweeping_progress"]


@contextlib.contextmanager
def sweeping_progress(what: str = "sets") -> Iterator[Callable[[Told], None] | None]:
    """Draw a progress bar on stderr while a person watches, of sets or `what` else there is; yield what moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("sweeping"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    began = time.perf_counter()
    first: int | None = None
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sweep", total=1.0, told="")

        def move(at: Told) -> None:
            nonlocal first
            first = at.done if first is None else first
            took = max(time.perf_counter() - began, 1e-9)
            rates = f"{(at.done - first) / took:,.1f} {what}/s, {_short(at.events / took)} ticks/s"
            bar.update(task, total=at.total, completed=at.done, told=f"{at.done:,} of {at.total:,} {what}, {rates}")

        yield move


def _short(rate: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{rate / size:.3g} {letter}"
    return f"{rate:.3g}"
