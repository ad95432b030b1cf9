"""The page that the benchmarks write: a section a measurement, with its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from textwrap import fill

from .host import describe

__all__ = ["Section", "Size", "Target", "costs", "page", "unmeasured", "updated"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much a measurement does; counts, each > 0, `spec_states` a multiple of 8, `peer_sets` ≤ `sets`."""

    name: str
    rounds: int
    events: int
    slow_events: int
    machines: int
    peer_machines: int
    command_rounds: int
    rows: int
    row_rounds: int
    spec_states: int
    ticks: int
    tick_rounds: int
    sets: int
    set_rows: int
    peer_sets: int
    set_rounds: int


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that was promised: `found` must be at least, or at most, `bound`; `shown` formats them.

    What is no ratio depends on who else is on the processor: then `best` is the figure of the best round, which they have
    disturbed least.
    """

    claim: str
    found: float
    bound: float
    at_least: bool
    shown: str = "{:.3g}"
    best: float | None = None

    @staticmethod
    def of(claim: str, rounds: Sequence[float], bound: float, *, at_least: bool, shown: str = "{:.3g}") -> Target:
        """Return the target of a figure that is no ratio: the median of its rounds is found."""
        return Target(claim, median(rounds), bound, at_least, shown, max(rounds) if at_least else min(rounds))

    @property
    def met(self) -> bool:
        return self._holds(self.found)

    def row(self) -> tuple[str, ...]:
        bound = ("≥ " if self.at_least else "≤ ") + self.shown.format(self.bound)
        best = "" if self.best is None else self.shown.format(self.best)
        once = self.best is not None and self._holds(self.best)
        met = "yes" if self.met else "in the best round" if once else "**no**"
        return self.claim, bound, self.shown.format(self.found), best, met

    def _holds(self, figure: float) -> bool:
        return figure >= self.bound if self.at_least else figure <= self.bound


@dataclass(frozen=True, slots=True)
class Section:
    """One measurement: what was measured in words, the figures, and the targets."""

    title: str
    words: tuple[str, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...]
    paces: tuple[float, float] | None = None
    """What `rounds.pace` was before and after."""

    def lines(self) -> list[str]:
        """Return the section as Markdown."""
        lines = [f"## {self.title}", ""]
        for paragraph in self.words:
            lines += [fill(paragraph, 118, break_long_words=False, break_on_hyphens=False), ""]
        lines += [*_table(self.head, self.rows), ""]
        if self.targets:
            lines += [
                *_table(("target", "bound", "found", "best round", "met"), [target.row() for target in self.targets]),
                "",
            ]
        if self.paces:
            before, after = self.paces
            lines += [f"A pass of an empty loop took {before:.0f} ns before and {after:.0f} ns after.", ""]
        return lines


def costs(seconds: Sequence[float]) -> tuple[str, str, str]:
    """Return the cells of what one thing takes: the median and the least of the rounds in µs, and how many a second."""
    usual = median(seconds)
    return f"{usual * 1e6:.2f}", f"{min(seconds) * 1e6:.2f}", f"{1 / usual:,.0f}"


def unmeasured(title: str, head: tuple[str, ...], package: str) -> Section:
    """Return the section of a measurement for which Hedgerow itself lacks a package."""
    return Section(title, (f"Not measured: `{package}`, which it needs, is not installed.",), head, (), ())


def page(sections: Sequence[Section], size: Size) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `python -m benchmarks`; do not edit. -->",
        "",
        *[f"- {line}" for line in describe()],
        f"- size `{size.name}`; the peers come from the extra `bench` and from benchmarks/requirements.txt",
        "",
        "A figure is the median of several rounds. A round measures every contender once, and every second round in",
        "the opposite order; a ratio is the median of the ratios within the rounds, and `least` the least of a",
        "figure's rounds. Absolute figures are this machine's; the ratios are what to compare. The machine is shared, and",
        "what others do there only ever adds to a time: so beside a figure that is no ratio stands that of its best round,",
        "which they have disturbed least (Chen and Revels, 2016, arXiv:1608.04295), and under each section what a pass of",
        "an empty loop took, for how fast the machine was just then.",
        "",
    ]
    for section in sections:
        lines += section.lines()
    return "\n".join(lines).rstrip() + "\n"


def updated(text: str, sections: Sequence[Section], size: Size) -> str:
    """Return a page with sections in the place of those of their titles, and all else as it is.

    Raises:
        ValueError: it was measured at another size, or has no section of a title.
    """
    head, *parts = text.split("\n## ")
    if f"- size `{size.name}`;" not in head:
        raise ValueError(f"the page was not measured at the size `{size.name}`")
    titles = [part.partition("\n")[0] for part in parts]
    for section in sections:
        if section.title not in titles:
            raise ValueError(f"the page has no section `{section.title}`")
        parts[titles.index(section.title)] = "\n".join(section.lines()).removeprefix("## ")
    return "\n## ".join([page([], size), *(f"{part.rstrip()}\n" for part in parts)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table; the columns after the first are aligned to the right."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]
