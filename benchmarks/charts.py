"""Two statecharts, of three levels and of two regions, and the events that they are sent.

A chart is a Hedgerow spec without guards and actions, so that what is timed is the statechart itself. The definitions
for the other libraries are made from it, so all of them run the same states and transitions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

__all__ = ["CHARTS", "Chart"]


@dataclass(frozen=True, slots=True)
class Chart:
    """A statechart; `events` has the names of its events and how often each is sent, > 0."""

    title: str
    words: str
    path: Path
    events: Mapping[str, int]

    def root(self) -> dict[str, Any]:
        """Return the state around all states, as the spec has it."""
        return YAML(typ="safe", pure=True).load(self.path)["machine"]  # type: ignore[no-any-return]  # a mapping

    def sequence(self, events: int) -> tuple[list[int], list[str]]:
        """Return times in int64 ns, a second apart, and a seeded random sequence of names of events."""
        start = 1_700_000_000_000_000_000
        times = [start + second * 1_000_000_000 for second in range(events)]
        return times, random.Random(5).choices(list(self.events), list(self.events.values()), k=events)


CHARTS = {
    "levels": Chart(
        "Three levels",
        "Six innermost states within three levels, without guards and actions. `move` is taken by the innermost states; "
        "`pause` by the states around them, but for one innermost state, which takes it first; `halt` by the outermost "
        "ones, which leaves and enters three levels. Of ten events five are `move`, three `pause` and two `halt`; inside "
        "one of the two outermost states nobody takes `pause`.",
        Path(__file__).with_name("levels.yaml"),
        {"move": 5, "pause": 3, "halt": 2},
    ),
    "regions": Chart(
        "Two regions",
        "Two regions of two states each, without guards and actions. Of four events three are taken by both regions, and "
        "one by the second region only.",
        Path(__file__).with_name("regions.yaml"),
        {"tick": 3, "review": 1},
    ),
}
