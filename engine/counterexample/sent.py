"""One event of a counterexample."""

from __future__ import annotations

from typing import NamedTuple

from ..ir import Value

__all__ = ["Sent"]


class Sent(NamedTuple):
    """An event as it is sent: `values` are those of its fields, in declared order; `time_ns` is int64 nanoseconds."""

    event: str
    time_ns: int
    values: tuple[Value, ...] = ()
