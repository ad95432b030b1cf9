"""The cost of an event in a statechart: the same events through every contender, with equal configurations after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from .chart_contenders import CONTENDERS, Contender, Make
from .charts import CHARTS, Chart
from .events import DifferentCountsError
from .host import installed
from .page import Section, Size, Target
from .rounds import interleave, ratio, timed

__all__ = ["Course", "follow", "measure"]

OVER_FASTEST_PEER = 10.0

Course = list[tuple[frozenset[str], int]]
"""After each event: the innermost active states, and how many transitions have fired so far."""


def follow(contenders: Sequence[Contender], chart: Chart, times: Sequence[int], names: Sequence[str]) -> Course:
    """Return the course of the chart over the events.

    Raises:
        DifferentCountsError: not the same course in every contender.
    """
    courses = {contender.name: _course(contender.prepare(chart), times, names) for contender in contenders}
    first, *others = courses
    for number, name in enumerate(names):
        for other in others:
            if courses[other][number] != courses[first][number]:
                found = "; ".join(f"{each} {_shown(courses[each][number])}" for each in (first, other))
                raise DifferentCountsError(f"`{chart.path.stem}` differs after event {number + 1}, `{name}`: {found}")
    return courses[first]


def _course(make: Make, times: Sequence[int], names: Sequence[str]) -> Course:
    fired = 0

    def told(number: int) -> None:
        nonlocal fired
        fired += number

    player = make(told)
    course: Course = []
    for time_ns, name in zip(times, names, strict=True):
        player.run([time_ns], [name])
        course.append((player.leaves(), fired))
    return course


def _shown(after: tuple[frozenset[str], int]) -> str:
    leaves, fired = after
    return f"in {', '.join(sorted(leaves))} with {fired} fired"


def measure(chart_name: str, size: Size, progress: Callable[[str], None]) -> Section:
    """Measure the time of an event in one of the charts."""
    chart = CHARTS[chart_name]
    present = [each for each in CONTENDERS if installed(each.distribution)]
    times, names = chart.sequence(size.events)
    few = times[: size.slow_events], names[: size.slow_events]
    progress(f"{chart.title}: following every contender")
    courses = {
        False: follow([each for each in present if not each.slow], chart, times, names),
        True: follow(present, chart, *few),
    }
    runs = {}
    for each in present:
        given = few if each.slow else (times, names)
        runs[each.name] = partial(_seconds, each.prepare(chart), *given, courses[each.slow][-1][0])
    found = interleave(runs, size.rounds, progress)
    port, send = found["hedgerow port"], found["hedgerow send"]
    rows = []
    for each in CONTENDERS:
        if each not in present:
            rows.append((each.name, "not installed", "", "", "", ""))
            continue
        events, spent = size.slow_events if each.slow else size.events, median(found[each.name])
        rows.append((
            each.name, f"{events:,}", f"{courses[each.slow][-1][1]:,}", f"{spent * 1e9:,.0f}", f"{1 / spent:,.0f}",
            f"{ratio(found[each.name], port):.2f}",
        ))  # fmt: skip
    peers = [found[each.name] for each in present if each.slow]
    targets = tuple(
        Target(f"{name}: times as fast as the fastest peer", min(ratio(peer, ours) for peer in peers),
               OVER_FASTEST_PEER, True)
        for name, ours in (("port", port), ("send", send))
        if peers
    )  # fmt: skip
    words = (
        (
            f"{chart.words} The events are a seeded random sequence of {size.events:,}; the peers, which are slower, take "
            f"the first {size.slow_events:,}."
        ),
        (
            "Before the clock starts every contender takes the events once with the configuration and the number of "
            "fired transitions read after each: they must be the same in all. The time is CPU time of the loop around "
            f"the calls (rounds: {size.rounds}), each with a new machine, whose configuration is compared at the end."
        ),
        "How each is used: " + "; ".join(f"**{each.name}**: {each.words}" for each in present) + ".",
    )
    head = ("", "events", "fired", "ns an event", "events a second", "× port")
    return Section(chart.title, words, head, tuple(rows), targets)


def _seconds(make: Make, times: Sequence[int], names: Sequence[str], leaves: frozenset[str]) -> float:
    """Return the seconds of one event."""
    player = make(None)
    seconds, _ = timed(partial(player.run, times, names))
    if player.leaves() != leaves:
        raise DifferentCountsError(f"a round ended in {sorted(player.leaves())}, the one before it in {sorted(leaves)}")
    return seconds / len(names)
