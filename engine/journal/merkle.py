"""The tree over the records between two checkpoints (RFC 6962, 2.1).

A leaf is the hash of a record. RFC 6962 hashes a leaf with a zero byte in front, to tell leaves from nodes; the hash
of a record has its own domain in front, whose first byte is not that of a node, and need not be hashed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

__all__ = ["inclusion_path", "root_of", "root_through"]

_NODE = b"\x01"
_begin_node = sha256(_NODE).copy


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree over at least one leaf."""
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return what the root is computed from, beside leaf `index`: at most log2 of the leaves, rounded up."""
    level, path = list(leaves), []
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside])
        level, index = _above(level), index // 2
    return path


def root_through(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to from leaf `index` of `size`; None if the path is not as long as it must
    be.
    """
    steps: Iterator[bytes] = iter(path)
    found, left = leaf, size - 1
    while left > 0:
        if index ^ 1 <= left:
            beside = next(steps, None)
            if beside is None:
                return None
            found = sha256(_NODE + (beside + found if index & 1 else found + beside)).digest()
        index, left = index // 2, left // 2
    return found if next(steps, None) is None else None


def _above(level: list[bytes]) -> list[bytes]:
    """Return the nodes over a level; a last one without another goes up as it is, as RFC 6962 splits at powers of
    two.
    """
    nodes = []
    for left, right in zip(level[::2], level[1::2], strict=False):
        node = _begin_node()
        node.update(left + right)
        nodes.append(node.digest())
    return [*nodes, level[-1]] if len(level) & 1 else nodes
