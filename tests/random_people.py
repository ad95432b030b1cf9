"""Random specs in which orders wait for people, and a clerk who knows from the outside who may let which of them out.

Every internal event has a field `who`, in which the spec itself carries along who brought the event from outside; -1 is
nobody. The engine knows nothing of that, and the clerk nothing of the cells in which the engine keeps people.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hedgerow.engine.step import Step

__all__ = ["BROUGHT", "NAMES", "PEOPLE", "SECOND", "UNKNOWN", "Clerk", "Made", "made"]

SECOND = 10**9
PEOPLE = {"anna": ("risk",), "ben": ("risk", "trading"), "carl": ("trading",), "dora": ("risk",), "eve": ()}
NAMES = tuple(PEOPLE)
BROUGHT = ("wish", "poke")
INNER = ("a", "b", "c")
"""Internal events, in the order in which one may raise another at once."""
UNKNOWN = "(unknown)"
"""Who brought what came late with something else."""
ENDS = ("approval.denied", "approval.expired", "approval.lapsed", "approval.refused", "approval.asked")


@dataclass(frozen=True)
class Policy:
    role: str
    persons: int
    within_s: int


@dataclass(frozen=True)
class Made:
    """A spec, and what is known of it by construction."""

    text: str
    policies: Mapping[str, Policy]
    waits: Mapping[str, str]
    """By transition the policy under which it waits in any case."""
    supervised: bool
    external: bool
    legs: Mapping[str, float]
    """What each leg holds at the start."""


def made(seed: int) -> Made:
    """Return the spec of a seed."""
    rng = random.Random(seed)
    policies = {
        "structural": Policy("risk", rng.choice((1, 1, 2)), rng.choice((20, 3600))),
        "other": Policy(rng.choice(("risk", "trading")), rng.choice((1, 2)), rng.choice((20, 3600))),
    }
    again = rng.choice((0, 3))
    supervised, external = rng.random() < 0.6, rng.random() < 0.5
    regions = [_Region(rng, index, supervised) for index in range(rng.choice((1, 2)))]
    lines = [
        "hedgerow: 1",
        "name: governed",
        "units: [USD, X]",
        "capital: {USD: 100000}",
        f"fills: {'external' if external else 'simulated'}",
        f"oversight: {'supervised' if supervised else 'collaborative'}",
        f"people: {{{', '.join(f'{name}: {list(roles)}' for name, roles in PEOPLE.items())}}}",
        "approvals:",
        *(
            f"  {name}: {{role: {each.role}, persons: {each.persons}, within: {each.within_s}s, again: {again}s}}"
            for name, each in policies.items()
        ),
        "events:",
        "  tick: {price: {unit: USD/X, range: [1, 1000]}}",
        "  beat: {}",
        *(f"  {name}: {{by: {{type: person}}, who: {{type: int, range: [-1, 9]}}}}" for name in BROUGHT),
        *(f"  {name}: {{who: {{type: int, range: [-1, 9]}}}}" for name in INNER),
        "state: {size: {initial: 2, unit: X}}",
        "instruments: {thing: {unit: X, price: tick.price, fee: 0.001}}",
        "legs:",
        *(f"  leg{each.index}: {{instrument: thing, side: {each.side}, quantity: {each.opening}}}" for each in regions),
        "machine:",
        "  parallel: true",
        "  fail_safe: halted0",
        "  states:",
        *(line for each in regions for line in each.lines),
    ]
    waits = {name: policy for each in regions for name, policy in each.waits.items()}
    legs = {f"leg{each.index}": each.opening for each in regions}
    return Made("\n".join(lines) + "\n", policies, waits, supervised, external, legs)


class _Region:
    """One region, which trades a leg of its own and arms delayed events of its own."""

    def __init__(self, rng: random.Random, index: int, supervised: bool) -> None:
        self.rng, self.index, self.supervised = rng, index, supervised
        self.side, self.opening = rng.choice(("long", "both")), float(rng.choice((0, 3, 6)))
        self.waits: dict[str, str] = {}
        self.armed: set[str] = set()
        self.count = self.delays = 0
        self.states = [f"s{index}{number}" for number in range(rng.choice((1, 2, 3)))]
        self.lines = [
            f"    region{index}:",
            f"      initial: {self.states[0]}",
            "      states:",
            f"        halted{index}: {{entry: {{close: leg{index}}}, on: {{beat: {{to: {self.states[0]}}}}}}}",
        ]
        back = f"{{to: {self.states[0]}}}"
        self.lines.append(
            f"        deep{index}: {{entry: {{increase: {{leg{index}: 2 X}}}}, on: {{beat: {back}, poke: {back}}}}}"
        )
        for state in self.states:
            self._state(state)

    def _state(self, state: str) -> None:
        self.lines += [f"        {state}:"]
        if self.rng.random() < 0.3:
            self.lines.append(f"          every: {{{self.rng.choice((7, 11))}s: {self._trade()}}}")
        self.lines.append("          on:")
        for event in ("tick", "beat", *BROUGHT, *INNER, *self.rng.sample(ENDS, 2)):
            made = [self._trade()] if self.rng.random() < 0.45 else []
            if not event.startswith("approval") and self.rng.random() < 0.75:
                made.insert(self.rng.choice((0, len(made))), self._arm(event))
            if made:
                self.lines += [f"            {event}:", *(f"              - {each}" for each in made)]
        self.lines.append("            error.execution: {do: []}")

    def _name(self, what: str) -> str:
        self.count += 1
        return f"{what}{self.index}_{self.count}"

    def _to(self) -> str:
        return self.rng.choice(("", "", f", to: {self.rng.choice(self.states)}"))

    def _guard(self) -> str:
        return self.rng.choice(
            ("", f", if: thing.price {self.rng.choice('<>')} {self.rng.choice((40, 50, 60))} USD / 1 X")
        )

    def _trade(self) -> str:
        name, leg, size = self._name("trade"), f"leg{self.index}", self.rng.randint(1, 9)
        kinds = [f"{{increase: {{{leg}: {size} X}}}}"] * 3 + [f"{{target: {{{leg}: {size} X}}}}", f"{{close: {leg}}}"]
        kinds += [f"{{increase: {{{leg}: thing.price * {size / 100} X * 1 X / 1 USD}}}}"]
        kinds += [f"{{target: {{{leg}: size}}}}"]
        kinds += [f"{{target: {{{leg}: -{leg}.quantity}}}}"] if self.side == "both" else []
        policy = ""
        if not self.supervised or self.rng.random() < 0.4:
            policy = self.rng.choice(("structural", "other"))
            self.waits[name] = policy
            policy = f", approval: {policy}"
        if self.rng.random() < 0.15:
            # What it orders stands where it leads to.
            return f"{{name: {name}{self._guard()}{policy}, to: deep{self.index}}}"
        return f"{{name: {name}{self._guard()}{policy}{self._to()}, do: [{self.rng.choice(kinds)}]}}"

    def _arm(self, event: str) -> str:
        who = "-1" if event in ("tick", "beat") else f"{event}.who"
        steps = []
        for raised in self.rng.sample(INNER, self.rng.choice((1, 1, 2))):
            if event not in INNER[INNER.index(raised) :] and self.rng.random() < 0.3:
                steps.append(f"{{raise: {{{raised}: {{who: {who}}}}}}}")
            elif raised in self.armed and self.rng.random() < 0.2:
                steps.append(f"{{cancel: late{self.index}_{raised}}}")
            else:
                # Odd nanoseconds: hardly two of them are due at one time.
                self.delays += 1
                self.armed.add(raised)
                delay = f"{self.rng.choice((0, 2, 5, 30)) * SECOND + 101 * self.index + self.delays}ns"
                steps.append(f"{{raise: {{{raised}: {{who: {who}}}}}, after: {delay}, id: late{self.index}_{raised}}}")
        if self.index == 0 and self.rng.random() < 0.4:
            steps.append(f"{{set: {{size: {self.rng.randint(0, 9)} X}}}}")
        # What reads a field cannot wait, so that under supervision it may not lead to where something is ordered.
        to = "" if self.supervised else self._to()
        return f"{{name: {self._name('arm')}{self._guard()}{to}, do: [{', '.join(steps)}]}}"


# ----------------------------------------------------------------------------------------------------------- the clerk


@dataclass
class _Known:
    """What the clerk knows of a proposal."""

    rule: str
    proposer: str | None
    due_ns: int
    shown: dict[str, float]
    yes: set[str] = field(default_factory=set)


class Clerk:
    """Reads steps, one macrostep each; `wrong` says what should not have been."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.known: dict[int, _Known] = {}
        self.wrong: list[str] = []
        self.granted = self.late = 0
        """How many proposals were granted, and how many of somebody came late."""

    def take(
        self,
        step: Step,
        now: int,
        event: str,
        fields: Mapping[str, Any],
        brought: str | None,
        held: Mapping[str, float],
    ) -> None:
        """Judge what an event did.

        Args:
            step: what it did; one macrostep, or several where `brought` is `UNKNOWN`.
            now: when.
            event: its name; `advance` where it came late.
            fields: what it brought.
            brought: who brought it, or armed it where it came late.
            held: the quantities before it.
        """
        answer = self.known.get(fields["number"]) if event in ("approve", "deny") else None
        if event == "approve" and answer is not None and self._counts(answer, fields["by"]):
            answer.yes.add(fields["by"])
        passed: set[str] = set()
        for each in step.approvals:
            proposal = self.known.get(each.number)
            if each.outcome in ("granted", "denied", "expired", "lapsed"):
                assert proposal is not None
                del self.known[each.number]
                brought = UNKNOWN if brought == UNKNOWN else proposal.proposer or brought
                if each.outcome == "granted":
                    passed.add(proposal.rule)
                    self.granted += 1
                    self.wrong += self._against(proposal, now)
                    self.wrong += self._larger(step, proposal)
            elif each.outcome == "asked":
                self.late += event == "advance" and each.by is not None
                if each.by != brought != UNKNOWN:
                    self.wrong.append(f"{event} at {now}: {each.rule} is of {brought}, and was taken as of {each.by}")
                due = now + self._policy(each.rule).within_s * SECOND
                self.known[each.number] = _Known(each.rule, each.by, due, dict(each.orders))
        for rule in step.fired:
            if rule in self.made.waits and rule not in passed:
                self.wrong.append(f"{event} at {now}: {rule} fired, and nobody had approved it")
        self.wrong += (f"{event} at {now}: {each}" for each in self._grown(step, passed, dict(held)))

    def _policy(self, rule: str) -> Policy:
        return self.made.policies[self.made.waits.get(rule, "structural")]

    def _counts(self, proposal: _Known, by: str) -> bool:
        return by != proposal.proposer and self._policy(proposal.rule).role in PEOPLE[by]

    def _against(self, proposal: _Known, now: int) -> Iterator[str]:
        needed = self._policy(proposal.rule).persons
        if len(proposal.yes) < needed:
            yield f"{proposal.rule} fired on the yes of {proposal.yes} alone, proposed by {proposal.proposer}"
        if now >= proposal.due_ns:
            yield f"{proposal.rule} fired too late"

    def _larger(self, step: Step, proposal: _Known) -> Iterator[str]:
        for order in step.orders:
            if order.rule == proposal.rule:
                shown = proposal.shown.get(order.leg, 0.0)
                if (order.side == "buy") != (shown > 0) or order.quantity > abs(shown):
                    yield f"{order} where {shown} was shown"

    def _grown(self, step: Step, passed: set[str], held: dict[str, float]) -> Iterator[str]:
        for order in step.orders:
            before = held[order.leg]
            after = before + (order.quantity if order.side == "buy" else -order.quantity)
            grows = abs(after) > abs(before) + 1e-9 or after * before < -1e-9
            if self.made.supervised and grows and order.rule not in passed:
                yield f"{order} enlarges a leg, and nobody had approved it"
            if not self.made.external:
                held[order.leg] = after
