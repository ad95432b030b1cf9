"""People, roles and policies of a spec: who says yes to what, read and checked.

    people:    {anna: [risk], ben: [trading]}
    approvals: {release: {role: risk, within: 4h}}        a transition with `approval: release` waits for anna

Here is told what one spec says of them; `engine.approvals` makes of it what a program does, and tells what only shows in a
whole composition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from .chart import Chart
from .check import Checker, Location
from .delays import NANOSECOND, delay
from .diagnostics import Span, suggestion
from .ir import Expr, Person, Policy, Rule, expressions
from .model import PolicyShape, Spec
from .symbols import Scope
from .vocabulary import ANSWERS

if TYPE_CHECKING:
    from .compose import UsedSpec

__all__ = [
    "STRUCTURAL",
    "check_waiting",
    "check_waiting_elsewhere",
    "fields_read",
    "holders",
    "read_people",
    "read_policies",
    "why_not_waiting",
]

STRUCTURAL = "structural"
"""The policy under which `supervised` lets wait what enlarges a leg."""


def read_people(spec: Spec, checker: Checker) -> tuple[Person, ...]:
    """Return the people of a spec, having told fields that are a person where nobody is known."""
    for event, fields in spec.events.items():
        persons = [name for name, field in fields.items() if field.type == "person"]
        loc: Location = ("events", event)
        if persons and not spec.people and not _did_not_fit(spec, checker):
            message = f"`{event}.{persons[0]}` is a person, and the spec knows nobody"
            help = "add who may bring it, with their roles: `people: {anna: [risk]}`"
            checker.findings.error("HR433", message, checker.document.key((*loc, persons[0])).span, help)
        for name in persons[1:]:
            message = f"`{event}` brings two persons, `{persons[0]}` and `{name}`"
            help = "one person brings an event, and may not approve what it leads to: make two events of it"
            checker.findings.error("HR433", message, checker.document.key((*loc, name)).span, help)
    return tuple(Person(name, tuple(dict.fromkeys(roles))) for name, roles in spec.people.items())


def _did_not_fit(spec: Spec, checker: Checker) -> bool:
    """Return whether people were written of whom nobody fits the model, which was told."""
    return not spec.people and bool(checker.document.plain().get("people"))


def holders(people: Sequence[Person], role: str) -> tuple[int, ...]:
    """Return those who hold a role, by index."""
    return tuple(index for index, person in enumerate(people) if role in person.roles)


def read_policies(spec: Spec, checker: Checker, people: Sequence[Person]) -> tuple[Policy, ...]:
    """Return the policies of a spec, having told those that nobody could satisfy."""
    found = []
    for name, shape in spec.approvals.items():
        loc: Location = ("approvals", name)
        within = _seconds(checker, (*loc, "within"), NANOSECOND)
        again: Expr | None = checker.pool.constant(Fraction(0), "real")
        if shape.again is not None:
            again = _seconds(checker, (*loc, "again"), Fraction(0))
        if not _did_not_fit(spec, checker):
            _is_held(shape, loc, checker, people)
        if within is not None and again is not None:
            found.append(Policy(name, shape.role, shape.persons, within, again, checker.document.key(loc).span))
    for event in spec.events if spec.approvals else ():
        if event in ANSWERS:
            message = f"`{event}` is what people say to a transition that waits"
            checker.findings.error(
                "HR211", message, checker.document.key(("events", event)).span, "choose another name"
            )
    return tuple(found)


def _seconds(checker: Checker, loc: Location, least: Fraction) -> Expr | None:
    return delay(checker, loc, Scope("a delay", machine=False), "a delay", least)


def _is_held(shape: PolicyShape, loc: Location, checker: Checker, people: Sequence[Person]) -> None:
    """Tell a policy whose role too few people hold."""
    who = holders(people, shape.role)
    if len(who) >= shape.persons:
        return
    roles = sorted({role for person in people for role in person.roles})
    span = checker.document.at((*loc, "role")).span
    if not who:
        help = suggestion(shape.role, roles, f"give it to somebody: `people: {{anna: [{shape.role}]}}`")
        checker.findings.error("HR431", f"nobody holds the role `{shape.role}`", span, help)
    else:
        message = f"two persons must approve, and `{people[who[0]].name}` alone holds the role `{shape.role}`"
        help = "give the role to another one under `people:`, or write `persons: 1`"
        checker.findings.error("HR431", message, span, help)


# --------------------------------------------------------------------------------------------------- what waits for them


def check_waiting(spec: Spec, checker: Checker, chart: Chart, rules: Callable[[], Iterable[Rule]]) -> None:
    """Tell each transition that says it waits for people and cannot; `rules` returns them lowered, if there are any."""
    waiting = [(edge, edge.shape.approval) for edge in chart.edges if edge.shape.approval is not None]
    lowered = {rule.name: rule for rule in rules()} if waiting else {}
    for edge, policy in waiting:
        loc: Location = (*edge.loc, "approval")
        if policy not in spec.approvals and policy not in checker.symbols.left_out:
            checker.findings.error("HR430", *_unknown_policy(policy, spec.approvals, checker.span(loc)))
        if (why := why_not_waiting(lowered[edge.name])) is not None:
            checker.findings.error("HR432", why[0], checker.document.key(loc).span, why[1])


def check_waiting_elsewhere(used: Iterable[UsedSpec], policies: Iterable[str], checker: Checker) -> None:
    """Tell transitions of used specs that are to wait for people here and cannot."""
    for spec in used:
        rules = {rule.name: rule for rule in spec.lowering.program(spec.lowering.fill).rules}
        for name, policy in spec.shape.approvals.items():
            loc: Location = ("use", spec.name, "approvals", name)
            if policy not in policies:
                checker.findings.error("HR430", *_unknown_policy(policy, policies, checker.span(loc)))
            if name not in rules:
                message, help = f"`{spec.name}` has no transition `{name}`", suggestion(name, rules, "remove it")
                checker.findings.error("HR209", message, checker.document.key(loc).span, help)
            elif rules[name].approval is not None:
                message = f"`{name}` of `{spec.name}` waits already, under a policy of its own"
                span, help = checker.document.key(loc).span, "remove it: the people of this spec answer for it anyway"
                checker.findings.error("HR432", message, span, help)
            elif (why := why_not_waiting(rules[name])) is not None:
                checker.findings.error("HR432", why[0], checker.document.key(loc).span, why[1])


def _unknown_policy(policy: str, known: Iterable[str], span: Span) -> tuple[str, Span, str]:
    """Return what is said of a policy that is not declared, where, and what to write instead."""
    help = suggestion(policy, known, f"declare it: `approvals: {{{policy}: {{role: risk, within: 1h}}}}`")
    return f"unknown policy `{policy}`", span, help


def why_not_waiting(rule: Rule) -> tuple[str, str] | None:
    """Return why a transition cannot wait, and what to write instead."""
    if not rule.events:
        return f"`{rule.name}` needs no event: it would be asked for again and again", "move it under `on:` or `every:`"
    if rule.events[0].startswith("after."):
        help = "let `after` lead to a state of its own, and wait under `on:` or `every:` there"
        return f"`{rule.name}` comes once: after a no it would never come again", help
    if read := fields_read(rule):
        what = f"`{rule.name}` reads `{read[0]}`, which is gone when somebody approves"
        return what, "keep it in a cell with `observe`, or read a mark such as `NAME.price`"
    return None


def fields_read(rule: Rule) -> list[str]:
    """Return the fields of events that a transition reads; the states that it enters and leaves read none."""
    nodes = [] if rule.guard is None else list(rule.guard.walk())
    for block in (rule.measure, rule.action):
        nodes += [node for each in block for expr in expressions(each) for node in expr.walk()]
    return sorted({node.name for node in nodes if node.op == "field"})
