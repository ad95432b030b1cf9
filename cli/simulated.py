"""What a command says that simulates the fills of a spec whose live ones come from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..engine.load import Spec

__all__ = ["tell_simulated"]


def tell_simulated(spec: Spec) -> None:
    """Print the line that keeps a simulated result from being taken for a live one."""
    if spec.fill == "external":
        click.echo("fills are simulated here; a live machine of this spec takes them from outside")
