"""`hedgerow compare`: two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .main import HOLDS
from .run import refuse

if TYPE_CHECKING:
    from ..engine.dryrun.comparison import Difference

__all__ = ["command"]


@click.command("compare")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(a: Path, b: Path, as_json: bool) -> int:
    """Lay two runs side by side: folders that `hedgerow run` wrote, or their summary.json."""
    from ..engine.dryrun.comparison import compare
    from ..engine.dryrun.folder import read_summary
    from ..engine.dryrun.problem import RunError

    try:
        inputs, results = compare(read_summary(a), read_summary(b))
    except RunError as error:
        return refuse(error, as_json=as_json)
    if as_json:
        lines = {"inputs": [one.to_json() for one in inputs], "results": [one.to_json() for one in results]}
        click.echo(json.dumps({"a": str(a), "b": str(b), **lines}, indent=2, ensure_ascii=False))
    else:
        _show(a, b, inputs, results)
    return HOLDS


def _show(a: Path, b: Path, inputs: list[Difference], results: list[Difference]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..engine.diagnostics import printable

    console = Console(highlight=False)
    # As text: what stands in brackets in a file's name is no markup.
    heads = [Text(printable(head)) for head in ("", str(a), str(b))]
    if inputs:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, title="what went in differently", title_justify="left")
        for head in heads:
            table.add_column(head, overflow="fold")
        for one in inputs:
            table.add_row(Text(printable(one.name)), Text(_value(one.a)), Text(_value(one.b)))
        console.print(table)
    else:
        console.print("the same spec, data, params and versions went in")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="what came out", title_justify="left")
    table.add_column("", overflow="fold")
    for head in (*heads[1:], Text("change")):
        table.add_column(head, justify="right", overflow="fold")
    for one in results:
        change = "=" if one.same else "" if one.change is None else _signed(one.change)
        style = "dim" if one.same else ""
        table.add_row(Text(printable(one.name)), Text(_value(one.a)), Text(_value(one.b)), Text(change), style=style)
    console.print(table)


def _signed(change: float) -> str:
    from ..engine.dryrun.narrative import number

    return ("+" if change > 0 else "") + number(change)


def _value(value: Any) -> str:
    from ..engine.dryrun.narrative import number

    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, list):
        return " to ".join(map(_value, value)) if value else "none"
    from ..engine.diagnostics import printable

    text = printable(str(value))
    return text[:12] if len(text) == 64 else text
