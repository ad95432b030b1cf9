"""`hedgerow sweep`: a spec over recorded data for many parameter sets, to a table on the terminal and a folder."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .data_options import data_options
from .main import DOES_NOT_HOLD, HOLDS, INTERRUPTED
from .run import interruptible, pairs, reading_progress, refuse

if TYPE_CHECKING:
    from ..engine.load import Spec
    from ..engine.sweep.runner import Progress as Told
    from ..engine.sweep.runner import Sweep

__all__ = ["ASKED", "command"]

ASKED = 10_000
"""More sets than these are run only with --yes."""


@click.command("sweep")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--data", "source", required=True, metavar="DATA", help="As for `hedgerow run`: a name, or a file.")
@click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="PARAM=VALUES",
    help="The values of a param: low:high:step with both ends, or a,b,c; repeatable, and all combinations are run.",
)
@click.option(
    "--sample",
    type=click.Choice(["sobol", "random", "latin"]),
    help="Draw the sets instead of running all combinations; says how.",
)
@click.option("--n", type=int, metavar="N", help="How many sets --sample draws.")
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="PARAM[=LOW:HIGH]",
    help="A param that --sample draws, and from where if not from all of its declared range; repeatable.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the sample.")
@data_options
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Threads of native code, or processes of the live backend.  [default: one a processor]",
)
@click.option(
    "--backend",
    type=click.Choice(["auto", "native", "live"]),
    default="auto",
    show_default=True,
    help="Native code where it can be had, or one of the two; the results are the same.",
)
@click.option("--days", "keep_days", is_flag=True, help="Keep the books of each set at the end of each UTC day.")
@click.option("--yes", is_flag=True, help=f"Run more than {ASKED:,} sets without being asked.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder to write.  [default: NAME-sweep]")
@click.option("--resume", is_flag=True, help="Go on with the sweep in the folder, which was interrupted.")
@click.option("--force", is_flag=True, help="Replace the sweep in the folder, or write among other files.")
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    spec: Path,
    source: str,
    grids: tuple[str, ...],
    sample: Literal["sobol", "random", "latin"] | None,
    n: int | None,
    ranges: tuple[str, ...],
    seed: int,
    mapping: tuple[str, ...],
    time_column: str | None,
    event: str | None,
    settings: tuple[str, ...],
    start: str | None,
    end: str | None,
    fill: Literal["same", "next"] | None,
    skip_bad: bool,
    permit: tuple[str, ...],
    workers: int | None,
    backend: Literal["auto", "native", "live"],
    keep_days: bool,
    yes: bool,
    out: Path | None,
    resume: bool,
    force: bool,
    no_report: bool,
    as_json: bool,
) -> int:
    """Run SPEC over recorded data for many parameter sets and write results.parquet, summary.json and report.html.

    Ctrl-C finishes the sets that are running and keeps all that are done; the same command with --resume goes on.

    Exit codes: 0 every invariant held in every set, 1 one did not, 2 bad input, 130 interrupted.
    """
    from ..engine.diagnostics import SpecError
    from ..engine.dryrun.data import Window, parse_bound
    from ..engine.dryrun.problem import RunError
    from ..engine.load import load
    from ..engine.sweep.runner import prepare
    from ..engine.sweep.sets import parameter_sets
    from ..engine.sweep.store import check_sweep_folder, write_text
    from ..engine.sweep.summary import summarise

    try:
        loaded = load(spec, permit=permit)
    except SpecError as error:
        if as_json:
            click.echo(json.dumps({"diagnostics": [found.to_json() for found in error.diagnostics]}, indent=2))
        raise
    folder = out or Path(f"{loaded.name}-sweep")
    try:
        check_sweep_folder(folder, resume=resume, force=force)
        sets = parameter_sets(
            loaded,
            grid=pairs(grids, "--grid", "k=6:10:1"),
            ranges=_ranges(ranges),
            sample=sample,
            n=n,
            seed=seed,
            fixed=pairs(settings, "--set", "k=9"),
        )
        with interruptible() as interrupted:
            with reading_progress() as reading:
                made = prepare(
                    loaded,
                    source,
                    sets,
                    fill=fill,
                    event=event,
                    mapping=pairs(mapping, "--map", "price=close"),
                    time_column=time_column,
                    window=Window(parse_bound(start, "--from"), parse_bound(end, "--to")),
                    skip_bad=skip_bad,
                    permitted=permit,
                    backend=backend,
                    workers=workers or _processors(),
                    keep_days=keep_days,
                    reading=reading,
                    interrupted=interrupted,
                )
            if len(sets) > ASKED and not yes:
                raise _ask_first(made)
            made = made.kept_in(folder, resume=resume, force=force)
            with _progress() as progress:
                table = made.run(progress=progress, interrupted=interrupted)
        summary = summarise(table)
        if not table.interrupted:
            write_text(
                folder / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            )
            if not no_report:
                from ..engine.sweep.page import page

                write_text(folder / "report.html", page(table, summary))
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _show(summary, folder, loaded, report=not (no_report or table.interrupted))
    if table.interrupted:
        told = f"interrupted; {len(table):,} of {table.total:,} sets are done and kept in {folder}"
        click.echo(f"{told}; the same command with --resume goes on", err=True)
        return INTERRUPTED
    return HOLDS if table.held else DOES_NOT_HOLD


def _ranges(texts: tuple[str, ...]) -> dict[str, str | None]:
    """Return the params of `--range`, each with its text or None."""
    bare = {text.strip(): None for text in texts if "=" not in text}
    given = pairs(tuple(text for text in texts if "=" in text), "--range", "k=6:10")
    from ..engine.dryrun.problem import RunError

    for name in bare:
        if name in given:
            raise RunError("HR807", f"`{name}` is given twice, with different values", "--range", "give it once")
    return {**bare, **given}


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ask_first(made: Sweep) -> Exception:
    from ..engine.dryrun.narrative import span
    from ..engine.dryrun.problem import RunError

    told = span(made.seconds() / 86_400)
    message = f"{len(made.sets):,} sets over {len(made.path):,} rows take about {told}"
    return RunError("HR831", message, "--yes", "write --yes to run them all, or --sample sobol --n 1000 to draw some")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[Told], None] | None]:
    """Draw a progress bar on stderr while a person watches; yield what moves it."""
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
            rates = f"{(at.done - first) / took:,.1f} sets/s, {_short(at.events / took)} ticks/s"
            bar.update(task, total=at.total, completed=at.done, told=f"{at.done:,} of {at.total:,} sets, {rates}")

        yield move


def _short(rate: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{rate / size:.3g} {letter}"
    return f"{rate:.3g}"


def _show(summary: dict[str, Any], folder: Path, spec: Spec, *, report: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..engine.diagnostics import printable
    from ..engine.sweep.told import luck_told, rows

    console = Console(highlight=False)
    sets = summary["sets"]
    done = f"{sets['done']:,} of {sets['count']:,}" if summary["interrupted"] else f"{sets['count']:,}"
    console.print(Text.assemble((spec.name, "bold"), f": a sweep of {done} parameter sets"))
    table = Table(box=SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("value", overflow="fold")
    for name, value in rows(summary):
        table.add_row(Text(name, style="cyan"), Text(printable(value)))
    console.print(table)
    if told := luck_told(summary):
        console.print(Text(told))
    console.print(Text(f"written to {folder}" + (f"; open {folder / 'report.html'}" if report else "")))
