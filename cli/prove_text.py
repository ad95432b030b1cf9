"""A proof on the terminal: its lines in colour, and what is being done meanwhile."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.honesty import Backed
    from ..engine.prove.result import Proof
    from ..engine.prove.second import SecondOpinion
    from ..engine.prove.text import Line

__all__ = ["check_named", "proving_progress", "show"]

_STYLES = {
    "plain": "",
    "title": "bold",
    "good": "green",
    "bad": "bold red",
    "warn": "magenta",
    "faint": "dim",
}


def check_named(only: Iterable[str], names: Collection[str]) -> None:
    """See that each name of `--only` is among those of properties.

    Raises:
        RunError: (HR807) one is not: else nothing would be decided of it, and nothing said.
    """
    from ..engine.diagnostics import suggestion
    from ..engine.dryrun.problem import RunError

    for name in only:
        if name not in names:
            help = suggestion(name, names, "`hedgerow prove SPEC --all` names them all")
            raise RunError("HR807", f"no property is called `{name[:64]}`", "--only", help)


@contextlib.contextmanager
def proving_progress() -> Iterator[Callable[[str], None] | None]:
    """Say on stderr what is being done while a person watches; yield what is told."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("begins") as status:
        yield lambda message: status.update(Text(message))


def show(
    proof: Proof,
    path: Path,
    events: Path | None,
    *,
    permit: tuple[str, ...],
    every: bool,
    second: SecondOpinion | None,
    differences: tuple[str, ...] | None,
    said: tuple[Backed, ...] = (),
) -> None:
    """Print a proof.

    Args:
        proof: what is shown.
        path: the spec, as it was named.
        events: the folder that the scripts of counterexamples are in, if they were written.
        permit: codes of findings that are waived.
        every: show each property and fact by itself.
        second: what a second solver said, if it was asked.
        differences: from a certificate, if one was given.
        said: what the spec says of itself in words.
    """
    from rich.console import Console
    from rich.text import Text

    from ..engine.diagnostics import printable
    from ..engine.prove.text import Reader, lines

    console = Console(highlight=False)
    named = " ".join((str(path), *(f"--permit {code}" for code in permit)))
    reader = Reader(named, every, None if events is None else str(events), said)
    for line in lines(proof, reader, second):
        _print(console, line)
    if second is not None and second.disagreements:
        click.secho("error: the two solvers disagree, so nothing counts as proved", fg="red", bold=True, err=True)
    if differences is not None:
        holds = "it comes to the same again" if not differences else "it does not come to the same again"
        style = "green" if not differences else "red"
        console.print(Text.assemble(("certificate", "bold"), ": ", (holds, style)))
        for told in differences:
            console.print(Text(f"  {printable(told)}"))


def _print(console: Console, line: Line) -> None:
    from rich.text import Text

    text = Text.assemble(*((piece.text, _STYLES[piece.tone]) for piece in line.pieces))
    rows = [text] if line.kept else text.wrap(console, max(20, console.width - line.indent))
    for row in rows or [text]:
        row.rstrip()
        row.pad_left(line.indent)
        console.print(row, soft_wrap=True)
