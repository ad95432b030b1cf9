"""`hedgerow replay`: a recorded journal, repeated and held to what its machines did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .json_text import json_text
from .main import DOES_NOT_HOLD, HOLDS
from .run import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..engine.host.history import Replayed
    from ..engine.load import Spec

__all__ = ["command"]

_DIFFERS = ("HR869", "HR874")
"""The journal is not what was written, or a machine does not do what it did."""


@click.command("replay")
@click.argument("journal")
@click.option(
    "--spec",
    "specs",
    multiple=True,
    metavar="[NAME=]SPEC",
    help="The spec of a machine, or of all of them; repeatable.  [default: the files that the journal names]",
)
@click.option(
    "--against",
    multiple=True,
    metavar="[NAME=]SPEC",
    help="A changed spec, held to what was done before it changed; repeatable.",
)
@click.option("--until", metavar="WHEN", help="Up to a record's number or an instant of UTC, with it.")
@click.option("--permit", multiple=True, metavar="CODE", help="A finding to waive, e.g. HR302.")
@click.option("--json", "as_json", is_flag=True, help="Print the states of the machines, or the difference, as JSON.")
def command(
    journal: str,
    specs: tuple[str, ...],
    against: tuple[str, ...],
    until: str | None,
    permit: tuple[str, ...],
    as_json: bool,
) -> int:
    """Repeat every event of JOURNAL, which a host wrote, and show the machines as they were at its end or --until.

    Each step is held to what stands in the journal, and each proven state to its hash. Bound functions are not asked:
    their answers are read. With --against other specs run what was recorded, with the parameters of that time, and the
    first step that differs is told.

    Exit codes: 0 all is as it was, 1 it is not, 2 bad input.
    """
    from ..engine.dryrun.problem import RunError

    try:
        from ..engine.host.history import repeat
        from ..engine.journal.lines import ALWAYS, read_when
        from ..engine.journal.opening import open_store

        if specs and against:
            raise RunError("HR807", "--spec and --against are two questions", "--against", "ask one after the other")
        when = ALWAYS if until is None else read_when("--until", until)
        given = _Specs(against or specs, permit)
        store = open_store(journal)
        try:
            found = repeat(store, given, until=when, against=bool(against))
        finally:
            store.close()
    except RunError as error:
        if error.code in _DIFFERS:
            if as_json:
                click.echo(json_text({"difference": error.to_json()}))
            click.echo(str(error), err=True)
            return DOES_NOT_HOLD
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json_text(found.to_json()))
    else:
        for line in _lines(found):
            click.echo(line)
    return HOLDS


class _Specs(dict[str, "Spec"]):
    """Specs by the names of machines; one that is given without a name is that of every machine without its own."""

    def __init__(self, texts: tuple[str, ...], permit: tuple[str, ...]) -> None:
        from ..engine.load import load

        super().__init__()
        self._others: Spec | None = None
        for text in texts:
            name, equals, path = text.rpartition("=")
            spec = load(Path(path), permit=permit)
            if equals:
                self[name] = spec
            else:
                self._others = spec

    def get(self, name: str, default: Spec | None = None) -> Spec | None:  # type: ignore[override]  # one default
        return super().get(name, self._others if self._others is not None else default)


def _lines(found: Replayed) -> Iterator[str]:
    from ..engine.diagnostics import printable
    from ..engine.script_time import show_time

    machines = found.machines
    yield printable(f"{machines.place}: {found.repeated:,} events up to record {found.record:,}, each as it was")
    for name, member in machines.members.items():
        snapshot = member.snapshot()
        where = ", ".join(snapshot.configuration) or "not started"
        at = "" if snapshot.time_ns is None else f" at {show_time(snapshot.time_ns)}"
        yield printable(f"  {name}: {where}{at}")
        for cell in member.compiled.program.cells:
            value = snapshot.cells[cell.name]
            if cell.kind == "state" or cell.name.endswith(".quantity"):
                yield printable(f"    {cell.name} = {value}" + (f" {cell.unit}" if cell.unit != "1" else ""))
    for name, left in machines.left.items():
        yield printable(f"  {name}: left at record {left.record:,}")
    if machines.orders:
        yield f"  {len(machines.orders):,} orders are not known to have been delivered"
    if machines.halted:
        yield "  halted"
