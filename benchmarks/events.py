"""The cost of an event: the same prices through every contender, with equal trigger counts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from .contenders import BAND, CONTENDERS, FIRST, Contender
from .host import installed
from .page import Section, Size, Target
from .rounds import interleave, ratio, timed

__all__ = ["DifferentCountsError", "agree", "measure", "walk"]

PORT_OVER_TRANSITIONS = 20.0
PORT_OVER_HAND_WRITTEN = 3.0
SEND_OVER_TRANSITIONS = 8.0


class DifferentCountsError(Exception):
    """Contenders that do not do the same work."""


def walk(events: int) -> tuple[list[int], list[float]]:
    """Return times in int64 ns, a second apart, and a seeded random walk of prices, each a float of its own."""
    rng = random.Random(7)
    price = FIRST
    prices = []
    for _ in range(events):
        price = max(price + rng.gauss(0.0, BAND / 10), BAND)
        prices.append(price)
    start = 1_700_000_000_000_000_000
    return [start + second * 1_000_000_000 for second in range(events)], prices


def agree(contenders: Sequence[Contender], times: Sequence[int], prices: Sequence[float]) -> int:
    """Return how many of the prices fire the transition.

    Raises:
        DifferentCountsError: not the same number in every contender.
    """
    counts = {contender.name: contender.prepare()(times, prices) for contender in contenders}
    if len(set(counts.values())) != 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DifferentCountsError(f"the contenders fire differently over {len(prices)} prices: {found}")
    return next(iter(counts.values()))


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure the time of an event."""
    present = [each for each in CONTENDERS if installed(each.distribution)]
    times, prices = walk(size.events)
    counts = {False: agree([each for each in present if not each.slow], times, prices)}
    few = times[: size.slow_events], prices[: size.slow_events]
    counts[True] = agree(present, *few)
    runs = {}
    for each in present:
        run, given = each.prepare(), few if each.slow else (times, prices)
        runs[each.name] = partial(_seconds, partial(run, *given), len(given[0]), counts[each.slow])
    found = interleave(runs, size.rounds, progress)
    port, send = found["hedgerow port"], found["hedgerow send"]
    rows = []
    for each in CONTENDERS:
        if each not in present:
            rows.append((each.name, "not installed", "", "", ""))
            continue
        events = size.slow_events if each.slow else size.events
        rows.append((
            each.name, f"{events:,}", f"{counts[each.slow]:,}", f"{median(found[each.name]) * 1e9:,.0f}",
            f"{ratio(found[each.name], port):.2f}",
        ))  # fmt: skip
    peer = found["transitions"]
    targets = (
        Target("port: times as fast as transitions", ratio(peer, port), PORT_OVER_TRANSITIONS, True),
        Target("port: times the hand-written class's time", ratio(port, found["hand-written class"]),
               PORT_OVER_HAND_WRITTEN, False),
        Target("send: times as fast as transitions", ratio(peer, send), SEND_OVER_TRANSITIONS, True),
    )  # fmt: skip
    words = (
        (
            f"One state, the guard `abs(price - ref) >= band`, the action `ref = price`, over {size.events:,} float prices "
            f"of a seeded random walk. The slower peers run the first {size.slow_events:,} of them. That every contender "
            "fires equally often on the same prices is checked before the clock starts. The time is CPU time of the loop "
            f"around the calls (rounds: {size.rounds}), each with a new machine made inside it."
        ),
        "How each is used: " + "; ".join(f"**{each.name}**: {each.words}" for each in present) + ".",
        (
            "The hand-written class takes no time stamp, refuses nothing and says nothing about what it did; the port "
            "checks clock, type and range of what comes in and returns what fired."
        ),
    )
    head = ("", "events", "fired", "ns an event", "× port")
    return Section("An event", words, head, tuple(rows), targets)


def _seconds(run: Callable[[], int], events: int, fired: int) -> float:
    """Return the seconds of one event."""
    seconds, found = timed(run)
    if found != fired:
        raise DifferentCountsError(f"{found} of {events} prices fired in a round, {fired} before it")
    return seconds / events
