"""What a run shows of a machine after each event: its registers, its ledger and its state, as one flat record."""

from __future__ import annotations

from typing import NamedTuple

from ..ir import Program

__all__ = ["Column", "columns_of"]


class Column(NamedTuple):
    """One value of the record: the register of a region, or the sum of cells from left to right."""

    name: str
    region: int | None
    cells: tuple[str, ...] = ()


def columns_of(program: Program) -> tuple[Column, ...]:
    """Return the columns of a program; the books of a composition are the sums of those of its parts."""
    known = {cell.name for cell in program.cells}
    first = next((index for index, region in enumerate(program.regions) if len(region.leaves) > 1), 0)
    found: dict[str, Column] = {}

    def add(name: str, region: int | None, *cells: str) -> None:
        found.setdefault(name, Column(name, region, cells))

    for index, region in enumerate(program.regions):
        if index == first or region.root is not None:
            add("state" if index == first else f"state {region.root}", index)
    for instrument in program.instruments:
        add(instrument.price, None, instrument.price)
    for leg in program.legs:
        add(leg.quantity, None, leg.quantity)
    if program.legs:
        for name in ("cash", "fees", "slippage", "flows"):
            books = (f"{part.name}.{name}" if part.name else name for part in program.parts)
            add(name, None, *(cell for cell in books if cell in known))
    for name, _ in program.report.measures:
        add(f"report.{name}", None, f"report.{name}")
    for cell in program.cells:
        if cell.kind == "state":
            add(cell.name, None, cell.name)
    return tuple(found.values())
