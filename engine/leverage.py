"""Leverage: whether a spec can hold more than its capital pays for, and what then bounds it.

A spec is *levered* where the worth of its legs, long and short ones added up, can exceed its equity. It is not where every
leg is long and either `cash >= 0` is among its invariants, for then the legs are worth the equity less the cash; or no order
enlarges a leg and the capital pays for what the legs open with. Of any other spec with legs it is taken that it can be.

Such a spec needs

- a *cap*: each leg that an order can enlarge is bounded, by an invariant (`hedge.quantity <= size`) or by a ruin guard that
  compares it (`gross * price > gross_max`);
- a *ruin guard*: a transition whose guard reads its books (cash, legs, or what is observed of them: equity, a drawdown, a
  value at risk), or that takes an event which a used spec raises, out of a state in which an order can enlarge a leg into
  one in which none can. Where no order enlarges a leg at all, it is one on the books that orders, there or in the state it
  leads to.

What a mark will be is not known when a spec is loaded. Where the legs open with more than the capital at every mark that is
tried, the spec is levered for certain, and refused without both; elsewhere a note says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from .diagnostics import Diagnostic, Span
from .evaluate import EXACT, Environment, Failure, evaluate
from .ir import Assign, Block, Call, Expr, Instruction, Let, Program, Propose, Push, Rule
from .ledger import LegTerms
from .statechart import Tree
from .vocabulary import Vocabulary

__all__ = ["leverage"]

TRIED = tuple(Fraction(10) ** exponent for exponent in (-2, 0, 2, 4, 9))
"""Marks at which opening quantities are tried, all instruments at the same one."""


def leverage(
    program: Program, legs: Iterable[LegTerms], capital: Expr, raised: frozenset[str], span: Span
) -> Iterator[Diagnostic]:
    """Yield what a levered spec lacks.

    Args:
        program: the spec by itself.
        legs: what it may hold.
        capital: over its parameters.
        raised: events that used specs raise, by what this one calls them.
        span: where its legs are declared.
    """
    legs = tuple(legs)
    books = _Books(program, legs, raised)
    times = _opening(program, legs, capital)
    if not legs or books.pays_in_cash(times):
        return
    lacking = [f"a cap on `{leg.name}`" for leg in legs if not books.is_capped(leg)]
    lacking += [] if books.guards else ["a ruin guard"]
    if not lacking:
        return
    without = " and ".join(lacking) if len(lacking) < 3 else ", ".join(lacking[:-1]) + f" and {lacking[-1]}"
    help = (
        "bound each leg by an invariant or a guard, and let a transition that reads the equity or the exposure lead to a "
        "state in which no order enlarges a leg"
    )
    if times is not None and times[0] > 1:
        message = f"the legs open at {float(times[0]):.3g} times the capital, without {without}"
        yield Diagnostic("HR452", message, span, help)
    else:
        message = f"the legs may come to be worth more than the equity, without {without}"
        yield Diagnostic("HR708", message, span, help, "note")


def _opening(program: Program, legs: tuple[LegTerms, ...], capital: Expr) -> tuple[Fraction, Fraction] | None:
    """Return the least and the greatest worth of the legs as they open, in capitals, over the marks that are tried.

    Parameters are at their defaults; None where it is not known.
    """
    known = {parameter.name: parameter.default for parameter in program.parameters if parameter.given is None}
    fields = [f"{event.name}.{field.name}" for event in program.events for field in event.fields]
    found: list[Fraction] = []
    for mark in TRIED:
        cells = {instrument.price: mark for instrument in program.instruments}
        environment = Environment(known, EXACT, cells=cells, fields=dict.fromkeys(fields, mark))
        try:
            held = sum((abs(Fraction(evaluate(leg.opening, environment))) for leg in legs), Fraction(0))
            paid = Fraction(evaluate(capital, environment))
        except (Failure, KeyError):
            return None
        if paid <= 0:
            return None
        found.append(held * mark / paid)
    return min(found), max(found)


class _Books:
    """What a program does with its legs, and what watches that."""

    def __init__(self, program: Program, legs: tuple[LegTerms, ...], raised: frozenset[str]) -> None:
        self.program, self.legs, self.raised = program, legs, raised
        self.tree = Tree(program.states)
        blocks = [rule.action for rule in program.rules]
        blocks += [block for state in program.states for block in (state.initially, state.entry, state.exit)]
        blocks += [block for event in program.events for block in event.observe]
        self.enlarged = frozenset(leg for block in blocks for leg in _enlarged(block))
        self.growing = self._where(lambda block: bool(_enlarged(block)))
        self.ordering = self._where(_orders)
        self.watched = self._watched()
        self.guards = tuple(rule for rule in program.rules if self._is_ruin_guard(rule))

    def pays_in_cash(self, times: tuple[Fraction, Fraction] | None) -> bool:
        """Return whether the legs are surely worth no more than the equity."""
        if any(leg.side != "long" for leg in self.legs):
            return False
        if any(_keeps_cash(part) for _, claim in self.program.invariants for part in _conjuncts(claim)):
            return True
        return not self.enlarged and times is not None and times[1] <= 1

    def is_capped(self, leg: LegTerms) -> bool:
        """Return whether no order enlarges a leg, or something bounds its quantity from above."""
        if leg.name not in self.enlarged:
            return True
        gates = (gate for gate in self.program.gates if gate.applies != "reduce")
        claims = [claim for _, claim in self.program.invariants]
        claims += [check.condition for gate in gates for check in gate.checks]
        if any(_bounds(part, leg.quantity) for claim in claims for part in _conjuncts(claim)):
            return True
        # A guard fires above its limit: there the leg is on the larger side.
        asked = (node for rule in self.guards if rule.guard is not None for node in rule.guard.walk())
        return any(_exceeds(node, leg.quantity) for node in asked)

    def _where(self, kind: Callable[[Block], bool]) -> frozenset[str]:
        """Return the states in which a block of a kind may run: on the way in, or in a transition that stays inside."""
        found: set[str] = set()
        for state in self.program.states:
            if kind(state.initially) or kind(state.entry):
                found.update((state.name, *self.tree.ancestors[state.name]))
        for rule in self.program.rules:
            # A transition that leaves a state is the way back from it, and not what is done there.
            around = (rule.source, *self.tree.ancestors[rule.source]) if kind(rule.action) else ()
            for name in around:
                if all(target == name or self.tree.is_descendant(target, name) for target in rule.targets):
                    found.add(name)
        return frozenset(found)

    def _is_ruin_guard(self, rule: Rule) -> bool:
        """Return whether a transition leads on what the books say from where legs grow to where they do not."""
        if not self._is_on_the_books(rule) or any(target in self.growing for target in rule.targets):
            return False
        if not self.enlarged:
            # Nothing can grow: what winds down is an order.
            return _orders(rule.action) or any(target in self.ordering for target in rule.targets)
        around = (rule.source, *self.tree.ancestors[rule.source])
        return bool(rule.targets) and any(name in self.growing for name in around) and not _enlarged(rule.action)

    def _is_on_the_books(self, rule: Rule) -> bool:
        """Return whether a guard reads the books, or a used spec says so."""
        if rule.guard is not None and self._reads_books(rule.guard, frozenset()):
            return True
        return bool(Vocabulary(self.raised).matching(rule.events))

    def _watched(self) -> frozenset[str]:
        """Return the cells and windows that are computed from the books when an event is observed."""
        blocks = [block for event in self.program.events for block in event.observe]
        watched: frozenset[str] = frozenset()
        while True:
            self.watched = watched
            found = watched.union(*(self._computed(block) for block in blocks))
            if found == watched:
                return watched
            watched = found

    def _computed(self, block: Block) -> set[str]:
        temps: set[str] = set()
        found: set[str] = set()
        for step in block:
            found |= self._written(step, temps)
        return found

    def _written(self, step: Instruction, temps: set[str]) -> set[str]:
        """Return what a step writes from the books; the names that it binds to such values go into `temps`."""
        bound = frozenset(temps)
        match step:
            case Let(temp, value) if self._reads_books(value, bound):
                temps.add(temp)
            case Assign(targets):
                return {cell for cell, value in targets if self._reads_books(value, bound)}
            case Push(window, value) if self._reads_books(value, bound):
                return {window}
            case Call(_, arguments, into):
                read = (
                    self._reads_books(value, bound) if isinstance(value, Expr) else value.text in self.watched
                    for _, value in arguments
                )
                return {cell for _, cell in into} if any(read) else set()
        return set()

    def _reads_books(self, expr: Expr, temps: frozenset[str]) -> bool:
        books = {"cash", *(name for leg in self.legs for name in (leg.quantity, leg.realised))} | self.watched
        return any(
            (node.op == "cell" and node.name in books) or (node.op == "temp" and node.name in temps)
            for node in expr.walk()
        )


def _enlarged(block: Block) -> frozenset[str]:
    """Return the legs that a block may enlarge; a target of 0 closes."""
    bound = {step.temp: step.value for step in block if isinstance(step, Let)}
    found = set()
    for step in block:
        if isinstance(step, Propose) and step.verb in ("increase", "target"):
            after = bound.get(step.after.name, step.after) if step.after.op == "temp" else step.after
            if step.verb == "increase" or after.op != "const" or after.value != 0:
                found.add(step.leg)
    return frozenset(found)


def _orders(block: Block) -> bool:
    return any(isinstance(step, Propose) for step in block)


def _conjuncts(claim: Expr) -> Iterator[Expr]:
    stack = [claim]
    while stack:
        node = stack.pop()
        if node.op == "and":
            stack += node.args
        else:
            yield node


def _sides(node: Expr) -> tuple[Expr, Expr] | None:
    """Return the smaller and the larger side of a comparison, as it says."""
    if node.op in ("le", "lt"):
        return node.args[0], node.args[1]
    return (node.args[1], node.args[0]) if node.op in ("ge", "gt") else None


def _keeps_cash(claim: Expr) -> bool:
    """Return whether a claim is that the cash is not below a constant of at least 0."""
    sides = _sides(claim)
    if sides is None:
        return False
    low, high = sides
    return high.op == "cell" and high.name == "cash" and low.op == "const" and low.value is not None and low.value >= 0


def _bounds(claim: Expr, quantity: str) -> bool:
    """Return whether a claim bounds a quantity from above, by something that is not what it was before."""
    sides = _sides(claim)
    if sides is None or any(node.op == "before" for node in claim.walk()):
        return False
    return _grows_with(sides[0], quantity) and not _reads(sides[1], quantity)


def _exceeds(condition: Expr, quantity: str) -> bool:
    """Return whether a condition asks whether what grows with a quantity is above something else."""
    sides = _sides(condition)
    return sides is not None and _grows_with(sides[1], quantity) and not _reads(sides[0], quantity)


def _grows_with(expr: Expr, quantity: str) -> bool:
    """Return whether an expression is larger where a quantity is, as it is written: a net position is not.

    What is multiplied is taken to be above 0, as marks are.
    """
    match expr.op:
        case "cell":
            return expr.name == quantity
        case "add" | "mul" | "max":
            return any(_grows_with(argument, quantity) for argument in expr.args)
        case "sub" | "div":
            other = any(node.op == "cell" and node.name.endswith(".quantity") for node in expr.args[1].walk())
            return not other and _grows_with(expr.args[0], quantity)
        case "abs":
            return expr.args[0].op == "cell" and expr.args[0].name == quantity
        case _:
            return False


def _reads(expr: Expr, cell: str) -> bool:
    return any(node.op == "cell" and node.name == cell for node in expr.walk())
