"""Hosts in a simulated world, by hand: one seed again, or as many pieces as there is time for.

python tests/simulate.py --seed 7 --hours 250 --trace      a seed with its virtual history
python tests/simulate.py --pieces 400 --hours 250          400 worlds of 250 hours, on all cores: 100,000 hours
"""

from __future__ import annotations

import os
import time
from collections import Counter
from multiprocessing import Pool

import click
from simulation.world import Outcome, run

TOLD = {
    "virtual hours": None,
    "events taken": "events",
    "records": "records",
    "turns with a commit": "commits",
    "refusals": "refusals",
    "told to be busy": "busy",
    "orders at the venue": "order",
    "orders sent again": "order again",
    "fills": "filled",
    "rejections and cancels": ("rejected", "cancelled"),
    "acts of people": "act",
    "answers of a function": "answers",
    "machines that went over to another program": "migrations",
    "starts of a host": "opened",
    "starts that failed": "not opened",
    "kills": "fault kill",
    "power cuts": "fault power",
    "failed writes": "fault write",
    "failed syncs": "fault sync",
    "failed reads": "fault read",
    "writes to a full disk": "fault full",
    "misdirected writes": "fault misdirected",
    "flipped bits": "fault flip",
    "damage that was told": "damage told",
    "tails lost to a lie": "tails lost",
    "messages lost": "dropped",
    "messages doubled": "doubled",
    "looks of the auditor": "looked",
    "journals verified": "verified",
    "quiet times": "quiet",
}


@click.command()
@click.option("--seed", default=0, show_default=True, help="The world, or the first of them.")
@click.option("--hours", default=250.0, show_default=True, help="Virtual hours of each.")
@click.option("--pieces", default=1, show_default=True, help="How many worlds.")
@click.option("--trace", is_flag=True, help="Tell the virtual history.")
@click.option("--lies/--honest", default=None, help="Whether the disk lies; the seed decides.")
def main(seed: int, hours: float, pieces: int, trace: bool, lies: bool | None) -> None:
    """Run simulated worlds and hold a host to its promises."""
    began = time.perf_counter()
    tell = click.echo if trace else None
    seeds = range(seed, seed + pieces)
    found: list[Outcome] = []
    if pieces == 1:
        found = [run(seed, hours, tell=tell, lies=lies)]
    else:
        with Pool(os.cpu_count()) as pool:
            for outcome in pool.imap(_Piece(hours, lies), seeds):
                found.append(outcome)
                if outcome.broken is not None:
                    click.echo(str(outcome))
    broken = [each for each in found if each.broken is not None]
    if pieces == 1:
        click.echo(str(found[0]))
        click.echo(f"trace {found[0].trace}")
    counts = sum((each.counts for each in found), Counter[str]())
    for words, names in TOLD.items():
        names = (names,) if isinstance(names, str) else names
        many = sum(each.hours for each in found) if names is None else sum(counts[name] for name in names)
        click.echo(f"{words:<42} {many:>14,.0f}")
    spent = sum(each.seconds for each in found)
    click.echo(f"{spent:,.0f} s of one core, {time.perf_counter() - began:,.0f} s in all")
    if broken:
        raise SystemExit(f"{len(broken)} of {pieces} worlds: seeds {[each.seed for each in broken]}")


class _Piece:
    """A world by its seed, for another process."""

    def __init__(self, hours: float, lies: bool | None) -> None:
        self.hours, self.lies = hours, lies

    def __call__(self, seed: int) -> Outcome:
        return run(seed, self.hours, lies=self.lies)


if __name__ == "__main__":
    main()
