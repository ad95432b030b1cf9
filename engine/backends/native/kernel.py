"""The loop over the rows: one function a program and event; and another, which tells whether the loop has a scan.

    i64 run(state, params, times, fields, from, stops, count, days, day_fees, shown, trace, ranges)
    i1 scans()

    rows:       until the next stop; at a stop (the end of a UTC day) keep equity and fees
    scan:       leave out rows at which nothing happens, see `scan`
    row:        save the machine; its clock, its fields; the first row starts it
    timers:     each due one, with a macrostep of its own
    event:      carry, marks, observation
    macrostep:  eventless transitions, raised events, the event, until nothing is left; judge
    done:       take the tallies into account
    handover:   restore the machine as it was before the row, and return its number

It returns the number of a row that is the reference's, or that after the last one. All state is in memory between calls,
see `slots`, so that the caller may run a row by other means and go on with the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import NEVER, NOBODY, Assign, Block, Event, Expr, Pool, Program, Propose, Raise, State, expressions
from ...statechart import ROOT
from ...vocabulary import ANSWERS
from ..layout import Layout
from .blocks import LOGGED, WAITING, Blocks
from .books import SHOWN, Books
from .bounds import Bounds
from .chart import Chart, written
from .judge import Judge
from .quiet import Quiet
from .relay import relay_text
from .scan import SCANNED, Scan
from .slots import BEFORE, REACH, RUNNING, Slots, kind_of
from .text import real

__all__ = ["Options", "kernel_text", "sticky_cells"]

_MICROSTEPS = 100
"""Microsteps of one macrostep; one with more is the reference's."""
_TIMERS = 1_000
"""Timers before one row; a row with more is the reference's."""

_RARELY = '!0 = !{!"branch_weights", i32 1, i32 1000}'
_HEAD = (
    "define i64 @run(ptr noalias %state, ptr noalias readonly %params, ptr noalias readonly %times,"
    " ptr noalias readonly %fields, i64 %from, ptr noalias readonly %stops, i64 %count, ptr noalias %days,"
    " ptr noalias %day_fees, ptr noalias %shown, ptr noalias %trace, ptr noalias readonly %ranges) {"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a kernel does besides running the machine."""

    watch: bool = True
    """Judge invariants, and follow the drawdown and the time in each state."""
    trace: bool = False
    """Write every column of `columns_of` for each accepted row."""
    pairs: bool = False
    """Note which transition fired after which, see `Slots.pairs`; and write `relay`."""


def kernel_text(program: Program, event: str, options: Options) -> str:
    """Return the kernel of a program for one event, in LLVM's assembly language."""
    return _Kernel(program, program.event(event), options).text()


def sticky_cells(program: Program, event: Event) -> tuple[str, ...]:
    """Return the bools that are set the first time that an event is observed, and never unset."""
    blocks = [program.accrue, *(block for each in program.events for block in (each.marks, *each.observe))]
    for state in program.states:
        blocks += [state.stamp, state.entry, state.initially, state.exit, state.leave]
    for rule in program.rules:
        blocks += [rule.measure, rule.action]
    for part in program.parts:
        blocks += [part.begin, part.endow, part.endow_late]
    blocks += [leg.fill for leg in program.legs]
    assigned = [pair for block in blocks for each in block if isinstance(each, Assign) for pair in each.targets]
    unset = {cell for cell, expr in assigned if expr.op != "const" or expr.value is not True}
    return tuple(sorted(set(written(event.observe)) - unset))


class _Kernel:
    def __init__(self, program: Program, event: Event, options: Options) -> None:
        self.program, self.event, self.options = program, event, options
        self.layout = Layout(program)
        self.slots = Slots(program)
        self.write = Blocks(program, self.layout, self.slots)
        self.code = self.write.code
        self.chart = Chart(self.write, self.layout)
        self.raised = self._raised()
        """The events that may be raised in native code, or timed."""
        self.pool = Pool()
        """Makes the nodes of this kernel's own; their identity is what values are known by."""
        self.settles = bool(self.layout.always) or bool(self.raised)
        moved = written([program.accrue, event.marks, *event.observe])
        self.sticky = sticky_cells(program, event)
        self.hot = {"clock", "peak", *(self.slots.cells[cell] for cell in moved)}
        self.hot -= {self.slots.cells[cell] for cell in self.sticky}
        """The variables that a row changes at which nothing fires; any other is left in memory."""
        self.judge = Judge(self.write, self.hot, program.invariants if options.watch else ())
        fills = (expr for leg in program.legs for each in leg.fill for expr in expressions(each))
        nodes = [n for expr in (*self.judge.claims, *program.conditions, *fills) for n in expr.walk()]
        self.befores = sorted({node.name for node in nodes if node.op == "before"})
        """The cells of which claims, gates or fills ask for the value before the macrostep."""
        self.asks_was = any(node.op == "was" for node in nodes)
        self.books = Books(self.write)
        self.moved = frozenset(moved) - frozenset(self.sticky)
        """The cells that each row assigns before anything is selected, but for those that hold one value for good."""
        self.scans = False
        self.waiting = frozenset(each.timer for each in program.approvals)
        self.answers = bool(program.approvals) and event.name in ANSWERS
        """Whether rows are what people say to transitions that wait: these are the reference's, as are their timers."""

    def _raised(self) -> list[str]:
        blocks = [block for state in self.program.states for block in (state.entry, state.initially, state.exit)]
        blocks += [rule.action for rule in self.program.rules]
        found = {each.event for block in blocks for each in block if isinstance(each, Raise)}
        return sorted(found)

    # ------------------------------------------------------------------------------------------------------ the function

    def text(self) -> str:
        code, slots = self.code, self.slots
        for name, slot in slots.variables.items():
            if name in self.hot:
                code.declare(name, slot.kind)
                code.declare(f"saved.{name}", slot.kind)
            else:
                code.leave(name, slot.kind)
        for cell in self.befores:
            variable = slots.cells[cell]
            code.declare(f"before.{variable}", slots.variables[variable].kind)
        for register in slots.registers:
            code.declare(f"was.{register}", "i64")
        for name in ("row", "stop", "stop_number", "steps", "fired_timers", "due", "event", "person"):
            code.declare(name, "i64")
        for name in ("pending", "timed", "touched"):
            code.declare(name, "i1")
        if self.options.pairs:
            code.declare("following", "i64")
            code.declare("latest", "i64")
        self.judge.declare()
        self._rows()
        self._row()
        # INVARIANT: what is known after `row.on` holds in a scan too, which asks for the phase.
        self.scans = self._scan()
        if self.program.timers:
            self._timers()
        self._take_event()
        self._macrostep()
        self._done()
        self._leave()
        return "\n".join(self._assembled()) + "\n"

    def _assembled(self) -> list[str]:
        code, slots = self.code, self.slots
        head = [
            f"; {self.program.name}: one row of `{self.event.name}` after another",
            "declare double @llvm.fabs.f64(double)",
            "declare double @llvm.sqrt.f64(double)",
            "declare void @llvm.memcpy.inline.p0.p0.i64(ptr, ptr, i64, i1)",
            "",
            _HEAD,
            "entry:",
            *code.allocations(),
            f"  %log = alloca [{LOGGED} x [2 x i64]]",
            f"  %queue = alloca [{WAITING} x [{self.write.width} x i64]]",
            f"  %held = alloca [{self.write.width} x i64]",
            f"  %backup = alloca [{slots.own} x i64]",
        ]
        lines = []
        for name, slot in slots.variables.items():
            lines.append(f"  %at.{name} = getelementptr i64, ptr %state, i64 {slot.index}")
            if name not in self.hot:
                continue
            if slot.kind == "i1":
                lines.append(f"  %whole.{name} = load i64, ptr %at.{name}")
                lines.append(f"  %start.{name} = icmp ne i64 %whole.{name}, 0")
            else:
                lines.append(f"  %start.{name} = load {slot.kind}, ptr %at.{name}")
            lines.append(f"  store {slot.kind} %start.{name}, ptr %var.{name}")
        lines += [
            f"  %at.stop_number = getelementptr i64, ptr %state, i64 {slots.stop}",
            "  %start.stop_number = load i64, ptr %at.stop_number",
            "  store i64 %start.stop_number, ptr %var.stop_number",
            "  %at.stop = getelementptr i64, ptr %stops, i64 %start.stop_number",
            "  %start.stop = load i64, ptr %at.stop",
            "  store i64 %start.stop, ptr %var.stop",
            "  store i64 %from, ptr %var.row",
            *(f"  store i64 0, ptr %var.{name}" for name in (SCANNED if self.scans else ())),
            "  br label %rows",
        ]
        scans = f"define i1 @scans() {{ ret i1 {'true' if self.scans else 'false'} }}"
        relay = [relay_text(slots, self.program.unsettled)] if self.options.pairs else []
        return [*head, *self.write.prologue.lines, *lines, *code.lines, "}", "", scans, "", *relay, _RARELY]

    # -------------------------------------------------------------------------------------------------------- the rows

    def _rows(self) -> None:
        """Take the next row; at a stop keep what the day ends with."""
        code, write = self.code, self.write
        write.begin("rows")
        row = code.get("row")
        code.branch(code.op(f"icmp sge i64 {row}, {code.get('stop')}"), "day", "row.next", rarely=True)
        write.begin("day")
        number = code.get("stop_number")
        accepted = self._accepted()
        keep, kept, on = "day.keep", "day.kept", "day.next"
        code.branch(code.op(f"icmp sgt i64 {accepted}, {code.get('marked')}"), keep, kept)
        write.begin(keep)
        if self.program.legs:
            fresh = self._is_fresh()
            for array, name in (("days", "equity"), ("day_fees", "fees")):
                before = code.load("double", code.at("%shown", SHOWN.index(name), "double"))
                now = self.books.show(name)
                value = code.op(f"select i1 {fresh}, double {now}, double {before}")
                code.do(f"store double {value}, ptr {code.at(f'%{array}', number, 'double')}")
        code.set("marked", accepted)
        code.jump(kept)
        write.begin(kept)
        following = code.op(f"add i64 {number}, 1")
        code.set("stop_number", following)
        code.branch(code.op(f"icmp slt i64 {following}, %count"), on, "finish")
        write.begin(on)
        code.set("stop", code.load("i64", code.at("%stops", following)))
        code.jump("rows")

    def _row(self) -> None:
        """Save the machine, and take time and fields of the row; start the machine, if it has not."""
        code, write = self.code, self.write
        write.begin("row.begin")
        for name in self._hot():
            code.set(f"saved.{name}", code.get(name))
        code.set("touched", "false")
        code.set("logged", "0")
        code.set("fired_timers", "0")
        code.set("timed", "false")
        for index in range(len(self.program.legs)):
            code.set(f"wanted{index}", "false")
        self.judge.reset()
        if self.answers:
            write.require("false")
        self._take_fields()
        write.require(code.op(f"icmp slt i64 {self._time()}, {REACH}"))
        running = self._is_running()
        code.branch(code.negate(running), "start", "row.on", rarely=True)
        self._start()
        write.begin("row.on")
        # INVARIANT: a machine that has seen the event, as one in the phase RUNNING has, has set these.
        write.assumed = dict.fromkeys(self.sticky, "true")
        write.bounds = Bounds(self.program, self.event, self.sticky)
        write.require(code.op(f"icmp sge i64 {self._time()}, {code.get('clock')}"))
        code.jump("timers" if self.program.timers else "event")

    def _scan(self) -> bool:
        """Write what leaves rows out, and return whether there is any."""
        if self.options.trace or self.answers:
            self.write.begin("row.next")
            self.code.jump("row.begin")
            return False
        books = self.books if self.options.watch and self.program.legs else None
        quiet = Quiet(self.write, self.layout, self.event, self.moved, self.judge, books)
        return Scan(self.write, self.event, quiet).text()

    def _accepted(self) -> str:
        """Return how many rows have been accepted: all that this call has done, and those before."""
        done = self.code.op(f"sub i64 {self.code.get('row')}, %from")
        return self.code.op(f"add i64 {self.code.get('accepted')}, {done}")

    def _is_fresh(self) -> str:
        """Return whether this call has done a row."""
        return self.code.op(f"icmp sgt i64 {self.code.get('row')}, %from")

    def _is_running(self) -> str:
        return self.code.op(f"icmp eq i64 {self.code.get('phase')}, {RUNNING}")

    def _touch(self) -> None:
        """Keep what is in memory as the row found it, before the first change."""
        code, write = self.code, self.write
        keep, kept = code.new_label("keep"), code.new_label("kept")
        code.branch(code.get("touched"), kept, keep)
        write.begin(keep)
        code.do(f"call void @llvm.memcpy.inline.p0.p0.i64(ptr %backup, ptr %state, i64 {8 * self.slots.own}, i1 false)")
        code.set("touched", "true")
        code.jump(kept)
        write.begin(kept)

    def _hot(self) -> list[str]:
        return [name for name in self.slots.variables if name in self.hot]

    def _time(self) -> str:
        code = self.code
        return code.load("i64", code.at("%times", code.get("row")))

    def _take_fields(self) -> None:
        code, write = self.code, self.write
        for index, field in enumerate(self.event.fields):
            column = code.load("ptr", code.at("%fields", index, "ptr"))
            value = code.load("double", code.at(column, code.get("row"), "double"))
            kind = kind_of(field.type)
            code.declare(f"given{index}", kind)
            if kind == "double":
                write.require(write.in_range("double", value, field.low, field.high))
                code.set(f"given{index}", value)
                continue
            most = 1.0 if kind == "i1" else 2.0**53
            least = 0.0 if kind == "i1" else -(2.0**53)
            fits = code.both(
                code.op(f"fcmp oge double {value}, {real(least)}"), code.op(f"fcmp ole double {value}, {real(most)}")
            )
            write.require(fits)
            whole = code.op(f"fptosi double {value} to i64")
            write.require(code.op(f"fcmp oeq double {code.op(f'sitofp i64 {whole} to double')}, {value}"))
            if kind == "i1":
                code.set(f"given{index}", code.op(f"icmp ne i64 {whole}, 0"))
            else:
                write.require(write.in_range("i64", whole, field.low, field.high))
                code.set(f"given{index}", whole)

    def _give_fields(self) -> None:
        person = str(NOBODY)
        for index, field in enumerate(self.event.fields):
            name = self.write.fields[f"{self.event.name}.{field.name}"]
            value = self.code.get(f"given{index}")
            self.code.set(name, value)
            person = value if field.people is not None else person
        self.code.set("person", person)
        self.write.forget()

    def _start(self) -> None:
        """Open the books and enter the initial states, as the reference does."""
        code, write, program = self.code, self.write, self.program
        write.begin("start")
        entry = self.layout.tree.entry_set(program.initial, ROOT, {})
        states = [self.layout.states[name] for name in entry.states]
        if (program.start_event not in (None, self.event.name)) or entry.history or _is_special(program, states):
            code.jump("handover")
            return
        write.require(code.op(f"icmp eq i64 {code.get('phase')}, {BEFORE}"))
        write.require(code.op(f"icmp sgt i64 {self._time()}, {-REACH}"))
        self._touch()
        code.set("clock", self._time())
        self._give_fields()
        opened: list[Block] = [self.event.marks]
        for index, part in enumerate(program.parts):
            opened += [part.begin, part.endow, self.event.observe[index], part.endow_late]
        for block in opened:
            write.block(block)
        write.check(written(opened))
        code.set("phase", str(RUNNING))
        for region, since in enumerate(self.slots.since):
            code.set(since, code.get("clock"))
            code.set(f"r{region}", "-1")
        self._begin_queue()
        reached: set[str] = set()
        entered: list[Block] = []
        for state in states:
            reached.add(state.name)
            write.active = frozenset(reached)
            blocks = [state.stamp, state.entry]
            if state.name in entry.by_default:
                blocks.append(state.initially)
            for block in blocks:
                write.forget()
                write.temps, write.spans = {}, {}
                write.block(block)
            entered += blocks
            if state.name in self.layout.chains:
                home = self.layout.homes[state.name]
                code.set(f"r{home.region}", str(home.low))
        write.active = None
        write.forget()
        write.check(written(entered))
        write.fills()
        code.set("event", str(write.numbers[self.event.name]))
        code.jump("macrostep.started" if self.settles else "macrostep")

    # --------------------------------------------------------------------------------------------------------- timers

    def _timers(self) -> None:
        """Fire the timer that is due first, of those due at one time the first one; then the next."""
        code, write, program = self.code, self.write, self.program
        write.begin("timers")
        due = str(NEVER)
        which = "-1"
        for index, timer in enumerate(program.timers):
            at = code.get(self.slots.cells[timer.due])
            earlier = code.op(f"icmp slt i64 {at}, {due}")
            due = code.op(f"select i1 {earlier}, i64 {at}, i64 {due}")
            which = code.op(f"select i1 {earlier}, i64 {index}, i64 {which}")
        code.branch(code.op(f"icmp sle i64 {due}, {self._time()}"), "timers.due", "event", rarely=True)
        write.begin("timers.due", keep=True)
        count = code.get("fired_timers")
        write.require(code.op(f"icmp slt i64 {count}, {_TIMERS}"))
        # What the event does to a machine that a timer has stopped is the reference's.
        write.require(self._is_running())
        self._touch()
        code.set("fired_timers", code.op(f"add i64 {count}, 1"))
        code.set("timed", "true")
        clock = code.get("clock")
        late = code.op(f"icmp sgt i64 {clock}, {due}")
        code.set("clock", code.op(f"select i1 {late}, i64 {clock}, i64 {due}"))
        code.set("due", due)
        labels = {index: code.new_label("timer") for index in range(len(program.timers))}
        code.switch(which, "handover", labels)
        for index, timer in enumerate(program.timers):
            write.begin(labels[index])
            if timer.name in self.waiting:
                code.jump("handover")
                continue
            again = str(NEVER)
            if timer.period is not None:
                again = self._again(timer.period)
            write.write(timer.due, again)
            code.set("person", code.get(self.slots.cells[timer.person]) if timer.person else str(NOBODY))
            if timer.person:
                write.write(timer.person, str(NOBODY))
            code.do(f"store i64 {write.numbers[timer.event]}, ptr %held")
            known = dict(timer.fields)
            fields = program.event(timer.event).fields if known else ()
            for number, field in enumerate(fields, start=1):
                place = code.at("%held", number)
                kind = kind_of(field.type)
                code.put(place, kind, code.get(self.slots.cells[known[f"{timer.event}.{field.name}"]]))
            code.set("event", str(write.numbers[timer.event]))
            code.jump("timer.carry")
        write.begin("timer.carry")
        write.block(program.accrue)
        write.check(written([program.accrue]))
        code.jump("macrostep")

    def _again(self, period: Expr) -> str:
        """Return when a timer is due again: the same sum as `due`, from the time at which it was due."""
        self.write.temps["due"] = self.code.get("due")
        then = self.pool.make("temp", (), "int", name="due")
        return self.write.checked(self.pool.make("due", (then, period), "int"))

    # ---------------------------------------------------------------------------------------------------------- the event

    def _take_event(self) -> None:
        """Move clock and marks and observe."""
        code, write, program = self.code, self.write, self.program
        write.begin("event")
        if self.program.timers:
            write.require(self._is_running())
        code.set("clock", self._time())
        code.set("timed", "false")
        self._give_fields()
        moved = [program.accrue, self.event.marks]
        for block in moved:
            write.block(block)
        write.check(written(moved))
        for block in self.event.observe:
            write.block(block)
            write.check(written([block]))
        code.set("event", str(write.numbers[self.event.name]))
        code.jump("macrostep")

    # -------------------------------------------------------------------------------------------------------- a macrostep

    def _begin_queue(self) -> None:
        self.code.set("first", "0")
        self.code.set("waiting", "0")

    def _macrostep(self) -> None:
        code, write = self.code, self.write
        write.begin("macrostep")
        if self.settles:
            self._begin_queue()
            code.jump("macrostep.started")
            write.begin("macrostep.started")
        for cell in self.befores:
            variable = self.slots.cells[cell]
            code.set(f"before.{variable}", code.get(variable))
        if self.asks_was:
            for register in self.slots.registers:
                code.set(f"was.{register}", code.get(register))
        for index in range(len(self.program.legs)):
            code.set(f"ordered{index}", "false")
        code.set("pending", "true")
        code.set("steps", "0")
        code.jump("settle" if self.settles else "external")
        if self.settles:
            self._settle()
        self._external()
        events = dict.fromkeys([self.event.name, *(timer.event for timer in self.program.timers), *self.raised])
        after = "settle" if self.settles else "judge.quiet"
        for event in events:
            write.begin(f"select.{write.numbers[event]}")
            # An error that nothing takes leads to a fail-safe state.
            self.chart.select(self.layout.matched(event), "fire", "handover" if event.startswith("error.") else after)
        write.begin("fire")
        self._touch()
        steps = code.get("steps")
        write.require(code.op(f"icmp slt i64 {steps}, {_MICROSTEPS}"))
        code.set("steps", code.op(f"add i64 {steps}, 1"))
        self.chart.fire("settle" if self.settles else "judge", "judge")
        self._judge()

    def _settle(self) -> None:
        """Take eventless transitions first, then raised events, then the event itself."""
        code, write = self.code, self.write
        write.begin("settle")
        if self.layout.always:
            self.chart.select(self.layout.always, "fire", "next")
            write.begin("next")
        if self.raised:
            code.branch(code.op(f"icmp slt i64 {code.get('first')}, {code.get('waiting')}"), "take", "ask")
            write.begin("take")
            place = write.take_waiting()
            labels = {write.numbers[event]: code.new_label("taken") for event in self.raised}
            code.switch(code.load("i64", place), "handover", labels)
            for event in self.raised:
                write.begin(labels[write.numbers[event]])
                write.load_fields(place, event)
                code.jump(f"select.{write.numbers[event]}")
            write.begin("ask")
        code.branch(code.get("pending"), "external", "settled")
        write.begin("settled")
        code.branch(code.op(f"icmp eq i64 {code.get('steps')}, 0"), "judge.quiet", "judge")

    def _external(self) -> None:
        """Take the event that the macrostep is for: of the row, or of a timer."""
        code, write, program = self.code, self.write, self.program
        write.begin("external")
        code.set("pending", "false")
        own = write.numbers[self.event.name]
        if not program.timers:
            self._give_fields()
            code.jump(f"select.{own}")
            return
        code.branch(code.get("timed"), "external.timer", "external.row")
        write.begin("external.row")
        self._give_fields()
        code.jump(f"select.{own}")
        write.begin("external.timer")
        labels: dict[int, str] = {}
        for timer in program.timers:
            labels.setdefault(write.numbers[timer.event], code.new_label("timed"))
        code.switch(code.get("event"), "handover", labels)
        for timer in {timer.event: timer for timer in program.timers}.values():
            number = write.numbers[timer.event]
            write.begin(labels[number])
            if timer.fields:
                write.load_fields("%held", timer.event)
            code.jump(f"select.{number}")

    def _judge(self) -> None:
        """Judge the invariants, and go on with the next timer or with the end of the row."""
        code, write = self.code, self.write
        # A timer before the event may have fired something, or broken it.
        done, quiet, held = ("judge.end",) * 3 if self.program.timers else ("done", "logged.done", "judged")
        write.begin("judge.quiet")
        self.judge.quiet(quiet, held)
        write.begin("judge")
        self.judge.changed()
        code.jump(done)
        if self.program.timers:
            write.begin(done)
            code.branch(code.get("timed"), "timers", "done", rarely=True)

    # ------------------------------------------------------------------------------------------------------ the tallies

    def _done(self) -> None:
        """Count what the row did, and go on with the next."""
        code, write = self.code, self.write
        write.begin("done")
        if self.options.pairs:
            code.set("following", "-1")
        code.branch(code.op(f"icmp sgt i64 {code.get('logged')}, 0"), "logs", "logged.done", rarely=True)
        write.begin("logs")
        number = code.op(f"sub i64 {code.get('logged')}, 1")
        code.set("logged", number)
        entry = code.at("%log", number, "[2 x i64]")
        slot = code.load("i64", entry)
        self._add_to(slot, code.load("i64", code.at(entry, 1)))
        if self.options.pairs:
            self._follow(slot)
        code.branch(code.op(f"icmp sgt i64 {number}, 0"), "logs", "logs.end" if self.options.pairs else "logged.done")
        if self.options.pairs:
            write.begin("logs.end")
            last, done = code.at("%state", self.slots.last), code.new_label("logs.paired")
            code.branch(code.op(f"icmp slt i64 {code.get('following')}, 0"), "logged.done", done)
            write.begin(done)
            self._pair(code.load("i64", last), code.get("following"))
            code.do(f"store i64 {code.get('latest')}, ptr {last}")
            code.jump("logged.done")
        write.begin("logged.done")
        broken = self.judge.some()
        code.branch(broken, "broken", "judged", rarely=True)
        write.begin("broken")
        for index, flag in enumerate(self.judge.flags):
            self._add_to(str(self.slots.broken + index), code.op(f"zext i1 {code.get(flag)} to i64"))
        code.jump("judged")
        write.begin("judged")
        if self.options.trace:
            self.books.trace()
        if self.options.watch and self.program.legs:
            self.books.follow(self.books.equity())
        code.set("row", code.op(f"add i64 {code.get('row')}, 1"))
        code.jump("rows")

    def _follow(self, slot: str) -> None:
        """Note the pair that a tally of the log makes with the one after it, if it counts a firing; the last comes first."""
        code, write = self.code, self.write
        number = code.op(f"sub i64 {slot}, {self.slots.fired}")
        fired, latest, paired, followed = (code.new_label("follow") for _ in range(4))
        code.branch(code.op(f"icmp ult i64 {number}, {len(self.program.rules)}"), fired, followed)
        write.begin(fired)
        following = code.get("following")
        code.set("following", number)
        code.branch(code.op(f"icmp slt i64 {following}, 0"), latest, paired)
        write.begin(latest)
        code.set("latest", number)
        code.jump(followed)
        write.begin(paired)
        self._pair(number, following)
        code.jump(followed)
        write.begin(followed)

    def _pair(self, before: str, after: str) -> None:
        """Set the flag of a pair."""
        code = self.code
        row = code.op(f"mul i64 {before}, {len(self.program.rules) + 1}")
        place = code.op(f"add i64 {code.op(f'add i64 {row}, {after}')}, {self.slots.pairs}")
        code.do(f"store i64 1, ptr {code.at('%state', place)}")

    def _add_to(self, slot: str, amount: str) -> None:
        code = self.code
        place = code.at("%state", slot)
        total = code.op(f"add i64 {code.load('i64', place)}, {amount}")
        code.do(f"store i64 {total}, ptr {place}")

    # ---------------------------------------------------------------------------------------------------------- the end

    def _leave(self) -> None:
        code, write, slots = self.code, self.write, self.slots
        write.begin("handover")
        for name in self._hot():
            code.set(name, code.get(f"saved.{name}"))
        code.branch(code.get("touched"), "restore", "finish")
        write.begin("restore")
        code.do(f"call void @llvm.memcpy.inline.p0.p0.i64(ptr %state, ptr %backup, i64 {8 * slots.own}, i1 false)")
        code.jump("finish")
        write.begin("finish")
        code.branch(self._is_fresh(), "show", "store")
        write.begin("show")
        code.set("accepted", self._accepted())
        for number, value in enumerate(self.books.shown()):
            code.do(f"store double {value}, ptr {code.at('%shown', number, 'double')}")
        code.jump("store")
        write.begin("store")
        for name in self._hot():
            code.put(f"%at.{name}", slots.variables[name].kind, code.get(name))
        code.do(f"store i64 {code.get('stop_number')}, ptr %at.stop_number")
        code.do(f"ret i64 {code.get('row')}")


def _is_special(program: Program, states: list[State]) -> bool:
    """Return whether initial states raise events, order what gates judge, or are final."""
    special = (Raise, Propose) if program.gates else Raise
    blocks = [block for state in states for block in (state.entry, state.initially)]
    return any(state.kind == "final" for state in states) or any(
        isinstance(each, special) for block in blocks for each in block
    )
