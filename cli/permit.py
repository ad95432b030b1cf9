"""The option `--permit CODE`, which several commands take: a finding that the user waives by its code."""

from __future__ import annotations

import click

__all__ = ["permit"]


def _known(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    if not given:
        return ()
    import difflib

    from ..engine.codes import CODES
    from ..engine.diagnostics import WAIVABLE

    codes = tuple(code.upper() for code in given)
    for code in codes:
        if code not in CODES:
            near = difflib.get_close_matches(code, sorted(WAIVABLE), n=3, cutoff=0.5)
            help = f"; near ones: {', '.join(f'{one} ({CODES[one]})' for one in near)}" if near else ""
            raise click.BadParameter(f"no finding has the code `{code[:40]}`{help}", context, option)
        if code not in WAIVABLE:
            known = ", ".join(f"{one} ({CODES[one]})" for one in sorted(WAIVABLE))
            raise click.BadParameter(f"{code} ({CODES[code]}) cannot be waived; only {known}", context, option)
    return codes


permit = click.option(
    "--permit",
    multiple=True,
    metavar="CODE",
    callback=_known,
    help="Waive a finding, e.g. HR302; repeatable.",
)
