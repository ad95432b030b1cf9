"""Proofs made by hand, for what shows, keeps and compares them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

from hedgerow.engine.counterexample.sent import Sent
from hedgerow.engine.prove.kinds import KINDS
from hedgerow.engine.prove.result import Counterexample, Obligation, Proof, Result, Verdict

HOLDS = "(declare-const x Real)\n(assert (< (* x x) 0.0))\n"
"""A square below 0: there is none."""
POSSIBLE = "(declare-const x Real)\n(assert (= (* x x) 2.0))\n"


def sha256(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()


def obligation(
    place: str = "on on tick", script: str = HOLDS, verdict: str = "unsat", seconds: float = 0.25
) -> Obligation:
    assert verdict in ("unsat", "sat", "unknown")
    return Obligation(place, sha256(script), verdict, "nlsat", seconds)  # type: ignore[arg-type]


def result(kind: str, name: str, verdict: Verdict = "proved", **changes: object) -> Result:
    about = KINDS[kind]  # type: ignore[index]
    made = Result(about.code, kind, name, f"after every event: {name}", verdict, (obligation(),))
    return replace(made, **changes)  # type: ignore[arg-type]


BROKEN = Counterexample(
    {"k": Fraction(19, 2), "calm": True},
    (Sent("tick", 0, (Fraction(100),)), Sent("tick", 60 * 10**9, (Fraction(201, 2),))),
    "   time  event             fired\n1  0     tick price=100\n2  1m    tick price=100.5  up",
    "hedgerow_events: 1\nevents:\n  - {event: tick}\n",
)

REFUTED = result("invariant", "small", "refuted", because="these events break it", counterexample=BROKEN)
UNDECIDED = result(
    "invariant",
    "hard",
    "not decided",
    because="the solver gives no answer: on on tick",
    help=("a helper that says what holds there",),
    obligations=(obligation(), obligation("off on tick", POSSIBLE, "unknown", 12.0)),
)
OVERLAP = result(
    "overlap", "up, down", "noted", obligations=(obligation("on on tick", POSSIBLE, "sat"),), because="both can hold"
)


def proof(*results: Result, **changes: object) -> Proof:
    """Return a proof; by default one in which all is proved."""
    made = Proof(
        name="hedge",
        program="1" * 64,
        source="2" * 64,
        fill="same",
        engine="0.1.0",
        solver="z3 4.0",
        seconds=1.5,
        outcomes=7,
        questions=1234,
        results=results or (result("invariant", "small"), result("dead", "up"), result("dead", "down")),
        facts=("x >= 0",),
        assumed=("params are constant: k in [1, 10]",),
        unproved=("profit, or any expectation",),
        scripts={sha256(each): each for each in (HOLDS, POSSIBLE)},
    )
    return replace(made, **changes)  # type: ignore[arg-type]
