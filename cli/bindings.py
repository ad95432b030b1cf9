"""`hedgerow bindings`: the guards and actions that specs can call, with their arguments and docs."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import click

from .json_text import json_text
from .main import BAD_INPUT, HOLDS

if TYPE_CHECKING:
    from ..engine.registry import Argument, Binding, Result, Signature

__all__ = ["command"]


@click.command("bindings")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(name: str | None, as_json: bool) -> int:
    """List the guards and actions that specs can call; with NAME, show one of them whole.

    Installed packages add theirs through the entry points `hedgerow.guards` and `hedgerow.actions`. One that cannot be
    used is listed with its error; asking for it by name is exit code 2.
    """
    from ..engine.registry import BindingError, builtin_registry

    registry = builtin_registry()
    try:
        names = registry.names()
    except BindingError as error:
        raise click.ClickException(str(error)) from None
    if name is not None and name not in names:
        from ..engine.diagnostics import suggestion

        help = suggestion(name, names, "`hedgerow bindings` lists them")
        raise click.ClickException(f"no bound function `{name[:100]}`: {help}")
    found = [_inspected(binding) for binding in registry if name in (None, binding.name)]
    if as_json:
        click.echo(json_text([one.to_json() for one in found] if name is None else found[0].to_json()))
    elif name is None:
        _show_all(found)
    else:
        _show_one(found[0])
    return BAD_INPUT if name is not None and found[0].error else HOLDS


@dataclass(frozen=True, slots=True)
class _Inspected:
    """A binding whose function was imported, or why it could not be."""

    binding: Binding
    signature: Signature | None
    doc: str
    error: str | None

    def to_json(self) -> dict[str, object]:
        arguments = self.signature.arguments if self.signature else ()
        results = self.signature.results if self.signature else ()
        words = self.signature.words if self.signature else ()
        return {
            "name": self.binding.name,
            "kind": self.binding.kind,
            "target": self.binding.target,
            "doc": self.doc,
            "error": self.error,
            "arguments": [
                {
                    "name": one.name,
                    "kind": one.kind,
                    "unit": one.unit,
                    "words": list(one.words),
                    "required": one.required,
                    "default": _default(one.default),
                }
                for one in arguments
            ],
            "results": [
                *({"name": one.name, "type": one.type, "unit": one.unit} for one in results),
                *({"name": word, "type": "text", "unit": "1"} for word in words),
            ],
        }


def _inspected(binding: Binding) -> _Inspected:
    from ..engine.registry import BindingError

    try:
        return _Inspected(binding, binding.signature(), binding.doc(), None)
    except BindingError as error:
        return _Inspected(binding, None, "", str(error))


def _show_all(found: list[_Inspected]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_lines=True)
    table.add_column("name", no_wrap=True, style="cyan")
    table.add_column("takes", overflow="fold")
    table.add_column("gives", overflow="fold")
    table.add_column("what it does", overflow="fold")
    for one in found:
        name = Text(f"{one.binding.name}\n") + Text(one.binding.kind, style="dim")
        if one.signature is None:
            table.add_row(name, "", "", Text(f"cannot be used: {one.error}", style="red"))
            continue
        takes = Text("\n".join(map(_argument, one.signature.arguments)))
        gives = Text("\n".join(_results(one.signature)))
        table.add_row(name, takes, gives, Text(one.doc.partition("\n")[0]))
    Console(highlight=False).print(table)
    click.echo("`hedgerow bindings NAME` shows one with its whole doc")


def _show_one(one: _Inspected) -> None:
    click.echo(f"{one.binding.name} ({one.binding.kind}, {one.binding.target})")
    if one.signature is None:
        click.echo(f"cannot be used: {one.error}", err=True)
        return
    for title, lines in (
        ("takes", [_argument(each) for each in one.signature.arguments]),
        ("gives", _results(one.signature)),
    ):
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"  {line}")
    click.echo(f"\n{one.doc}")


def _argument(one: Argument) -> str:
    kind = " or ".join(f"`{word}`" for word in one.words) or {"window": "a window"}.get(one.kind, one.kind)
    default = "" if one.required else f" = {_value(one.default)}"
    return f"{one.name}: {kind}{_unit(one.unit)}{default}"


def _results(signature: Signature) -> list[str]:
    return [*map(_result, signature.results), *(f"{name}: text" for name in signature.words)]


def _result(one: Result) -> str:
    return f"{f'{one.name}: ' if one.name else ''}{one.type}{_unit(one.unit)}"


def _unit(unit: str) -> str:
    return "" if unit == "1" else f" in {unit}"


def _default(value: object) -> object:
    """Return a default as JSON can hold it; a package may use any object as one."""
    plain = value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and isfinite(value))
    return value if plain else repr(value)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
