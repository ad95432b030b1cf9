"""`hedgerow schema`: the JSON Schema of specs, of event scripts, and of certificates."""

from __future__ import annotations

from pathlib import Path

import click

from .json_text import json_text

__all__ = ["command"]


@click.command("schema")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there; an old one is replaced.")
@click.option("--events", "of_scripts", is_flag=True, help="That of the event scripts of `hedgerow run --events`.")
@click.option("--proof", "of_certificates", is_flag=True, help="That of the certificates of `hedgerow prove --out`.")
def command(out: Path | None, of_scripts: bool, of_certificates: bool) -> None:
    """Print the JSON Schema of specs (draft 2020-12), for editors.

    An editor with a YAML language server uses it where the first line of a spec is
    `# yaml-language-server: $schema=FILE`.
    """
    if of_scripts and of_certificates:
        raise click.UsageError("give one of --events and --proof")
    if of_certificates:
        from ..engine.prove.certificate import json_schema
    elif of_scripts:
        from ..engine.script_model import json_schema
    else:
        from ..engine.schema import json_schema

    text = json_text(json_schema(), sort=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="ascii")
    except OSError as error:
        from ..engine.diagnostics import reason_of

        raise click.ClickException(f"cannot write `{out}`: {reason_of(error)}") from None
    click.echo(f"written to {out}")
