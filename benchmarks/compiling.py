"""How long a large spec takes to load and to compile: more transitions, and the same ones in more regions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import hedgerow

from .page import Section, Size, Target
from .rounds import interleave, ratio, timed

__all__ = ["large_spec", "measure"]

SECONDS = 1.0
# Linear is 4 and 1; the rest is room for what else the machine does.
FOUR_TIMES = 5.0
EIGHT_REGIONS = 1.5


def large_spec(states: int, regions: int) -> str:
    """Return a spec with three transitions a state: two guarded ones with an action, and one for another event."""
    each = states // regions
    lines = [
        "hedgerow: 1",
        "name: large",
        "units: [USD]",
        "events: {tick: {price: {unit: USD, range: [0.01, 1e7]}}, review: {}}",
        "params: {band: {default: 1, unit: USD, range: [0.01, 100]}}",
        "state:",
        *(f"  ref{region}: {{unit: USD, initial: 100}}" for region in range(regions)),
        "machine:",
    ]
    if regions == 1:
        return "\n".join([*lines, "  initial: s0", "  states:", *_states(0, each, "    "), ""])
    lines += ["  parallel: true", "  states:"]
    for region in range(regions):
        lines += [f"    r{region}:", f"      initial: s{region * each}", "      states:"]
        lines += _states(region, each, "        ")
    return "\n".join([*lines, ""])


def _states(region: int, count: int, indent: str) -> list[str]:
    """Return the lines of the states of a region: each leads to the next, to the one before, and somewhere else."""
    first, ref = region * count, f"ref{region}"
    lines = []
    for number in range(count):
        state, width = first + number, f"{number + 1} * band"
        up, down, far = (first + target % count for target in (number + 1, number - 1, 7 * number + 3))
        lines += [f"s{state}:", "  on:", "    tick:"]
        for name, guard, target in ("up", f">= {ref} + {width}", up), ("down", f"<= {ref} - {width}", down):
            move = f"name: {name}{state}, if: tick.price {guard}, to: s{target}"
            lines.append(f"      - {{{move}, do: {{set: {{{ref}: tick.price}}}}}}")
        lines.append(f"    review: {{name: far{state}, to: s{far}}}")
    return [indent + line for line in lines]


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure loading and compiling."""
    full = size.spec_states
    shapes = ((full // 4, 1), (full // 2, 1), (full, 1), (full, 2), (full, 4), (full, 8))
    loads: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for states, regions in shapes:
            name = _name(states, regions)
            path = Path(folder) / f"large_{states}_{regions}.yaml"
            path.write_text(large_spec(states, regions), encoding="utf-8")
            runs[name] = partial(_seconds, path, loads.setdefault(name, []))
        for run in runs.values():
            run()  # what the first one makes once for all is no cost of the others
        for found in loads.values():
            found.clear()
        spent = interleave(runs, size.rounds, progress)
    rows = tuple(
        (
            f"{states}", f"{3 * states}", f"{regions}", f"{median(loads[name]):.3f}",
            f"{median(all_of_it) - median(loads[name]):.3f}", f"{median(all_of_it):.3f}",
            f"{median(all_of_it) / (3 * states) * 1e3:.2f}",
        )
        for (states, regions), (name, all_of_it) in zip(shapes, spent.items(), strict=True)
    )  # fmt: skip
    largest = spent[_name(full, 1)]
    targets = (
        Target.of(f"{full} states and {3 * full} transitions, CPU s", largest, SECONDS, at_least=False),
        Target("four times the transitions: times the time", ratio(largest, spent[_name(full // 4, 1)]),
               FOUR_TIMES, False),
        Target("the same in 8 regions: times the time", ratio(spent[_name(full, 8)], largest), EIGHT_REGIONS, False),
    )  # fmt: skip
    words = (
        (
            "A YAML file with three transitions a state, two of which have a guard and an action of their own, loaded with "
            "every check, compiled, and made into a machine of the live backend with the port that the first event goes "
            f"through. CPU time in a process that has done it before (rounds: {size.rounds}). The states are divided "
            f"among the regions, and all regions take the same events: a product of regions would have {full // 8} to the "
            "power of 8 states in the last row."
        ),
    )
    head = ("states", "transitions", "regions", "load, s", "compile, s", "both, s", "ms a transition")
    return Section("A large spec", words, head, rows, targets)


def _name(states: int, regions: int) -> str:
    return f"{states} states in {regions} region{'s' if regions > 1 else ''}"


def _seconds(path: Path, loads: list[float]) -> float:
    """Return the CPU seconds of loading and compiling, and note those of loading."""
    loading, loaded = timed(lambda: hedgerow.load(path))
    compiling, _ = timed(lambda: loaded.compile().machine().port("tick"))
    loads.append(loading)
    return loading + compiling
