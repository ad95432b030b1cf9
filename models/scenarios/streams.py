"""Random streams: one for each path of a seeded family."""

from __future__ import annotations

import numpy as np

from .arguments import count

__all__ = ["stream"]


def stream(seed: int, path: int = 0) -> np.random.Generator:
    """Return the generator of one path: PCG64 on child `path` of the seed.

    A path does not depend on how many others are drawn, nor on their order: it is the generator on
    `SeedSequence(seed).spawn(path + 1)[path]`, made without its elders. Two families of one seed share their streams: their
    shocks are equal as far as they draw the same, which makes comparisons sharp and two such families dependent.

    Args:
        seed: ≥ 0.
        path: ≥ 0.

    Raises:
        ValueError: a negative number.

    Source: NumPy, "Parallel random number generation"; O'Neill (2014), PCG, technical report HMC-CS-2014-0905.
    """
    count("seed", seed, 0)
    count("path", path, 0)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(path,))))
