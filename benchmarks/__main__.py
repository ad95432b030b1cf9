"""`python -m benchmarks`: measure, show each target, and write the page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from . import (
    chart_events,
    commands,
    compiling,
    control,
    events,
    exploring,
    gates,
    hosting,
    journal,
    population,
    proving,
    recorded,
    sharding,
    sweep_compile,
    sweep_loop,
    sweep_sets,
    sweep_trace,
)
from .page import Section, Size, page, updated
from .rounds import pace

MEASUREMENTS: dict[str, Callable[[Size, Callable[[str], None]], Section]] = {
    "events": events.measure,
    "levels": partial(chart_events.measure, "levels"),
    "regions": partial(chart_events.measure, "regions"),
    "machines": population.measure,
    "compiling": compiling.measure,
    "commands": commands.measure,
    "run": recorded.measure,
    "gates": gates.measure,
    "journal": journal.measure,
    "host": hosting.measure,
    "shards": sharding.measure,
    "control": control.measure,
    "loop": sweep_loop.measure,
    "native": sweep_compile.measure,
    "sets": sweep_sets.measure,
    "trace": sweep_trace.measure,
    "explore": exploring.measure,
    "prove": proving.measure,
}
SIZES = {
    "tiny": Size(
        "tiny", 1, 2_000, 200, 50, 5, 1, 2_000, 1, 40,
        ticks=20_000, tick_rounds=1, sets=8, set_rows=2_000, peer_sets=2, set_rounds=1,
    ),
    "small": Size(
        "small", 5, 50_000, 5_000, 2_000, 200, 5, 200_000, 1, 200,
        ticks=1_000_000, tick_rounds=3, sets=100, set_rows=20_000, peer_sets=10, set_rounds=1,
    ),
    "full": Size(
        "full", 9, 200_000, 10_000, 10_000, 1_000, 9, 1_000_000, 3, 200,
        ticks=10_000_000, tick_rounds=5, sets=1_000, set_rows=100_000, peer_sets=1_000, set_rounds=3,
    ),
}  # fmt: skip
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


@click.command("benchmarks", context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="Measure this; repeatable.")
@click.option("--size", "chosen", type=click.Choice(list(SIZES)), default="full", help="How much to measure.")
@click.option("--page", "path", type=click.Path(path_type=Path), default=PAGE, help="The file to write.")
@click.option("--update", is_flag=True, help="Put what --only has measured into its place in the page.")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a target is missed.")
def main(only: tuple[str, ...], chosen: str, path: Path, update: bool, check: bool) -> None:
    """Measure Hedgerow beside its peers and write the page; a part of it (--only) is shown and not written."""
    size = SIZES[chosen]
    written = _written(path, size) if update else ""
    sections = []
    for name, measure in MEASUREMENTS.items():
        if not only or name in only:
            before = pace()
            section = measure(size, _progress)
            sections.append(replace(section, paces=(before, pace())))
    try:
        text = updated(written, sections, size) if update else page(sections, size)
    except ValueError as error:
        raise click.ClickException(f"{path}: {error}; measure all of it") from None
    if check or (only and not update):
        click.echo(text, nl=False)
    else:
        path.write_text(text, encoding="utf-8")
        click.echo(f"written to {path}")
    missed = [target for section in sections for target in section.targets if not target.met]
    for target in missed:
        click.echo(f"missed: {target.claim}: {' '.join(target.row()[1:3])}", err=True)
    sys.exit(1 if check and missed else 0)


def _written(path: Path, size: Size) -> str:
    """Return a page that sections can be put into."""
    try:
        text = path.read_text(encoding="utf-8")
        updated(text, [], size)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}; measure all of it") from None
    except ValueError as error:
        raise click.ClickException(f"{path}: {error}; measure all of it") from None
    return text


def _progress(what: str) -> None:
    """Say on a terminal what is being measured, over what was said before."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{what}", nl=False, err=True)


if __name__ == "__main__":
    main()
