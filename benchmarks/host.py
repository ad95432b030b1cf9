"""The machine that the figures come from, in words that stay the same on the same machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hedgerow.engine.processes import processors

__all__ = ["PEERS", "describe", "installed"]

PEERS = ("transitions", "python-statemachine", "sismic", "xstate-statemachine")
"""The distributions of the extra `bench`."""
SWEEP_PEERS = ("numba", "vectorbt")
"""Those of benchmarks/requirements.txt."""


def describe() -> list[str]:
    """Return the lines of the machine's description: processor, cores, Python, versions; no date."""
    cores = processors()
    peers = ", ".join(f"{name} {installed(name) or 'not installed'}" for name in (*PEERS, *SWEEP_PEERS))
    return [
        f"{_processor()}, {cores} core{'s' if cores > 1 else ''}, {platform.system()} {platform.machine()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"hedgerow {installed('hedgerow')}",
        peers,
    ]


def installed(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
