"""`hedgerow approvals`: what waits for people in a saved machine, and what they say to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .json_text import json_text
from .main import DOES_NOT_HOLD, HOLDS
from .run import refuse

if TYPE_CHECKING:
    from ..engine.backends.live import Machine
    from ..engine.load import Spec
    from ..engine.step import Step
    from ..engine.waiting import Waiting

__all__ = ["command"]

_TAKEN = frozenset(("noted", "granted", "denied"))
"""What became of an answer that counted."""


@click.group("approvals")
def command() -> None:
    """List what waits for people in a saved machine, approve or deny it.

    A state is a file that `hedgerow run SPEC --events SCRIPT --state FILE` writes. An answer is sent to the machine as an
    event, and its state then takes the place of the old one. Who says to be somebody is believed: keep the file where only
    those can write who may answer.
    """


def _saved(function: Callable[..., int]) -> Callable[..., int]:
    """Add what every command over a saved machine takes."""
    options = (
        click.argument("spec", type=click.Path(path_type=Path)),
        click.option(
            "--state", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The saved machine."
        ),
        click.option("--permit", multiple=True, metavar="CODE", help="A finding to waive, e.g. HR302."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _answering(function: Callable[..., int]) -> Callable[..., int]:
    """Add what an answer takes."""
    options = (
        click.argument("number", type=click.IntRange(min=1)),
        click.option("--as", "person", required=True, metavar="NAME", help="Who answers: one of `people:`."),
        click.option(
            "--time", "at", metavar="TIME", help="When: `+30m` from the state's time, or an instant.  [default: then]"
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("list")
@_saved
def listed(spec: Path, state: Path, permit: tuple[str, ...], as_json: bool) -> int:
    """List what waits for people in the machine of SPEC that FILE holds.

    Exit codes: 0 listed, 2 bad input.
    """
    from ..engine.dryrun.problem import RunError

    try:
        loaded, machine = _open(spec, state, permit)
    except RunError as error:
        return refuse(error, as_json=as_json)
    found = _waiting(loaded, machine)
    if as_json:
        click.echo(json_text({"time_ns": machine.time_ns, "waiting": [_document(each) for each in found]}))
    else:
        _echo(line for each in found for line in _block(each))
        click.echo(f"{len(found):,} {'waits' if len(found) == 1 else 'wait'}" if found else "nothing waits")
    return HOLDS


@command.command("approve")
@_saved
@_answering
def approve(**given: Any) -> int:
    """Approve proposal NUMBER; it fires once as many persons have approved it as it needs.

    Exit codes: 0 the answer counted, 1 it was refused or the guard holds no more, 2 bad input.
    """
    return _answer("approve", **given)


@command.command("deny")
@_saved
@_answering
def deny(**given: Any) -> int:
    """Deny proposal NUMBER; whoever proposed it may take it back so.

    Exit codes: 0 the answer counted, 1 it was refused, 2 bad input.
    """
    return _answer("deny", **given)


def _answer(
    event: Literal["approve", "deny"],
    spec: Path,
    state: Path,
    permit: tuple[str, ...],
    as_json: bool,
    number: int,
    person: str,
    at: str | None,
) -> int:
    from ..engine.dryrun.problem import RunError
    from ..engine.saved import save

    try:
        loaded, machine = _open(spec, state, permit)
        _is_known(loaded, machine, number, person)
        step = machine.send(event, _time(at, machine), number=number, by=person)
        if step.rejected is not None:
            raise RunError("HR807", f"the answer was refused: {step.rejected}", "--time", "give a later time")
        save(machine, state)
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        click.echo(json_text(_told(machine, step)))
    else:
        _echo(_lines(machine, step))
    return HOLDS if any(each.outcome in _TAKEN and each.number == number for each in step.approvals) else DOES_NOT_HOLD


def _open(spec: Path, state: Path, permit: tuple[str, ...]) -> tuple[Spec, Machine]:
    from ..engine.load import load
    from ..engine.saved import saved_machine

    loaded = load(spec, permit=permit)
    return loaded, saved_machine(loaded, state)


def _waiting(spec: Spec, machine: Machine) -> tuple[Waiting, ...]:
    from ..engine.waiting import waiting

    return waiting(spec.program(spec.fill), machine.snapshot())


def _is_known(spec: Spec, machine: Machine, number: int, person: str) -> None:
    """Refuse an answer of nobody, or to nothing: what such a one did would be no answer."""
    from ..engine.diagnostics import suggestion
    from ..engine.dryrun.problem import RunError

    names = [each.name for each in spec.program().people]
    if person not in names:
        help = suggestion(person, names, "the people are " + (", ".join(f"`{name}`" for name in names) or "none"))
        raise RunError("HR807", f"`{person[:64]}` is none of the people of `{spec.name}`", "--as", help)
    numbers = [each.number for each in _waiting(spec, machine)]
    if number not in numbers:
        waits = ", ".join(map(str, numbers))
        help = f"what waits has the number {waits}" if numbers else "nothing waits"
        raise RunError("HR807", f"no proposal {number} waits", "NUMBER", help)


def _time(at: str | None, machine: Machine) -> int:
    """Return when an answer comes; by default at the clock of the state."""
    from ..engine.dryrun.problem import RunError
    from ..engine.script_time import TimeTextError, read_time

    clock = machine.time_ns or 0
    try:
        return clock if at is None else read_time(at, clock)
    except TimeTextError as error:
        raise RunError("HR807", error.message, "--time", error.help) from None


# -------------------------------------------------------------------------------------------------------------- text


def _echo(lines: Iterator[str]) -> None:
    from ..engine.diagnostics import printable

    for line in lines:
        click.echo(printable(line))


def _block(each: Waiting) -> Iterator[str]:
    """Yield the lines that show a proposal to whoever is asked."""
    from ..engine.script_time import show_time

    leads = f"{each.source} → {', '.join(each.targets) or each.source}"
    yield f"{each.number:>4}  {each.rule}: {leads}"
    orders = ", ".join(f"{leg} {float(change):+g} {unit}" for leg, change, unit in each.orders)
    yield f"      orders: {orders or 'none'}"
    if each.evidence:
        yield "      evidence: " + ", ".join(f"{name} = {_value(value, unit)}" for name, value, unit in each.evidence)
    yield f"      proposed by: {each.proposer or 'no person'}"
    needs = "two of" if each.persons == 2 else "one of"
    yield f"      needs: {needs} the role `{each.role}`{f', {each.approver} has approved' if each.approver else ''}"
    yield f"      may approve: {', '.join(each.may_approve) or 'nobody: another person has to propose it'}"
    if each.due_ns is not None and each.left_s is not None:
        yield f"      time left: {each.left_s:g} s, until {show_time(each.due_ns)}"


def _value(value: object, unit: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{float(value):g}" + ("" if unit == "1" else f" {unit}")  # type: ignore[arg-type]  # a number of a cell


def _lines(machine: Machine, step: Step) -> Iterator[str]:
    """Yield what an answer did."""
    from ..engine.step import ruling_text

    yield from map(ruling_text, step.approvals)
    for name in step.fired:
        yield f"fired: {name}"
    for order in step.orders:
        yield f"order: {order.side} {order.quantity} {order.leg} at {order.price} ({order.rule})"
    for verdict in step.verdicts:
        yield f"stopped: {verdict.reason}"
    for error in step.errors:
        yield f"error: {error}"
    yield f"now in: {', '.join(machine.configuration)}"


# -------------------------------------------------------------------------------------------------------------- JSON


def _document(each: Waiting) -> dict[str, object]:
    from dataclasses import asdict

    shown = {
        key: [{"name": name, "value": value, "unit": unit} for name, value, unit in getattr(each, key)]
        for key in ("orders", "evidence")
    }
    return {**asdict(each), **shown}


def _told(machine: Machine, step: Step) -> dict[str, object]:
    return {
        "time_ns": machine.time_ns,
        "configuration": list(machine.configuration),
        "approvals": [each._asdict() for each in step.approvals],
        "fired": list(step.fired),
        "orders": [order._asdict() for order in step.orders],
        "stopped": [verdict._asdict() for verdict in step.verdicts],
        "errors": list(step.errors),
        "broken": list(step.broken),
    }
