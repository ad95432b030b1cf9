"""Proofs of the shipped specs, and how long the literal version of the band-limited hedge keeps its flaws to itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import hedgerow
from hedgerow.engine.processes import processors
from hedgerow.engine.prove.prove import prove
from hedgerow.engine.prove.result import Proof

from .host import installed
from .page import Section, Size, Target, unmeasured
from .sweep_loop import spec_file

__all__ = ["measure"]

LITERAL = "band_limited_hedge.as_written"
SPECS = {
    "band_limited_hedge": (),
    LITERAL: ("HR302",),
    "drawdown_breaker": (),
    "delta_band_hedge": (),
    "signal_hedge": (),
    "drawdown_desk": (),
    "desk": (),
}
LONG = ("drawdown_desk", "desk")
"""Proved once: they take some ten seconds to minutes."""
REPAIRED = 10.0
"""Seconds for everything that is claimed of the repaired spec."""
FLAW = 5.0
"""Seconds in which each flaw of the literal spec is found, when it is asked for by itself."""
FLAWS = ("legs_stay_positive", "no_leg_collapses", "exit_ends", "divisions", "thaw")


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure whole proofs and flaws that are asked for alone, with as many workers as there are cores."""
    title = "Proving"
    head = ("spec", "properties", "proved", "refuted", "outcomes", "questions", "wall s", "worst")
    if installed("z3-solver") is None:
        return unmeasured(title, head, "z3-solver")
    tiny, rounds = size.name == "tiny", min(3, size.tick_rounds)
    table, walls = [], {}
    for name in list(SPECS) if not tiny else ["band_limited_hedge", "drawdown_breaker"]:
        progress(f"proving {name}")
        found = _Rounds(name, (), 1 if name in LONG else rounds)
        walls[name] = found.seconds
        table.append(found.row(f"`{name}`"))
    slowest: list[float] = [0.0]
    for flaw in FLAWS if not tiny else FLAWS[-1:]:
        progress(f"looking for {flaw}")
        found = _Rounds(LITERAL, (flaw,), size.tick_rounds)
        if found.proof.verdict != "refuted":
            raise RuntimeError(f"`{flaw}` is not refuted")
        slowest = max(slowest, found.seconds, key=median)
        table.append(found.row(f"`{flaw}` alone"))
    words = (
        (
            f"`hedgerow prove` with {processors()} workers, from the loaded spec to the last verdict, walks and "
            f"counterexamples with it (rounds: {rounds}; desks once). What is neither proved nor refuted is noted: an "
            "order of transitions that decides, or what only an error leads to. Each flaw of the literal spec is also asked "
            f"for alone (rounds: {size.tick_rounds}). The worst round stands beside the median."
        ),
    )
    targets = (
        Target.of(
            "seconds for all of the repaired band-limited spec",
            walls["band_limited_hedge"],
            REPAIRED,
            at_least=False,
            shown="{:.2f}",
        ),
        Target.of(
            "seconds for the flaw of the literal spec that takes longest", slowest, FLAW, at_least=False, shown="{:.2f}"
        ),
    )
    return Section(title, words, head, tuple(table), targets)


class _Rounds:
    """A proof of a spec, made some times: what came of it, and the seconds of each round."""

    def __init__(self, name: str, only: tuple[str, ...], rounds: int) -> None:
        found: list[Proof] = []
        self.seconds = [_seconds(name, only, found) for _ in range(rounds)]
        self.proof = found[-1]

    @property
    def wall(self) -> float:
        return median(self.seconds)

    def row(self, title: str) -> tuple[str, ...]:
        proof = self.proof
        verdicts = [result.verdict for result in proof.results]
        return (
            title, str(len(verdicts)), str(verdicts.count("proved")), str(verdicts.count("refuted")),
            f"{proof.outcomes:,}", f"{proof.questions:,}", f"{self.wall:.2f}", f"{max(self.seconds):.2f}",
        )  # fmt: skip


def _seconds(name: str, only: tuple[str, ...], found: list[Proof]) -> float:
    spec = hedgerow.load(spec_file().parent / f"{name}.yaml", permit=SPECS[name])
    start = time.perf_counter()
    found.append(prove(spec, only=only, workers=processors()))
    return time.perf_counter() - start
