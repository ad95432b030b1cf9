"""Hedgerow: a checked language for hedging strategies.

    import hedgerow

    spec = hedgerow.load("specs/band_limited_hedge.yaml")      # raises SpecError with every mistake
    machine = spec.compile(k=9).machine()
    step = machine.send("tick", time_ns, price=100.0)

The public names are found when they are first used: `import hedgerow` itself imports nothing but this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.backends.live import Machine
    from .engine.diagnostics import Diagnostic, SpecError
    from .engine.dryrun.scenario import scenario
    from .engine.host.host import Host
    from .engine.host.shards import Shards
    from .engine.load import Spec, load
    from .engine.script import Script, read_script
    from .engine.script_run import Played, play
    from .engine.snapshot import Snapshot
    from .engine.step import Order, Step
    from .engine.sweep.runner import sweep
    from .engine.sweep.sets import parameter_sets
    from .engine.sweep.table import SweepTable

__all__ = [
    "Diagnostic",
    "Host",
    "Machine",
    "Order",
    "Played",
    "Script",
    "Shards",
    "Snapshot",
    "Spec",
    "SpecError",
    "Step",
    "SweepTable",
    "__version__",
    "load",
    "parameter_sets",
    "play",
    "read_script",
    "scenario",
    "sweep",
]

__version__ = "0.1.0"

# Where each public name lives; the block above tells type checkers the same, and a test compares the two.
_HOMES = {
    "Diagnostic": "engine.diagnostics",
    "Host": "engine.host.host",
    "Machine": "engine.backends.live",
    "Order": "engine.step",
    "Played": "engine.script_run",
    "Script": "engine.script",
    "Shards": "engine.host.shards",
    "Snapshot": "engine.snapshot",
    "Spec": "engine.load",
    "SpecError": "engine.diagnostics",
    "Step": "engine.step",
    "SweepTable": "engine.sweep.table",
    "load": "engine.load",
    "parameter_sets": "engine.sweep.sets",
    "play": "engine.script_run",
    "read_script": "engine.script",
    "scenario": "engine.dryrun.scenario",
    "sweep": "engine.sweep.runner",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home on first use (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
