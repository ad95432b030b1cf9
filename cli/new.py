"""`hedgerow new`: a commented spec to start from."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from pathlib import Path

import click

__all__ = ["command"]


@click.command("new")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="File to write.  [default: NAME.yaml]")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def command(name: str, out: Path | None, force: bool) -> None:
    """Write a commented starter spec called NAME, which validates and runs."""
    from ..engine.model import NAME

    if not re.fullmatch(NAME, name) or len(name) > 64:
        nearest = re.sub(r"[^A-Za-z0-9]+", "_", name.removesuffix(".yaml")).strip("_0123456789")[:64]
        help = f"; try `{nearest}`" if re.fullmatch(NAME, nearest) else ""
        raise click.ClickException(
            f"`{name[:100]}` is not a name: it starts with a letter and has letters, digits and single underscores{help}"
        )
    path = out or Path(f"{name}.yaml")
    template = files("hedgerow.cli").joinpath("starter.yaml").read_text("utf-8")
    # The comments name the file: a path with a line break in it would end one.
    shown = shlex.quote(str(path)) if str(path).isprintable() else "FILE"
    # YAML reads these as values, not as text.
    written = f'"{name}"' if name.lower() in ("true", "false", "null") else name
    text = template.replace("starter.yaml", shown).replace("name: starter\n", f"name: {written}\n")
    try:
        # "x" leaves a file alone that appears between a look and the write.
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        raise click.ClickException(
            f"`{path}` is there already; choose another name, or replace it with --force"
        ) from None
    except OSError as error:
        from ..engine.diagnostics import reason_of

        raise click.ClickException(f"cannot write `{path}`: {reason_of(error)}") from None
    click.echo(f"written to {path}; check it with `hedgerow validate {path}`")
