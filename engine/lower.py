"""From the typed model to the IR: the last stage of loading.

Everything that can be wrong with a spec has been told when this stage ends; a `Program` is returned only where nothing
was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from types import MappingProxyType

from . import ledger
from .approvals import check_together as check_approvals
from .approvals import with_approvals
from .blocks import Blocks
from .chart import read_chart
from .check import Checker, Location
from .claims import read_claims
from .compose import UsedSpec, check_together, declare_used, give
from .conflicts import Conflicts
from .declare import bounds, declare, field_of, parameter_of
from .delays import Delays
from .desk import resolve
from .diagnostics import Diagnostic, Findings, Span, suggestion
from .evaluate import EXACT, Environment, Failure, evaluate
from .fill_events import BOOKS, FillEvents
from .fills import fill_of, outlook
from .gates import read_gates
from .ir import (
    ZERO,
    Assign,
    Block,
    Call,
    Cell,
    Event,
    Expr,
    FillMode,
    Instruction,
    Instrument,
    Leg,
    Parameter,
    Part,
    Pool,
    Program,
    Raise,
    Report,
    Require,
    Window,
)
from .leverage import leverage
from .link import link
from .lints import lints
from .memory import Memory
from .model import MachineShape, Spec
from .modes import Modes
from .observe import Observations
from .people import check_waiting, check_waiting_elsewhere, read_people, read_policies
from .registry import Registry
from .resets import mutual_resets
from .source import Document
from .statechart import MACHINE
from .symbols import Scope, Symbols
from .units import ONE, SECOND, Unit
from .vocabulary import APPROVAL_EVENTS

__all__ = ["Lowering", "lower"]

EMPTY: Mapping[str, UsedSpec] = MappingProxyType({})


def lower(
    spec: Spec,
    document: Document,
    registry: Registry,
    findings: Findings,
    left_out: frozenset[str] = frozenset(),
    used: Mapping[str, UsedSpec] = EMPTY,
) -> Lowering:
    """Check everything a shape cannot say; the program can be had where nothing was found."""
    symbols = Symbols(left_out=left_out, incomplete=len(used) < len(spec.use))
    checker = Checker(document, symbols, Pool(), findings)
    lowering = Lowering(spec, registry, checker, used)
    lowering.run()
    return lowering


class Lowering:
    """One spec on its way to a program; `program` is there for one without errors."""

    def __init__(self, spec: Spec, registry: Registry, checker: Checker, used: Mapping[str, UsedSpec]) -> None:
        self.spec, self.registry, self.checker, self.used = spec, registry, checker, used
        # A composition may be of other specs alone.
        self.machine = spec.machine or MachineShape.model_construct(
            parallel=True, states={}, initial=None, fail_safe=None
        )
        self.document, self.findings = checker.document, checker.findings
        self.pool, self.symbols = checker.pool, checker.symbols
        self.zero = self.pool.constant(Fraction(0), "real")
        self.observed = Observations(spec, checker, registry)
        self.begin, self.cells = self.observed.begin, self.observed.cells
        self.limits: tuple[tuple[str, Expr], ...] = ()
        self.marks: dict[str, list[tuple[str, Expr, Span]]] = {}
        """(instrument, price, place) by event; those that read observed cells are in `late`."""
        self.late: dict[str, list[tuple[str, Expr, Span]]] = {}
        self.funding: dict[str, list[tuple[str, Expr, Span]]] = {}
        self.measures: dict[str, dict[str, Expr]] = {}
        self.fills = FillEvents(spec, checker, used)
        self._alone: dict[FillMode, Program] = {}
        self._linked: dict[FillMode, Program] = {}

    # ------------------------------------------------------------------------------------------------------ the stages

    def run(self) -> None:
        spec, findings = self.spec, self.findings
        declare(spec, self.checker, self.registry)
        if spec.machine is None and not spec.use and not self.document.has("machine"):
            help = "add `machine: {initial: on, states: {on: {}}}`"
            findings.error("HR102", "`machine` is missing", self.document.root.span, help)
        declare_used(self.used, self.checker)
        self.fills.declare()
        self.symbols.currency = self._currency()
        done = {f"done.state.{name}" for used in self.used.values() for name in used.states(done=True)}
        if spec.approvals or any(used.program.policies for used in self.used.values()):
            done |= set(APPROVAL_EVENTS)
        events = frozenset(self.symbols.events)
        self.chart = read_chart(self.machine, self.document, events, findings, self.symbols.left_out, done)
        self._regions()
        for event in spec.observe:
            if event not in events:
                self._unknown_event(event, ("observe", event))
        self.symbols.states = frozenset(node.name for node in self.chart.nodes.values() if node.kind != "history")
        self.symbols.states |= {name for used in self.used.values() for name in used.states()}
        self.symbols.rules = frozenset(edge.name for edge in self.chart.edges)
        self.people = read_people(spec, self.checker)
        self.parameters = [p for name, shape in spec.params.items() if (p := parameter_of(self.checker, name, shape))]
        self.fields = {
            event: tuple(field_of(self.checker, event, name, shape) for name, shape in fields.items())
            for event, fields in spec.events.items()
        }
        self.symbols.ranges = {e: {f.name: (f.low, f.high) for f in fields} for e, fields in self.fields.items()}
        for used in self.used.values():
            for theirs in used.program.events:
                ours = used.called(theirs.name)
                if ours is not None:
                    self.fields.setdefault(ours, theirs.fields)
        give(self.used, self.checker, self.parameters)
        # What is given is read when its event comes, and not to start with.
        self.checker.fields_read = set()
        self.policies = read_policies(spec, self.checker, self.people)
        self._terms()
        self.observed.declare_windows()
        self._price_marks()
        self._fundings()
        for event in (*self.fields, *self.symbols.fills):
            late = frozenset(f"{name}.price" for name, _, _ in self.late.get(event, ()))
            self.observed.lower(event, late)
        self._initial_cells()
        self.delays = Delays(self.checker)
        self._measures()
        self.modes = Modes(self.checker, self.chart, self._blocks())
        check_waiting(spec, self.checker, self.chart, partial(self.modes.rules, self.measures))
        check_waiting_elsewhere(self.used.values(), spec.approvals, self.checker)
        conflicts = Conflicts(self.chart, self.modes, self.document, findings)
        conflicts.one_order_a_leg(self.machine.fail_safe)
        conflicts.one_region_a_cell(spec.state)
        self.claims = read_claims(spec, self.checker)
        self.gates = read_gates(spec, self.checker, self.registry, self._every_parameter())
        self._unused()
        self.delays.check()
        check_together(self.used, self.checker, self._raised(), bool(spec.legs))
        self._start()
        self._fail_safe()

    def _every_parameter(self) -> dict[str, Parameter]:
        """Return the parameters that can be read, those of used specs by what they are called here."""
        own = {each.name: each for each in self.parameters}
        return own | {f"{u.name}.{each.name}": each for u in self.used.values() for each in u.program.parameters}

    def _currency(self) -> Unit | None:
        """Return what checks count orders in: the money of the capital, of what is used, or the first unit."""
        if self.symbols.money is not None:
            return self.symbols.money
        theirs = (used.program.money for used in self.used.values() if used.program.legs)
        money = next(iter((*theirs, *self.symbols.bases)), None)
        return None if money is None else Unit.base(money)

    @property
    def counts_in(self) -> frozenset[str]:
        """The currencies in which its checks count the orders of whoever uses it; none where it has legs to judge."""
        if self.spec.legs or any(used.program.legs for used in self.used.values()):
            return frozenset()
        own = {str(self.symbols.currency)} if self.checker.counts_money else set()
        return frozenset(own).union(*(used.lowering.counts_in for used in self.used.values()))

    # ------------------------------------------------------------------------------------------- instruments and legs

    def _over_parameters(self, loc: Location, unit: Unit, what: str) -> Expr:
        typed = self.checker.value(loc, Scope(what, machine=False), "real", unit, what)
        return self.zero if typed is None else typed.expr

    def _terms(self) -> None:
        spec = self.spec
        self.capital = self.zero
        for base in spec.capital or ():
            self.capital = self._over_parameters(("capital", base), self.symbols.money or ONE, "the capital")
        self.instruments: dict[str, ledger.InstrumentTerms] = {}
        for name, shape in spec.instruments.items():
            quantity, price = self.symbols.instruments[name]
            money = self.symbols.money or ONE

            def term(
                key: str,
                unit: Unit,
                name: str = name,
                given: frozenset[str] = frozenset(shape.model_fields_set),
            ) -> Expr:
                return (
                    self._over_parameters(("instruments", name, key), unit, f"`{key}` of `{name}`")
                    if key in given
                    else self.zero
                )

            has = shape.model_fields_set
            self.instruments[name] = ledger.InstrumentTerms(
                name,
                term("fee", ONE),
                term("slippage", ONE),
                term("half_spread", price),
                term("borrow", ONE / SECOND) if "borrow" in has else None,
                term("lot", quantity) if shape.lot is not None else None,
                term("minimum_notional", money) if shape.minimum_notional is not None else None,
            )
            self._terms_make_sense(self.instruments[name])
        self.legs: dict[str, ledger.LegTerms] = {}
        for name, names in self.symbols.legs.items():
            loc: Location = ("legs", name, "quantity")
            opening = self.zero
            if "quantity" in spec.legs[name].model_fields_set:
                unit = self.symbols.instruments[names.instrument][0]
                typed = self.checker.value(
                    loc, Scope("an opening quantity", event="*"), "real", unit, f"the quantity of `{name}`"
                )
                if typed is not None and self._reads_used(typed.expr, loc):
                    typed = None
                opening = self.zero if typed is None else typed.expr
            self.legs[name] = ledger.LegTerms(name, self.instruments[names.instrument], names.side, opening)
        self.start_fields = {event for event, _ in self.checker.fields_read}

    def _reads_used(self, expr: Expr, loc: Location) -> bool:
        """Tell an opening quantity that reads a used spec: the spec's own books open before it starts."""
        read = sorted(n.name for n in expr.walk() if n.op == "cell" and n.name.partition(".")[0] in self.used)
        if read:
            message = f"`{read[0]}` is not known yet when the books open"
            self.findings.error("HR210", message, self.checker.span(loc), "read params, prices and fields only")
        return bool(read)

    def _terms_make_sense(self, terms: ledger.InstrumentTerms) -> None:
        """Tell constants that no market has; a fee below 0 is a rebate."""
        for key in ("lot", "slippage", "half_spread", "minimum_notional"):
            term: Expr | None = getattr(terms, key)
            if term is None or any(node.op == "param" for node in term.walk()):
                continue
            try:
                value = evaluate(term, Environment({}, EXACT))
            except Failure:
                value = -1
            if value < 0 or (key == "lot" and value == 0):
                wanted = "above 0" if key == "lot" else "at least 0"
                self.findings.error(
                    "HR304",
                    f"`{key}` of `{terms.name}` is {wanted}",
                    self.checker.span(("instruments", terms.name, key)),
                    "write a number that is, or remove it",
                )

    def _price_marks(self) -> None:
        table: dict[str, list[tuple[str, Expr, Span]]] = {}
        for name, shape in self.spec.instruments.items():
            unit = self.symbols.instruments[name][1]
            priced: list[tuple[str | None, Location]] = [(None, ("instruments", name, "price"))]
            if isinstance(shape.price, dict):
                priced = [(event, ("instruments", name, "price", event)) for event in shape.price]
            for event, loc in priced:
                if event is not None and event not in self.fields:
                    self._unknown_event(event, loc)
                    continue
                self.checker.fields_read = set()
                scope = Scope("a price", event=event or "*")
                typed = self.checker.value(loc, scope, "real", unit, f"the price of `{name}`")
                if typed is None:
                    continue
                read = {read_event for read_event, _ in self.checker.fields_read}
                if event is None and len(read) != 1:
                    self.findings.error(
                        "HR404",
                        f"the price of `{name}` reads the fields of {_count(read)}",
                        self.checker.span(loc),
                        "say which event sets it: `price: {EVENT: …}`",
                    )
                    continue
                setter = event or read.pop()
                if not self.fills.sets_no_mark(setter, self.checker.span(loc)):
                    table.setdefault(setter, []).append((name, typed.expr, self.checker.span(loc)))
        for event, prices in table.items():
            self._order_marks(event, prices)

    def _order_marks(self, event: str, prices: list[tuple[str, Expr, Span]]) -> None:
        """Put each mark behind those it reads; those that read what is observed come after the observations."""
        cells = {f"{name}.price": name for name in self.spec.instruments}
        reads = {name: {node.name for node in price.walk() if node.op == "cell"} for name, price, _ in prices}
        late = {name for name in reads if reads[name] - set(cells)}
        waiting, set_here = list(prices), {f"{name}.price" for name in reads}
        while waiting:
            ready = [each for each in waiting if not reads[each[0]] & set_here]
            if not ready:
                for name, _, span in waiting:
                    help = "let one of them read the event's fields only"
                    self.findings.error("HR203", f"the price of `{name}` needs itself on `{event}`", span, help)
                return
            for name, price, span in ready:
                if reads[name] & {f"{other}.price" for other in late}:
                    late.add(name)
                (self.late if name in late else self.marks).setdefault(event, []).append((name, price, span))
                set_here.discard(f"{name}.price")
            waiting = [each for each in waiting if each not in ready]

    def _unknown_event(self, event: str, loc: Location) -> None:
        if self.fills.sets_no_mark(event, self.document.key(loc).span):
            return
        self.findings.error(
            "HR206",
            f"unknown event `{event}`",
            self.document.key(loc).span,
            suggestion(event, self.symbols.events, "declare it under `events:`"),
        )

    def _fundings(self) -> None:
        """Check what longs pay on which event; an instrument without legs pays nothing, and is checked all the same."""
        for name, shape in self.spec.instruments.items():
            for event in shape.funding:
                loc: Location = ("instruments", name, "funding", event)
                if event not in self.fields:
                    self._unknown_event(event, loc)
                    continue
                scope = Scope("a funding rate", event=event)
                typed = self.checker.value(loc, scope, "real", ONE, f"the funding of `{name}`")
                if typed is not None:
                    self.funding.setdefault(event, []).append((name, typed.expr, self.checker.span(loc)))

    def _marks(self, event: str, fill: FillMode) -> Block:
        block: list[Instruction] = []
        legs = tuple(self.legs.values())
        for name, rate, span in self.funding.get(event, ()):
            block += ledger.funding(self.pool, self.instruments[name], rate, span, legs)
        for name, price, span in self.marks.get(event, ()):
            block += self._priced(name, price, span) + ledger.mark(
                self.pool, self.instruments[name], price, span, fill, legs
            )
        return tuple(block)

    def _priced(self, name: str, price: Expr, span: Span) -> Block:
        """Return the check that a price is not below 0, unless the range of the field that it is says otherwise."""
        if price.op == "field":
            event, _, field = price.name.rpartition(".")
            low = next(each.low for each in self.fields[event] if each.name == field)
            if low is not None:
                return ()
        return (Require(self.pool.make("ge", (price, self.zero), "bool"), f"the price of `{name}` is below 0", span),)

    # ----------------------------------------------------------------------------------------------------------- cells

    def _late_marks(self, event: str, fill: FillMode) -> Block:
        """Return the marks that read what the event has observed."""
        legs = tuple(self.legs.values())
        block: list[Instruction] = []
        for name, price, span in self.late.get(event, ()):
            block += self._priced(name, price, span) + ledger.mark(
                self.pool, self.instruments[name], price, span, fill, legs
            )
        return tuple(block)

    def _initial_cells(self) -> None:
        spec, checker = self.spec, self.checker
        checker.fields_read = set()
        late = {name for prices in self.late.values() for name, _, _ in prices}
        priced = {f"{name}.price" for name in spec.instruments if name not in late}
        for name, shape in spec.state.items():
            declared = self.symbols.cells[name]
            low, high = bounds(checker, shape, ("state", name), declared.unit)
            self.cells[name] = Cell(name, shape.type, str(declared.unit), low, high, ZERO[shape.type], "state")
            loc: Location = ("state", name, "initial")
            typed = checker.value(loc, Scope("an initial value", event="*"), shape.type, declared.unit, f"`{name}`")
            if typed is None:
                continue
            for node in typed.expr.walk():
                if node.op in ("active", "now") or (node.op == "cell" and node.name not in priced):
                    read = {"now": "the time", "active": f"In({node.name})"}.get(node.op, node.name)
                    self.findings.error(
                        "HR210",
                        f"the initial value of `{name}` reads `{read}`, which has none yet",
                        checker.span(loc),
                        "only params, constants, prices and the first event's fields can stand here",
                    )
                    break
            self.begin.append(Assign(((name, typed.expr),), checker.span(loc)))
        self.start_fields |= {event for event, _ in checker.fields_read}

    # -------------------------------------------------------------------------------------------------------- measures

    def _blocks(self) -> Blocks:
        return Blocks(self.spec, self.checker, self.registry, self.legs, self.delays)

    def _measures(self) -> None:
        spec = self.spec
        money = self.symbols.money or ONE
        for measure, unit in (("harvest", money), ("overshoot", ONE)):
            for rule in getattr(spec.report, measure):
                loc: Location = ("report", measure, rule)
                edge = next((edge for edge in self.chart.edges if edge.name == rule), None)
                if edge is None and rule in self.symbols.left_out:
                    continue
                if edge is None:
                    self.findings.error(
                        "HR209",
                        f"unknown transition `{rule}`",
                        self.document.key(loc).span,
                        suggestion(rule, self.symbols.rules, "give a transition a `name:` and write it here"),
                    )
                    continue
                scope = Scope("a measure", event=edge.event)
                typed = self.checker.value(loc, scope, "real", unit, f"the {measure} of `{rule}`")
                if typed is not None:
                    self.measures.setdefault(measure, {})[rule] = typed.expr
        limits = []
        for limit in spec.report.limits:
            at: Location = ("report", "limits", limit)
            limit_typed = self.checker.value(
                at, Scope("a limit", machine=False), "real", money, f"the limit on {limit}"
            )
            if limit_typed is not None:
                limits.append((str(limit), limit_typed.expr))
        self.limits = tuple(limits)

    # -------------------------------------------------------------------------------------------------------- unused

    def _unused(self) -> None:
        """Check lets and actions that nothing uses: a mistake in them is a mistake all the same."""
        kept, self.checker.memory = self.checker.memory, Memory()
        self.delays.in_use = False
        for name in self.spec.let:
            self.checker.check(("let", name), Scope("a let", event="*", observing="*", history=True, desk=True))
        blocks = self._blocks()
        for name in self.spec.actions:
            blocks.block(name, ("actions", name), Scope("an action", event="*"))
        self.checker.memory = kept

    # ----------------------------------------------------------------------------------------------- start and fail-safe

    def _start(self) -> None:
        spec = self.spec
        self.start_event: str | None = None
        wanted = self.start_fields
        if spec.instruments:
            sets = [
                {
                    event
                    for table in (self.marks, self.late)
                    for event, prices in table.items()
                    if any(n == name for n, _, _ in prices)
                }
                for name in spec.instruments
            ]
            common = [event for event in self.fields if all(event in events for events in sets)]
            if not common and self.findings.failed:
                return  # a price with a mistake, already told, may be what is missing
            if not common:
                self.findings.error(
                    "HR404",
                    "no event sets every price, so the books cannot be opened",
                    self.document.key(("instruments",)).span,
                    "let one event carry all prices, or give each instrument a price on it",
                )
                return
            wanted = wanted or {common[0]}
            if not wanted <= set(common):
                self.findings.error(
                    "HR404",
                    f"initial values read `{sorted(wanted - set(common))[0]}`, which does not set every price",
                    self.document.key(("instruments",)).span,
                    f"read the fields of `{common[0]}`",
                )
                return
        if not wanted and self.observed.unset and len(self.fields) == 1:
            # Nothing but this event could come first.
            wanted = set(self.fields)
        if self.used and not self._start_together(wanted):
            return
        if len(wanted) > 1:
            self.findings.error(
                "HR404",
                f"initial values read the fields of {_count(wanted)}",
                self.document.key(("state",) if spec.state else ("machine",)).span,
                "read one event's fields, and set the other cells when their events come",
            )
            return
        self.start_event = next(iter(wanted), None)
        for name, event, loc, help in self.observed.unset:
            if event != self.start_event:
                self.findings.error(
                    "HR407",
                    f"`{name}` has no value before its first `{event}`",
                    self.document.at(loc).span,
                    help,
                )

    def _start_together(self, wanted: set[str]) -> bool:
        """Let this spec and those that it uses start with one event; return whether there is one."""
        for used in self.used.values():
            event = used.start_event()
            if event is not None and wanted and event not in wanted:
                self.findings.error(
                    "HR604",
                    f"`{used.name}` starts with its first `{event}`, and what stands before it with `{min(wanted)}`",
                    self.document.key(("use", used.name)).span,
                    f"let one event carry what both need: `events: {{{event}: {{{min(wanted)}: {{…}}}}}}`",
                )
                return False
            wanted |= set() if event is None else {event}
        return True

    def _raised(self) -> set[str]:
        """Return the events that the spec's own actions raise."""
        blocks = (*self.modes.blocks, *self.observed.blocks)
        raised = {each.event for block in blocks for each in block if isinstance(each, Raise)}
        return raised | {timer.event for timer in self.delays.timers()}

    def _regions(self) -> None:
        """Tell states of this spec that are called as the region of another."""
        names = {*self.chart.nodes, self.spec.name} if self.used else set()
        if self.used and MACHINE in (self.spec.name, *self.spec.use):
            self.findings.error(
                "HR211",
                f"`{MACHINE}` is the name of the state around all regions",
                self.document.key(("use", MACHINE) if MACHINE in self.spec.use else ("name",)).span,
                "choose another name",
            )
        if self.used and self.spec.name in self.chart.nodes:
            self.findings.error(
                "HR202",
                f"`{self.spec.name}` is the name of the spec, and so of the region that its states are in",
                self.document.key(self.chart.nodes[self.spec.name].loc).span,
                "rename the state, or the spec",
            )
        for event in self.spec.events:
            if event.partition(".")[0] in self.spec.use:
                message = f"`{event}` begins as what is read of the used spec `{event.partition('.')[0]}`"
                self.findings.error("HR202", message, self.document.key(("events", event)).span, "rename one of them")
        for name in self.spec.use:
            if name == "report":
                message = "`report` is the name of what a report measures"
                self.findings.error("HR211", message, self.document.key(("use", name)).span, "choose another name")
            if name in names:
                self.findings.error(
                    "HR202",
                    f"`{name}` is a region, and a state of this spec or the name of it too",
                    self.document.key(("use", name)).span,
                    "use the other spec under another name",
                )

    def _fail_safe(self) -> None:
        spec = self.spec
        blocks = (*self.observed.blocks, *self.modes.blocks)
        binds = any(isinstance(instruction, Call) for block in blocks for instruction in block)
        if self.machine.fail_safe is None and (spec.legs or binds) and not self.document.has("machine", "fail_safe"):
            self.findings.error(
                "HR401",
                "`fail_safe` is missing",
                self.document.key(("machine",)).span,
                "name the state that an unhandled error leads to: `fail_safe: halted`",
            )

    # ------------------------------------------------------------------------------------------------------ the program

    def program(self, fill: FillMode) -> Program:
        """Return the program with one way of settling fills, with all that it uses and with all that waits for people."""
        return with_approvals(self.linked(fill), self.pool)

    def linked(self, fill: FillMode) -> Program:
        """Return the program with one way of settling fills, linked with those of the specs that this one uses."""
        if fill not in self._linked:
            own = self.alone(fill)
            parts = [used.linked(fill) for used in self.used.values()]
            self._linked[fill] = link(own, parts, self.pool) if parts else own
        return self._linked[fill]

    @property
    def fill(self) -> FillMode:
        """How a live machine fills its orders."""
        return "external" if self.fills.external else "same"

    @property
    def size(self) -> int:
        """How many specs it uses, with those that they use."""
        return sum(used.size for used in self.used.values())

    def lints(self) -> Iterator[Diagnostic]:
        """Yield what is allowed and hardly meant in this spec, in one without errors; and first what only shows now."""
        together = tuple(self._together())
        yield from together
        if any(found.severity == "error" for found in together):
            return
        handled = {ours for used in self.used.values() for _, ours in used.shared()}
        handled |= {made.event for used in self.used.values() for made in used.made.values()}
        yield from lints(self.alone(self.fill), handled, self.spec.raises)
        if self.legs:
            raised = frozenset(
                ours
                for used in self.used.values()
                for event in used.raises()
                if (ours := used.called(event)) is not None
            )
            span = self.document.key(("legs",)).span
            yield from leverage(
                resolve(self.alone(self.fill), self.pool), self.legs.values(), self.capital, raised, span
            )
        yield from mutual_resets(
            self.program("same"), {name: self.document.key(("use", name)).span for name in self.used}
        )

    def _together(self) -> Iterator[Diagnostic]:
        """Yield what approvals cannot do here; only the whole composition shows it."""
        document = self.document
        level = document.key(("oversight",)).span if self.spec.oversight is not None else document.key(("name",)).span

        def place(name: str) -> Span:
            return document.key(("use", name.partition(".")[0])).span

        yield from check_approvals(self.linked("same"), place, level)

    def alone(self, fill: FillMode) -> Program:
        """Return the program of the spec without those that it uses."""
        if fill not in self._alone:
            self._alone[fill] = self._own(fill)
        return self._alone[fill]

    def _own(self, fill: FillMode) -> Program:
        spec, pool = self.spec, self.pool
        legs = tuple(self.legs.values())
        terms = tuple(self.instruments.values())
        units = {name: (str(quantity), str(price)) for name, (quantity, price) in self.symbols.instruments.items()}
        money = str(self.symbols.money or ONE)
        measures = [
            Cell(f"report.{name}", "real", money if name == "harvest" else "1", None, None, Fraction(0), "measure")
            for name in self.measures
        ]
        cells = (
            *ledger.cells(terms, legs, units, money, fill),
            *self.fills.cells(legs, fill),
            *self.cells.values(),
            *self.observed.memory_cells(),
            *self.modes.cells(),
            *self.delays.cells(self.fields),
            *measures,
        )
        endow: Block = ()
        endow_late: Block = ()
        if legs and spec.capital is not None:
            (unit,) = spec.capital
            span = self.checker.span(("capital", unit))
            late = {name for prices in self.late.values() for name, _, _ in prices}
            opened = tuple(leg for leg in legs if leg.instrument.name not in late)
            endow = ledger.capital(self.capital, span) + ledger.endowment(pool, opened, span)
            endow_late = ledger.endowment(pool, tuple(leg for leg in legs if leg not in opened), span)
        memory = self.checker.memory
        # A machine has been in its first state since it started: its observations may ask since when.
        begin = (
            *self.modes.stamp(self.symbols.rules),
            *ledger.accrual_begins(pool, legs),
            *self.begin,
            *(Assign(((name, value),)) for name, value in memory.initial.items()),
        )
        events = []
        for name, fields in self.fields.items():
            span = self.document.key(("events", name) if name in spec.events else ("use",)).span
            observe = self.observed.block(name, self._late_marks(name, fill))
            events.append(Event(name, fields, self._marks(name, fill), (observe,), span))
        parts: tuple[Part, ...] = (Part("", None, begin, endow, endow_late),)
        rules = self.modes.rules(self.measures)
        if fill == "external":
            parts = (BOOKS, *parts)
            events = [replace(each, observe=((), *each.observe)) for each in events]
            events += self.fills.events(self.legs, self.observed)
        else:
            rules = tuple(rule for rule in rules if self.fills.happens(rule, self.fields))
        kept = {rule.name for rule in rules}
        measured = ((name, tuple(rule for rule in fired if rule in kept)) for name, fired in self.measures.items())
        timers = sorted((*self.modes.timers(), *self.delays.timers()), key=lambda timer: timer.span)
        return Program(
            name=spec.name,
            about=spec.about or "",
            fill=fill,
            money=money,
            parameters=tuple(self.parameters),
            events=tuple(events),
            cells=cells,
            windows=tuple(
                Window(name, shape.length, shape.until_full == "skip") for name, shape in spec.windows.items()
            ),
            instruments=tuple(Instrument(t.name, units[t.name][0], t.price) for t in terms),
            legs=tuple(
                Leg(leg.name, leg.instrument.name, leg.side, leg.quantity, *fill_of(pool, leg, fill)) for leg in legs
            ),
            initial=self.chart.initial,
            regions=self.modes.regions,
            states=self.modes.states(),
            rules=rules,
            timers=tuple(timers),
            parts=parts,
            start_event=self.start_event,
            accrue=ledger.accrual(pool, legs),
            fail_safe=self.machine.fail_safe,
            invariants=self.claims.invariants,
            helpers=self.claims.helpers,
            rankings=tuple(each for each in self.claims.rankings if each.rule in kept),
            gates=self.gates,
            people=self.people,
            oversight=spec.oversight,
            policies=self.policies,
            outlook=outlook(pool, legs) if fill == "external" else (),
            report=Report(tuple(measured), self.limits),
        )


def _count(events: Iterable[str]) -> str:
    names = sorted(events)
    return "no event" if not names else f"{len(names)} events (" + ", ".join(f"`{name}`" for name in names) + ")"
