"""Leaving out rows at which nothing happens.

    row.next:    unless it pays: row.begin
    scan:        from the next row on, as far as rows are surely quiet
      rows:      one after the other, up to the end of a block of `ROWS`
      blocks:    one after the other, by the least and the greatest of its fields, see `ranges`
      end:       go on at the last quiet row, to leave the machine as that row leaves it

Where what a quiet row assigns follows from its own fields and from what only firings change, a row before it makes no
difference, and so none of a run of quiet rows need be run but the last, see `quiet`.

A scan only proves: what happens, happens in the loop. It is written for programs in which a quiet row needs nothing that the
rows before have left, see `rests`; and pauses for longer and longer while it finds nothing to leave out.
"""

from __future__ import annotations

from ...ir import Event
from .blocks import Blocks
from .intervals import NotProvable, Range
from .quiet import Level, Quiet
from .ranges import ROWS
from .slots import REACH, RUNNING
from .text import Kind

__all__ = ["SCANNED", "Scan"]

_FAIR = 4
"""Quiet rows that a scan must find to be worth its while."""
_PAUSE = 63
"""The longest pause, in rows."""
_NEVER = 2**63 - 1
SCANNED = ("ahead", "until", "resume", "pause")
"""The variables of a scan: the row that it looks at, the end of the rows before the next block, the row from which on there
is a scan, and for how many rows there is none where it does not pay. All begin at 0."""


class Scan:
    """Writes the scan of a kernel."""

    def __init__(self, write: Blocks, event: Event, quiet: Quiet) -> None:
        self.write, self.code, self.event, self.quiet = write, write.code, event, quiet
        self.followers = quiet.rests.followers

    def text(self) -> bool:
        """Write the scan, from `row.next` on; return whether there is one."""
        code, write = self.code, self.write
        write.begin("row.next")
        before = len(code.lines)
        try:
            if not self.quiet.is_able():
                raise NotProvable
            self._text()
        except NotProvable:
            del code.lines[before:]
            write.forget()
            code.jump("row.begin")
            return False
        return True

    def _text(self) -> None:
        code, write = self.code, self.write
        for name in SCANNED:
            code.declare(name, "i64")
        row = code.get("row")
        code.branch(code.op(f"icmp slt i64 {row}, {code.get('resume')}"), "row.begin", "scan")
        write.begin("scan")
        code.set("ahead", row := code.get("row"))
        ready = [
            code.op("icmp ne ptr %ranges, null"),
            code.op(f"icmp eq i64 {code.get('phase')}, {RUNNING}"),
            code.op(f"icmp sge i64 {self._time(row)}, {code.get('clock')}"),
        ]
        if self.quiet.judge.lasting:
            ready.append(code.op(f"icmp ne i64 {code.get('settled')}, 0"))
        if self.followers:
            ready += self._followed(row)
        code.branch(write.all(ready), "scan.begin", "scan.end")
        write.begin("scan.begin")
        begun = code.op(f"icmp eq i64 {code.op(f'and i64 {row}, {ROWS - 1}')}, 0")
        code.branch(begun, "scan.block", "scan.rows")
        self._rows()
        self._blocks()
        self._end()

    def _followed(self, row: str) -> list[str]:
        """Return whether the cells that follow a row follow the last one, which may have been refused."""
        code = self.code
        some = code.op(f"icmp sgt i64 {row}, 0")
        # Nothing stands before the first row.
        before = self._before(code.op(f"select i1 {some}, i64 {row}, i64 1"))
        held = {cell: code.get(self.write.slots.cells[cell]) for cell in before}
        return [some, *(self.write.order("eq", kind, held[cell], now) for cell, (kind, now) in before.items())]

    def _before(self, row: str) -> dict[str, tuple[Kind, str]]:
        """Return what the cells that follow a row hold when a row begins."""
        code = self.code
        last = code.op(f"sub i64 {row}, 1")
        found: dict[str, tuple[Kind, str]] = {}
        for cell, source in self.followers.items():
            found[cell] = ("i64", self._time(last)) if source is None else ("double", self._field(source, last))
        return found

    # ---------------------------------------------------------------------------------------------------------- the scan

    def _rows(self) -> None:
        """Look at the rows that are left of a block."""
        code, write = self.code, self.write
        write.begin("scan.rows")
        row = code.get("ahead")
        after = code.op(f"add i64 {code.op(f'or i64 {row}, {ROWS - 1}')}, 1")
        code.set("until", self._lesser(after, code.get("stop")))
        code.branch(self._is_regular(self._last(row)), "scan.row", "scan.end")
        write.begin("scan.row")
        row = code.get("ahead")
        time = self._time(row)
        known = {}
        for index, field in enumerate(self.event.fields):
            if field.type == "real":
                value = self._field(index, row)
                known[f"{self.event.name}.{field.name}"] = Range(value, value)
        before = {cell: Range(value, value) for cell, (_, value) in self._before(row).items()}
        self.quiet.look(Level("row", Range(time, time), known, before), "scan.row.quiet", "scan.end")
        write.begin("scan.row.quiet")
        following = code.op(f"add i64 {code.get('ahead')}, 1")
        code.set("ahead", following)
        on = code.op(f"icmp slt i64 {following}, {code.get('until')}")
        code.branch(on, "scan.row", "scan.rows.quiet")
        write.begin("scan.rows.quiet")
        code.branch(code.op(f"icmp slt i64 {code.get('ahead')}, {code.get('stop')}"), "scan.block", "scan.end")

    def _blocks(self) -> None:
        """Look at whole blocks; where one is not quiet as a whole, at its rows."""
        code, write = self.code, self.write
        write.begin("scan.block")
        row = code.get("ahead")
        whole = code.op(f"icmp sle i64 {code.op(f'add i64 {row}, {ROWS}')}, {code.get('stop')}")
        code.branch(whole, "scan.whole", "scan.part")
        write.begin("scan.part")
        code.branch(code.op(f"icmp slt i64 {code.get('ahead')}, {code.get('stop')}"), "scan.rows", "scan.end")
        write.begin("scan.whole")
        last = self._last(row)
        place = self._record(row)
        known = {}
        for index, field in enumerate(self.event.fields):
            if field.type == "real":
                ends = (code.load("double", code.at(place, 1 + 2 * index + side)) for side in (0, 1))
                known[f"{self.event.name}.{field.name}"] = Range(*ends)
        now = Range(self._time(row), last)
        before = {}
        for cell, (kind, value) in self._before(row).items():
            source = self.followers[cell]
            low, high = now if source is None else known[f"{self.event.name}.{self.event.fields[source].name}"]
            before[cell] = Range(self._lesser(value, low, kind), high if source is None else self._greater(value, high))
        level = Level("block", now, known, before, (self._is_regular(last),))
        self.quiet.look(level, "scan.block.quiet", "scan.rows")
        write.begin("scan.block.quiet")
        code.set("ahead", code.op(f"add i64 {code.get('ahead')}, {ROWS}"))
        code.jump("scan.block")

    def _end(self) -> None:
        """Go on at the last row that is quiet; after it comes one that may not be, which is not looked at once more."""
        code, write = self.code, self.write
        write.begin("scan.end")
        row, ahead, paused = code.get("row"), code.get("ahead"), code.get("pause")
        fair = code.op(f"icmp sge i64 {code.op(f'sub i64 {ahead}, {row}')}, {_FAIR}")
        longer = code.op(f"add i64 {code.op(f'add i64 {paused}, {paused}')}, 1")
        pause = code.op(f"select i1 {fair}, i64 0, i64 {self._lesser(longer, str(_PAUSE))}")
        code.set("pause", pause)
        resume = code.op(f"add i64 {code.op(f'add i64 {ahead}, 1')}, {pause}")
        without = code.op("icmp eq ptr %ranges, null")
        code.set("resume", code.op(f"select i1 {without}, i64 {_NEVER}, i64 {resume}"))
        last = code.op(f"sub i64 {ahead}, 1")
        code.branch(code.op(f"icmp sgt i64 {last}, {row}"), "scan.skip", "row.begin")
        write.begin("scan.skip")
        code.set("row", last := code.op(f"sub i64 {code.get('ahead')}, 1"))
        for cell, (_, value) in self._before(last).items():
            code.set(write.slots.cells[cell], value)
        code.jump("row.begin")

    def _time(self, row: str) -> str:
        return self.code.load("i64", self.code.at("%times", row))

    def _field(self, index: int, row: str) -> str:
        column = self.code.load("ptr", self.code.at("%fields", index, "ptr"))
        return self.code.load("double", self.code.at(column, row, "double"))

    def _record(self, row: str) -> str:
        """Return where the ranges of the block of a row stand."""
        block = self.code.op(f"ashr i64 {row}, {ROWS.bit_length() - 1}")
        width = 1 + 2 * len(self.event.fields)
        return self.code.at("%ranges", block, f"[{width} x i64]")

    def _last(self, row: str) -> str:
        """Return the time of the last row of a block."""
        return self.code.load("i64", self._record(row))

    def _is_regular(self, last: str) -> str:
        return self.code.op(f"icmp slt i64 {last}, {REACH}")

    def _lesser(self, one: str, other: str, kind: Kind = "i64") -> str:
        less = self.write.order("lt", kind, one, other)
        return self.code.op(f"select i1 {less}, {kind} {one}, {kind} {other}")

    def _greater(self, one: str, other: str) -> str:
        more = self.write.order("gt", "double", one, other)
        return self.code.op(f"select i1 {more}, double {one}, double {other}")
