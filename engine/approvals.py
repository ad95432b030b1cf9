"""Transitions that wait for people: the last pass over a program, once it is of one piece.

    rule reset: halted on release if calm -> closed          approval: release

    ->  event approve(number, by), event deny(number, by)
        cell approval(reset).number = 0, …                   not 0 while a proposal waits
        timer approval(reset): event approval.expired        when no one has answered
        state halted   leave: set approval(reset).number = 0
        rule reset: halted on release if approval(reset).number == 0 and now >= approval(reset).free and calm -> closed

    {raise: wish, after: 1h}: set due(wish) = …    ->  set due(wish), by(wish) = …, person
    {cancel: wish}: set due(wish) = never          ->  set due(wish), by(wish) = never, -1

So a transition that waits, or that was refused a moment ago, is passed over as one whose guard is false, in every backend.
What `engine.hearings` does with one that is selected all the same no backend does but the reference. And whoever brings an
event is the proposer of what it leads to, however late: who armed a delayed event stands beside its timer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from .delays import disarmed, due_cell
from .diagnostics import Diagnostic, Span
from .ir import (
    NEVER,
    NOBODY,
    PROPOSALS,
    ZERO,
    Approval,
    Assign,
    Block,
    Cell,
    Event,
    Field,
    Oversight,
    Policy,
    Pool,
    Program,
    Propose,
    Rule,
    State,
    Timer,
)
from .people import STRUCTURAL, holders, why_not_waiting
from .statechart import Tree
from .vocabulary import ANSWERS, APPROVAL_EVENTS, BUILTIN_EVENTS, EXPIRED, Vocabulary

__all__ = ["MOST_PROPOSALS", "check_together", "stricter", "with_approvals"]

MOST_PROPOSALS = 2**53
"""The highest number that a proposal may have."""
_STRICTNESS: tuple[Oversight, ...] = ("autonomous", "collaborative", "supervised")
_LONG_AGO = -(2**63)


def stricter(one: Oversight | None, other: Oversight | None) -> Oversight | None:
    """Return the stricter of two levels of oversight, or the one that is given."""
    return max((level for level in (one, other) if level is not None), key=_STRICTNESS.index, default=None)


def with_approvals(program: Program, pool: Pool) -> Program:
    """Return a program in which what waits for people has what it needs for that."""
    if not program.people and not program.policies:
        return program
    names, tree = tuple(person.name for person in program.people), Tree(program.states)
    events = tuple(
        replace(event, fields=tuple(_known(field, names) for field in event.fields)) for event in program.events
    )
    program = replace(program, events=events)
    approvals = tuple(_approval(program, tree, *each) for each in _waiting(program))
    if not approvals:
        return program
    program = _with_bringers(program, pool)
    by_rule = {each.rule: each for each in approvals}
    place = next(rule.span for rule in program.rules if rule.name in by_rule)
    return replace(
        program,
        events=(*events, *_answers(program, names, place)),
        cells=(*program.cells, *_cells(program, approvals)),
        timers=(*program.timers, *(Timer(each.timer, EXPIRED, each.due, None, (), place) for each in approvals)),
        states=tuple(_leaving(state, approvals, pool) for state in program.states),
        rules=tuple(_asking(rule, by_rule, pool) for rule in program.rules),
        approvals=approvals,
    )


def _known(field: Field, names: tuple[str, ...]) -> Field:
    """Return a field, with the people if it is one of them."""
    if field.people is None:
        return field
    return replace(field, low=Fraction(0), high=Fraction(len(names) - 1), people=names)


# ----------------------------------------------------------------------------------------------------------- what waits


def _level(program: Program, rule: Rule) -> Oversight:
    """Return the level of oversight that a transition is under; a used spec is under the stricter of its own and this."""
    level = stricter(rule.oversight, program.oversight or "collaborative")
    assert level is not None
    return level


def _waiting(program: Program) -> Iterator[tuple[Rule, Policy, bool]]:
    """Yield the transitions that may wait, each with its policy and whether it waits in any case."""
    policies = {policy.name: policy for policy in program.policies}
    enlarging = {rule.name for rule in _supervised(program)}
    for rule in program.rules:
        if rule.approval is not None and _level(program, rule) != "autonomous":
            yield rule, policies[rule.approval], True
        elif rule.name in enlarging and (structural := _structural(rule, policies)) is not None:
            yield rule, structural, False


def _supervised(program: Program) -> list[Rule]:
    """Return the transitions that wait, under supervision, where they enlarge a leg, and may do that."""
    under = [rule for rule in program.rules if rule.approval is None and _level(program, rule) == "supervised"]
    tree = Tree(program.states if under else ())
    verbs = ("increase", "target")
    return [rule for rule in under if any(each.verb in verbs for each in _orders(program, tree, rule))]


def _structural(rule: Rule, policies: dict[str, Policy]) -> Policy | None:
    """Return the policy `structural` of the spec that a transition is of, or of the next one that uses it."""
    prefix = rule.source
    while prefix:
        prefix = prefix.rpartition(".")[0]
        name = f"{prefix}.{STRUCTURAL}" if prefix else STRUCTURAL
        if name in policies:
            return policies[name]
    return None


def _orders(program: Program, tree: Tree, rule: Rule) -> list[Propose]:
    """Return what a transition may order, whichever states it leaves and enters."""
    blocks: list[Block] = [rule.action]
    reach = tree.reach(rule)
    if reach is not None:
        for state in program.states:
            if tree.is_descendant(state.name, reach):
                blocks += [state.exit, state.entry, state.initially]
    return [each for block in blocks for each in block if isinstance(each, Propose)]


# ---------------------------------------------------------------------------------------------------------- what it needs


def _approval(program: Program, tree: Tree, rule: Rule, policy: Policy, always: bool) -> Approval:
    name = f"approval({rule.name})"
    ordered = {each.leg for each in _orders(program, tree, rule)}
    read = dict.fromkeys(node.name for node in rule.guard.walk() if node.op == "cell") if rule.guard is not None else {}
    return Approval(
        rule=rule.name,
        source=rule.source,
        guard=rule.guard,
        always=always,
        role=policy.role,
        persons=policy.persons,
        who=holders(program.people, policy.role),
        within=policy.within,
        again=policy.again,
        timer=name,
        number=f"{name}.number",
        due=f"due({name})",
        proposer=f"{name}.proposer",
        approver=f"{name}.approver",
        free=f"{name}.free",
        shown=tuple((leg.name, f"{name}.shown.{leg.name}") for leg in program.legs if leg.name in ordered),
        evidence=tuple((cell, f"{name}.saw.{cell}") for cell in read),
    )


def _cells(program: Program, approvals: Iterable[Approval]) -> Iterator[Cell]:
    known = {cell.name: cell for cell in program.cells}
    quantities = {leg.name: known[leg.quantity].unit for leg in program.legs}
    last = Fraction(len(program.people) - 1)
    yield Cell(PROPOSALS, "int", "1", None, None, 0, "approval")
    for each in approvals:
        yield Cell(each.number, "int", "1", None, None, 0, "approval")
        yield due_cell(each.timer)
        yield Cell(each.proposer, "int", "1", Fraction(NOBODY), last, NOBODY, "approval")
        yield Cell(each.approver, "int", "1", Fraction(NOBODY), last, NOBODY, "approval")
        yield Cell(each.free, "int", "ns", None, None, _LONG_AGO, "approval")
        for leg, cell in each.shown:
            yield Cell(cell, "real", quantities[leg], None, None, Fraction(0), "approval")
        for name, cell in each.evidence:
            yield Cell(cell, known[name].type, known[name].unit, None, None, ZERO[known[name].type], "approval")


def _answers(program: Program, names: tuple[str, ...], place: Span) -> Iterator[Event]:
    """Yield the events by which people answer."""
    number = Field("number", "int", "1", Fraction(1), Fraction(MOST_PROPOSALS))
    by = _known(Field("by", "int", "1", None, None, ()), names)
    for name in ANSWERS:
        yield Event(name, (number, by), (), ((),) * len(program.parts), place)


def _leaving(state: State, approvals: Iterable[Approval], pool: Pool) -> State:
    """Return a state with whose exit its proposals are gone."""
    zero = pool.constant(0, "int")
    gone = [
        pair
        for each in approvals
        if each.source == state.name
        for pair in ((each.number, zero), disarmed(pool, each.timer))
    ]
    return replace(state, leave=(*state.leave, Assign(tuple(gone)))) if gone else state


def _asking(rule: Rule, approvals: dict[str, Approval], pool: Pool) -> Rule:
    """Return a transition that is passed over while it waits, and for a while after a no."""
    approval = approvals.get(rule.name)
    if approval is None:
        return rule
    idle = pool.make("eq", (pool.cell(approval.number, "int"), pool.constant(0, "int")), "bool")
    now = pool.make("now", (), "int")
    allowed = pool.make("ge", (now, pool.cell(approval.free, "int")), "bool")
    guard = pool.make("and", (idle, allowed), "bool")
    return replace(rule, guard=guard if rule.guard is None else pool.make("and", (guard, rule.guard), "bool"))


# ------------------------------------------------------------------------------------------------- who armed what comes late


def _with_bringers(program: Program, pool: Pool) -> Program:
    """Return a program in which each delayed event keeps who brought the event that armed it.

    What a state does in time (`after`, `every`) is nobody's, however the machine came there.
    """
    declared = {event.name for event in program.events}
    bringers = {timer.due: f"by({timer.name})" for timer in program.timers if timer.event in declared}
    if not bringers:
        return program
    last = Fraction(len(program.people) - 1)
    known = (Cell(name, "int", "1", Fraction(NOBODY), last, NOBODY, "timer") for name in bringers.values())

    def noting(block: Block) -> Block:
        return tuple(_noting(each, bringers, pool) if isinstance(each, Assign) else each for each in block)

    return replace(
        program,
        cells=(*program.cells, *known),
        timers=tuple(replace(timer, person=bringers.get(timer.due, "")) for timer in program.timers),
        states=tuple(
            replace(state, entry=noting(state.entry), initially=noting(state.initially), exit=noting(state.exit))
            for state in program.states
        ),
        rules=tuple(replace(rule, action=noting(rule.action)) for rule in program.rules),
    )


def _noting(assign: Assign, bringers: Mapping[str, str], pool: Pool) -> Assign:
    """Return an assignment that notes, where it arms a delayed event, who did, and where it disarms one, nobody."""
    noted = [
        (bringers[cell], pool.constant(NOBODY, "int") if value.value == NEVER else pool.make("person", (), "int"))
        for cell, value in assign.targets
        if cell in bringers
    ]
    return replace(assign, targets=(*assign.targets, *noted)) if noted else assign


# ------------------------------------------------------------------------------------------------ what only a whole shows


def check_together(program: Program, place: Callable[[str], Span], oversight: Span) -> Iterator[Diagnostic]:
    """Yield what approvals of a composition could not do, and a note where nobody is asked.

    Args:
        program: of one piece, before the pass.
        place: where this spec says that it uses what a name begins with.
        oversight: where it says how strict it is.
    """
    if not program.people:
        yield from _unknown(program)
    yield from _too_few(program, place)
    yield from _unsupervised(program, place, oversight)
    waiting = tuple(_waiting(program))
    for event in program.events if waiting else ():
        if event.name in ANSWERS:
            message = f"`{event.name}` is what people say to a transition that waits"
            help = f"choose another name; where a used spec has it, `events: {{{event.name}: {event.name}_it}}` under `use`"
            yield Diagnostic("HR211", message, event.span, help)
    for rule, policy, _ in waiting:
        who = holders(program.people, policy.role)
        others = len(who) - (len(who) == len(program.people))
        if len(who) >= policy.persons > others and _is_brought(program, rule):
            message = (
                f"whoever brings `{rule.events[0]}` may not approve `{rule.name}`, and too few others hold its role"
            )
            help = "give the role to another one under `people:`, or add somebody who holds another role"
            yield Diagnostic("HR431", message, _place(rule, place), help)
    marked = [rule for rule in program.rules if rule.approval is not None and _level(program, rule) == "autonomous"]
    if marked:
        message = f"`{marked[0].name}` has an `approval:`, and nobody is asked for it: the oversight is `autonomous`"
        yield Diagnostic(
            "HR720", message, oversight, "write `oversight: collaborative`, or remove the `approval:`", "note"
        )


def _unknown(program: Program) -> Iterator[Diagnostic]:
    """Tell events of used specs that a person brings, where this one knows nobody."""
    for event in program.events:
        if event.person is not None:
            message = f"`{event.name}.{event.person.name}` is a person, and this spec knows nobody"
            help = "the people of this spec answer for all that it uses: `people: {anna: [risk]}`"
            yield Diagnostic("HR433", message, event.span, help)


def _too_few(program: Program, place: Callable[[str], Span]) -> Iterator[Diagnostic]:
    """Tell policies of used specs that the people of this one cannot satisfy."""
    for policy in program.policies:
        used, dot, own = policy.name.rpartition(".")
        who = holders(program.people, policy.role)
        if dot and len(who) < policy.persons:
            held = f"`{program.people[who[0]].name}` alone holds" if who else "nobody here holds"
            message = f"`{own}` of `{used}` needs {policy.persons} of the role `{policy.role}`, and {held} it"
            help = f"the people of this spec answer for all that it uses: `people: {{anna: [{policy.role}]}}`"
            yield Diagnostic("HR431", message, place(policy.name), help)


def _unsupervised(program: Program, place: Callable[[str], Span], oversight: Span) -> Iterator[Diagnostic]:
    """Tell what `supervised` lets wait and cannot: nobody is there to approve it, or it reads what is gone by then."""
    policies = {policy.name: policy for policy in program.policies}
    for rule in _supervised(program):
        if _structural(rule, policies) is None:
            message = f"`{rule.name}` may enlarge a leg, and no policy `{STRUCTURAL}` says who approves it"
            help = f"declare it: `approvals: {{{STRUCTURAL}: {{role: risk, within: 1h}}}}`"
            yield Diagnostic("HR434", message, oversight, help)
            return
        if (why := why_not_waiting(rule)) is not None:
            yield Diagnostic("HR432", f"supervised, it would wait, but {why[0]}", _place(rule, place), why[1])


def _place(rule: Rule, place: Callable[[str], Span]) -> Span:
    """Return where this spec is told of a transition: there, or where it uses the spec that has it."""
    return place(rule.source) if "." in rule.source else rule.span


def _is_brought(program: Program, rule: Rule) -> bool:
    """Return whether a transition takes events alone that some person brings."""
    brought = frozenset(event.name for event in program.events if event.person is not None)
    vocabulary = Vocabulary((*(event.name for event in program.events), *BUILTIN_EVENTS, *APPROVAL_EVENTS))
    return bool(brought) and vocabulary.matching(rule.events) <= brought
