"""The options of the commands that take recorded data: which rows, which columns, and how a spec meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .permit import permit

__all__ = ["data_options"]

_OPTIONS = (
    click.option(
        "--stress",
        metavar="YEAR",
        help="1987 or 2020: lay that crash over the data. 2008: cut that year out of them.",
    ),
    click.option(
        "--map", "mapping", multiple=True, metavar="FIELD=COLUMN", help="Which column feeds a field; repeatable."
    ),
    click.option(
        "--time", "time_column", metavar="COLUMN", help="The column of times; found by name or type if not given."
    ),
    click.option("--event", metavar="EVENT", help="The event that a row is, where the spec has several with fields."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="PARAM=VALUE",
        help="Set a param, e.g. tau_max=30d; repeatable.",
    ),
    click.option("--from", "start", metavar="TIME", help="First time, included (ISO 8601, UTC)."),
    click.option("--to", "end", metavar="TIME", help="Last time, not included."),
    click.option(
        "--fill",
        type=click.Choice(["same", "next"]),
        help="Price of a fill: the mark that triggered it, or the next. Default: next for bars, same for ticks.",
    ),
    click.option("--skip-bad", is_flag=True, help="Pass over bad rows; the first one stops the run otherwise."),
    permit,
)


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
