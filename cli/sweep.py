"""`hedgerow sweep`: a spec over data for many parameter sets, to a table on the terminal and a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .data_options import data_options
from .fold_options import asked_folds, fold_options
from .main import DOES_NOT_HOLD, HOLDS, INTERRUPTED
from .run import interruptible, pairs, reading_progress, refuse
from .simulated import tell_simulated
from .sweep_progress import sweeping_progress

if TYPE_CHECKING:
    from ..engine.dryrun.problem import RunError
    from ..engine.load import Spec
    from ..engine.sweep.paths import PathSweep
    from ..engine.sweep.runner import Sweep
    from ..engine.sweep.table import SweepTable
    from ..engine.sweep.walkforward_table import Folds, Judged

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
@click.option("--on", metavar="ADDRESS", help="Run on a Dask cluster that is there, e.g. dask://127.0.0.1:8786.")
@click.option(
    "--backend",
    type=click.Choice(["auto", "native", "live"]),
    default="auto",
    show_default=True,
    help="Native code where it can be had, or one of the two; the results are the same.",
)
@click.option("--days", "keep_days", is_flag=True, help="Keep the books of each set at the end of each UTC day.")
@fold_options
@click.option(
    "--paths",
    type=int,
    metavar="N",
    default=1,
    help="Run every set over N paths of a scenario, and tell their mean.",
)
@click.option("--yes", is_flag=True, help=f"Run more than {ASKED:,} sets without being asked.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder to write.  [default: NAME-sweep]")
@click.option("--resume", is_flag=True, help="Go on with the sweep in the folder, which was interrupted.")
@click.option("--force", is_flag=True, help="Replace the sweep in the folder, or write among other files.")
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    spec: Path,
    source: str,
    stress: str | None,
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
    on: str | None,
    backend: Literal["auto", "native", "live"],
    keep_days: bool,
    walk_forward: bool,
    outer: int,
    inner: int,
    horizon: int,
    embargo: int,
    objective: str,
    paths: int,
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
    from ..engine.processes import processors
    from ..engine.sweep.paths import PathSweep, prepare_paths
    from ..engine.sweep.sets import parameter_sets
    from ..engine.sweep.store import check_sweep_folder, write_text
    from ..engine.sweep.summary import summarise
    from ..engine.sweep.walkforward_table import check_folds

    try:
        loaded = load(spec, permit=permit)
    except SpecError as error:
        if as_json:
            click.echo(json.dumps({"diagnostics": [found.to_json() for found in error.diagnostics]}, indent=2))
        raise
    folder = out or Path(f"{loaded.name}-sweep")
    try:
        folds = asked_folds(
            walk_forward, outer=outer, inner=inner, horizon=horizon, embargo=embargo, objective=objective
        )
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
                made = prepare_paths(
                    loaded,
                    source,
                    sets,
                    paths,
                    fill=fill,
                    event=event,
                    mapping=pairs(mapping, "--map", "price=close"),
                    time_column=time_column,
                    window=Window(parse_bound(start, "--from"), parse_bound(end, "--to")),
                    skip_bad=skip_bad,
                    stress=stress,
                    permitted=permit,
                    backend=backend,
                    workers=workers or (processors() if on is None else 1),
                    on=on,
                    keep_days=keep_days or walk_forward,
                    reading=reading,
                    interrupted=interrupted,
                )
            if len(sets) * paths > ASKED and not yes:
                raise _ask_first(made)
            if folds is not None and not isinstance(made, PathSweep):
                check_folds(made, folds)
            made = made.kept_in(folder, resume=resume, force=force)
            with sweeping_progress("runs" if isinstance(made, PathSweep) else "sets") as progress:
                try:
                    table = made.run(progress=progress, interrupted=interrupted)
                except KeyboardInterrupt:  # before there was anything to tell
                    return _stopped("what is done is", folder)
        judged, unjudged = _judge(table, made, None if table.interrupted else folds)
        summary = summarise(table, None if judged is None else judged.to_json())
        if not table.interrupted:
            if judged is not None:
                write_text(folder / "walkforward.json", _document(summary["walk_forward"]) + "\n")
            write_text(folder / "summary.json", _document(summary) + "\n")
            if not no_report:
                from ..engine.sweep.page import page

                write_text(folder / "report.html", page(table, summary, judged))
        if unjudged is not None:
            raise unjudged
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(_document(summary))
    else:
        tell_simulated(loaded)
        _show(summary, folder, loaded, judged, report=not (no_report or table.interrupted))
    if table.interrupted:
        done = f"{table.paths:,} of {paths:,} paths" if paths > 1 else f"{len(table):,} of {table.total:,} sets"
        return _stopped(f"{done} are done and", folder)
    return HOLDS if table.held else DOES_NOT_HOLD


def _stopped(done: str, folder: Path) -> int:
    click.echo(f"interrupted; {done} kept in {folder}; the same command with --resume goes on", err=True)
    return INTERRUPTED


def _judge(table: SweepTable, made: Sweep | PathSweep, folds: Folds | None) -> tuple[Judged | None, RunError | None]:
    """Return the walk-forward that was asked for, or why it cannot be told; the sweep stays either way."""
    from ..engine.sweep.paths import PathSweep

    if folds is None or isinstance(made, PathSweep):
        return None, None
    from ..engine.dryrun.problem import RunError
    from ..engine.sweep.walkforward_table import judge

    try:
        return judge(table, made, folds), None
    except RunError as error:
        help = f"{error.help}; the sweep itself is done and kept"
        return None, RunError(error.code, error.message, error.file, help, error.line)


def _document(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def _ranges(texts: tuple[str, ...]) -> dict[str, str | None]:
    """Return the params of `--range`, each with its text or None."""
    bare = {text.strip(): None for text in texts if "=" not in text}
    given = pairs(tuple(text for text in texts if "=" in text), "--range", "k=6:10")
    from ..engine.dryrun.problem import RunError

    for name in bare:
        if name in given:
            raise RunError("HR807", f"`{name}` is given twice, with different values", "--range", "give it once")
    return {**bare, **given}


def _ask_first(made: Sweep | PathSweep) -> Exception:
    from ..engine.dryrun.narrative import span
    from ..engine.dryrun.problem import RunError
    from ..engine.sweep.paths import PathSweep

    told = span(made.seconds() / 86_400)
    over = f" and {made.count:,} paths" if isinstance(made, PathSweep) else ""
    message = f"{len(made.sets):,} sets over {len(made.path):,} rows{over} take about {told}"
    return RunError("HR831", message, "--yes", "write --yes to run them all, or --sample sobol --n 1000 to draw some")


def _show(summary: dict[str, Any], folder: Path, spec: Spec, judged: Judged | None, *, report: bool) -> None:
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
    if judged is not None:
        # Not by the console, which breaks lines where no person watches.
        click.echo("\n" + judged.told() + "\n")
    console.print(Text(f"written to {folder}" + (f"; open {folder / 'report.html'}" if report else "")))
