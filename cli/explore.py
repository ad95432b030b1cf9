"""`hedgerow explore`: random and coverage-guided walks over a spec, with every invariant watched."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .main import DOES_NOT_HOLD, HOLDS, INTERRUPTED
from .permit import permit
from .run import interruptible, pairs, refuse
from .simulated import tell_simulated

if TYPE_CHECKING:
    from ..engine.explore.exploration import Exploration
    from ..engine.explore.findings import Finding

__all__ = ["command"]

_MANY = 8_000_000
"""So many steps are done sooner by processes that have to start first."""


class _Steps(click.ParamType[int]):
    """A whole number, as 10000000, 10_000_000 or 1e7."""

    name = "steps"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        # Not `int` at once: that of 1e999999999 has as many digits.
        if not number.is_finite() or number.adjusted() > 18 or number != int(number):
            self.fail(f"`{text[:40]}` is no number of steps; write e.g. 1e7", param, ctx)
        return int(number)


@click.command("explore")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--steps", type=_Steps(), metavar="N", default=1_000_000, help="Events to send, e.g. 1e7.  [default: 1e6]"
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="The same seed and steps give the same result.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Processes that share the parameter sets.  [default: one a processor, if that is quicker]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PARAM=VALUE",
    help="Keep a param at a value instead of drawing it, e.g. tau_max=30d; repeatable.",
)
@click.option(
    "--send",
    multiple=True,
    metavar="EVENT",
    help="Send this event and no other; repeatable.  [default: all that the spec does not raise itself]",
)
@click.option(
    "--fill",
    type=click.Choice(["same", "next"]),
    default="same",
    show_default=True,
    help="Price of a fill: the mark that triggered it, or the next.",
)
@click.option(
    "--backend",
    type=click.Choice(["auto", "native", "live"]),
    default="auto",
    show_default=True,
    help="Native code where it can be had, or one of the two.",
)
@permit
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the first finding as a script, FILE; others beside it as FILE with a number.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print what was reached and found as JSON.")
def command(
    spec: Path,
    steps: int,
    seed: int,
    workers: int | None,
    settings: tuple[str, ...],
    send: tuple[str, ...],
    fill: Literal["same", "next"],
    backend: Literal["auto", "native", "live"],
    permit: tuple[str, ...],
    out: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Send SPEC random events, from many parameter sets and states, and see what it reaches and whether a claim breaks.

    What breaks is shortened to a few events; with --out they are a script that `hedgerow run SPEC --events` replays.

    Exit codes: 0 nothing broke (which proves nothing), 1 an invariant broke or an error was left to `fail_safe`, 2 bad
    input, 130 interrupted.
    """
    from ..engine.diagnostics import SpecError
    from ..engine.dryrun.problem import RunError
    from ..engine.explore.exploration import explore
    from ..engine.explore.findings import findings_of
    from ..engine.explore.told import summary
    from ..engine.load import load
    from ..engine.processes import processors

    try:
        loaded = load(spec, permit=permit)
    except SpecError as error:
        if as_json:
            click.echo(json.dumps({"diagnostics": [found.to_json() for found in error.diagnostics]}, indent=2))
        raise
    try:
        if out is not None:
            _check_file(out, force=force)
        with interruptible() as interrupted, _progress() as progress:
            exploration = explore(
                loaded,
                steps=steps,
                seed=seed,
                workers=workers or (processors() if steps >= _MANY else 1),
                settings=pairs(settings, "--set", "k=9"),
                fill=fill,
                send=send,
                backend=backend,
                progress=progress,
                interrupted=interrupted,
            )
        findings = findings_of(exploration)
        written = [] if out is None else _write(findings, out)
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        document = {**summary(exploration, findings), "written": [str(path) for path in written]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        tell_simulated(loaded)
        _show(exploration, findings, written, spec)
    if exploration.interrupted:
        click.echo("interrupted; what was reached until then is told", err=True)
        return INTERRUPTED
    return DOES_NOT_HOLD if exploration.found.sightings else HOLDS


def _numbered(out: Path, number: int) -> Path:
    return out if number == 1 else out.with_name(f"{out.stem}-{number}{out.suffix}")


def _check_file(out: Path, *, force: bool) -> None:
    from ..engine.dryrun.problem import RunError

    if out.suffix not in (".yaml", ".yml"):
        raise RunError("HR807", "scripts are written as YAML", "--out", "let the name end in `.yaml`")
    if not out.parent.is_dir():
        raise RunError("HR808", f"there is no folder `{out.parent}`", str(out), "make it, or name another file")
    if out.exists() and not force:
        raise RunError("HR808", "the file is there already", str(out), "replace it with --force, or name another one")


def _write(findings: list[Finding], out: Path) -> list[Path]:
    from ..engine.diagnostics import reason_of
    from ..engine.dryrun.problem import RunError

    paths = [_numbered(out, number) for number in range(1, len(findings) + 1)]
    try:
        for path, finding in zip(paths, findings, strict=True):
            path.write_text(finding.script, encoding="utf-8")
    except OSError as error:
        help = "make room or mend its rights, or name another file"
        raise RunError("HR808", f"the script cannot be written: {reason_of(error)}", str(out), help) from None
    return paths


def _show(exploration: Exploration, findings: list[Finding], written: list[Path], spec: Path) -> None:
    from ..engine.diagnostics import printable
    from ..engine.explore.told import CAVEAT, finding_told, told

    click.echo(f"{exploration.plan.spec.name}: explored")
    for name, value in told(exploration):
        click.echo(f"  {name:<12} {printable(value)}")
    for number, finding in enumerate(findings):
        head, *table = finding_told(finding).split("\n")
        click.echo("\n" + printable(head))
        click.echo("\n".join(f"  {printable(line)}" for line in table))
        if written:
            click.echo(f"  replay it: hedgerow run {spec} --events {written[number]}")
    more = len(exploration.found.sightings) - len(findings)
    if more > 0:
        click.echo(f"\n{more:,} more broke; --json names them")
    if findings and not written:
        click.echo("\n--out FILE.yaml writes the events as a script, which `hedgerow run --events` replays")
    click.echo(("" if findings else "\n") + CAVEAT)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Draw a progress bar on stderr while a person watches; yield what moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("exploring"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("explore", total=1.0)
        yield lambda done, of: bar.update(task, total=of, completed=done)
