"""The rules of the IR: what every backend takes for granted about a program.

A spec that passes the checker always gives a program that keeps them; a broken one is a defect of a stage before, or of a
pass that rewrote the program. All broken rules are told together, each with where it is broken:

    rule up: cell `anchor` is real, its value is bool
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction

from .ir import LEAVES, Assign, Block, Call, Expr, Let, Program, Propose, Push, Raise, Require, Rule, Source, Type

__all__ = ["ProgramError", "verify"]

_NUMBERS: tuple[Type, ...] = ("real", "int")
_HISTORY = frozenset(("before", "was", "ordered"))
_MACHINE = frozenset(("cell", "before", "field", "temp", "now", "active", "was", "ordered"))
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
        self.cells: dict[str, Type] = {cell.name: cell.type for cell in program.cells}
        self.events = {event.name: event for event in program.events}
        self.states = {state.name: state for state in program.states}
        self.rules = {rule.name: rule for rule in program.rules}
        self.windows = {window.name for window in program.windows}
        self.leaves = {state.name for state in program.states if state.kind != "compound"}
        self.typed: set[int] = set()

    def broken(self) -> tuple[str, ...]:
        self._declarations()
        self._chart()
        if not self.found:  # the rest reads the tree of states
            for rule in self.program.rules:
                self._rule(rule)
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
        self._hold(program.start_event in (None, *self.events), "start", f"no event `{program.start_event}`")

    def _constant(self, where: str, type: Type, value: object) -> None:
        kinds = {"real": Fraction, "int": int, "bool": bool}
        self._hold(value.__class__ is kinds[type], where, f"it is {type}, its constant is {value!r}")

    def _is_cell(self, where: str, cell: str, type: Type) -> bool:
        if not self._hold(cell in self.cells, where, f"no cell `{cell}`"):
            return False
        return self._hold(self.cells[cell] == type, where, f"cell `{cell}` is {self.cells[cell]}, its value is {type}")

    # ------------------------------------------------------------------------------------------------------ the chart

    def _chart(self) -> None:
        program = self.program
        seen: set[str] = set()
        parents = {state.parent for state in program.states}
        for state in program.states:
            where = f"state {state.name}"
            self._hold(state.parent is None or state.parent in seen, where, "it stands before its parent")
            seen.add(state.name)
            self._hold(0 <= state.region < len(program.regions), where, f"no region {state.region}")
            self._hold((state.kind == "compound") == (state.name in parents), where, f"it is {state.kind}")
            if state.kind == "compound":
                inner = self.states.get(state.initial or "")
                self._hold(
                    inner is not None and inner.parent == state.name, where, "its initial state is not inside it"
                )
            else:
                self._hold(state.initial is None, where, "a leaf has an initial state")
        for index, region in enumerate(program.regions):
            leaves = tuple(s.name for s in program.states if s.region == index and s.kind != "compound")
            self._hold(
                region.leaves == leaves, f"region {region.name}", "its leaves are not those of the tree, in order"
            )
            self._hold(region.initial in region.leaves, f"region {region.name}", "its initial state is no leaf of it")
        safe = program.fail_safe
        self._hold(
            safe is None or (safe in self.leaves and self.states[safe].kind == "atomic"), "fail_safe", "not atomic"
        )

    def _rule(self, rule: Rule) -> None:
        where, states = f"rule {rule.name}", self.states
        if not self._hold(rule.source in states, where, f"no state `{rule.source}`"):
            return
        self._hold(states[rule.source].kind != "final", where, "it leaves a final state")
        if rule.target is None:
            self._hold(rule.domain is None and not rule.entered, where, "it has no target, but a domain or entries")
            return
        lineage = self.program.lineage()
        if not self._hold(all(name in states for name in (rule.target, *rule.entered)), where, "it enters no state"):
            return
        self._hold(rule.domain in (None, *lineage[rule.source]), where, "its domain is not around its source")
        wanted = [rule.target, *(name for name in lineage[rule.target])]
        wanted = wanted if rule.domain not in wanted else wanted[: wanted.index(rule.domain)]
        chain, deepest = wanted[::-1], states[rule.target]
        while deepest.initial is not None:
            deepest = states[deepest.initial]
            chain.append(deepest.name)
        self._hold(rule.entered == tuple(chain), where, f"it enters {', '.join(rule.entered)}, not {', '.join(chain)}")

    # --------------------------------------------------------------------------------------------------------- blocks

    def _blocks(self) -> None:
        program = self.program
        start = (program.start_event,) if program.start_event else ()
        self._block("begin", program.begin, start)
        self._block("endow", program.endow, start)
        self._block("endow late", program.endow_late, start)
        self._block("accrue", program.accrue, (), {"dt": "real"})
        for event in program.events:
            self._block(f"event {event.name} marks", event.marks, (event.name,))
            self._block(f"event {event.name} observe", event.observe, (event.name,))
        for leg in program.legs:
            temps: dict[str, Type] = {"after": "real"}
            self._block(f"fill {leg.name}", leg.fill, (), temps)
            for name in ("delta", "notional", "fee", "slip"):
                self._hold(temps.get(name) == "real", f"fill {leg.name}", f"it does not bind `{name}`")
        for state in program.states:
            self._block(f"state {state.name} stamp", state.stamp, ())
            self._block(f"state {state.name} entry", state.entry, (), acts=True)
            self._block(f"state {state.name} exit", state.exit, (), acts=True)
        for rule in program.rules:
            event_fields = (rule.event,) if rule.event in self.events else ()
            if rule.guard is not None:
                self._expression(f"rule {rule.name} guard", rule.guard, "bool", event_fields)
            self._block(f"rule {rule.name}", rule.measure, event_fields, acts=False)
            self._block(f"rule {rule.name}", rule.action, event_fields, acts=True)

    def _block(
        self,
        where: str,
        block: Block,
        events: Collection[str],
        temps: dict[str, Type] | None = None,
        acts: bool = False,
    ) -> None:
        """Check one block; `temps` holds what is bound before it, and afterwards what it binds."""
        temps = {} if temps is None else temps
        ordered: set[str] = set()
        for instruction in block:
            if isinstance(instruction, (Propose, Raise)):
                self._hold(acts, where, "it orders or raises outside of an action")
            match instruction:
                case Let():
                    self._expression(where, instruction.value, instruction.value.type, events, temps)
                    temps[instruction.temp] = instruction.value.type
                case Assign():
                    names = [name for name, _ in instruction.targets]
                    self._hold(len(set(names)) == len(names), where, "one assignment writes a cell twice")
                    for name, value in instruction.targets:
                        self._is_cell(where, name, value.type)
                        self._expression(where, value, value.type, events, temps)
                case Require():
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

    def _call(self, where: str, call: Call, events: Collection[str], temps: Mapping[str, Type]) -> None:
        for _, value in call.arguments:
            if isinstance(value, Source):
                known = value.kind != "window" or value.text in self.windows
                self._hold(known, where, f"no window `{value.text}`")
            else:
                self._expression(where, value, value.type, events, temps)
        for name in call.waits:
            self._hold(name in self.windows, where, f"no window `{name}`")
        for _, cell in call.into:
            self._hold(cell in self.cells, where, f"no cell `{cell}`")

    # --------------------------------------------------------------------------------------------------------- claims

    def _claims(self) -> None:
        program = self.program
        for name, claim in (*program.invariants, *program.helpers):
            self._expression(f"claim {name}", claim, "bool", (), history=True)
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

    def _over_parameters(self, where: str, expr: Expr) -> None:
        self._expression(where, expr, "real", ())
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
            case "ordered":
                self._hold(node.type == "bool", where, "`ordered` is a bool")
            case "active" | "was":
                leaves = bool(node.states) and self.leaves.issuperset(node.states)
                self._hold(leaves and node.type == "bool", where, f"`{node.op}` asks for what is no leaf")
            case "cell" | "before":
                self._is_cell(where, node.name, node.type)
            case "param":
                self._hold(self.parameters.get(node.name) == node.type, where, f"no {node.type} param `{node.name}`")
            case "temp":
                self._hold(temps.get(node.name) == node.type, where, f"`{node.name}` is not bound to a {node.type}")
            case "field":
                known = {f"{event}.{f.name}": f.type for event in events for f in self.events[event].fields}
                self._hold(known.get(node.name) == node.type, where, f"no {node.type} field `{node.name}` here")


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
