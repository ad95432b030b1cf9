"""What waits for people in a machine: its proposals, read from a snapshot, by name."""

from __future__ import annotations

from dataclasses import dataclass

from .ir import NEVER, NOBODY, Approval, Program, Value
from .snapshot import Snapshot

__all__ = ["Waiting", "waiting"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal that waits for people.

    `orders` are the signed changes of quantity that were shown, by leg and with their unit; `evidence` is what the guard
    read when it was proposed. `may_approve` are those who may approve it now, `left_s` the seconds that it waits from the
    clock of the snapshot on; None is without end.
    """

    number: int
    rule: str
    source: str
    targets: tuple[str, ...]
    orders: tuple[tuple[str, Value, str], ...]
    evidence: tuple[tuple[str, Value, str], ...]
    role: str
    persons: int
    proposer: str | None
    approver: str | None
    may_approve: tuple[str, ...]
    due_ns: int | None
    left_s: float | None


def waiting(program: Program, snapshot: Snapshot) -> tuple[Waiting, ...]:
    """Return what waits, first proposed first."""
    found = (_waiting(program, snapshot, each) for each in program.approvals if snapshot.cells[each.number] != 0)
    return tuple(sorted(found, key=lambda each: each.number))


def _waiting(program: Program, snapshot: Snapshot, approval: Approval) -> Waiting:
    cells, units = snapshot.cells, {cell.name: cell.unit for cell in program.cells}
    number, due, proposer, approver = (
        int(cells[name]) for name in (approval.number, approval.due, approval.proposer, approval.approver)
    )
    names = [person.name for person in program.people]
    clock = snapshot.time_ns or 0
    rule = next(rule for rule in program.rules if rule.name == approval.rule)
    return Waiting(
        number=number,
        rule=rule.name,
        source=rule.source,
        targets=rule.targets,
        orders=tuple((leg, cells[cell], units[cell]) for leg, cell in approval.shown if cells[cell] != 0),
        evidence=tuple((name, cells[cell], units[cell]) for name, cell in approval.evidence),
        role=approval.role,
        persons=approval.persons,
        proposer=None if proposer == NOBODY else names[proposer],
        approver=None if approver == NOBODY else names[approver],
        may_approve=tuple(names[who] for who in approval.who if who not in (proposer, approver)),
        due_ns=None if due == NEVER else due,
        left_s=None if due == NEVER else (due - clock) / 1e9,
    )
