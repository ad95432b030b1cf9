"""Random desks: strategies that order, gates that may stop them, breakers, and functions that fail in every way.

`Made` has the texts of a desk and what a book-keeper needs to judge it without the engine: limits, and the moods of its
bound check. `Books` follows the orders of a run by themselves and says which of them should not have left.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import verdicts

from hedgerow.engine.load import Spec, load
from hedgerow.engine.step import Order, Step

SECOND = 10**9
SPECS = Path(__file__).parent.parent / "specs"
BREAKERS = {"intraday.yaml": "governance/intraday_drawdown_breaker.yaml", "drawdown.yaml": "drawdown_breaker.yaml"}
ROUNDING = 1e-9
"""How far a limit may be passed, as a share of it: the book-keeper adds up in another order."""
FLATTEN = ("out", "stop", "fail_safe")
"""What the transitions are called that close everything; `fail_safe` is the engine's own way there."""


@dataclass(frozen=True)
class Limits:
    """What the gates of a desk allow; None where it has no such gate."""

    gross: float | None = None
    net: float | None = None
    cash: float | None = None
    age_ns: int | None = None
    asked: float | None = None
    """The limit on gross that the bound function is given."""
    own: Mapping[str, float] = field(default_factory=dict)
    """By strategy: the most that one leg of it may be worth, for its own orders."""
    open: tuple[str, ...] = ()
    """States of breakers in which nothing may grow."""


@dataclass(frozen=True)
class Made:
    """A desk, and what is known of it by construction."""

    texts: Mapping[str, str]
    limits: Limits
    legs: Mapping[str, bool]
    """Whether each leg is short."""

    def load(self, folder: Path, registry: Any = verdicts.REGISTRY) -> Spec:
        for name, text in self.texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return load(folder / "desk.yaml", registry=registry)


def desk(seed: int, *, isolated: bool = False) -> Made:
    """Return the desk of a seed."""
    rng = random.Random(seed)
    strategies = ["a", "b"][: rng.choice((1, 2, 2))]
    texts = {name: (SPECS / path).read_text(encoding="utf-8") for name, path in BREAKERS.items()}
    legs: dict[str, bool] = {}
    own: dict[str, float] = {}
    for name in strategies:
        texts[f"{name}.yaml"], held, limit = _strategy(rng)
        legs |= {f"{name}.{leg}": short for leg, short in held.items()}
        if limit is not None:
            own[name] = limit
    texts["desk.yaml"], limits = _desk(rng, strategies, legs, own, isolated)
    return Made(texts, limits, legs)


# ---------------------------------------------------------------------------------------------------------- strategies


def _strategy(rng: random.Random) -> tuple[str, dict[str, bool], float | None]:
    legs = {name: rng.choice(("long", "short", "both")) for name in ("one", "two")[: rng.choice((1, 2))]}
    states = [f"s{index}" for index in range(rng.choice((1, 2, 3)))]
    limit = rng.choice((None, 4_000.0, 15_000.0))
    gates = [] if limit is None else ["gates:", "  own:", "    applies: increase", "    checks:"]
    if limit is not None:
        gates += [f"      {leg}: {{of: abs({leg}.quantity) * index.price, most: {limit}}}" for leg in legs]
    lines = [
        "hedgerow: 1",
        "name: strategy",
        "units: [USD, IDX]",
        "capital: {USD: 100000}",
        "events: {tick: {price: {unit: USD/IDX, range: [1, 1e6]}}, flatten: {}, resume: {}}",
        f"instruments: {{index: {{unit: IDX, price: tick.price, fee: {rng.choice((0, 0.0005))}}}}}",
        "legs:",
        *(f"  {leg}: {{instrument: index, side: {side}{_opening(rng)}}}" for leg, side in legs.items()),
        "state: {anchor: {unit: USD/IDX, initial: index.price}}",
        *gates,
        "machine:",
        "  initial: trading",
        "  fail_safe: halted",
        "  states:",
        "    trading:",
        f"      initial: {states[0]}",
        "      on:",
        "        flatten: {name: out, to: flat}",
        "      states:",
    ]
    for index, state in enumerate(states):
        lines += [f"        {state}:", "          on:", "            tick:"]
        for number in range(2):
            lines.append(f"              - {_transition(rng, f'r{index}{number}', legs, states, number)}")
        # What is stopped is tried again at another price, or in another state, and not on every tick.
        after = rng.choice((f"to: {rng.choice(states)}, ", ""))
        lines.append(f"            gate.rejected: {{name: told{index}, {after}do: {{set: {{anchor: index.price}}}}}}")
    close = f"[{{close: [{', '.join(legs)}]}}]"
    lines += [
        "    flat:",
        f"      entry: {close}",
        "      on: {resume: {to: trading}}",
        "    halted:",
        f"      entry: {close}",
        "      on: {resume: {to: trading}, flatten: {name: stop, to: flat}}",
    ]
    return "\n".join(lines) + "\n", {leg: side == "short" for leg, side in legs.items()}, limit


def _opening(rng: random.Random) -> str:
    return f", quantity: {rng.randint(1, 20)}" if rng.random() < 0.3 else ""


def _transition(rng: random.Random, name: str, legs: Mapping[str, str], states: list[str], number: int) -> str:
    band = rng.choice((0.002, 0.004, 0.008))
    guard = f"index.price >= {1 + band} * anchor" if number else f"index.price <= {1 - band} * anchor"
    if rng.random() < 0.15:
        # A guard that fails now and then: an error, and no exposure may grow on that event.
        guard = f"{guard} and sqrt((index.price - 70 USD / 1 IDX) * 1 IDX / 1 USD) >= 0"
    steps = [_order(rng, leg, side) for leg, side in legs.items() if rng.random() < 0.8]
    target = rng.choice(("", *(f", to: {state}" for state in states)))
    return f"{{name: {name}, if: '{guard}'{target}, do: [{', '.join([*steps, '{set: {anchor: index.price}}'])}]}}"


def _order(rng: random.Random, leg: str, side: str) -> str:
    size = rng.randint(1, 30)
    kinds = [f"{{increase: {{{leg}: {size}}}}}"] * 3 + [f"{{target: {{{leg}: {size}}}}}"]
    kinds += [f"{{reduce: {{{leg}: {leg}.quantity / 2}}}}", f"{{close: {leg}}}"]
    if side == "both":
        kinds += [f"{{target: {{{leg}: -{leg}.quantity}}}}", f"{{target: {{{leg}: -{size}}}}}"]
    return rng.choice(kinds)


# ------------------------------------------------------------------------------------------------------------- the desk


def _desk(
    rng: random.Random, strategies: list[str], legs: Mapping[str, bool], own: Mapping[str, float], isolated: bool
) -> tuple[str, Limits]:
    breakers = rng.sample(("intraday", "drawdown"), rng.choice((1, 2)))
    first, lines = strategies[0], ["use:"]
    lines += [f"  {name}: {{spec: {name}.yaml}}" for name in strategies]
    opened = {"intraday": "intraday.capital_preservation", "drawdown": "drawdown.open"}
    made = {
        "intraday": (
            "  intraday: {spec: intraday.yaml, "
            f"params: {{limit: {rng.choice((0.002, 0.01))}}}, "
            f"events: {{mark: {{tick: {{equity: {first}.equity}}}}, tripped: intraday_tripped}}}}"
        ),
        "drawdown": (
            "  drawdown: {spec: drawdown.yaml, "
            f"params: {{limit: {rng.choice((0.002, 0.01))}, cool_down: 10m}}, "
            f"events: {{mark: {{tick: {{equity: {strategies[-1]}.equity}}}}, tripped: drawdown_tripped}}}}"
        ),
    }
    lines += [made[name] for name in breakers]
    value = " + ".join(f"abs({leg}.quantity)" for leg in legs)
    signed = "".join(f" {'-' if short else '+'} {leg}.quantity" for leg, short in legs.items()).removeprefix(" + ")
    limits: dict[str, Any] = {"own": own, "open": tuple(opened[name] for name in breakers)}
    checks = [f"closed: not ({' or '.join(f'In({state})' for state in limits['open'])})"]
    if rng.random() < 0.7:
        limits["gross"] = rng.choice((8_000.0, 40_000.0))
        checks.append(f"gross: {{of: ({value}) * {first}.index.price, most: {limits['gross']}}}")
    if rng.random() < 0.5:
        limits["net"] = rng.choice((4_000.0, 20_000.0))
        checks.append(f"net: {{of: abs({signed}) * {first}.index.price, most: {limits['net']}}}")
    if rng.random() < 0.5:
        limits["cash"] = rng.choice((90_000.0, 98_000.0))
        checks.append(f"cash: {first}.cash >= {limits['cash']} USD")
    if rng.random() < 0.5:
        age = rng.choice((20, 90))
        limits["age_ns"] = age * SECOND
        checks.append(f"fresh: {{holds: 'true', max_age: {{risk: {age}s}}}}")
    if isolated or rng.random() < 0.6:
        limits["asked"] = rng.choice((15_000.0, 60_000.0))
        more = "deadline: 100ms, isolate: true" if isolated else "deadline: 10ms"
        given = f"number: count, value: ({value}) * {first}.index.price, limit: {limits['asked']}"
        checks.append(f"asked: {{call: my.moody, with: {{{given}}}, {more}}}")
    rng.shuffle(checks)
    react = "{raise: flatten}" if rng.random() < 0.5 else "[]"
    lines += [
        "events: {tick: {price: {unit: USD/IDX, range: [1, 1e6]}}, risk: {}}",
        "state: {count: {type: int, range: [0, 1000000000], initial: 0}}",
        "observe: {tick: {count: 'min(count + 1, 1000000000)'}}",
        "gates:",
        "  growth:",
        "    applies: increase",
        "    checks:",
        *(f"      {check}" for check in checks),
        "machine:",
        "  initial: watching",
        "  fail_safe: watching",
        "  states:",
        f"    watching: {{on: {{{', '.join(f'{name}_tripped: {{do: {react}}}' for name in breakers)}}}}}",
    ]
    return "\n".join(["hedgerow: 1", "name: desk", "units: [USD, IDX]", *lines]) + "\n", Limits(**limits)


# ------------------------------------------------------------------------------------------------------------ its events


class Sent(NamedTuple):
    """An event of a run; the price is that of a tick."""

    name: str
    time_ns: int
    price: float = 0.0


def events(seed: int, count: int) -> Iterator[Sent]:
    """Yield the events of a run: ticks a second apart, and now and then something else before one."""
    rng, price = random.Random(seed), 100.0
    for second in range(count):
        time_ns = second * SECOND
        if second:  # a machine starts with its first tick
            drawn = rng.random()
            if drawn < 0.03:
                yield Sent("risk", time_ns)
            elif drawn < 0.032:
                yield Sent("flatten", time_ns)
            elif drawn < 0.06:
                yield Sent("resume", time_ns)
            elif drawn < 0.07:
                yield Sent("session", time_ns)
            elif drawn < 0.085:
                yield Sent("release", time_ns)
            elif drawn < 0.086:
                yield Sent("tick", time_ns, -1.0)  # refused
        price *= 1 + rng.gauss(0.0, 0.0012) - 0.00002 * (price - 100)
        yield Sent("tick", time_ns, price)


# --------------------------------------------------------------------------------------------------------- the books


class Books:
    """The books of a desk, kept from its orders alone; `wrong` says what should not have been."""

    def __init__(self, made: Made, held: Mapping[str, float], cash: float) -> None:
        self.made, self.limits = made, made.limits
        self.held, self.cash = dict(held), cash
        self.first = next(iter(made.legs)).partition(".")[0]
        self.ticks, self.risk_ns, self.price = 0, None, 0.0
        self.wrong: list[str] = []
        self.increases = 0

    def take(self, sent: Sent, step: Step) -> None:
        """Note what an event did."""
        if step.rejected is None:
            if sent.name == "tick":
                self.ticks += 1
                self.price = sent.price
            elif sent.name == "risk":
                self.risk_ns = sent.time_ns
        elif step.orders:
            self.wrong.append(f"{sent}: a refused event led to orders")
        for closing, orders in groupby(step.orders, key=_is_closing):
            self._microstep(sent, step, list(orders), closing)
        if sent.name == "flatten" and any(self.held.values()):
            self.wrong.append(f"{sent}: after it the desk holds {self.held}")

    def _microstep(self, sent: Sent, step: Step, orders: list[Order], closing: bool) -> None:
        before = dict(self.held)
        for order in orders:
            bought = order.quantity if order.side == "buy" else -order.quantity
            self.held[order.leg] += -bought if self.made.legs[order.leg] else bought
            if order.leg.startswith(f"{self.first}."):
                self.cash -= bought * order.price + order.fee + order.slippage
        # A close writes exactly 0, which sums of orders may miss by a rounding.
        self.held = {leg: 0.0 if abs(held) < 1e-9 else held for leg, held in self.held.items()}
        grown = [
            leg for leg, held in self.held.items() if abs(held) > abs(before[leg]) + 1e-9 or held * before[leg] < 0
        ]
        if closing and grown:
            self.wrong.append(f"{sent}: what closes the desk has enlarged {grown}")
        if grown:
            self.increases += 1
            self.wrong += [f"{sent}: {grown} grew, and {why}" for why in self._against(sent, step, grown)]

    def _against(self, sent: Sent, step: Step, grown: list[str]) -> Iterator[str]:
        """Yield every gate that should not have let an increase through."""
        limits, price = self.limits, self.price
        gross = sum(map(abs, self.held.values())) * price
        net = sum(-held if self.made.legs[leg] else held for leg, held in self.held.items()) * price
        if limits.gross is not None and gross > limits.gross * (1 + ROUNDING):
            yield f"gross is {gross}"
        if limits.net is not None and abs(net) > limits.net * (1 + ROUNDING):
            yield f"net is {net}"
        if limits.cash is not None and self.cash < limits.cash * (1 - ROUNDING):
            yield f"cash is {self.cash}"
        if limits.age_ns is not None and (self.risk_ns is None or sent.time_ns - self.risk_ns > limits.age_ns):
            yield f"`risk` came last at {self.risk_ns}"
        if limits.asked is not None:
            if verdicts.mood(self.ticks) != "yes":
                yield f"the function was in the mood for {verdicts.mood(self.ticks)}"
            if gross > limits.asked * (1 + ROUNDING):
                yield f"gross is {gross} for the function"
        for leg in grown:
            most = limits.own.get(leg.partition(".")[0])
            if most is not None and abs(self.held[leg]) * price > most * (1 + ROUNDING):
                yield f"`{leg}` is worth {abs(self.held[leg]) * price}"
        for state in limits.open:
            if any(leaf == state or leaf in _INSIDE[state] for leaf in step.configuration):
                yield f"`{state}` is active"


_INSIDE = {
    "intraday.capital_preservation": ("intraday.until_session", "intraday.until_release"),
    "drawdown.open": ("drawdown.cooling", "drawdown.waiting"),
}
"""The leaves of the states in which breakers are open."""


def _is_closing(order: Order) -> bool:
    return order.rule.rpartition(".")[2] in FLATTEN


OPEN_LEAVES = frozenset(leaf for leaves in _INSIDE.values() for leaf in leaves)
