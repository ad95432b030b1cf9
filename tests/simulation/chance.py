"""One seed, and a stream of draws for every part by its name."""

from __future__ import annotations

from hashlib import sha256
from random import Random

__all__ = ["stream"]


def stream(seed: int, name: str) -> Random:
    """Return the draws of one part, so that one more draw in a part moves no other."""
    return Random(int.from_bytes(sha256(f"{seed}/{name}".encode()).digest()[:8], "big"))
