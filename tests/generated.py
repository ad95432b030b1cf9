"""Random specs and random events: small machines that use every part of the language, right and wrong at run time.

The specs are valid by construction; what happens to them is not: divisions by zero, orders below zero, values out of
range, refused inputs and macrosteps that never settle all occur.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

__all__ = ["Event", "Sketch", "events", "sketches"]


@dataclass(frozen=True)
class Event:
    name: str
    time_ns: int
    values: tuple[object, ...]


@dataclass(frozen=True)
class Sketch:
    """A spec's text, with what a test needs to know of it."""

    text: str
    legs: tuple[tuple[str, str, str], ...]
    """(leg, instrument, side)."""
    instruments: tuple[str, ...]


STATES = ("calm", "busy", "inner_a", "inner_b", "deep", "done", "safe")
REALS = ("a", "b", "u", "v", "x", "y", "0", "1", "2", "0.5", "-1", "0.1", "3", "steady")
BOOLS = (
    "flag",
    "In(calm)",
    "In(outer)",
    "In(inner_a)",
    "n > 2",
    "n == 0",
    "since(leave) > 5s",
    "elapsed(tick) >= 2s",
    "true",
)


def reals(depth: int = 2, extra: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    atoms = st.sampled_from(REALS + extra)
    if depth == 0:
        return atoms
    below = reals(depth - 1, extra)
    pair = st.tuples(below, below)
    return st.one_of(
        atoms,
        pair.map(lambda p: f"({p[0]} + {p[1]})"),
        pair.map(lambda p: f"({p[0]} - {p[1]})"),
        pair.map(lambda p: f"({p[0]} * {p[1]})"),
        pair.map(lambda p: f"({p[0]} / (v * {p[1]}))"),
        pair.map(lambda p: f"min({p[0]}, {p[1]})"),
        pair.map(lambda p: f"max({p[0]}, {p[1]}, 0.25)"),
        below.map(lambda e: f"abs({e})"),
        below.map(lambda e: f"sqrt({e})"),
        below.map(lambda e: f"-({e})"),
        below.map(lambda e: f"({e}) ** 2"),
        pair.map(lambda p: f"clip({p[0]}, -2, {p[1]})"),
        st.tuples(below, conditions(depth - 1, extra), below).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
    )


def conditions(depth: int = 2, extra: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    atoms = st.sampled_from(BOOLS)
    if depth == 0:
        return atoms
    below, numbers = conditions(depth - 1, extra), reals(depth - 1, extra)
    pair = st.tuples(below, below)
    return st.one_of(
        atoms,
        st.tuples(numbers, st.sampled_from(("<", "<=", ">", ">=", "==", "!=")), numbers).map(
            lambda p: f"({p[0]} {p[1]} {p[2]})"
        ),
        st.tuples(numbers, numbers, numbers).map(lambda p: f"({p[0]} < {p[1]} <= {p[2]})"),
        pair.map(lambda p: f"({p[0]} and {p[1]})"),
        pair.map(lambda p: f"({p[0]} or {p[1]})"),
        below.map(lambda e: f"(not {e})"),
        pair.map(lambda p: f"implies({p[0]}, {p[1]})"),
    )


@st.composite
def _steps(draw: st.DrawFn, legs: tuple[str, ...], event: str | None) -> str:
    extra = ("tick.price / 100 * 1 IDX / 1 USD",) if event == "tick" else ()
    steps: list[str] = []
    if draw(st.booleans()):
        steps.append("{set: {u: '" + draw(reals(2, extra)) + "'}}")
    if draw(st.integers(0, 2)) == 0:
        steps.append("{let: {t: '" + draw(reals(1, extra)) + "'}}")
        steps.append("{set: {v: 't * u', u: 'v + t'}}")
    ordered = draw(st.lists(st.sampled_from(legs), unique=True, max_size=2)) if legs else []
    for leg in ordered:
        verb = draw(st.sampled_from(("target", "increase", "reduce", "close")))
        amount = draw(reals(1, extra))
        steps.append("{close: " + leg + "}" if verb == "close" else f"{{{verb}: {{{leg}: '({amount}) * 1 IDX'}}}}")
    if draw(st.integers(0, 3)) == 0:
        steps.append(
            draw(
                st.sampled_from(
                    ("{set: {n: 'n + 1'}}", "{set: {n: 'min(n + 1, 4)'}}", "{set: {n: 0, flag: 'not flag'}}")
                )
            )
        )
    if draw(st.integers(0, 5)) == 0:
        steps.append("{raise: {note: {size: 'n', sure: 'flag'}}}")
    return "[" + ", ".join(steps) + "]"


@st.composite
def _transitions(draw: st.DrawFn, source: str, legs: tuple[str, ...], event: str | None) -> str:
    found = []
    for _ in range(draw(st.integers(1, 3))):
        extra = ("tick.price / 100 * 1 IDX / 1 USD",) if event == "tick" else ()
        parts = ["if: '" + draw(conditions(2, extra)) + "'"]
        if draw(st.booleans()):
            parts.append("to: " + draw(st.sampled_from((*STATES, "outer", source))))
        parts.append("do: " + draw(_steps(legs, event)))
        found.append("{" + ", ".join(parts) + "}")
    return "[" + ", ".join(found) + "]"


@st.composite
def sketches(draw: st.DrawFn, with_legs: bool | None = None) -> Sketch:
    """A random spec; `with_legs` forces a ledger in or out."""
    has_legs = draw(st.booleans()) if with_legs is None else with_legs
    sides = draw(st.lists(st.sampled_from(("long", "short", "both")), min_size=1, max_size=3)) if has_legs else []
    instruments = ("index", "other") if has_legs else ()
    legs = tuple((f"leg{i}", draw(st.sampled_from(instruments)), side) for i, side in enumerate(sides))
    names = tuple(name for name, _, _ in legs)
    lines = ["hedgerow: 1", "name: generated", "units: [USD, IDX]"]
    if has_legs:
        lines.append("capital: {USD: 1000}")
    lines += [
        "events:",
        "  tick: {price: {unit: USD/IDX, range: [0.5, 1000]}}",
        "  note: {size: {type: int, range: [0, 4]}, sure: {type: bool}}",
        "  stop: {}",
        "  funding: {rate: {range: [-0.1, 0.1]}}",
        "params:",
        "  a: {default: 0.75, range: [0, 1]}",
        "  b: {default: 3, range: [-5, 5]}",
    ]
    if has_legs:
        lines.append("instruments:")
        for instrument in instruments:
            terms = [
                "unit: IDX",
                "price: tick.price"
                if instrument == "index"
                else "price: {tick: 'tick.price * 2', note: 'index.price'}",
            ]
            terms += draw(
                st.lists(
                    st.sampled_from(
                        (
                            "fee: 0.01",
                            "slippage: 0.002",
                            "half_spread: '0.05 USD / 1 IDX'",
                            "borrow: 0.01 / 1d",
                            "funding: {funding: funding.rate}",
                            "lot: 0.25",
                            "minimum_notional: 2",
                        )
                    ),
                    unique=True,
                    max_size=5,
                )
            )
            lines.append(f"  {instrument}: {{{', '.join(terms)}}}")
        lines.append("legs:")
        for name, instrument, side in legs:
            opening = draw(st.sampled_from(("0", "1 IDX", "2.5 IDX", "10 USD / index.price")))
            lines.append(f"  {name}: {{instrument: {instrument}, side: {side}, quantity: {opening}}}")
    lines += [
        "state:",
        "  u: {initial: 1}",
        "  v: {initial: " + draw(st.sampled_from(("a", "0", "tick.price / 100 * 1 IDX / 1 USD"))) + "}",
        "  n: {type: int, range: [0, 5], initial: 0}",
        "  flag: {type: bool, initial: false}",
        "let:",
        "  x: " + ("index.price / 100 * 1 IDX / 1 USD" if has_legs else "level"),
        "  y: " + (f"{names[0]}.quantity / 1 IDX + equity / 1000 USD" if has_legs else "v / 2"),
        "observe:",
        "  tick:",
        "    level: peak(tick.price / 100 * 1 IDX / 1 USD, initial=0)",
        "    steady: ewma(tick.price / 100 * 1 IDX / 1 USD, decay=0.5, initial=1)",
        "    run: streak(level > 1, max=3)",
    ]
    if draw(st.booleans()):
        lines.append(
            "    v: '"
            + draw(st.sampled_from(("previous(steady) / (1 + run)", "1 / (steady - u)", "v * 2", "previous(v)")))
            + "'"
        )
    lines += [
        "machine:",
        "  initial: " + draw(st.sampled_from(("calm", "outer"))),
        "  fail_safe: safe",
        "  states:",
    ]

    def state(name: str, indent: int, final: bool = False) -> None:
        pad = " " * indent
        lines.append(f"{pad}{name}:")
        if final:
            lines.append(f"{pad}  final: true")
        if draw(st.integers(0, 2)) == 0:
            lines.append(f"{pad}  entry: {draw(_steps(() if final else names[2:], None))}")
        if final:
            return
        if draw(st.integers(0, 2)) == 0:
            lines.append(f"{pad}  exit: {draw(_steps((), None))}")
        if draw(st.integers(0, 4)) == 0:
            condition = draw(conditions(1))
            lines.append(f"{pad}  always: {{if: '{condition}', to: {draw(st.sampled_from(STATES))}}}")
        lines.append(f"{pad}  on:")
        for event in draw(
            st.lists(
                st.sampled_from(("tick", "note", "stop", "input.rejected", "error.execution", "done.state.outer", "*")),
                unique=True,
                min_size=1,
                max_size=3,
            )
        ):
            source = "tick" if event == "tick" else None
            lines.append(f"{pad}    '{event}': {draw(_transitions(name, names[:2], source))}")

    state("calm", 4)
    state("busy", 4)
    lines.append("    outer:")
    lines.append("      initial: inner_a")
    lines.append("      on: {stop: {name: leave, if: '" + draw(conditions(1)) + "', to: calm}}")
    lines.append("      states:")
    state("inner_a", 8)
    state("inner_b", 8, final=True)
    lines.append("        nest:")
    lines.append("          initial: deep")
    lines.append("          states:")
    state("deep", 12)
    state("done", 4, final=draw(st.booleans()))
    state("safe", 4)
    lines += [
        "invariants:",
        "  claim: '" + draw(conditions(2)) + "'",
        "  kept: implies(was(calm) and not ordered(), u == before.u or changed(v))",
    ]
    return Sketch("\n".join(lines) + "\n", legs, instruments)


@st.composite
def events(draw: st.DrawFn, most: int = 25) -> list[Event]:
    """Random events in time, with bad values and steps back among them."""
    found = [Event("tick", 0, (100.0,))] if draw(st.integers(0, 9)) else []
    time = 0
    for _ in range(draw(st.integers(1, most))):
        time += draw(st.sampled_from((0, 1, 10**9, 3 * 10**9, 86_400 * 10**9)))
        kind = draw(st.sampled_from(("tick", "tick", "tick", "note", "stop", "funding", "bad")))
        match kind:
            case "tick":
                price = draw(st.one_of(st.sampled_from((50.0, 100.0, 200.0)), st.floats(0.5, 1000)))
                found.append(Event("tick", time, (price,)))
            case "note":
                found.append(Event("note", time, (draw(st.integers(0, 4)), draw(st.booleans()))))
            case "stop":
                found.append(Event("stop", time, ()))
            case "funding":
                found.append(Event("funding", time, (draw(st.floats(-0.1, 0.1)),)))
            case _:
                bad = draw(
                    st.sampled_from(
                        (
                            Event("tick", time, (float("nan"),)),
                            Event("tick", time, (-1.0,)),
                            Event("tick", time - 10, (5.0,)),
                            Event("tick", time, ("12",)),
                            Event("tick", time, (None,)),
                            Event("note", time, (9, True)),
                            Event("note", time, (1.5, True)),
                            Event("note", time, (1, 1)),
                            Event("tick", time, (float("inf"),)),
                        )
                    )
                )
                found.append(bad)
    return found
