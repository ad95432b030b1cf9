"""Findings on the terminal: the rendered text on stderr, in colour where a person reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

import click

from ..engine.diagnostics import Diagnostic, render_all

__all__ = ["show"]

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_UNDERLINE = re.compile(r"^( *\| *)(\^+)$")


def show(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
    """Write each finding to stderr, a blank line between them.

    Args:
        diagnostics: the findings, in the order in which they are shown.
        sources: file name -> its text, for the underlined lines.

    Colour needs a terminal and is off where `NO_COLOR` is set (no-color.org).
    """
    findings = tuple(diagnostics)
    texts = [_paint(found, text) for found, text in zip(findings, render_all(findings, sources), strict=True)]
    click.echo("\n\n".join(texts), err=True, color=False if os.environ.get("NO_COLOR") else None)


def _paint(found: Diagnostic, text: str) -> str:
    colour = _COLOURS[found.severity]
    head, *rest = text.split("\n")
    mark = f"{found.severity}[{found.code}]"
    lines = [head.replace(mark, click.style(mark, fg=colour, bold=True), 1)]
    for line in rest:
        if underline := _UNDERLINE.match(line):
            lines.append(underline[1] + click.style(underline[2], fg=colour, bold=True))
        elif line.startswith("   help: "):
            lines.append("   " + click.style("help:", fg="cyan") + line.removeprefix("   help:"))
        else:
            lines.append(line)
    return "\n".join(lines)
