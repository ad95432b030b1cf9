"""The events that fill orders of a spec with `fills: external`, and of the specs that it uses: nobody declares them.

    legs: {long: …}                    ->      long.filled(order, quantity, price, fee, total)
                                               long.rejected(order)     long.cancelled(order)
    use: {strategy: …}                 ->      strategy.long.filled(…), booked there, taken and observed here too

Where fills are simulated there are no such events; a transition on them alone is no part of what runs then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from . import fills
from .check import Checker
from .diagnostics import Span
from .ir import Block, Cell, Event, Field, FillMode, Part, Rule
from .ledger import LegTerms
from .model import Spec
from .observe import Observations
from .record import Record
from .symbols import INT_LIMIT, CellType
from .units import ONE, Unit
from .vocabulary import matches

if TYPE_CHECKING:
    from .compose import UsedSpec

__all__ = ["BOOKS", "FillEvent", "FillEvents"]

BOOKS = Part("(fills)", None, (), (), ())
"""The part that books fills: it commits by itself, because what a spec observes of a fill may fail."""


class FillEvent(Record):
    """An event that tells what became of an order."""

    name: str
    leg: str
    fields: tuple[Field, ...]
    types: Mapping[str, CellType]
    """What expressions need to know of the fields."""

    def within(self, region: str) -> FillEvent:
        """Return the event as it is called in a composition where its leg is in a region."""
        return replace(self, name=f"{region}.{self.name}", leg=f"{region}.{self.leg}")


def _events_of(leg: str, quantity: Unit, price: Unit) -> Iterator[FillEvent]:
    """Yield the events of a leg whose quantity and price have these units."""
    zero = Fraction(0)
    order = "order", CellType("int", ONE, 1, INT_LIMIT), Fraction(1), Fraction(INT_LIMIT)
    filled = (
        order,
        ("quantity", CellType("real", quantity), zero, None),
        ("price", CellType("real", price), zero, None),
        ("fee", CellType("real", quantity * price), None, None),
        ("total", CellType("real", quantity), zero, None),
    )
    for kind, fields in zip(fills.KINDS, (filled, (order,), (order,)), strict=True):
        declared = tuple(Field(name, each.type, str(each.unit), low, high) for name, each, low, high in fields)
        yield FillEvent(f"{leg}.{kind}", leg, declared, {name: each for name, each, _, _ in fields})


class FillEvents:
    """What fills the orders of one spec in its live machine."""

    def __init__(self, spec: Spec, checker: Checker, used: Mapping[str, UsedSpec]) -> None:
        self.spec, self.checker, self.used = spec, checker, used
        self.external: bool = spec.fills == "external" or any(each.lowering.fills.external for each in used.values())
        """Whether fills come from outside: one spec of a composition says it for all."""
        self.told: dict[str, FillEvent] = {}
        """The events by name; of a spec that does not say so itself, because its user may."""

    def declare(self) -> None:
        """Find the events, and name them to the spec where fills come from outside."""
        symbols = self.checker.symbols
        for leg, names in symbols.legs.items():
            self.told |= {each.name: each for each in _events_of(leg, *symbols.instruments[names.instrument])}
        for used in self.used.values():
            inner = (each.within(used.name) for each in used.lowering.fills.told.values())
            self.told |= {each.name: each for each in inner}
        if self.external:
            self._check()
            symbols.fills = tuple(self.told)
            symbols.events |= {name: dict(each.types) for name, each in self.told.items()}

    def _check(self) -> None:
        """Tell a spec that has nothing to fill, and events of its own that are called as these are."""
        document, findings = self.checker.document, self.checker.findings
        if not self.told and not document.has("legs") and not self.checker.symbols.incomplete:
            message, help = "there is nothing to fill: neither this spec nor one that it uses has legs", "remove it"
            findings.error("HR419", message, document.key(("fills",)).span, help)
        for event in self.spec.events:
            taken = next((name for name in self.told if event == name or event.startswith(f"{name}.")), None)
            if taken is not None:
                message = f"`{event}` is called as `{taken}`, which fills orders of `{self.told[taken].leg}`"
                findings.error("HR202", message, document.key(("events", event)).span, "choose another name")

    def sets_no_mark(self, event: str, span: Span) -> bool:
        """Tell a price or a funding rate on one of these events; return whether it is one."""
        fills_orders = event in self.checker.symbols.fills
        if fills_orders:
            message = f"`{event}` fills orders against the last mark, and sets none"
            self.checker.findings.error("HR419", message, span, "let an event of your own bring the price")
        return fills_orders

    def cells(self, legs: Iterable[LegTerms], fill: FillMode) -> tuple[Cell, ...]:
        """Return the cells of working orders; none for a spec that knows of none."""
        if not self.external and fill != "external":
            return ()
        quantities = {name: str(quantity) for name, (quantity, _) in self.checker.symbols.instruments.items()}
        return fills.cells(tuple(legs), quantities, fill)

    def events(self, legs: Mapping[str, LegTerms], observed: Observations) -> Iterator[Event]:
        """Yield the events with what books them; those of a used spec are booked there, and only observed here."""
        document, pool = self.checker.document, self.checker.pool
        for told in self.told.values():
            own = told.leg in legs
            span = document.key(("legs", told.leg) if own else ("use", told.leg.partition(".")[0])).span
            marks: Block = fills.sized(pool, told.name, span) if own else ()
            booked: Block = fills.booked(pool, legs[told.leg], told.name, span) if own else ()
            seen: Block = observed.block(told.name, ()) if self.external else ()
            yield Event(told.name, told.fields, marks, (booked, seen), span, told.leg)

    def happens(self, rule: Rule, events: Iterable[str]) -> bool:
        """Return whether what a transition takes may happen where fills are simulated; `events` are the others."""
        others = tuple(events)

        def fills_orders(descriptor: str) -> bool:
            def takes(names: Iterable[str]) -> bool:
                return any(matches((descriptor,), name) for name in names)

            return takes(self.checker.symbols.fills) and not takes(others)

        return not rule.events or not all(map(fills_orders, rule.events))
