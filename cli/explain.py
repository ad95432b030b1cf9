"""`hedgerow explain`: one event of a run, and why it did what it did."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .data_options import data_options
from .json_text import json_text
from .main import HOLDS
from .run import pairs, refuse

if TYPE_CHECKING:
    from ..engine.explain import Explanation
    from ..engine.explain_text import Line
    from ..engine.ir import FillMode
    from ..engine.load import Spec

__all__ = ["command"]

_OF_DATA = frozenset(("mapping", "time_column", "event", "start", "end", "skip_bad"))
_TONES: dict[str, dict[str, Any]] = {
    "plain": {},
    "title": {"bold": True},
    "good": {"fg": "green", "bold": True},
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow"},
    "faint": {"dim": True},
}


@click.command("explain")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "source",
    metavar="DATA",
    help="sp500, nasdaq, wti, vix, or a CSV or Parquet file. With --stress it may be left out.",
)
@click.option("--row", type=click.IntRange(min=1), metavar="N", help="The row of the data, counted from 1.")
@click.option(
    "--events",
    "script",
    type=click.Path(path_type=Path),
    metavar="SCRIPT",
    help="Instead of data: a script of events, .yaml, .json or .jsonl.",
)
@click.option("--item", type=click.IntRange(min=1), metavar="N", help="The item of the script, counted from 1.")
@click.option("--journal", metavar="JOURNAL", help="Instead of data: a journal that a host wrote.")
@click.option("--record", type=click.IntRange(min=0), metavar="N", help="The record of the event in the journal.")
@data_options
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def command(
    spec: Path,
    source: str | None,
    row: int | None,
    script: Path | None,
    item: int | None,
    journal: str | None,
    record: int | None,
    stress: str | None,
    mapping: tuple[str, ...],
    time_column: str | None,
    event: str | None,
    settings: tuple[str, ...],
    start: str | None,
    end: str | None,
    fill: Literal["same", "next"] | None,
    skip_bad: bool,
    permit: tuple[str, ...],
    as_json: bool,
) -> int:
    """Explain one event of SPEC: a row of recorded data, an item of a script, or a record of a journal.

    Runs up to the event and tells which transitions it could have taken, in the order in which they were asked, what
    each guard said with which numbers, why the others did not fire, and what changed. Give the options that the run
    had.

    Exit codes: 0 explained, 2 bad input.
    """
    kind = _kind(source, stress, row, script, item, journal, record)
    from ..engine.diagnostics import SpecError
    from ..engine.dryrun.problem import RunError
    from ..engine.explain import explain
    from ..engine.explain_text import lines
    from ..engine.load import load
    from ..engine.script_time import show_time

    clock = show_time
    try:
        loaded = load(spec, permit=permit)
        chosen = pairs(settings, "--set", "k=9")
        if kind == "row":
            from ..engine.dryrun.data import Window, parse_bound
            from ..engine.dryrun.narrative import stressed
            from ..engine.dryrun.times import iso
            from ..engine.dryrun.until import before_row

            assert row is not None
            clock = iso
            before = before_row(
                loaded,
                source,
                row,
                stress=stress,
                event=event,
                mapping=pairs(mapping, "--map", "price=close"),
                time_column=time_column,
                window=Window(parse_bound(start, "--from"), parse_bound(end, "--to")),
                fill=fill,
                parameters=chosen,
                skip_bad=skip_bad,
            )
            found = explain(before.compiled, before.snapshot, before.event, before.time_ns, before.values)
            place: dict[str, Any] = {"row": row, "stress": before.stress.text if before.stress else None}
            where = f"row {row:,}" + (f" ({stressed(before.stress.to_json())})" if before.stress else "")
        elif kind == "record":
            assert journal is not None and record is not None
            place, where = {"record": record}, f"record {record:,}"
            found = _of_journal(loaded, journal, record)
        else:
            assert script is not None and item is not None
            place, where = {"item": item}, f"item {item:,}"
            found = _of_script(loaded, script, item, chosen, fill or loaded.fill)
        if not found.configuration:
            message = f"the machine had not started: {found.rejected}"
            raise RunError("HR807", message, f"--{kind}", f"ask for the {kind} that starts it, or a later one")
    except SpecError as error:
        if as_json:
            click.echo(json_text({"diagnostics": [each.to_json() for each in error.diagnostics]}, sort=False))
        raise
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json_text({**place, **found.to_json()}, sort=False))
    else:
        _show(lines(found, where, clock))
    return HOLDS


def _kind(
    source: str | None,
    stress: str | None,
    row: int | None,
    script: Path | None,
    item: int | None,
    journal: str | None,
    record: int | None,
) -> Literal["row", "item", "record"]:
    """Return what is explained; nothing is read before it is known to be one thing."""
    if [source is not None or stress is not None, script is not None, journal is not None].count(True) != 1:
        raise click.UsageError(
            "give --data DATA and --row N, --events SCRIPT and --item N, or --journal J and --record N"
        )
    if (journal is None) != (record is None):
        raise click.UsageError("--journal and --record N go together")
    if journal is not None:
        if row is not None or item is not None:
            raise click.UsageError("say which record of the journal: --record N")
        _refuse_data_options("--journal", {*_OF_DATA, "settings", "fill"})
        return "record"
    if script is None:
        if row is None or item is not None:
            raise click.UsageError("say which row of the data: --row N, counted from 1")
        return "row"
    if item is None or row is not None:
        raise click.UsageError("say which item of the script: --item N, counted from 1")
    _refuse_data_options("--events", _OF_DATA)
    return "item"


def _refuse_data_options(kind: str, options: Collection[str]) -> None:
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is click.core.ParameterSource.COMMANDLINE
        if given and option.name in options:
            raise click.UsageError(f"{option.opts[0]} belongs to runs over data, not to {kind}")


def _of_journal(spec: Spec, journal: str, record: int) -> Explanation:
    """Bring a machine back as it was before a record, and explain that one."""
    from ..engine.host.history import explained
    from ..engine.journal.opening import open_store

    store = open_store(journal)
    try:
        return explained(store, spec, record)
    finally:
        store.close()


def _of_script(spec: Spec, path: Path, item: int, settings: Mapping[str, str], fill: FillMode) -> Explanation:
    """Play a script up to an item and explain that one."""
    from ..engine.dryrun.problem import RunError
    from ..engine.dryrun.subject import compiled_for
    from ..engine.explain import explain
    from ..engine.script import read_script

    script = read_script(path, spec)
    if item > len(script.items):
        many = "there is 1 item" if len(script.items) == 1 else f"there are {len(script.items):,} items"
        raise RunError("HR807", f"there is no item {item:,}", "--item", f"{many} in {path}, counted from 1")
    asked = script.items[item - 1]
    if asked.kind == "expect":
        help = "ask for an item with `event` or `advance`"
        raise RunError("HR807", f"item {item:,} only says what is expected: nothing happens", "--item", help)
    compiled = compiled_for(spec, {**script.parameters, **settings}, fill)
    machine = compiled.machine()
    for each in script.items[: item - 1]:
        if each.kind == "event":
            machine.send(each.event, each.time_ns, **each.fields)
        elif each.kind == "advance":
            machine.advance(each.time_ns)
        if machine.ended:
            message = f"the machine ended at item {each.index:,}, so that item {item:,} did nothing"
            raise RunError("HR807", message, "--item", f"ask for item {each.index} or one before it")
    event = asked.event if asked.kind == "event" else None
    return explain(compiled, machine.snapshot(), event, asked.time_ns, asked.fields)


def _show(found: Sequence[Line]) -> None:
    from ..engine.diagnostics import printable

    colour = False if os.environ.get("NO_COLOR") else None
    for line in found:
        text = "".join(click.style(printable(piece.text), **_TONES[piece.tone]) for piece in line)
        click.echo(text, color=colour)
