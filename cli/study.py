"""`hedgerow study`: the claims about a strategy, put to the test, to a table on the terminal and a page with pictures."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .main import DOES_NOT_HOLD, HOLDS, NOT_DECIDED
from .run import refuse

if TYPE_CHECKING:
    from ..engine.studies.report import Study

__all__ = ["command"]


@click.command("study")
@click.argument("name", metavar="STUDY")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Folder to write.  [default: STUDY-study]"
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of all random numbers.  [default: 0]")
@click.option(
    "--paths", type=int, metavar="N", help="Paths in each market; other experiments take theirs in proportion."
)
@click.option("--quick", is_flag=True, help="Few paths: seconds instead of minutes, and wider intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print the claims and figures as JSON.")
def command(name: str, out: Path | None, seed: int | None, paths: int | None, quick: bool, as_json: bool) -> int:
    """Put the claims about a strategy to the test and write STUDY.md with its pictures.

    STUDY is `band_limited`: each claim gets its number, a 95 % interval, and a verdict that is computed from it. Or it is
    `band_limited_proof`: each statement is proved for all prices, or refuted by ticks.

    Exit codes: 0 every claim holds, as stated or as repaired, and every statement is decided as the page says, 1 one
    fails, 2 bad input, 3 one is not decided: more paths make its interval narrower.
    """
    from ..engine.dryrun.problem import RunError
    from ..engine.studies import study_named
    from ..engine.studies.folder import check_folder, write_study

    try:
        folder = out or Path(f"{study_named(name)}-study")
        if name == "band_limited_proof":
            _check_provable(seed, paths, quick=quick)
            check_folder(folder)
            study = _proved()
        else:
            size = _size(paths, quick=quick)
            check_folder(folder)
            study = _measured(seed or 0, size)
        write_study(folder, study)
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        from .json_text import json_text

        click.echo(json_text(study.to_json(), sort=False))
    else:
        _show(study, folder)
    verdicts = set(study.verdicts)
    return DOES_NOT_HOLD if "fails" in verdicts else NOT_DECIDED if "not decided" in verdicts else HOLDS


def _size(paths: int | None, *, quick: bool) -> int:
    from ..engine.dryrun.problem import RunError

    try:
        import scipy.stats  # noqa: F401 - the study needs it from its first interval on
    except ImportError:
        message = "a study needs `scipy`, which is not installed"
        help = "install the extra: pip install 'hedgerow[run]'"
        raise RunError("HR809", message, "hedgerow study", help) from None
    from ..engine.studies.band_limited import FULL, LEAST_PATHS, QUICK

    if paths is not None and quick:
        raise RunError("HR807", "`--quick` and `--paths` both say how many", "--paths", "leave one of them out")
    if paths is not None and paths < LEAST_PATHS:
        help = f"give at least {LEAST_PATHS}, or leave it out for {FULL}"
        raise RunError("HR807", f"{paths} paths are too few for an interval", "--paths", help)
    return QUICK if quick else FULL if paths is None else paths


def _check_provable(seed: int | None, paths: int | None, *, quick: bool) -> None:
    """See that nothing random is asked of proofs, and that there is a solver.

    Raises:
        RunError: (HR807) it is, (HR809) there is none.
    """
    from ..engine.dryrun.problem import RunError

    for option, given in (("--seed", seed is not None), ("--paths", paths is not None), ("--quick", quick)):
        if given:
            raise RunError("HR807", "a proof has no paths and no chance in it", option, "leave it out")
    if importlib.util.find_spec("z3") is None:
        help = "install the extra: pip install 'hedgerow[prove]'"
        raise RunError("HR809", "a proof needs `z3-solver`, which is not installed", "hedgerow study", help)


def _measured(seed: int, paths: int) -> Study:
    from ..engine.studies.band_limited import conduct

    with _progress() as progress:
        return conduct(seed, paths, progress)


def _proved() -> Study:
    from ..engine.dryrun.problem import RunError
    from ..engine.prove.band_limited import conduct
    from ..engine.prove.solvers import SolverError

    try:
        with _progress() as progress:
            return conduct(progress=progress)
    except SolverError as error:
        help = "try again when the computer has memory to spare"
        raise RunError("HR841", f"the solver gives no answer: {error}", "hedgerow study", help) from None


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[float, str], None] | None]:
    """Draw a progress bar on stderr while a person watches; yield what moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("begins", total=1.0)
        yield lambda share, name: bar.update(task, completed=share, description=name)


def _show(study: Study, folder: Path) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from ..engine.studies.report import figure, span

    styles = {"holds": "green", "holds with this repair": "yellow", "fails": "red", "not decided": "magenta"}
    console = Console(highlight=False)
    for claim in study.claims:
        head = Text.assemble((claim.key, "bold"), f" ({claim.setting}): ", (claim.verdict, styles[claim.verdict]))
        console.print(head)
        repair = claim.repair if claim.stated.answer == "fails" else None
        for finding in filter(None, (claim.stated, repair)):
            found, said = finding.interval, "repaired: " if finding is claim.repair else ""
            numbers = f"{finding.quantity} {figure(found.value)}, {span(found)} (95 %)"
            console.print(Padding(Text(f"{said}{finding.statement}: {finding.answer}; {numbers}"), (0, 0, 0, 2)))
    for statement in study.statements:
        name = Text.assemble((statement.key, "bold"), f" ({statement.setting}): ")
        console.print(Text.assemble(name, (statement.verdict, styles[statement.verdict])))
        came = (
            statement.found
            if statement.verdict == "holds"
            else f"{statement.found}, and the page says {statement.told}"
        )
        console.print(Padding(Text(f"{statement.words}: {came}"), (0, 0, 0, 2)))
    console.print(Text(f"written to {folder}; read {folder / f'{study.name}.md'}"))
