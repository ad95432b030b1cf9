"""What a process does in those that are forked from it."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import TypeVar

__all__ = ["left_in_forks"]

T = TypeVar("T")


def left_in_forks(leave: Callable[[T], None]) -> weakref.WeakSet[T]:
    """Return a set for things that are this process's alone: in one that is forked from it `leave` is called with each."""
    members: weakref.WeakSet[T] = weakref.WeakSet()

    def leave_all() -> None:
        for member in list(members):
            leave(member)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=leave_all)
    return members
