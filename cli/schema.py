"""`hedgerow schema`: the JSON Schema of specs, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from .json_text import json_text

__all__ = ["command"]


@click.command("schema")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there; an old one is replaced.")
def command(out: Path | None) -> None:
    """Print the JSON Schema of specs (draft 2020-12), for editors.

    An editor with a YAML language server uses it where the first line of a spec is
    `# yaml-language-server: $schema=FILE`.
    """
    from ..engine.schema import json_schema

    text = json_text(json_schema(), sort=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="ascii")
    except OSError as error:
        raise click.ClickException(f"cannot write `{out}`: {(error.strerror or str(error)).lower()}") from None
    click.echo(f"written to {out}")
