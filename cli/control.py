"""`hedgerow control`: a person's acts on a running machine, by a lane of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .json_text import json_text
from .main import DOES_NOT_HOLD, HOLDS, NOT_DECIDED
from .run import pairs, refuse

if TYPE_CHECKING:
    from ..engine.control.client import Done, Status
    from ..engine.dryrun.problem import RunError

__all__ = ["command"]

_EXITS = {"HR881": NOT_DECIDED, "HR886": DOES_NOT_HOLD, "HR888": NOT_DECIDED, "HR889": DOES_NOT_HOLD}
"""Of errors that are no bad input."""


@click.group("control")
def command() -> None:
    """Halt, flatten, release or override a running machine, whatever its load.

    LANE is a folder that the machine's engine looks at. Each act is logged with who, when and why before it is
    acknowledged. A control process serves the lane; where it is dead, an act goes past it.
    """


_LANE = click.argument("lane", type=click.Path(path_type=Path, file_okay=False))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, of a refusal too.")


def _acting(function: Callable[..., int]) -> Callable[..., int]:
    """Add what every act takes."""
    options = (
        click.option("--as", "by", metavar="NAME", default="", help="Who acts."),
        click.option("--why", "reason", metavar="TEXT", default="", help="The reason; it is logged."),
        click.option(
            "--wait",
            type=click.Choice(("effect", "ack")),
            default="effect",
            show_default=True,
            help="Wait until the engine has done it, or until it is logged.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0.001, max=3600.0),
            default=5.0,
            show_default=True,
            metavar="S",
            help="Seconds to wait, for each of the two.",
        ),
        click.option("--id", "id", metavar="ID", help="That of an act to be sent again: it is done once."),
        _JSON,
    )
    for option in reversed(options):
        function = option(function)
    return function


_EXIT_CODES = """

    Exit codes: 0 done, 1 it could not be logged, 2 bad input and nothing done, 3 not known to be done: no effect was seen
    in time, or nobody answered.
    """


def _described(text: str) -> str:
    return text + _EXIT_CODES


@command.command("halt", help=_described("Hold all orders of LANE until a release, over restarts too."))
@_LANE
@_acting
def halt(lane: Path, **given: Any) -> int:
    return _act(lane, "halt", **given)


@command.command("flatten", help=_described("Wind the machine of LANE down, by the event that its spec has for that."))
@_LANE
@_acting
def flatten(lane: Path, **given: Any) -> int:
    return _act(lane, "flatten", **given)


@command.command("release", help=_described("End a halt of LANE."))
@_LANE
@_acting
def release(lane: Path, **given: Any) -> int:
    return _act(lane, "release", **given)


@command.command(
    "override", help=_described("Send the machine of LANE an EVENT of its spec, with its fields as NAME=VALUE.")
)
@_LANE
@click.argument("event")
@click.argument("fields", nargs=-1, metavar="[NAME=VALUE]...")
@_acting
def override(lane: Path, event: str, fields: tuple[str, ...], **given: Any) -> int:
    from ..engine.dryrun.problem import RunError

    try:
        values = {name: _value(text) for name, text in pairs(fields, "override", "NAME=VALUE").items()}
    except RunError as error:
        return refuse(error, as_json=given["as_json"])
    return _act(lane, "override", event=event, fields=values, **given)


@command.command("status")
@_LANE
@_JSON
def status(lane: Path, as_json: bool) -> int:
    """Say who serves LANE, whether it is halted, and what waits for its engine.

    Exit codes: 0 told, 1 its flag is damaged, 2 bad input.
    """
    from ..engine.dryrun.problem import RunError

    try:
        from ..engine.control.client import status as status_of
        from ..engine.control.problem import ControlError
        from ..engine.journal.problem import need

        need("journal", "apsw", "google_crc32c")
        found = status_of(lane)
        if as_json:
            click.echo(json_text(_status_json(found)))
        else:
            _echo(_status_lines(lane, found))
        if found.damaged:
            help = "an engine halts at it; start the control process, which logs that and mends it"
            raise ControlError("HR889", "the flag is damaged", str(lane), help)
    except RunError as error:
        return _refuse(error, as_json=as_json)
    return HOLDS


@command.command("serve")
@_LANE
@click.option(
    "--spec",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Make the lane for the machine of this spec, or tell the one there what it takes now.",
)
@click.option("--flatten", metavar="EVENT", help="The event of the spec, without fields, that winds the machine down.")
@click.option("--machine", metavar="NAME", help="What the machine is called; the spec's name if not given.")
def serve(lane: Path, spec: Path | None, flatten: str | None, machine: str | None) -> int:
    """Be the control process of LANE until SIGTERM or Ctrl-C; log acts, and show them to the engine.

    Exit codes: 0 ended by a signal, 1 nothing can be logged any more and the machine is halted, 2 bad input.
    """
    from ..engine.dryrun.problem import RunError

    try:
        from ..engine.journal.problem import need

        need("journal", "apsw", "google_crc32c")
        from ..engine.control.process import run

        _make(lane, spec, flatten, machine)
        run(lane)
    except RunError as error:
        return _refuse(error, as_json=False)
    return HOLDS


def _make(lane: Path, spec: Path | None, flatten: str | None, machine: str | None) -> None:
    if spec is None:
        if flatten is not None or machine is not None:
            raise click.UsageError("--flatten and --machine say something of a spec: give --spec")
        return
    from ..engine.control.terms import make_lane, terms_of
    from ..engine.load import load

    make_lane(lane, terms_of(load(spec).program("same"), machine=machine, flatten=flatten))


# --------------------------------------------------------------------------------------------------------------- acts


def _act(lane: Path, kind: str, *, wait: str, timeout: float, id: str | None, as_json: bool, **said: Any) -> int:
    """Have an act done, wait for what was asked for, and return the exit code."""
    from ..engine.dryrun.problem import RunError

    try:
        from ..engine.journal.problem import need

        need("journal", "apsw", "google_crc32c")
        from ..engine.control import client
        from ..engine.control.problem import ControlError

        document = {"act": kind, **said} | ({} if id is None else {"id": id})
        done = client.act(lane, document, timeout=timeout)
        seen = wait == "effect" and client.has_effect(lane, done.act.number, timeout)
        if as_json:
            told = {"again": done.again, "effect": seen, "served": done.served}
            click.echo(json_text(done.act.to_json() | told))
        else:
            _echo(_lines(lane, done, seen))
        if wait == "effect" and not seen:
            message = f"act {done.act.number} is logged, and no engine has taken it within {timeout:g} s"
            raise ControlError("HR888", message, str(lane), "it will when it looks: see `hedgerow control status`")
    except RunError as error:
        return _refuse(error, as_json=as_json)
    return HOLDS


def _refuse(error: RunError, *, as_json: bool) -> int:
    code = refuse(error, as_json=as_json)
    return _EXITS.get(error.code, code)


def _value(text: str) -> object:
    """Return the number, true or false that a text stands for; the text itself where it stands for none."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) else text


# --------------------------------------------------------------------------------------------------------------- text


def _echo(lines: list[str]) -> None:
    from ..engine.diagnostics import printable

    for line in lines:
        click.echo(printable(line))


def _lines(lane: Path, done: Done, seen: bool) -> list[str]:
    from ..engine.control.log import is_halted, read_history

    act = done.act
    event = f", sends `{act.event}`" if act.event else ""
    lines = [f"{act.act}{event}: act {act.number} by {act.by}, logged {'before' if done.again else 'now'}"]
    if seen:
        lines.append("the engine has taken it")
    if act.event and is_halted(read_history(lane).acts, act.number):
        lines.append("the machine is halted: orders are held until `hedgerow control release`")
    if not done.served:
        lines.append("nobody serves the lane: this command has logged and posted it itself")
    return lines


def _status_lines(lane: Path, found: Status) -> list[str]:
    last = (
        "none"
        if found.last is None
        else f"{found.last.number}, {found.last.act} by {found.last.by}: {found.last.reason}"
    )
    return [
        f"{lane}: {'halted' if found.halted else 'not halted'}",
        f"  served by  {'nobody' if found.serves is None else f'process {found.serves}'}",
        f"  engine     {'none looks' if found.engine is None else f'process {found.engine}'}",
        f"  last act   {last}",
        f"  waiting    {found.waiting} for the engine",
    ]


def _status_json(found: Status) -> dict[str, Any]:
    return {
        "damaged": found.damaged,
        "engine": found.engine,
        "halted": found.halted,
        "last": None if found.last is None else found.last.to_json(),
        "serves": found.serves,
        "taken": found.taken,
        "waiting": found.waiting,
    }
