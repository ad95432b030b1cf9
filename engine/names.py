"""Names in an expression: parameters, lets, cells, legs, marks, fields, the ledger, and `before`."""

from __future__ import annotations

from fractions import Fraction

from . import syntax
from .diagnostics import suggestion
from .ir import Expr
from .laws import MAX_DEPTH, TOO_LARGE, Laws
from .symbols import DESK_VALUES, DESK_WITHIN, FUNCTIONS, LEDGER, Typed
from .syntax import DESK
from .units import ONE

__all__ = ["Names"]


class Names(Laws):
    """Finds what a name stands for in the scope at hand."""

    def _name(self, node: syntax.Node, path: tuple[str, ...]) -> Typed | None:
        symbols, scope = self.symbols, self.scope
        name = ".".join(path)
        if path[0] == "before":
            return self._before(node, path)
        if path[0] == DESK:
            return self._desk(node, path[1:])
        if len(path) == 1:
            if name in scope.temps:
                return scope.temps[name]
            if name in symbols.parameters:
                parameter = symbols.parameters[name]
                return Typed(
                    self.pool.make("param", (), parameter.type, name=name),
                    parameter.unit,
                    parameter.low,
                    parameter.high,
                )
            if name in symbols.lets:
                return self._let(node, name)
            if name in LEDGER and symbols.legs:
                return self._ledger(node, name)
        if name in symbols.cells or name in symbols.observed:
            return self._cell(node, name)
        if len(path) == 2:
            owner, part = path
            if owner in symbols.instruments and part == "price":
                if not self._machine(node, name) or not self._marked(node, owner):
                    return None
                return Typed(self.pool.cell(name), symbols.instruments[owner][1])
            known = ("quantity", "average", "realised", "profit", *(("working",) if symbols.fills else ()))
            if owner in symbols.legs and part in known:
                return self._leg(node, owner, part)
        event, part = ".".join(path[:-1]), path[-1]
        if event in symbols.events and part in symbols.events[event]:
            return self._field(node, event, part)
        if len(path) > 1 and path[0] in symbols.used:
            return self._used(node, path)
        self._unknown(node, path)
        return None

    def _used(self, node: syntax.Node, path: tuple[str, ...]) -> Typed | None:
        """Return what a name of a used spec stands for."""
        owner, name = self.symbols.used[path[0]], ".".join(path)
        typed = owner.read(path[1:], self.pool)
        if typed is None:
            self.error(
                "HR201", f"unknown name `{name}`", node, suggestion(name, owner.readable(), "look into its file")
            )
            return None
        over_parameters = all(leaf.args or leaf.op in ("const", "param") for leaf in typed.expr.walk())
        return typed if over_parameters or self._machine(node, name) else None

    def _unknown(self, node: syntax.Node, path: tuple[str, ...]) -> None:
        symbols, name = self.symbols, ".".join(path)
        if any(".".join(path[: end + 1]) in symbols.left_out for end in range(len(path))):
            return
        if symbols.incomplete and len(path) > 1:
            return
        if name in symbols.events:
            fields = ", ".join(f"`{name}.{part}`" for part in symbols.events[name])
            help = f"an event has no value; write {fields}" if fields else "an event without fields has no value"
        elif path[-1] == "working" and ".".join(path[:-1]) in symbols.legs:
            help = "orders work where fills come from outside: add `fills: external`"
        elif name in symbols.legs:
            help = f"write `{name}.quantity`, `{name}.average`, `{name}.realised` or `{name}.profit`"
        elif name in symbols.instruments:
            help = f"write `{name}.price`"
        elif name in symbols.states:
            help = f"write `In({name})` to ask whether the machine is in it"
        elif name in symbols.windows:
            help = "a window is read by bound functions only: name it under `with:`"
        elif name in symbols.bases or name == "s":
            help = f"`{name}` is a unit and stands after a number: write `1 {name}`, as in `5 USD / 1 {name}`"
        elif name in ("yes", "on", "no", "off"):
            help = f"write `{'true' if name in ('yes', 'on') else 'false'}`"
        elif len(path) == 2 and path[0] in ("params", "let", "state", "observe") and path[1] in symbols.readable():
            help = f"write `{path[1]}`: names stand without their section"
        elif name in LEDGER:
            help = f"`{name}` needs legs: declare `legs:` and `capital:`"
        elif name in FUNCTIONS:
            help = f"write `{name}(…)`"
        elif len(path) == 1 and (
            qualified := sorted(f"{e}.{name}" for e, fields in symbols.events.items() if name in fields)
        ):
            help = f"a field is written with its event: `{qualified[0]}`"
        else:
            known = symbols.readable() | set(self.scope.temps)
            help = suggestion(name, known, "declare it under `params:`, `let:` or `state:`")
        self.error("HR201", f"unknown name `{name}`", node, help)

    def _machine(self, node: syntax.Node, name: str) -> bool:
        if not self.scope.machine:
            self.error(
                "HR210",
                f"`{name}` cannot be read in {self.scope.place}",
                node,
                "only params and constants can stand here",
            )
        return self.scope.machine

    def _let(self, node: syntax.Node, name: str) -> Typed | None:
        checker = self.checker
        if name in checker._expanding:
            cycle = " -> ".join((*checker._expanding[checker._expanding.index(name) :], name))
            loc = self.symbols.lets[name]
            checker.findings.error(
                "HR203",
                f"`{name}` is defined by itself: {cycle}"[:300],
                checker.span(loc),
                "break the cycle; a value from the last event is a cell under `state:`",
            )
            return None
        if len(checker._expanding) > MAX_DEPTH:
            self.error("HR111", "lets are nested too deeply", node, TOO_LARGE)
            return None
        typed, found = checker.expand(name, self.scope)
        checker.fields_read |= found
        return typed

    def _marked(self, node: syntax.Node, instrument: str) -> bool:
        """Tell where an observation reads a mark that is only set from what is observed."""
        if f"{instrument}.price" not in self.scope.later:
            return True
        self.error(
            "HR408",
            f"the price of `{instrument}` is set after the observations, from what they observe",
            node,
            "read what it is set from, or read it in a guard or an action",
        )
        return False

    def _cell(self, node: syntax.Node, name: str) -> Typed | None:
        if not self._machine(node, name):
            return None
        if name in self.scope.later:
            self.error(
                "HR408",
                f"`{name}` is observed further down",
                node,
                f"move it above this line, or write `previous({name})` below it",
            )
            return None
        if not self.checker.observed(name):
            return None
        cell = self.symbols.cells[name]
        return Typed(self.pool.cell(name, cell.type), cell.unit, cell.low, cell.high)

    def _field(self, node: syntax.Node, event: str, name: str) -> Typed | None:
        if self.scope.event not in (event, "*"):
            where = f"here it is `{self.scope.event}`" if self.scope.event else "no event's fields are in scope here"
            self.error(
                "HR204",
                f"`{event}.{name}` exists only while `{event}` is processed; {where}",
                node,
                "keep it in a cell on its event, or read a mark such as `NAME.price`",
            )
            return None
        field = self.symbols.events[event][name]
        if field.person:
            help = "let an `approval:` ask who it is; an expression reads numbers, true and false"
            self.error("HR433", f"`{event}.{name}` is a person, and has no value to compute with", node, help)
            return None
        self.checker.fields_read.add((event, name))
        expr = self.pool.make("field", (), field.type, name=f"{event}.{name}")
        return Typed(expr, field.unit, field.low, field.high)

    def _leg(self, node: syntax.Node, leg: str, part: str) -> Typed | None:
        if not self._machine(node, f"{leg}.{part}"):
            return None
        pool, names = self.pool, self.symbols.legs[leg]
        quantity_unit, price_unit = self.symbols.instruments[names.instrument]
        quantity, average = pool.cell(f"{leg}.quantity"), pool.cell(f"{leg}.average")
        if part in ("quantity", "working"):
            return Typed(pool.cell(f"{leg}.{part}"), quantity_unit)
        if part == "average":
            held = pool.make("ne", (quantity, pool.constant(Fraction(0), "real")), "bool")
            return Typed(pool.make("given", (held, average), name=f"`{leg}` is empty and has no average"), price_unit)
        if part == "realised":
            return Typed(pool.cell(f"{leg}.realised"), quantity_unit * price_unit)
        if not self._marked(node, names.instrument):
            return None
        mark = pool.cell(f"{names.instrument}.price")
        gain = (average, mark) if names.side == "short" else (mark, average)
        return Typed(pool.make("mul", (pool.make("sub", gain), quantity)), quantity_unit * price_unit)

    def _ledger(self, node: syntax.Node, name: str) -> Typed | None:
        if not self._machine(node, name):
            return None
        money = self.symbols.money
        if name != "equity":
            return Typed(self.pool.cell(name), money)
        held = dict.fromkeys(leg.instrument for leg in self.symbols.legs.values())
        if not all(self._marked(node, instrument) for instrument in held):
            return None
        value = self.pool.cell("cash")
        for leg, names in self.symbols.legs.items():
            holding = self.pool.make(
                "mul", (self.pool.cell(f"{leg}.quantity"), self.pool.cell(f"{names.instrument}.price"))
            )
            value = self.pool.make("sub" if names.side == "short" else "add", (value, holding))
        return Typed(value, money)

    def _desk(self, node: syntax.Node, path: tuple[str, ...]) -> Typed | None:
        """Return what a check asks of all legs that its gate judges; `engine.desk` resolves it."""
        part = ".".join(path)
        if part in DESK_VALUES:
            return self._of_desk(node, part, DESK_VALUES[part])
        help = suggestion(f"{DESK}.{part}", (f"{DESK}.{each}" for each in DESK_VALUES), "")
        if part in DESK_WITHIN:
            help = f"it needs a period: write `{DESK}.{part}(5s)`"
        self.error("HR201", f"unknown name `{DESK}{'.' if part else ''}{part}`", node, help)
        return None

    def _of_desk(self, node: syntax.Node, part: str, is_money: bool, *within: Expr) -> Typed | None:
        """Return a value over all legs that a gate judges, in its currency or a pure number."""
        checker, currency = self.checker, self.symbols.currency
        if not self.scope.desk:
            help = "it is for the checks of gates, and for what they name by `let`"
            self.error("HR210", f"`{DESK}.{part}` cannot be read in {self.scope.place}", node, help)
            return None
        if is_money and currency is None:
            help = "declare the currency of the orders that the gate judges: `units: [USD]`"
            if not self.error("HR302", f"`{DESK}.{part}` is money, and this spec has no unit for it", node, help):
                return None
            is_money = False
        checker.counts_money |= is_money
        expr = self.pool.make(DESK, within, name=part)
        return Typed(expr, currency if is_money else ONE)

    def _before(self, node: syntax.Node, path: tuple[str, ...]) -> Typed | None:
        if not self.scope.history:
            self.error(
                "HR210",
                f"`before` cannot be read in {self.scope.place}",
                node,
                "it is for invariants and helpers",
            )
            return None
        if len(path) == 1:
            self.error("HR201", "`before` needs a name", node, "write e.g. `before.equity`")
            return None
        typed = self._name(node, path[1:])
        return typed and self._as_before(typed)

    def _as_before(self, typed: Typed) -> Typed:
        return Typed(self.checker.before(typed.expr), typed.unit, typed.low, typed.high)
