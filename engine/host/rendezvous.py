"""Which shard a key is at home in, by itself: the one that answers it with the greatest hash.

Nothing has to be remembered for it, every process comes to the same answer, and one shard more takes a share of 1 in n from
the others and moves nothing between them.

Source: Thaler, Ravishankar (1998), IEEE/ACM Transactions on Networking 6(1), "Using name-based mappings to increase hit
rates": highest random weight. The weight is SHA-256 of the shard's number and the key.
"""

from __future__ import annotations

from hashlib import sha256

__all__ = ["home_of"]


def home_of(key: str, shards: int) -> int:
    """Return the number of the shard, from 0, that a key is at home in among so many, at least one."""
    return max(range(shards), key=lambda shard: sha256(f"{shard}:{key}".encode()).digest())
