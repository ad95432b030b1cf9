"""`hedgerow diagram`: a spec's machine as Mermaid, or as SVG through Graphviz."""

from __future__ import annotations

from pathlib import Path

import click

from .permit import permit

__all__ = ["command"]

DRAWING_SECONDS = 60
"""Graphviz's layout can take very long on a large graph."""


@click.command("diagram")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .mmd or .svg file to write; replaced if there.  [default: Mermaid on stdout]",
)
@permit
def command(spec: Path, out: Path | None, permit: tuple[str, ...]) -> None:
    """Draw the machine of SPEC: Mermaid text, or SVG where Graphviz is installed."""
    from ..engine.diagram import dot, mermaid, picture
    from ..engine.load import load

    suffix = ".mmd" if out is None else out.suffix.lower()
    if suffix not in (".mmd", ".svg"):
        raise click.ClickException(f"`{out}` is neither .mmd (Mermaid) nor .svg")
    drawn = picture(load(spec, permit=permit))
    text = mermaid(drawn) if suffix == ".mmd" else _svg(dot(drawn))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        from ..engine.diagnostics import reason_of

        raise click.ClickException(f"cannot write `{out}`: {reason_of(error)}") from None
    click.echo(f"written to {out}")


def _svg(graph: str) -> str:
    """Return a graph drawn by Graphviz."""
    import shutil
    import subprocess

    program = shutil.which("dot")
    if program is None:
        raise click.ClickException(
            "SVG needs Graphviz's `dot`, which is not installed: install Graphviz, or write Mermaid with --out NAME.mmd"
        )
    try:
        drawn = subprocess.run(
            [program, "-Tsvg"], input=graph, capture_output=True, text=True, encoding="utf-8", timeout=DRAWING_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise click.ClickException(
            f"Graphviz did not finish in {DRAWING_SECONDS} seconds: write Mermaid with --out NAME.mmd"
        ) from None
    except OSError as error:
        from ..engine.diagnostics import reason_of

        raise click.ClickException(f"Graphviz's `dot` cannot be run: {reason_of(error)}") from None
    if drawn.returncode:
        raise click.ClickException(f"Graphviz failed: {drawn.stderr.strip()[:300]}")
    return drawn.stdout
