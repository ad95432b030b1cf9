"""Programs and expressions as text, and the digest that names a program.

The text is for people and for golden tests; the digest covers everything that a run depends on, and nothing that only a
reader of the file sees (comments, `about`, places).
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

from .diagnostics import Span
from .ir import (
    INFIX,
    NEVER,
    Assign,
    Block,
    Call,
    Check,
    Event,
    Expr,
    Field,
    Leg,
    Let,
    Program,
    Propose,
    Push,
    Raise,
    Require,
    Rule,
    Source,
    State,
    Timer,
)

__all__ = ["digest", "expression_text", "program_text"]

_LONGEST = 160


def expression_text(expr: Expr) -> str:
    """Return the expression in the language's own spelling; a long one by the start of its digest."""
    if expr.size > 60:
        return f"expr:{_expression_digest(expr, {})[:16]}"
    text = _text(expr)
    return text if len(text) <= _LONGEST else f"expr:{_expression_digest(expr, {})[:16]}"


def _text(expr: Expr) -> str:
    arguments = [_text(argument) for argument in expr.args]
    if expr.op in INFIX:
        return f"({arguments[0]} {INFIX[expr.op]} {arguments[1]})"
    match expr.op:
        case "const":
            return _constant(expr.value)
        case "param" | "cell" | "field" | "temp":
            return expr.name
        case "before":
            return f"before.{expr.name}"
        case "now" | "person":
            return expr.op
        case "active":
            return f"In({expr.name})"
        case "was":
            return f"was({expr.name})"
        case "neg":
            return f"-{arguments[0]}"
        case "not":
            return f"(not {arguments[0]})"
        case "select":
            return f"({arguments[1]} if {arguments[0]} else {arguments[2]})"
        case "seconds":
            return f"seconds({arguments[0]} - {arguments[1]})"
    return f"{expr.op}({', '.join(arguments)})"


def _constant(value: Fraction | int | bool | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == NEVER:
        return "never"
    if isinstance(value, Fraction) and value.denominator != 1:
        as_float = float(value)
        return repr(as_float) if Fraction(repr(as_float)) == value else str(value)
    return str(value)


def program_text(program: Program) -> str:
    """Return the whole program, one declaration or instruction a line."""
    start, safe, initial = program.start_event or "any", program.fail_safe or "none", ",".join(program.initial)
    lines = [f"program {program.name} fill={program.fill} money={program.money}"]
    lines[0] += f" start={start} initial={initial} fail_safe={safe}"
    for p in program.parameters:
        value = _constant(p.default) if p.given is None else f"given {_text(p.given)}"
        lines.append(f"param {p.name}: {p.type} [{p.unit}] = {value} in {_range(p.low, p.high)}")
    for cell in program.cells:
        low_high = _range(cell.low, cell.high)
        lines.append(
            f"cell {cell.name}: {cell.type} [{cell.unit}] {cell.kind} = {_constant(cell.initial)} in {low_high}"
        )
    lines += [f"window {w.name}: {w.length} {'waits' if w.waits else 'partial'}" for w in program.windows]
    lines += [f"instrument {i.name}: [{i.unit}] price={i.price}" for i in program.instruments]
    for part in program.parts:
        lines.append(f"part{_after(' ', part.name)}{_after(' in ', part.region)}")
        for title, block in (("begin", part.begin), ("endow", part.endow), ("endow late", part.endow_late)):
            lines += _block(f"  {title}", block)
    lines += _block("accrue", program.accrue)
    for leg in program.legs:
        lines += _block(f"fill {leg.name}: {leg.side} {leg.instrument}", leg.fill)
    lines += _block("outlook", program.outlook)
    for event in program.events:
        fields = ", ".join(f"{f.name}: {f.type} [{f.unit}] in {_range(f.low, f.high)}" for f in event.fields)
        lines.append(f"event {event.name}({fields}){_after(' fills ', event.leg)}")
        lines += _block("  marks", event.marks)
        for part, block in zip(program.parts, event.observe, strict=True):
            lines += _block(f"  observe{_after(' ', part.name)}", block)
    lines += [_timer(timer) for timer in program.timers]
    lines += [f"region{_after(' ', region.root)}: leaves {' '.join(region.leaves)}" for region in program.regions]
    for state in program.states:
        lines += _state(state)
    for rule in program.rules:
        lines += _rule(rule)
    for gate in program.gates:
        lines.append(f"gate {gate.name}: {gate.applies}{_after(' of ', ' '.join(gate.legs))}")
        lines += map(_check, gate.checks)
    lines += [f"person {person.name}: {' '.join(person.roles)}" for person in program.people]
    for each in program.approvals:
        who = " ".join(program.people[index].name for index in each.who)
        lines.append(f"approval {each.rule}: {'always' if each.always else 'increases'}, {each.persons} of {who}")
        guard = "" if each.guard is None else f" if {_text(each.guard)}"
        lines.append(f"  within {_text(each.within)}, again {_text(each.again)}{guard}")
    lines += [f"invariant {name}: {_text(expr)}" for name, expr in program.invariants]
    lines += [f"helper {name}: {_text(expr)}" for name, expr in program.helpers]
    lines += [
        f"decreases {r.name}: {_text(r.measure)} by {_text(r.factor)} at each {r.rule} in {r.state} "
        f"until {_text(r.until)} within {_text(r.within)}{'' if r.provided is None else f' if {_text(r.provided)}'}"
        for r in program.rankings
    ]
    lines += [f"limit {name}: {_text(expr)}" for name, expr in program.report.limits]
    return "\n".join(lines) + "\n"


def _timer(timer: Timer) -> str:
    again = "" if timer.period is None else f" every {_text(timer.period)}"
    fields = ", ".join(f"{field}={cell}" for field, cell in timer.fields)
    return f"timer {timer.name}: event {timer.event}({fields}) at {timer.due}{again}{_after(' of ', timer.person)}"


def _state(state: State) -> list[str]:
    kind = "deep history" if state.deep else state.kind
    initial = f" initial={','.join(state.initial)}" if state.initial else ""
    tags = f" tags={','.join(state.tags)}" if state.tags else ""
    safe = _after(" fail_safe=", state.fail_safe)
    return [
        f"state {state.name}: {kind}{_after(' in ', state.parent)}{initial}{safe}{tags}",
        *_block("  initially", state.initially),
        *_block("  stamp", state.stamp),
        *_block("  entry", state.entry),
        *_block("  exit", state.exit),
        *_block("  leave", state.leave),
    ]


def _rule(rule: Rule) -> list[str]:
    guard = f" if {_text(rule.guard)}" if rule.guard is not None else ""
    targets = f" -> {', '.join(rule.targets)}" if rule.targets else ""
    internal = " internal" if rule.internal else ""
    on = f"on {' '.join(rule.events)}" if rule.events else "always"
    return [
        f"rule {rule.name}: {rule.source} {on}{guard}{targets}{internal}",
        *_block("  measure", rule.measure),
        *_block("  do", rule.action),
    ]


def _check(check: Check) -> str:
    line = f"  check {check.name}: {_text(check.condition)}{_after(' in ', check.unit)}"
    if check.bound is None:
        return line
    deadline = "" if check.bound.deadline_ns is None else f" by {check.bound.deadline_ns} ns"
    isolated = " isolated" if check.bound.isolate else ""
    return f"{line} and {_called(check.bound.call)}{isolated}{deadline}"


def _after(word: str, name: str | None) -> str:
    """Return a name behind its word; nothing where there is no name."""
    return f"{word}{name}" if name else ""


def _range(low: Fraction | None, high: Fraction | None) -> str:
    return f"[{'-' if low is None else _constant(low)}, {'-' if high is None else _constant(high)}]"


def _block(title: str, block: Block) -> list[str]:
    indent = " " * (len(title) - len(title.lstrip()) + 2)
    return [f"{title}:", *(indent + _instruction(instruction) for instruction in block)] if block else []


def _instruction(instruction: object) -> str:
    match instruction:
        case Let():
            return f"let {instruction.temp} = {_text(instruction.value)}"
        case Assign():
            names = ", ".join(name for name, _ in instruction.targets)
            return f"set {names} = {', '.join(_text(value) for _, value in instruction.targets)}"
        case Require():
            waits = f" when {', '.join(instruction.waits)} full" if instruction.waits else ""
            return f"require {_text(instruction.condition)} else {instruction.reason!r}{waits}"
        case Propose():
            return f"{instruction.verb} {instruction.leg} to {_text(instruction.after)}"
        case Raise():
            fields = ", ".join(f"{name}={_text(value)}" for name, value in instruction.fields)
            return f"raise {instruction.event}({fields})"
        case Push():
            return f"push {instruction.window} {_text(instruction.value)}"
        case Call():
            results = ", ".join(f"{cell}={result or 'result'}" for result, cell in instruction.into)
            return f"{_called(instruction)} into {results}"
    raise AssertionError(instruction)


def _called(call: Call) -> str:
    arguments = ", ".join(
        f"{name}={value.kind}:{value.text}" if isinstance(value, Source) else f"{name}={_text(value)}"
        for name, value in call.arguments
    )
    return f"call {call.function}({arguments})"


def digest(program: Program) -> str:
    """Return the SHA-256, in hex, of all that decides how the program runs."""
    import hashlib  # loading OpenSSL takes longer than many a spec

    memo: dict[int, str] = {}
    return hashlib.sha256(repr(_canonical(program, memo)).encode()).hexdigest()


def _canonical(value: Any, memo: dict[int, str]) -> Any:
    if isinstance(value, Expr):
        return _expression_digest(value, memo)
    if isinstance(value, tuple):
        return tuple([_canonical(item, memo) for item in value])
    if isinstance(value, Fraction):
        return str(value)
    if not dataclasses.is_dataclass(value):
        return value
    fields = ((item.name, getattr(value, item.name)) for item in dataclasses.fields(value))
    kept = [(name, _canonical(part, memo)) for name, part in fields if _decides(value, name, part)]
    return (type(value).__name__, *kept)


def _decides(value: object, name: str, part: object) -> bool:
    """Return whether a field of the IR decides how the program runs."""
    # What came later and says nothing counts as it did before it was there, so that snapshots stay valid.
    says_nothing = not part and name in _LATER.get(type(value), ())
    return name not in _UNDECIDED and not isinstance(part, Span) and not says_nothing


_LATER = {
    Check: ("fresh", "bound"),
    Event: ("leg",),
    Field: ("people",),
    Leg: ("working", "order"),
    Program: ("outlook", "approvals", "people"),
    Require: ("waits",),
    Timer: ("person",),
}
_UNDECIDED = frozenset(("about", "approval", "oversight", "policies"))
"""What decides nothing, or only through the approvals that are made of it."""


def _expression_digest(expr: Expr, memo: dict[int, str]) -> str:
    import hashlib

    for node in expr.walk(memo):
        parts = (node.op, node.type, node.name, _constant(node.value), *[memo[id(each)] for each in node.args])
        memo[id(node)] = hashlib.sha256(repr(parts).encode()).hexdigest()
    return memo[id(expr)]
