"""What fires together in several regions: exits, actions and entries, each of all regions, and then the stores.

What a firing writes and only its own region reads stays in the locals of its branch until it is stored. Any other cell has
one local, here `f5_`, that every branch knows:

f5_ = self.c5_
if s1_ == 3:
    ...
    f5_ = price
if s2_ == 0:
    ...
self.c5_ = f5_
step_, self.q_ = k4_[s1_, s2_, r1_, r2_]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..ir import Assign, Block, Call, Propose, expressions
from .expressions import Lines, Place, Values
from .instructions import Instructions, Proposal
from .layout import ENTRY, Firing, parts_of

__all__ = ["Microstep", "Numbered"]

_FEW = 3
"""A region that writes no more cells than this keeps them in locals that every branch knows: no second dispatch."""


@dataclass(slots=True)
class Numbered:
    """A firing, the number under which its region selects it, and what the locals hold when it was selected."""

    firing: Firing
    values: Values
    stored: dict[str, str] = field(default_factory=dict)
    """The locals of cells that only its own region reads."""


class Microstep:
    """Writes what fires together, from the selection to the end of the method."""

    def __init__(self, write: Instructions, numbered: Sequence[Sequence[Numbered]], regions: Sequence[int]) -> None:
        self.write, self.layout = write, write.layout
        self.numbered = {region: numbered[region] for region in regions}
        moving = (r for r in regions if any(each.firing.after is not None for each in numbered[r]))
        self.moving = tuple(region for region in moving if not self.layout.is_constant(region))
        self.legs = self._legs()
        self.common = self._common()
        """The local of each cell that every branch knows."""
        self.dirty: dict[str, None] = {}
        """Those that have been written in what is generated so far."""

    def emit(self, code: Lines, values: Values) -> None:
        write = self.write
        for cell, local in self.common.items():
            code.add(f"{local} = {values.cells.get(cell, f'self.{write.slots[cell]}')}")
            write.finite.add(local)
        for region in self.moving:
            code.add(f"n{region}_ = {write.registers[region]}")
        for leg in self.legs:
            code.add(f"a{write.legs[leg]}_ = None")
        firings = {region: [each.firing for each in numbered] for region, numbered in self.numbered.items()}
        for region, parts in parts_of(firings, self.moving):
            self._part(code, region, parts)
        written = dict.fromkeys((*values.written, *self.common))
        stored = (cell for numbered in self.numbered.values() for each in numbered for cell in each.stored)
        write.forget(values, {*self.common, *stored})
        values.cells.update(self.common)
        values.written = {}
        proposals = [Proposal(leg, f"a{i}_", f"o{i}_", False) for leg, i in write.legs.items() if leg in self.legs]
        placed = write.fills(code, values, proposals)
        orders = [each.records for each in placed]
        write.check(code, values, values.written)
        values.written = {**written, **values.written}
        values.ordered = " or ".join(orders) if orders else "False"
        registers = tuple(
            f"n{region}_" if region in self.moving else register for region, register in enumerate(write.registers)
        )
        write.move(values, Place(values.now.ranges, registers))
        write.pass_gates(code, values, placed)
        self._finish(code, values, orders)

    # ------------------------------------------------------------------------------------------------ what is in common

    def _legs(self) -> dict[str, frozenset[int]]:
        """Return the legs that may be ordered, and by which regions."""
        found: dict[str, frozenset[int]] = {}
        for region, numbered in self.numbered.items():
            for instruction in (instruction for block in _blocks(numbered) for instruction in block):
                if isinstance(instruction, Propose):
                    found[instruction.leg] = found.get(instruction.leg, frozenset()) | {region}
        return found

    def _common(self) -> dict[str, str]:
        write = self.write
        writes = {region: _written(_blocks(numbered)) for region, numbered in self.numbered.items()}
        regions: dict[str, int] = {}
        for region, numbered in self.numbered.items():
            for cell in writes[region] | _read(write, _blocks(numbered)):
                regions[cell] = regions.get(cell, 0) + 1
        fills = [write.program.legs[write.legs[leg]].fill for leg in self.legs]
        late = _read(write, fills) | _written(fills)
        claims = (*(claim for _, claim in write.monitors), *write.checks)
        late |= {cell for claim in claims for cell in write.reads[id(claim)]}
        late |= {
            cell
            for rules in self.layout.always.values()
            for rule in rules
            if rule.guard is not None
            for cell in write.reads[id(rule.guard)]
        }
        common: set[str] = set()
        for written in writes.values():
            shared = {cell for cell in written if cell in late or regions[cell] > 1}
            common |= written if len(written - shared) <= _FEW else shared
        order = {cell: index for index, cell in enumerate(write.slots)}
        return {cell: f"f{order[cell]}_" for cell in sorted(common, key=order.__getitem__)}

    # -------------------------------------------------------------------------------------------------------- the parts

    def _moves(self, region: int, firing: Firing) -> bool:
        return region in self.moving and firing.after is not None

    def _part(self, code: Lines, region: int, parts: Sequence[int]) -> None:
        chosen = [
            number
            for number, each in enumerate(self.numbered[region])
            if any(each.firing.acts[part] for part in parts) or (ENTRY in parts and self._moves(region, each.firing))
        ]
        dirty = dict(self.dirty)

        def emit(position: int) -> None:
            self._branch(code, region, self.numbered[region][chosen[position]], parts)

        known = -1, len(self.numbered[region])
        self.write.dispatch(code, f"s{region}_", known, [(number, number + 1) for number in chosen], emit)
        written = _written(
            block for n in chosen for part in parts for block, _ in self.numbered[region][n].firing.acts[part]
        )
        self.dirty = {**dirty, **dict.fromkeys(cell for cell in self.common if cell in written)}

    def _branch(self, code: Lines, region: int, each: Numbered, parts: Sequence[int]) -> None:
        write, firing, values = self.write, each.firing, each.values
        values.cells.update((cell, self.common[cell]) for cell in self.dirty)
        write.forget(values, self.dirty)
        values.temps, values.written = {}, {}
        texts = dict(values.texts)
        values.now = Place(values.now.ranges, values.now.registers, values.now.active, region)
        proposals = [
            proposal for part in parts for proposal in write.acts(code, values, firing.acts[part], firing.rule.name)
        ]
        write.check(code, values, values.written)
        for leg, after, rule, _ in proposals:
            index = write.legs[leg]
            if len(self.legs[leg]) > 1:
                with code.block(f"if a{index}_ is not None:"):
                    code.add(write.defer)
            code.add(f"a{index}_ = {after}")
            code.add(f"o{index}_ = {rule}")
        self._keep(code, each)
        if ENTRY in parts and self._moves(region, firing):
            code.add(f"n{region}_ = {firing.after}")
        # A text that names a cell in common has another value once a branch before the next part writes that.
        values.texts = texts

    def _keep(self, code: Lines, each: Numbered) -> None:
        """Assign what a branch wrote to the locals that other branches know; keep the rest under locals of its own."""
        values, names = each.values, frozenset(self.common.values())
        for cell in values.written:
            if cell not in self.common:
                if values.cells[cell] in names:
                    # A copy: the cell that it was copied from may have another value before this one is stored.
                    local = self.write.local()
                    code.add(f"{local} = {values.cells[cell]}")
                    values.cells[cell] = local
                each.stored[cell] = values.cells[cell]
        new = [(self.common[cell], values.cells[cell]) for cell in values.written if cell in self.common]
        if any(local in names for _, local in new):
            code.add(f"{', '.join(name for name, _ in new)} = {', '.join(local for _, local in new)}")
        else:
            for name, local in new:
                code.add(f"{name} = {local}")

    # ---------------------------------------------------------------------------------------------------------- the end

    def _finish(self, code: Lines, values: Values, orders: list[str]) -> None:
        write = self.write
        write.eventless_anywhere(code, values)
        broken = write.judge(code, values)
        write.store(code, ((cell, values.cells[cell]) for cell in values.written))
        for region, numbered in self.numbered.items():
            self._store_own(code, region, numbered)
        for region in self.moving:
            code.add(f"self.r{region}_ = n{region}_")
        write.end(code)
        code.add(f"step_, self.q_ = {self._steps()}")
        if orders or broken:
            held = " or ".join((*orders, *([broken] if broken else [])))
            told = f"told_(step_, {' + '.join(orders) or '()'}, {broken or '()'})"
            code.add(f"return {told} if {held} else step_")
        else:
            code.add("return step_")

    def _store_own(self, code: Lines, region: int, numbered: Sequence[Numbered]) -> None:
        chosen = [number for number, each in enumerate(numbered) if each.stored]

        def emit(position: int) -> None:
            self.write.store(code, numbered[chosen[position]].stored.items())

        self.write.dispatch(code, f"s{region}_", (-1, len(numbered)), [(n, n + 1) for n in chosen], emit)

    def _steps(self) -> str:
        """Return the text of the step, and of the one that tells of nothing, kept by what they depend on."""
        layout, regions = self.layout, tuple(self.numbered)
        fired = tuple(
            tuple((each.firing.rule.name, each.firing.after) for each in numbered)
            for numbered in self.numbered.values()
        )
        varying = tuple(region for region in range(len(layout.regions)) if not layout.is_constant(region))
        table = self.write.constant(f"Steps_({regions!r}, {fired!r}, {varying!r}, shown_)")
        key = [f"s{region}_" for region in regions] + [f"r{region}_" for region in varying]
        return f"{table}[{', '.join(key)},]"


def _blocks(numbered: Iterable[Numbered]) -> list[Block]:
    return [block for each in numbered for block in each.firing.blocks]


def _read(write: Instructions, blocks: Iterable[Block]) -> set[str]:
    found = {
        cell
        for block in blocks
        for instruction in block
        for expr in expressions(instruction)
        for cell in write.reads[id(expr)]
    }
    return found & write.slots.keys()


def _written(blocks: Iterable[Block]) -> set[str]:
    found: set[str] = set()
    for instruction in (instruction for block in blocks for instruction in block):
        if isinstance(instruction, Assign):
            found |= {cell for cell, _ in instruction.targets}
        elif isinstance(instruction, Call):
            found |= {cell for _, cell in instruction.into}
    return found
