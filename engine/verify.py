"""The rules of the IR: what every backend takes for granted about a program.

A spec that passes the checker always gives a program that keeps them; a broken one is a defect of a stage before, or of a
pass that rewrote the program. All broken rules are told together, each with where it is broken:

    rule up: cell `anchor` is real, its value is bool
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations

from .fills import KINDS
from .ir import (
    LEAVES,
    NEVER,
    NOBODY,
    PROPOSALS,
    Approval,
    Assign,
    Block,
    Call,
    Cell,
    Check,
    Expr,
    Let,
    Program,
    Propose,
    Push,
    Raise,
    Region,
    Require,
    Rule,
    Source,
    State,
    Timer,
    Type,
)
from .statechart import Tree
from .vocabulary import APPROVAL_EVENTS, BUILTIN_EVENTS, EXPIRED, Vocabulary

__all__ = ["ProgramError", "verify"]

_NUMBERS: tuple[Type, ...] = ("real", "int")
_HISTORY = frozenset(("before", "was", "ordered"))
_MACHINE = frozenset(("cell", "before", "field", "temp", "now", "active", "was", "ordered", "person"))
_ARITHMETIC = frozenset(("add", "sub", "mul", "min", "max"))
_ORDER = frozenset(("lt", "le", "gt", "ge"))


class ProgramError(ValueError):
    """A program that breaks rules of the IR; `broken` lists them."""

    def __init__(self, name: str, broken: tuple[str, ...]) -> None:
        super().__init__(f"the program `{name}` breaks {len(broken)} rule(s) of the IR: " + "; ".join(broken))
        self.broken = broken


def verify(program: Program) -> None:
    """Check every rule.

    Raises:
        ProgramError: at least one is broken.
    """
    found = _Verification(program).broken()
    if found:
        raise ProgramError(program.name, found)


class _Verification:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.found: list[str] = []
        self.parameters: dict[str, Type] = {p.name: p.type for p in program.parameters}
        self.cells: dict[str, Cell] = {cell.name: cell for cell in program.cells}
        self.events = {event.name: event for event in program.events}
        done = (f"done.state.{state.name}" for state in program.states)
        heard = (*BUILTIN_EVENTS, *(APPROVAL_EVENTS if program.approvals else ()))
        self.vocabulary = Vocabulary((*self.events, *heard, *done))
        self.states = {state.name: state for state in program.states}
        self.rules = {rule.name: rule for rule in program.rules}
        self.windows = {window.name for window in program.windows}
        self.due = {timer.due for timer in program.timers}
        self.scopes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.typed: set[int] = set()
        self.tree: Tree

    def broken(self) -> tuple[str, ...]:
        self._declarations()
        self._lineage()
        if not self.found:  # the rest reads the tree of states
            self.tree = Tree(self.program.states)
            self._chart()
            for rule in self.program.rules:
                self._rule(rule)
            for timer in self.program.timers:
                self._timer(timer)
            self._parts()
            for approval in self.program.approvals:
                self._approval(approval)
            self._blocks()
            self._claims()
        return tuple(dict.fromkeys(self.found))

    def _hold(self, holds: bool, where: str, what: str) -> bool:
        if not holds:
            self.found.append(f"{where}: {what}")
        return holds

    # --------------------------------------------------------------------------------------------------- declarations

    def _declarations(self) -> None:
        program = self.program
        kinds: tuple[tuple[str, list[str]], ...] = (
            ("parameter", [p.name for p in program.parameters]),
            ("cell", [cell.name for cell in program.cells]),
            ("window", [window.name for window in program.windows]),
            ("event", [event.name for event in program.events]),
            ("instrument", [instrument.name for instrument in program.instruments]),
            ("leg", [leg.name for leg in program.legs]),
            ("state", [state.name for state in program.states]),
            ("rule", [rule.name for rule in program.rules]),
            ("timer", [timer.name for timer in program.timers]),
            ("part", [part.name for part in program.parts]),
        )
        for kind, names in kinds:
            self._hold(len(set(names)) == len(names), kind, "a name is declared twice")
        for p in program.parameters:
            self._constant(f"parameter {p.name}", p.type, p.default)
            inside = (p.low is None or p.default >= p.low) and (p.high is None or p.default <= p.high)
            self._hold(inside, f"parameter {p.name}", "its default is outside its range")
        for cell in program.cells:
            self._constant(f"cell {cell.name}", cell.type, cell.initial)
            ordered = cell.low is None or cell.high is None or cell.low <= cell.high
            self._hold(ordered, f"cell {cell.name}", "its range is empty")
        for window in program.windows:
            self._hold(window.length > 0, f"window {window.name}", "it holds nothing")
        for instrument in program.instruments:
            self._is_cell(f"instrument {instrument.name}", instrument.price, "real")
        held = {instrument.name for instrument in program.instruments}
        for leg in program.legs:
            self._hold(leg.instrument in held, f"leg {leg.name}", f"no instrument `{leg.instrument}`")
            self._is_cell(f"leg {leg.name}", leg.quantity, "real")
            outside = program.fill == "external"
            self._hold(bool(leg.working) == outside, f"leg {leg.name}", "its fills are not those of the program")
            if leg.working:
                self._is_cell(f"leg {leg.name}", leg.working, "real")
                self._is_cell(f"leg {leg.name}", leg.order, "int")
        for event in program.events:
            known = event.leg in ("", *(leg.name for leg in program.legs))
            self._hold(known, f"event {event.name}", f"it fills no leg `{event.leg}`")
        self._hold(program.start_event in (None, *self.events), "start", f"no event `{program.start_event}`")

    def _constant(self, where: str, type: Type, value: object) -> None:
        kinds = {"real": Fraction, "int": int, "bool": bool}
        self._hold(value.__class__ is kinds[type], where, f"it is {type}, its constant is {value!r}")

    def _is_cell(self, where: str, cell: str, type: Type) -> bool:
        if not self._hold(cell in self.cells, where, f"no cell `{cell}`"):
            return False
        kind = self.cells[cell].type
        return self._hold(kind == type, where, f"cell `{cell}` is {kind}, its value is {type}")

    # ------------------------------------------------------------------------------------------------------ the chart

    def _lineage(self) -> None:
        """Check what makes the states a tree."""
        seen: set[str] = set()
        for state in self.program.states:
            self._hold(
                state.parent is None or state.parent in seen, f"state {state.name}", "it stands before its parent"
            )
            seen.add(state.name)

    def _chart(self) -> None:
        program, tree = self.program, self.tree
        for state in program.states:
            self._state(state)
        self._together("initial", program.initial)
        self._hold(bool(program.initial), "initial", "no state is entered first")
        regions = tuple(Region(root, tree.leaves(root)) for root in tree.roots())
        self._hold(program.regions == regions, "regions", "they are not those of the tree, in order")
        safe = program.fail_safe
        self._hold(safe is None or self._is_atomic(safe), "fail_safe", f"`{safe}` is not atomic")

    def _state(self, state: State) -> None:
        where, tree = f"state {state.name}", self.tree
        children = tree.children[state.name]
        around = state.kind in ("compound", "parallel")
        self._hold(around == bool(children), where, f"it is {state.kind}, with {len(children)} states inside")
        self._hold(around or not tree.histories[state.name], where, f"it is {state.kind}, with a history state inside")
        if state.kind == "parallel":
            for child in children:
                self._hold(self.states[child].kind != "final", where, f"its region `{child}` is a final state")
        if state.kind == "history":
            blocks = state.stamp + state.entry + state.exit + state.leave
            self._hold(not blocks, where, "it is never active, and does something then")
            self._hold(state.parent is not None, where, "it remembers nothing: it is in no state")
        self._hold(state.kind == "history" or not state.deep, where, "it is deep, and no history state")
        if state.kind in ("compound", "history"):
            self._initial(where, state)
        else:
            self._hold(
                not state.initial and not state.initially, where, f"a transition leads into what is {state.kind}"
            )
        if state.fail_safe is not None:
            inside = self._is_atomic(state.fail_safe) and tree.is_descendant(state.fail_safe, state.name)
            self._hold(inside, where, f"its fail_safe `{state.fail_safe}` is no atomic state inside it")
        for name, block in (("stamp", state.stamp), ("leave", state.leave)):
            self._cannot_fail(f"{where} {name}", block)

    def _initial(self, where: str, state: State) -> None:
        """Check the initial transition of a compound state, or the default one of a history state."""
        if not self._hold(bool(state.initial), where, "it does not say what it enters"):
            return
        if not self._together(where, state.initial):
            return
        history = state.kind == "history"
        around = state.parent if history else state.name
        for target in state.initial:
            # A history state that falls back on one of the same state might lead in a circle.
            entered = self._place(target) if history else target
            inside = around is not None and self.tree.is_descendant(entered, around)
            self._hold(inside, where, f"it enters `{target}`, which is not inside `{around}`")

    def _together(self, where: str, targets: Sequence[str]) -> bool:
        """Check that targets exist and can be active together (W3C SCXML 3.11, legal state specifications)."""
        known = [self._hold(name in self.states, where, f"no state `{name}`") for name in targets]
        if not all(known):
            return False
        legal = [
            self._hold(self._is_apart(first, second), where, f"`{first}` and `{second}` cannot be active together")
            for first, second in combinations(dict.fromkeys(targets), 2)
        ]
        return all(legal)

    def _is_apart(self, first: str, second: str) -> bool:
        """Return whether two states lie in different regions of a parallel state."""
        first, second = self._place(first), self._place(second)
        around = (second, *self.tree.ancestors[second])
        common = next((name for name in (first, *self.tree.ancestors[first]) if name in around), None)
        return common not in (None, first, second) and self.tree.kind(str(common)) == "parallel"

    def _place(self, state: str) -> str:
        """Return the state that a target enters in any case: a history state stands for its parent."""
        return self.tree.parent(state) if self.states[state].kind == "history" else state

    def _is_atomic(self, state: str) -> bool:
        return state in self.states and self.states[state].kind == "atomic"

    def _cannot_fail(self, where: str, block: Block) -> None:
        for instruction in block:
            if not self._hold(isinstance(instruction, Assign), where, "it does more than assign"):
                continue
            assert isinstance(instruction, Assign)
            for name, value in instruction.targets:
                cell = self.cells.get(name)
                free = cell is None or (cell.type == "int" and cell.low is None and cell.high is None)
                self._hold(free, where, f"`{name}` may refuse a time")
                reads = {node.op for node in value.walk()} & (_MACHINE - {"now"})
                self._hold(not reads, where, f"`{name}` reads more than parameters and the clock")

    def _rule(self, rule: Rule) -> None:
        where, states = f"rule {rule.name}", self.states
        if self._hold(rule.source in states, where, f"no state `{rule.source}`"):
            kind = states[rule.source].kind
            self._hold(kind not in ("final", "history"), where, f"it leaves a {kind} state")
        self._together(where, rule.targets)

    # ----------------------------------------------------------------------------------------------- timers and parts

    def _timer(self, timer: Timer) -> None:
        where = f"timer {timer.name}"
        if self._is_cell(where, timer.due, "int"):
            due = self.cells[timer.due]
            armed = due.kind == "timer" and due.initial == NEVER and due.low is None and due.high is None
            self._hold(armed, where, f"cell `{due.name}` is not that of a timer that is not armed")
        if timer.period is not None:
            self._over_parameters(where, timer.period)
        event = self.events.get(timer.event)
        if event is None:
            own = timer.event == timer.name and timer.name.startswith(("after.", "every."))
            own |= timer.event == EXPIRED and any(timer.name == each.timer for each in self.program.approvals)
            self._hold(own, where, f"no event `{timer.event}`")
        declared = () if event is None else event.fields
        named = tuple(f"{timer.event}.{field.name}" for field in declared)
        if not self._hold(tuple(name for name, _ in timer.fields) == named, where, "it brings other fields"):
            return
        for field, (_, name) in zip(declared, timer.fields, strict=True):
            if self._is_cell(where, name, field.type):
                cell = self.cells[name]
                same = (cell.kind, cell.low, cell.high) == ("timer", field.low, field.high)
                self._hold(same, where, f"cell `{name}` does not hold what `{field.name}` may be")
        if timer.person and self._is_cell(where, timer.person, "int"):
            cell = self.cells[timer.person]
            people = Fraction(NOBODY), Fraction(len(self.program.people) - 1)
            fits = cell.kind == "timer" and (cell.low, cell.high) == people
            self._hold(fits, where, f"cell `{cell.name}` does not hold who armed it")

    def _parts(self) -> None:
        program = self.program
        held = Counter(name for timer in program.timers for name in (timer.due, *(cell for _, cell in timer.fields)))
        held.update(timer.person for timer in program.timers if timer.person)
        for cell in program.cells:
            if cell.kind == "timer" or held[cell.name]:
                self._hold(held[cell.name] == 1, f"cell {cell.name}", f"it belongs to {held[cell.name]} timers")
        self._hold(bool(program.parts), "parts", "there is none")
        for part in program.parts:
            known = part.region in (*self.tree.roots(), "")
            self._hold(known, f"part {part.name}", f"its statechart is in `{part.region}`, which is no region")
        for event in program.events:
            count = len(event.observe)
            self._hold(count == len(program.parts), f"event {event.name}", f"{count} observations for the parts")

    def _approval(self, approval: Approval) -> None:
        """Check what waits for people: its transition, its cells, and that enough people may approve it."""
        where, rule = f"approval {approval.rule}", self.rules.get(approval.rule)
        if self._hold(rule is not None, where, "no such rule"):
            assert rule is not None
            self._hold(rule.source == approval.source, where, f"its transition does not leave `{approval.source}`")
        timer = next((each for each in self.program.timers if each.name == approval.timer), None)
        self._hold(timer is not None and timer.due == approval.due, where, f"no timer `{approval.timer}`")
        people = range(len(self.program.people))
        self._hold(set(approval.who) <= set(people), where, "somebody may approve who is not known")
        self._hold(len(set(approval.who)) >= approval.persons, where, "too few may approve")
        self._is_cell(where, PROPOSALS, "int")
        for cell in (approval.number, approval.due, approval.proposer, approval.approver, approval.free):
            self._is_cell(where, cell, "int")
        for leg, cell in approval.shown:
            self._hold(any(leg == each.name for each in self.program.legs), where, f"no leg `{leg}`")
            self._is_cell(where, cell, "real")
        for name, cell in approval.evidence:
            if self._hold(name in self.cells, where, f"no cell `{name}`"):
                self._is_cell(where, cell, self.cells[name].type)
        if approval.guard is not None:
            self._expression(where, approval.guard, "bool", ())
        for seconds in (approval.within, approval.again):
            self._over_parameters(where, seconds)

    # --------------------------------------------------------------------------------------------------------- blocks

    def _blocks(self) -> None:
        program = self.program
        for parameter in program.parameters:
            if parameter.given is not None:
                self._over_parameters(f"parameter {parameter.name}", parameter.given, parameter.type)
        start = (program.start_event,) if program.start_event else ()
        for part in program.parts:
            named = f"{part.name} ".lstrip()
            self._block(f"{named}begin", part.begin, start)
            self._block(f"{named}endow", part.endow, start)
            self._block(f"{named}endow late", part.endow_late, start)
        self._block("accrue", program.accrue, ())
        for event in program.events:
            self._block(f"event {event.name} marks", event.marks, (event.name,))
            for block in event.observe:
                self._block(f"event {event.name} observe", block, (event.name,))
        for leg in program.legs:
            temps: dict[str, Type] = {"after": "real"}
            self._block(f"fill {leg.name}", leg.fill, (), temps, history=True)
            for name in ("delta", "notional", "fee", "slip"):
                self._hold(temps.get(name) == "real", f"fill {leg.name}", f"it does not bind `{name}`")
        self._block("outlook", program.outlook, ())
        for state in program.states:
            self._block(f"state {state.name} stamp", state.stamp, ())
            self._block(f"state {state.name} leave", state.leave, ())
            for name, block in (("initially", state.initially), ("entry", state.entry), ("exit", state.exit)):
                self._block(f"state {state.name} {name}", block, (), acts=True)
        for rule in program.rules:
            fields = self._scope(rule.events)
            if rule.guard is not None:
                self._expression(f"rule {rule.name} guard", rule.guard, "bool", fields)
            self._block(f"rule {rule.name}", rule.measure, fields, acts=False)
            self._block(f"rule {rule.name}", rule.action, fields, acts=True)

    def _scope(self, descriptors: tuple[str, ...]) -> tuple[str, ...]:
        """Return the event whose fields a transition on these descriptors can read: the only one that they match."""
        if descriptors not in self.scopes:
            matched = self.vocabulary.matching(descriptors)
            self.scopes[descriptors] = tuple(matched) if len(matched) == 1 and matched <= set(self.events) else ()
        return self.scopes[descriptors]

    def _block(
        self,
        where: str,
        block: Block,
        events: Collection[str],
        temps: dict[str, Type] | None = None,
        acts: bool = False,
        history: bool = False,
    ) -> None:
        """Check one block; `temps` holds what is bound before it, and afterwards what it binds.

        `history` says that it may read what was there before the macrostep.
        """
        temps = {} if temps is None else temps
        ordered: set[str] = set()
        for instruction in block:
            if isinstance(instruction, (Propose, Raise)):
                self._hold(acts, where, "it orders or raises outside of an action")
            match instruction:
                case Let():
                    self._expression(where, instruction.value, instruction.value.type, events, temps, history)
                    temps[instruction.temp] = instruction.value.type
                case Assign():
                    names = [name for name, _ in instruction.targets]
                    self._hold(len(set(names)) == len(names), where, "one assignment writes a cell twice")
                    for name, value in instruction.targets:
                        self._is_cell(where, name, value.type)
                        self._expression(where, value, value.type, events, temps, history)
                        timed = value.op == "due" or value.value == NEVER
                        self._hold(name not in self.due or timed, where, f"`{name}` is set to what is no due time")
                case Require():
                    self._waits(where, instruction.waits)
                    self._expression(where, instruction.condition, "bool", events, temps)
                case Propose():
                    self._hold(any(leg.name == instruction.leg for leg in self.program.legs), where, "no such leg")
                    self._hold(instruction.leg not in ordered, where, f"it orders `{instruction.leg}` twice")
                    ordered.add(instruction.leg)
                    self._expression(where, instruction.after, "real", events, temps)
                case Raise():
                    if self._hold(instruction.event in self.events, where, f"no event `{instruction.event}`"):
                        fields = tuple((f.name, f.type) for f in self.events[instruction.event].fields)
                        given = tuple((name, value.type) for name, value in instruction.fields)
                        self._hold(given == fields, where, f"`{instruction.event}` is raised with other fields")
                    for _, value in instruction.fields:
                        self._expression(where, value, value.type, events, temps)
                case Push():
                    self._hold(instruction.window in self.windows, where, f"no window `{instruction.window}`")
                    self._expression(where, instruction.value, "real", events, temps)
                case Call():
                    self._call(where, instruction, events, temps)

    def _call(
        self, where: str, call: Call, events: Collection[str], temps: Mapping[str, Type], history: bool = False
    ) -> None:
        for _, value in call.arguments:
            if isinstance(value, Source):
                known = value.kind != "window" or value.text in self.windows
                self._hold(known, where, f"no window `{value.text}`")
            else:
                self._expression(where, value, value.type, events, temps, history)
        self._waits(where, call.waits)
        for _, cell in call.into:
            self._hold(cell in self.cells, where, f"no cell `{cell}`")

    def _waits(self, where: str, windows: Iterable[str]) -> None:
        for name in windows:
            self._hold(name in self.windows, where, f"no window `{name}`")

    # --------------------------------------------------------------------------------------------------------- claims

    def _claims(self) -> None:
        program = self.program
        for name, claim in (*program.invariants, *program.helpers):
            self._expression(f"claim {name}", claim, "bool", (), history=True)
        for gate in program.gates:
            for check in gate.checks:
                self._check(f"check {gate.called(check)}", check)
            for leg in gate.legs:
                self._hold(any(leg == each.name for each in program.legs), f"gate {gate.name}", f"no leg `{leg}`")
        for ranking in program.rankings:
            where = f"ranking {ranking.name}"
            self._hold(ranking.state in self.states, where, f"no state `{ranking.state}`")
            self._hold(ranking.rule in self.rules, where, f"no rule `{ranking.rule}`")
            self._expression(where, ranking.measure, "real", ())
            for expr in (ranking.factor, ranking.until, ranking.within):
                self._over_parameters(where, expr)
        for measure, rules in program.report.measures:
            self._is_cell("report", f"report.{measure}", "real")
            self._hold(all(rule in self.rules for rule in rules), "report", f"`{measure}` names no rule")
        for limit, expr in program.report.limits:
            self._over_parameters(f"limit {limit}", expr)

    def _check(self, where: str, check: Check) -> None:
        self._expression(where, check.condition, "bool", (), history=True)
        for expr in (check.value, check.least, check.most):
            if expr is not None:
                self._expression(where, expr, "real", (), history=True)
        for fresh in check.fresh:
            # Where fills are simulated, the events that fill orders are left out.
            is_known = fresh.event in self.events or fresh.event.rpartition(".")[2] in KINDS
            self._hold(is_known, where, f"no event `{fresh.event}`")
            self._over_parameters(where, fresh.within)
            self._expression(where, fresh.holds, "bool", ())
        bound = check.bound
        if bound is not None:
            self._call(where, bound.call, (), {}, history=True)
            self._hold(not bound.call.into, where, "a check keeps no results")
            self._hold(not bound.isolate or bound.deadline_ns is not None, where, "it is isolated without a deadline")
            self._hold(bound.deadline_ns is None or bound.deadline_ns > 0, where, "its deadline is not above 0")

    def _over_parameters(self, where: str, expr: Expr, type: Type = "real") -> None:
        self._expression(where, expr, type, ())
        self._hold(not any(node.op in _MACHINE for node in expr.walk()), where, "it reads more than parameters")

    # ---------------------------------------------------------------------------------------------------- expressions

    def _expression(
        self,
        where: str,
        expr: Expr,
        type: Type,
        events: Collection[str],
        temps: Mapping[str, Type] | None = None,
        history: bool = False,
    ) -> None:
        self._hold(expr.type == type, where, f"{type} is wanted, `{expr.op}` is {expr.type}")
        for node in expr.walk():
            if node.op in LEAVES:
                self._leaf(where, node, events, {} if temps is None else temps, history)
            elif id(node) not in self.typed:
                self.typed.add(id(node))
                shown = f"`{node.op}` of {', '.join(a.type for a in node.args)} gives {node.type}"
                self._hold(_fits(node), where, f"{shown}, which it cannot")

    def _leaf(self, where: str, node: Expr, events: Iterable[str], temps: Mapping[str, Type], history: bool) -> None:
        if node.op in _HISTORY and not self._hold(history, where, f"`{node.op}` outside of a claim"):
            return
        match node.op:
            case "const":
                self._constant(where, node.type, node.value)
            case "now":
                self._hold(node.type == "int", where, "the time is an int")
            case "person":
                self._hold(node.type == "int", where, "a person is an int")
            case "ordered":
                self._hold(node.type == "bool", where, "`ordered` is a bool")
            case "active" | "was":
                state = self.states.get(node.name)
                known = state is not None and state.kind != "history" and node.type == "bool"
                self._hold(known, where, f"`{node.op}` asks for `{node.name}`, which is no state")
            case "cell" | "before":
                self._is_cell(where, node.name, node.type)
            case "param":
                self._hold(self.parameters.get(node.name) == node.type, where, f"no {node.type} param `{node.name}`")
            case "temp":
                self._hold(temps.get(node.name) == node.type, where, f"`{node.name}` is not bound to a {node.type}")
            case "field":
                fields = {f"{event}.{f.name}": f.type for event in events for f in self.events[event].fields}
                self._hold(fields.get(node.name) == node.type, where, f"no {node.type} field `{node.name}` here")


def _fits(node: Expr) -> bool:
    """Return whether an operator has the types that it takes and gives."""
    op, types, result = node.op, tuple(argument.type for argument in node.args), node.type
    first = types[0] if types else None
    if op in _ARITHMETIC:
        return first in _NUMBERS and types == (result, result)
    if op in _ORDER:
        return first in _NUMBERS and types == (first, first) and result == "bool"
    match op:
        case "neg" | "abs":
            return first in _NUMBERS and types == (result,)
        case "sqrt" | "floor":
            return types == ("real",) and result == "real"
        case "real":
            return types == ("int",) and result == "real"
        case "seconds":
            return types == ("int", "int") and result == "real"
        case "due":
            return types == ("int", "real") and result == "int"
        case "div":
            return types == ("real", "real") and result == "real"
        case "eq" | "ne":
            return len(types) == 2 and types[0] == types[1] and result == "bool"
        case "not":
            return types == ("bool",) and result == "bool"
        case "and" | "or":
            return types == ("bool", "bool") and result == "bool"
        case "select":
            return types == ("bool", result, result)
        case "given":
            return types == ("bool", result) and bool(node.name)
    return False
