"""One parameter set explored: choose walks, run them, keep what was new; the same for the same seed, whoever runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..ir import Value
from .corpus import Corpus, Habits
from .coverage import Chart, Coverage
from .draws import draw_parameters
from .events import Outside
from .streams import Book
from .walk import Outcome, Part, Runner, Sight, way_of

__all__ = ["Explored", "Explorer", "Sighting"]

_DRAWS = 8
"""How many parameter sets are drawn where one after the other a machine cannot start."""


@dataclass(frozen=True)
class Sighting:
    """The first sight of something in a parameter set: with which parameters, by which book, on one of which ways."""

    parameters: Mapping[str, Value]
    book: int
    ways: tuple[tuple[Part, ...], ...]


@dataclass
class Explored:
    """What came of some parameter sets."""

    coverage: Coverage
    sightings: dict[Sight, Sighting] = field(default_factory=dict)
    sets: int = 0
    points: int = 0
    """Points that were worth starting from again."""
    redrawn: int = 0
    """Parameter sets with which no machine started, and which were drawn again."""

    def add(self, other: Explored) -> None:
        """Take in what came of later sets; of two sightings of one thing the earlier stays."""
        self.coverage.add(other.coverage)
        self.sightings = {**other.sightings, **self.sightings}
        self.sets, self.points = self.sets + other.sets, self.points + other.points
        self.redrawn += other.redrawn


class Explorer:
    """Explores parameter sets by their numbers; `runner` makes what runs walks with given parameters over a book."""

    def __init__(
        self,
        chart: Chart,
        outside: Outside,
        fixed: Mapping[str, Value],
        seed: int,
        habits: Habits,
        runner: Callable[[Mapping[str, Value], Book], Runner],
    ) -> None:
        self.chart, self.outside, self.fixed, self.seed = chart, outside, fixed, seed
        self.habits, self.runner = habits, runner

    def explore(
        self, number: int, steps: int, book: Book, book_number: int, interrupted: Callable[[], bool] | None = None
    ) -> Explored:
        """Return what `steps` ≥ 1 events reach with parameter set `number`; fewer where a person interrupts."""
        for attempt in range(_DRAWS):
            source = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.seed, 1, number, attempt))))
            plain = number == 0 and attempt == 0
            parameters = draw_parameters(self.chart.program, self.fixed, source, plain=plain)
            try:
                runner = self.runner(parameters, book)
            except ValueError:  # a parameter that follows from these is out of its range
                continue
            found = Explored(Coverage(self.chart), sets=1, redrawn=attempt)
            corpus = Corpus(runner.start(), self.outside, book, self.habits, source)
            while found.coverage.steps < steps and not (interrupted is not None and interrupted()):
                walks = corpus.walks(steps - found.coverage.steps)
                outcomes = runner.run(walks)
                corpus.keep(outcomes)
                self._count(found, outcomes, parameters, book_number)
                if not found.coverage.states.any():
                    break  # no machine has started
            found.points = len(corpus.points)
            if found.coverage.states.any() or attempt == _DRAWS - 1:
                return found
        return Explored(Coverage(self.chart), sets=1, redrawn=_DRAWS)

    def _count(
        self, found: Explored, outcomes: list[Outcome], parameters: Mapping[str, Value], book_number: int
    ) -> None:
        chart, coverage = self.chart, found.coverage
        for outcome in outcomes:
            coverage.steps += outcome.sent
            coverage.refused += outcome.refused
            coverage.handed += outcome.handed
            for name in outcome.entered:
                coverage.states[chart.places[name]] = True
            for sight in outcome.sights:
                if sight not in found.sightings:
                    ways = tuple(way_of(walk, sent) for walk, sent in outcome.track.walks())
                    found.sightings[sight] = Sighting(parameters, book_number, ways)
        coverage.fired += np.sum([outcome.fired for outcome in outcomes], axis=0)
        coverage.pairs |= np.any([outcome.pairs for outcome in outcomes], axis=0)
        coverage.broken += np.sum([outcome.broken for outcome in outcomes], axis=0)
        if coverage.steps > coverage.refused:
            coverage.states |= chart.begun
        coverage.states |= chart.entered[coverage.fired[:-1] > 0].any(axis=0)
