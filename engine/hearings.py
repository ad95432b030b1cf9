"""What people say to transitions that wait for them, as the reference does it; see docs/approvals.md.

    a transition is selected that waits   ->   it is tried on a copy; what it would do is kept; `approval.asked`
    approve {number: 1, by: anna}         ->   its guard is asked again; it fires alone, with orders no larger than shown
    deny, or no one answers in time       ->   `approval.denied`, `approval.expired`

A proposal is cells of the machine and nothing else, so a snapshot carries it, and the exit of its state ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .ir import NEVER, NOBODY, PROPOSALS, Approval, Rule, Value
from .step import Outcome, Ruling
from .vocabulary import EXPIRED
from .work import Occurrence, Work

if TYPE_CHECKING:
    from .semantics import Run

__all__ = ["Hearings"]


class Hearings:
    """The proposals of a machine while one event is processed."""

    def __init__(self, run: Run) -> None:
        self.run, self.reference = run, run.reference
        self.told: list[Ruling] = []

    # ----------------------------------------------------------------------------------------------------- proposals

    def why_passed_over(self, approval: Approval) -> str:
        """Return why a transition cannot be proposed now; empty where it can."""
        cells = self.run.state.cells
        if cells[approval.number] != 0:
            return f"it waits for approval {cells[approval.number]}"
        if self.run.context.clock < cells[approval.free]:
            return "it was refused, and is not asked for again so soon"
        return ""

    def waits(self, approval: Approval, rule: Rule) -> bool:
        """Return whether a transition that is selected waits, having put it to people then.

        Raises:
            Dropped: it would fail, or gates do not let its orders through: nobody is asked.
        """
        context, work = self.run.context, self.run.state.copy()
        context.tries = True
        try:
            self.run.transitions([rule], work)
        finally:
            context.tries = False
        waits = approval.always or any(change.increases for change in work.changes)
        if waits:
            self._propose(approval, work)
        return waits

    def _propose(self, approval: Approval, work: Work) -> None:
        cells, context, arithmetic = self.run.state.cells, self.run.context, self.reference.arithmetic
        number = cells[PROPOSALS] + 1
        changes = {change.leg: change.change for change in work.changes}
        shown = tuple((leg, changes.get(leg, arithmetic.real(0))) for leg, _ in approval.shown)
        cells[PROPOSALS] = cells[approval.number] = number
        cells[approval.due] = arithmetic.due(context.clock, self.run.state.value(approval.within))
        cells[approval.proposer], cells[approval.approver] = context.person, NOBODY
        cells.update((cell, value) for (_, cell), (_, value) in zip(approval.shown, shown, strict=True))
        cells.update((kept, cells[cell]) for cell, kept in approval.evidence)
        self._tell(approval, "asked", context.person, orders=tuple(each for each in shown if each[0] in changes))
        self._raise("asked", approval)

    # -------------------------------------------------------------------------------------------------------- answers

    def answer(self, occurrence: Occurrence) -> None:
        """Take what a person says to a proposal."""
        number: Any
        number, by = (occurrence.fields[f"{occurrence.name}.{name}"] for name in ("number", "by"))
        approval = next((each for each in self.reference.program.approvals if self._is_about(each, number)), None)
        if approval is None:
            self.told.append(Ruling(number, "", "refused", self._name(by), f"no proposal {number} waits"))
            self.run.raise_(Occurrence("approval.refused"))
            return
        if self.run.state.cells[approval.due] <= self.run.context.clock:
            # Too many timers fell due before, so that its own was passed over; it is too late all the same.
            self._time_out(approval)
            self._raise("expired", approval)
        elif occurrence.name == "approve":
            self._approve(approval, by, occurrence)
        else:
            self._deny(approval, by)

    def _is_about(self, approval: Approval, number: Any) -> bool:
        state = self.run.state
        return approval.source in state.active and bool(state.cells[approval.number] == number)

    def _approve(self, approval: Approval, by: Any, answer: Occurrence) -> None:
        cells = self.run.state.cells
        proposer, first = cells[approval.proposer], cells[approval.approver]
        if not self._holds_the_role(approval, by):
            self._refuse(approval, by, f"{self._told(by)} does not hold the role `{approval.role}`")
        elif by == proposer:
            self._refuse(
                approval, by, f"{self._told(by)} proposed it, and nobody approves a proposal of his or her own"
            )
        elif by == first:
            self._refuse(approval, by, f"{self._told(by)} has approved it already, and it needs another person")
        elif approval.persons == 2 and first == NOBODY:
            cells[approval.approver] = by
            self._tell(approval, "noted", by, "it needs another person")
        else:
            self._grant(approval, by, answer)

    def _grant(self, approval: Approval, by: Any, answer: Occurrence) -> None:
        """Let a transition fire that is approved, with orders no larger than shown."""
        context, cells = self.run.context, self.run.state.cells
        context.shown = {leg: cells[cell] for leg, cell in approval.shown}
        place = len(self.told)
        self._end(approval, "granted", by)
        asked = self.run.resume(approval, answer)
        context.shown = None
        if asked.outcome != "true":
            reason = asked.reason or "its guard does not hold any more"
            self.told[place] = self.told[place]._replace(outcome="lapsed", reason=reason)
            self._raise("lapsed", approval)

    def _deny(self, approval: Approval, by: Any) -> None:
        # Whoever proposed may take it back: a no opens nothing.
        if not self._holds_the_role(approval, by) and by != self.run.state.cells[approval.proposer]:
            self._refuse(approval, by, f"{self._told(by)} does not hold the role `{approval.role}`")
            return
        self._end(approval, "denied", by)
        self._rest(approval)
        self._raise("denied", approval)

    def expire(self, approval: Approval) -> Occurrence | None:
        """Take it as a no that nobody has answered in time; return the event that tells so."""
        if self.run.state.cells[approval.number] == 0:
            return None
        self._time_out(approval)
        return Occurrence(EXPIRED, origin="timer", source=approval.source)

    # ------------------------------------------------------------------------------------------------------- the parts

    def _holds_the_role(self, approval: Approval, by: Any) -> bool:
        return any(bool(by == each) for each in approval.who)

    def _end(self, approval: Approval, outcome: Outcome, by: Any) -> None:
        """Let a proposal wait no more; what comes of its end is of who made it, whoever has answered."""
        self._tell(approval, outcome, by)
        cells = self.run.state.cells
        if cells[approval.proposer] != NOBODY:
            self.run.context.person = cells[approval.proposer]
        cells[approval.number], cells[approval.due] = 0, NEVER

    def _time_out(self, approval: Approval) -> None:
        self._end(approval, "expired", NOBODY)
        self._rest(approval)

    def _rest(self, approval: Approval) -> None:
        """Let a transition not be proposed again for a while."""
        state, arithmetic = self.run.state, self.reference.arithmetic
        state.cells[approval.free] = arithmetic.due(self.run.context.clock, state.value(approval.again))

    def _refuse(self, approval: Approval, by: Any, reason: str) -> None:
        self._tell(approval, "refused", by, reason)
        self._raise("refused", approval)

    def _raise(self, what: str, approval: Approval) -> None:
        self.run.raise_(Occurrence(f"approval.{what}", source=approval.source))

    def _tell(
        self,
        approval: Approval,
        outcome: Outcome,
        by: Any,
        reason: str = "",
        orders: tuple[tuple[str, Value], ...] = (),
    ) -> None:
        number: Any = self.run.state.cells[approval.number]
        self.told.append(Ruling(number, approval.rule, outcome, self._name(by), reason, orders))

    def _name(self, person: Any) -> str | None:
        """Return a person by name; a proof knows no names."""
        people = self.reference.program.people
        return people[person].name if isinstance(person, int) and person != NOBODY else None

    def _told(self, person: Any) -> str:
        return f"`{self._name(person)}`"
