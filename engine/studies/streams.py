"""Random streams: one an experiment, so that no experiment's numbers depend on the size of another."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator that belongs to a seed and a name, e.g. ``stream(7, "triggers", 3)``.

    Args:
        seed: ≥ 0.
        names: texts or whole numbers ≥ 0 below 2³²; other names give independent streams (`SeedSequence` with a spawn
            key, over PCG64).
    """
    key = tuple(name if isinstance(name, int) else zlib.crc32(name.encode()) for name in names)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
