"""What a row shows of a machine: its equity and books, the drawdown, and the columns of a trace."""

from __future__ import annotations

from ..columns import columns_of
from .blocks import Blocks
from .intervals import Intervals, NotProvable, Range
from .text import real

__all__ = ["SHOWN", "Books"]

SHOWN = ("equity", "fees", "slippage", "flows")
"""What a kernel tells of the last accepted row of a program with legs, before its measures."""


class Books:
    """Writes what is shown."""

    def __init__(self, write: Blocks) -> None:
        self.write, self.code, self.slots, self.program = write, write.code, write.slots, write.program
        self.columns = columns_of(write.program)

    def shown(self) -> list[str]:
        """Return what the last accepted row shows: the books, and the measures."""
        names = [*(SHOWN if self.program.legs else ()), *(f"report.{name}" for name, _ in self.program.report.measures)]
        return [self.show(name) for name in names]

    def show(self, name: str) -> str:
        """Return the equity, or a column by its name."""
        if name == "equity":
            return self.equity()
        return self._sum(next(each for each in self.columns if each.name == name).cells)

    def follow(self, equity: str) -> None:
        """Follow the drawdown from the running peak of the equity; with the same equity again nothing changes."""
        code, write = self.code, self.write
        peak = code.get("peak")
        higher = code.op(f"fcmp ogt double {equity}, {peak}")
        peak = code.op(f"select i1 {higher}, double {equity}, double {peak}")
        code.set("peak", peak)
        gap = code.op(f"fsub double {peak}, {equity}")
        # Only a gap that may be the deepest share is divided; a share just below it is told apart by the division.
        deep, deepest, followed = (code.new_label(about) for about in ("deep", "deepest", "followed"))
        code.branch(self.may_be_deepest(gap, peak), deep, followed, rarely=True)
        write.begin(deep, keep=True)
        share = code.op(f"fdiv double {gap}, {peak}")
        code.branch(code.op(f"fcmp ogt double {share}, {code.get('drawdown')}"), deepest, followed)
        write.begin(deepest, keep=True)
        code.set("drawdown", share)
        code.set("drawdown_amount", gap)
        code.jump(followed)
        write.begin(followed)

    def may_be_deepest(self, gap: str, peak: str) -> str:
        """Return whether a gap below a peak may be the deepest so far; if not, no smaller one is."""
        code = self.code
        known = code.op(f"fmul double {code.get('drawdown')}, {real(1 - 2.0**-50)}")
        return code.op(f"fcmp ogt double {gap}, {code.op(f'fmul double {known}, {peak}')}")

    def equity_over(self, rows: Intervals) -> Range:
        """Return what the equity of some rows lies between; it is bounded only where `rows` has no need that fails.

        Raises:
            NotProvable: a row changes more of it than prices.
        """
        write, cells = self.write, self.slots.cells
        cash = next(each for each in self.columns if each.name == "cash").cells
        quantities = [leg.quantity for leg in self.program.legs]
        if rows.moved & {*cash, *quantities}:
            raise NotProvable("a row changes the cash, or a position")
        low = high = real(0.0)
        for leg in self.program.legs:
            quantity = write.variable(cells[leg.quantity])
            signed = write.op(f"fmul double {real(-1.0 if leg.side == 'short' else 1.0)}, {quantity}")
            product = rows.product(Range(signed, signed), rows.cell(f"{leg.instrument}.price"))
            low, high = (write.op(f"fadd double {net}, {end}") for net, end in zip((low, high), product, strict=True))
        held = self.show("cash")
        equity = Range(*(write.op(f"fadd double {held}, {net}") for net in (low, high)))
        rows.needs += [write.in_range("double", end, None, None) for end in dict.fromkeys(equity)]
        return equity

    def equity(self) -> str:
        """Return cash + Σ sign · quantity · price, as `dryrun.summary.Books` adds it up."""
        code, cells = self.code, self.slots.cells
        net = real(0.0)
        for leg in self.program.legs:
            quantity, price = code.get(cells[leg.quantity]), code.get(cells[f"{leg.instrument}.price"])
            signed = code.op(f"fmul double {real(-1.0 if leg.side == 'short' else 1.0)}, {quantity}")
            net = code.op(f"fadd double {net}, {code.op(f'fmul double {signed}, {price}')}")
        return code.op(f"fadd double {self.show('cash')}, {net}")

    def _sum(self, cells: tuple[str, ...]) -> str:
        code = self.code
        values = [code.get(self.slots.cells[cell]) for cell in cells]
        total = values[0]
        for value in values[1:]:
            total = code.op(f"fadd double {total}, {value}")
        return total

    def trace(self) -> None:
        """Write every column of the row to its array."""
        code = self.code
        line = code.op(f"sub i64 {code.get('row')}, %from")
        for index, column in enumerate(self.columns):
            if column.region is not None:
                value = code.op(f"sitofp i64 {code.get(f'r{column.region}')} to double")
            else:
                kind = self.slots.variables[self.slots.cells[column.cells[0]]].kind
                value = self._sum(column.cells)
                if kind == "i64":
                    value = code.op(f"sitofp i64 {value} to double")
                elif kind == "i1":
                    value = code.op(f"uitofp i1 {value} to double")
            target = code.load("ptr", code.at("%trace", index, "ptr"))
            code.do(f"store double {value}, ptr {code.at(target, line, 'double')}")
