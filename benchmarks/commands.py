"""The CPU time of the short commands, each a process from start to end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import hedgerow

from .page import Section, Size, Target
from .processes import cost, hedgerow_command
from .rounds import interleave

__all__ = ["measure"]

HELP = 0.15
VALIDATE = 0.3
VALIDATE_A_FILE = 0.04


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure `--help` and `validate`."""
    specs = Path(hedgerow.__file__).parent / "specs"
    files = sorted(path for path in specs.iterdir() if path.suffix in (".yaml", ".json"))
    one, all_of_them = (
        "hedgerow validate band_limited_hedge.yaml",
        f"hedgerow validate, all {len(files)} shipped specs",
    )
    base = hedgerow_command()
    commands = {
        "python -c pass": ([sys.executable, "-c", "pass"], {0}),
        "hedgerow --help": ([*base, "--help"], {0}),
        one: ([*base, "validate", str(specs / "band_limited_hedge.yaml")], {0}),
        # One of the shipped specs is there to be refused: exit code 2.
        all_of_them: ([*base, "validate", *map(str, files)], {0, 2}),
    }
    for command, allowed in commands.values():
        cost(command, allowed)  # compiles what was not compiled to bytecode yet
    found = interleave(
        {name: partial(_cpu, command, allowed) for name, (command, allowed) in commands.items()},
        size.command_rounds,
        progress,
    )
    rows = tuple((f"`{name}`", f"{median(seconds):.3f}", f"{min(seconds):.3f}") for name, seconds in found.items())
    targets = (
        Target.of("`--help`, CPU s", found["hedgerow --help"], HELP, at_least=False),
        Target.of("`validate`, one file, CPU s", found[one], VALIDATE + VALIDATE_A_FILE, at_least=False),
        Target.of(f"`validate`, {len(files)} files, CPU s", found[all_of_them],
                  VALIDATE + VALIDATE_A_FILE * len(files), at_least=False),
    )  # fmt: skip
    words = (
        (
            "User and system time of the whole process, interpreter start included, with bytecode caches warm; "
            f"rounds: {size.command_rounds}."
        ),
    )
    return Section("Commands", words, ("command", "CPU s", "least"), rows, targets)


def _cpu(command: list[str], allowed: set[int]) -> float:
    return cost(command, allowed).cpu
