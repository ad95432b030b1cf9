"""What a fresh interpreter is spoken with through, as it takes that over: a line of JSON a message, in and out.

Nothing that is said so can run code. The input ends when the process that started it does, however that ends.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

__all__ = ["taken_over"]


def taken_over() -> tuple[BinaryIO, int]:
    """Return what this interpreter is told through and the descriptor that it answers through, for nobody else in it to
    use: what is printed goes to the standard error, and what is read from the standard input is nothing.
    """
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    told = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    return told, answers
