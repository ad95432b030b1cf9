"""Machine after machine over the rows: where one has ended, a new one takes those that are left.

    i64 relay(state, params, times, fields, from, stops, books, shown, new, begun)

It calls `run`, and returns what that returns, once no machine has ended there. `new` is the memory of a machine that
has not started, up to its tallies, which go on; null where none is to begin. `begun[0]` is how many machines have begun,
and what follows are their first rows; it has room for as many as there are rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from .slots import STOPPED, Slots

__all__ = ["relay_text"]

_HEAD = (
    "define i64 @relay(ptr noalias %state, ptr noalias %params, ptr noalias %times, ptr noalias %fields, i64 %from,"
    " ptr noalias %stops, ptr noalias %books, ptr noalias %shown, ptr noalias %new, ptr noalias %begun) {"
)
_RUN = (
    "  %row = call i64 @run(ptr %state, ptr %params, ptr %times, ptr %fields, i64 %first, ptr %stops, i64 1,"
    " ptr %books, ptr %fees, ptr %shown, ptr null, ptr null)"
)


def relay_text(slots: Slots, unsettled: Sequence[str]) -> str:
    """Return the function for a kernel that follows pairs; `unsettled` names the cells that hold an end up."""
    waiting = [slots.index(slots.cells[cell]) for cell in unsettled]
    lines = [
        _HEAD,
        "entry:",
        "  store i64 0, ptr %begun",
        "  %renews = icmp ne ptr %new, null",
        "  %end = load i64, ptr %stops",
        "  %fees = getelementptr i64, ptr %books, i64 1",
        f"  %phase.at = getelementptr i64, ptr %state, i64 {slots.index('phase')}",
        f"  %last = getelementptr i64, ptr %state, i64 {slots.last}",
        "  br label %next",
        "next:",
        "  %first = phi i64 [ %from, %entry ], [ %row, %again ]",
        _RUN,
        "  %left = icmp slt i64 %row, %end",
        "  %phase = load i64, ptr %phase.at",
        f"  %stopped = icmp eq i64 %phase, {STOPPED}",
        "  %before.end = and i1 %left, %stopped",
        "  %ended.0 = and i1 %before.end, %renews",
    ]
    for number, place in enumerate(waiting):
        lines += [
            f"  %waits.at.{number} = getelementptr i64, ptr %state, i64 {place}",
            f"  %waits.{number} = load i64, ptr %waits.at.{number}",
            f"  %settled.{number} = icmp eq i64 %waits.{number}, 0",
            f"  %ended.{number + 1} = and i1 %ended.{number}, %settled.{number}",
        ]
    lines += [
        f"  br i1 %ended.{len(waiting)}, label %again, label %done",
        "again:",
        "  %before = load i64, ptr %begun",
        "  %count = add i64 %before, 1",
        "  store i64 %count, ptr %begun",
        "  %place = getelementptr i64, ptr %begun, i64 %count",
        "  store i64 %row, ptr %place",
        f"  call void @llvm.memcpy.inline.p0.p0.i64(ptr %state, ptr %new, i64 {8 * slots.own}, i1 false)",
        f"  store i64 {len(slots.program.rules) + 1}, ptr %last",
        "  br label %next",
        "done:",
        "  ret i64 %row",
        "}",
    ]
    return "\n".join(lines) + "\n"
