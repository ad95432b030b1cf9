"""`hedgerow run SPEC --events SCRIPT`: events with times to a machine, and what each one did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .main import DOES_NOT_HOLD, HOLDS
from .simulated import tell_simulated

if TYPE_CHECKING:
    from ..engine.backends.live import Machine
    from ..engine.ir import FillMode
    from ..engine.load import Compiled
    from ..engine.script import Item, Script
    from ..engine.script_run import Played
    from ..engine.step import Order

__all__ = ["play_events"]

_SHOWN = 100
"""Items whose failed expectations are shown; of the rest only the number is told."""


def play_events(
    path: Path,
    script_path: Path,
    *,
    settings: Mapping[str, str],
    fill: FillMode | None,
    permit: tuple[str, ...],
    state: Path | None,
    as_json: bool,
) -> int:
    """Play a script, print what each item did, and return the exit code.

    Args:
        path: the spec.
        script_path: the script.
        settings: params by name, as text; they go before those that the script sets.
        fill: the price of a simulated fill; `same` if not given, and events of the script where the spec says so.
        permit: codes of findings that are waived.
        state: where the machine is saved as it stands in the end, if anywhere.
        as_json: one JSON document instead of text.

    Raises:
        SpecError: the spec or the script has mistakes.
    """
    from ..engine.diagnostics import SpecError
    from ..engine.dryrun.problem import RunError
    from ..engine.dryrun.subject import compiled_for
    from ..engine.load import load
    from ..engine.script import read_script

    try:
        spec = load(path, permit=permit)
        script = read_script(script_path, spec)
    except SpecError as error:
        if as_json:
            click.echo(json.dumps({"diagnostics": [found.to_json() for found in error.diagnostics]}, indent=2))
        raise
    try:
        compiled = compiled_for(spec, {**script.parameters, **settings}, fill or spec.fill)
        _check_fills(compiled, script)
    except RunError as error:
        from .run import refuse

        return refuse(error, as_json=as_json)
    if fill is not None and not as_json:
        tell_simulated(spec)
    machine = compiled.machine()
    totals = _print_json(compiled, script, machine) if as_json else _print_text(compiled, script, machine)
    if state is not None:
        from ..engine.saved import save

        try:
            save(machine, state)
        except RunError as error:
            from .run import refuse

            return refuse(error, as_json=False)
    return DOES_NOT_HOLD if totals.failed else HOLDS


def _check_fills(compiled: Compiled, script: Script) -> None:
    """Refuse a script with fills for a machine that simulates them."""
    from ..engine.dryrun.problem import RunError

    known = {event.name for event in compiled.program.events}
    sent = next((item for item in script.items if item.kind == "event" and item.event not in known), None)
    if sent is not None:
        message = f"`{sent.event}` fills an order, which `--fill {compiled.program.fill}` simulates"
        raise RunError("HR807", message, f"{script.file}:{sent.line}", "leave out --fill, or the fills of the script")


class _Totals:
    """How many items of each kind there were, and how many expectations did not hold."""

    def __init__(self) -> None:
        self.events = 0
        self.advances = 0
        self.expectations = 0
        self.failed = 0

    def count(self, played: Played) -> None:
        self.events += played.item.kind == "event"
        self.advances += played.item.kind == "advance"
        self.expectations += len(played.item.expect)
        self.failed += len(played.failures)

    def __str__(self) -> str:
        done = [_number(self.events, "event")]
        if self.advances:
            done.append(_number(self.advances, "advance"))
        done.append(_number(self.expectations, "expectation"))
        verb = "does" if self.failed == 1 else "do"
        said = f"{self.failed:,} of {self.expectations:,} {verb} not hold" if self.failed else "all hold"
        return ", ".join(done) + (f": {said}" if self.expectations else "")


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# -------------------------------------------------------------------------------------------------------------- text


def _print_text(compiled: Compiled, script: Script, machine: Machine) -> _Totals:
    from ..engine.script_run import play
    from .findings import show

    totals = _Totals()
    shown = 0
    for played in play(compiled, script, machine):
        totals.count(played)
        click.echo("\n".join(_block(played)))
        if not played.failures:
            continue
        shown += 1
        if shown > _SHOWN:
            continue
        show((failure.diagnostic for failure in played.failures), script.sources(played.failures[0].span))
    if shown > _SHOWN:
        click.echo(f"what failed at {shown - _SHOWN:,} more items is not shown", err=True)
    click.echo(str(totals))
    return totals


def _block(played: Played) -> Iterator[str]:
    """Yield the lines that tell an item: what came and where it led, and below it what happened on the way."""
    from ..engine.diagnostics import printable
    from ..engine.script_time import show_time
    from ..engine.step import ruling_text

    item, step = played.item, played.step
    where = ", ".join(played.configuration) or "not started"
    yield f"{item.index:>4}  {show_time(item.time_ns)}  {_what(item)} → {where}"
    if item.kind == "expect":
        return
    lists = {
        "timers": [f"{name} at {show_time(due)}" for name, due in step.timers],
        "fired": step.fired,
        "raised": step.raised,
        "orders": [_order(order) for order in step.orders],
        "stopped": [verdict.reason for verdict in step.verdicts],
        "approvals": [ruling_text(ruling) for ruling in step.approvals],
        "errors": step.errors,
        "rejected": () if step.rejected is None else (step.rejected,),
        "broken": step.broken,
    }
    for name, told in lists.items():
        if told:
            between = "; " if name in ("errors", "stopped", "approvals") else ", "
            yield f"      {name}: {printable(between.join(told))}"


def _what(item: Item) -> str:
    if item.kind == "event":
        return " ".join((item.event, *(f"{name}={_value(value)}" for name, value in item.fields.items())))
    return item.kind


def _value(value: float | int | bool | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    special = {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}
    return special.get(text := str(value), text)


def _order(order: Order) -> str:
    number = f"#{order.number} " if order.number else ""
    return f"{number}{order.side} {order.quantity} {order.leg} at {order.price} ({order.rule})"


# -------------------------------------------------------------------------------------------------------------- JSON


def _print_json(compiled: Compiled, script: Script, machine: Machine) -> _Totals:
    """Print one document, an item a line, each when it has been played."""
    from ..engine.script_run import play

    totals = _Totals()
    head = {
        "spec": compiled.spec.name,
        "script": script.file,
        "fill": compiled.program.fill,
        "parameters": dict(compiled.parameters),
    }
    click.echo(
        "{\n" + "".join(f" {_json(key)}: {_json(value)},\n" for key, value in head.items()) + ' "items": [', nl=False
    )
    for played in play(compiled, script, machine):
        totals.count(played)
        click.echo(("," if played.item.index > 1 else "") + "\n  " + _json(_document(played)), nl=False)
    tail = {
        "events": totals.events,
        "advances": totals.advances,
        "expectations": totals.expectations,
        "failed": totals.failed,
        "ok": not totals.failed,
    }
    click.echo("\n ],\n" + ",\n".join(f" {_json(key)}: {_json(value)}" for key, value in tail.items()) + "\n}")
    return totals


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def _document(played: Played) -> dict[str, object]:
    """Return an item as JSON; one that only expects something did nothing, and its lists are empty."""
    item, step = played.item, played.step
    did = item.kind != "expect"
    return {
        "index": item.index,
        "line": item.line,
        "kind": item.kind,
        "time_ns": item.time_ns,
        "event": item.event if item.kind == "event" else None,
        "configuration": list(played.configuration),
        "fired": list(step.fired) if did else [],
        "raised": list(step.raised) if did else [],
        "orders": [order.to_json() for order in step.orders] if did else [],
        "timers": [{"name": name, "due_ns": due} for name, due in step.timers] if did else [],
        "rejected": step.rejected if did else None,
        "stopped": [verdict._asdict() for verdict in step.verdicts] if did else [],
        "approvals": [ruling._asdict() for ruling in step.approvals] if did else [],
        "errors": list(step.errors) if did else [],
        "broken": list(step.broken) if did else [],
        "failures": [
            {"key": each.key, "expected": each.expected, "found": each.found, **each.diagnostic.to_json()}
            for each in played.failures
        ],
    }
