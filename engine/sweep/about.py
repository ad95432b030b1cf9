"""What a sweep is of: for its summary, and to tell it from another one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__

if TYPE_CHECKING:
    from .runner import Sweep

__all__ = ["about", "identity"]


def about(sweep: Sweep, backend: str, reason: str, notes: list[str]) -> dict[str, Any]:
    """Return what a sweep is of and what ran it, in plain values.

    Args:
        sweep: with its path read and its sets made.
        backend: what ran the sets.
        reason: why it was not native code, or an empty text.
        notes: what the runner has to tell.
    """
    spec, path, sets = sweep.spec, sweep.path, sweep.sets
    program = spec.program(sweep.fill)
    base = spec.bind(sets.fixed, fill=sweep.fill)
    return {
        "name": program.name,
        "about": program.about,
        "money": program.money,
        "books": bool(program.legs),
        "program": base.digest,
        "units": {each.name: each.unit for each in program.parameters if each.given is None},
        "spec": {"file": Path(spec.file).name, "sha256": spec.source_sha256},
        "data": {**path.source, "events": path.sha256, "rows": len(path), "days": len(path.stops)},
        "time": {"first_ns": int(path.times[0]), "last_ns": int(path.times[-1])},
        "fill": sweep.fill,
        "event": path.event,
        "skip_bad": sweep.skip_bad,
        "permitted": list(sweep.permitted),
        "sets": {
            "count": len(sets),
            "sha256": sets.digest,
            "method": sets.method,
            "seed": sets.seed,
            "params": list(sets.names),
            "grid": {name: list(values) for name, values in sets.axes.items()},
            "fixed": dict(sets.fixed),
        },
        "defaults": {
            each.name: base.parameters[each.name]
            for each in program.parameters
            if each.given is None and each.name not in sets.names
        },
        "backend": backend,
        "backend_reason": reason,
        "version": __version__,
        "notes": [*path.notes, *notes, *_notes(sweep)],
    }


def identity(sweep: Sweep) -> dict[str, Any]:
    """Return what two parts of one sweep have in common, in the words in which a difference is told."""
    return {
        "the spec": sweep.spec.bind({}, fill=sweep.fill).digest,
        "the data": sweep.path.sha256,
        "the parameter sets": sweep.sets.digest,
        "--fill": sweep.fill,
        "--event": sweep.path.event,
        "--days": sweep.keep_days,
        "the version of hedgerow": __version__,
    }


def _notes(sweep: Sweep) -> list[str]:
    """Return the choices that nobody made, and what became of bad rows."""
    path, found = sweep.path, []
    if sweep.spec.program(sweep.fill).legs:
        why = "given" if sweep.fill_given else f"the default for {'bars' if path.bars else 'ticks'}"
        found.append(f"fills at the {sweep.fill} mark ({why})")
    if path.bad:
        rows = "1 bad row was" if path.bad == 1 else f"{path.bad:,} bad rows were"
        found.append(f"{rows} sent to every machine, and refused")
    if path.unsent:
        rows = "1 row without a time was" if path.unsent == 1 else f"{path.unsent:,} rows without a time were"
        found.append(f"{rows} left out")
    return found
