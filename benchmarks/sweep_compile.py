"""How long it takes to make native code: from nothing, and from what was kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import hedgerow
from hedgerow.engine.backends.native.able import why_not
from hedgerow.engine.backends.native.kernel import Options
from hedgerow.engine.backends.native.machine import Kernel
from hedgerow.engine.backends.native.origin import writer_of
from hedgerow.engine.ir import Program

from .compiling import large_spec
from .host import installed
from .page import Section, Size, Target, unmeasured
from .rounds import interleave, timed

__all__ = ["measure"]

COLD_SHIPPED = 0.5
COLD_LARGE = 3.0
KEPT_MS = 20.0
PERMITTED = ("HR302",)
"""Waived, so that the spec which is shipped to be refused is compiled as well."""


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure compiling every shipped spec that has a native form, and large ones."""
    title, head = "Compiling to native code", ("", "transitions", "cold, s", "kept, ms", "code, KiB")
    if installed("llvmlite") is None:
        return unmeasured(title, head, "llvmlite")
    programs = _shipped()
    without = {name: reason for name, program in programs.items() if (reason := why_not(program)) is not None}
    programs = {name: program for name, program in programs.items() if name not in without}
    states = size.spec_states * 3 // 2
    large = {_large_name(states, regions): _large(states, regions) for regions in (1, 4)}
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept"
        runs: dict[str, Callable[[], float]] = {}
        for name, program in (programs | large).items():
            with _cache(kept):
                _kernel(program)  # keeps it, and imports LLVM
            runs[f"{name}, cold"] = partial(_cold, program)
            runs[f"{name}, kept"] = partial(_kept, program, kept)
        found = interleave(runs, size.tick_rounds, progress)
        rows = []
        for name, program in (programs | large).items():
            cold, warm = (median(found[f"{name}, {how}"]) for how in ("cold", "kept"))
            with _cache(kept):
                bytes_of_code = _bytes(program)
            rows.append(
                (name, f"{_matched(program)}", f"{cold:.3f}", f"{warm * 1e3:.1f}", f"{bytes_of_code / 1024:.0f}")
            )
    slowest = {how: max((found[f"{name}, {how}"] for name in programs), key=median) for how in ("cold", "kept")}
    many = _matched(next(iter(large.values())))
    targets = [
        Target.of("cold, the slowest shipped spec, CPU s", slowest["cold"], COLD_SHIPPED, at_least=False),
        Target.of(
            "kept, the slowest shipped spec, CPU ms", [each * 1e3 for each in slowest["kept"]], KEPT_MS, at_least=False
        ),
        *(
            Target.of(f"cold, {many} transitions, {name}, CPU s", found[f"{name}, cold"], COLD_LARGE, at_least=False)
            for name in large
        ),
    ]
    reasons = "; ".join(f"`{name}`: {reason}" for name, reason in without.items())
    words = (
        (
            "From the program of a spec that is loaded to a function that can be called, watching invariants. Cold: "
            "with an empty cache, so that the loop is written as text, and LLVM optimises it and emits the code. Kept: "
            "the object code is found in the cache; what is left is to hash the program and the engine's own source "
            "files, the latter for the first kernel of a process alone, as here, and to link. CPU time in a process that "
            f"has imported everything (rounds: {size.tick_rounds}). Transitions are those that the event of the loop "
            f"can fire; the large specs are made as in the section `A large spec`, with {states} states, and two of "
            "their three transitions a state are the event's."
        ),
        *((f"Shipped without a native form: {reasons}.",) if reasons else ()),
    )
    return Section(title, words, head, tuple(rows), tuple(targets))


def _shipped() -> dict[str, Program]:
    specs = Path(hedgerow.__file__).parent / "specs"
    files = sorted(path for path in specs.iterdir() if path.suffix in (".yaml", ".json"))
    return {path.name: hedgerow.load(path, permit=PERMITTED).program("same") for path in files}


def _large_name(states: int, regions: int) -> str:
    return f"{states} states in {regions} region{'s' if regions > 1 else ''}"


def _large(states: int, regions: int) -> Program:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.yaml"
        path.write_text(large_spec(states, regions), encoding="utf-8")
        return hedgerow.load(path).program("same")


def _event(program: Program) -> str:
    return next(event.name for event in program.events if event.fields)


def _matched(program: Program) -> int:
    return sum(_event(program) in rule.events for rule in program.rules)


def _kernel(program: Program) -> Kernel:
    return Kernel(program, _event(program), Options())


def _cold(program: Program) -> float:
    with tempfile.TemporaryDirectory() as folder, _cache(Path(folder)):
        seconds, kernel = timed(lambda: _kernel(program))
    if kernel.code.cached:
        raise RuntimeError(f"`{program.name}` was kept where nothing is")
    return seconds


def _kept(program: Program, folder: Path) -> float:
    writer_of.cache_clear()  # the first kernel of a process hashes the engine
    with _cache(folder):
        seconds, kernel = timed(lambda: _kernel(program))
    if not kernel.code.cached:
        raise RuntimeError(f"`{program.name}` was not kept")
    return seconds


def _bytes(program: Program) -> int:
    """Return the size of a program's object code."""
    with tempfile.TemporaryDirectory() as folder, _cache(Path(folder)):
        _kernel(program)
        return sum(path.stat().st_size for path in Path(folder).rglob("*.o"))


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    """Keep object code in a folder for a while."""
    before = os.environ.get("HEDGEROW_CACHE")
    os.environ["HEDGEROW_CACHE"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["HEDGEROW_CACHE"]
        else:
            os.environ["HEDGEROW_CACHE"] = before
