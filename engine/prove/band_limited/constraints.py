"""The five hard constraints of the paper, and that an exit ends: each with the exit timer on, and with it off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...ir import Value
from ...studies.evidence import Decision, Statement
from ...studies.report import Part, Table
from ..reads import books_read
from ..result import Proof
from ..symmetry import Mirrored, mirrored
from .setting import MIRROR, SECONDS, Setting

__all__ = ["EXITS", "TRADED", "conduct", "ticks"]

TRADED = (("up", "down"), ("exit_step", "exit_step"), ("finish", "finish"))
"""Every transition that trades, with its image."""
COUNTED = (("give_up", "give_up"), ("freeze", "freeze"))
"""What decides giving up and pausing, as its own image."""
EXITS = ("give_up", "paused.tick.1", "exit_step", "finish")
"""Every transition with a guard that begins an exit, goes on with it or ends it."""
PROPERTIES = (
    "no_trade_in_band", "no_trade_elsewhere", "exit_steps_obey_the_band", "exit_cost_is_covered", "net_within_gross",
    "every_exit_ends", "flat_price_never_exits",
)  # fmt: skip
ENDS = tuple(f"every_exit_ends.{part}" for part in ("shrinks", "never_grows", "is_left", "comes"))


class _Constraint(NamedTuple):
    """A constraint: the paper's words, what they mean here, and which properties say it.

    `fails` names the setting in which it does not hold.
    """

    key: str
    words: str
    meaning: str
    properties: tuple[str, ...]
    fails: str = ""


_CONSTRAINTS = (
    _Constraint(
        "in_band",
        "no trade inside the band",
        "an order in `active` has abs(P − A) ≥ band·min(P, A), A the anchor before it (`no_trade_in_band`); in `paused`, "
        "`flat` and `halted` there is none (`no_trade_elsewhere`)",
        ("no_trade_in_band", "no_trade_elsewhere"),
    ),
    _Constraint(
        "bias",
        "no directional bias",
        "for every c > 0: what `up` does at price P, anchor A and legs (L, S), `down` does at c²/P, c²/A and (S, L), and "
        "the legs and the anchor after it are each other's image again; `exit_step` and `finish` are their own image",
        (),
    ),
    _Constraint(
        "stop",
        "exit not by a price stop",
        "what the guards of an exit read rests on no average price, cash, equity, realised P&L or drawdown",
        (),
    ),
    _Constraint(
        "exit_band",
        "exit obeys the band",
        "every exit step trades at abs(P − A) ≥ δ·band·min(P, A) (`exit_steps_obey_the_band`)",
        ("exit_steps_obey_the_band",),
        fails="on",
    ),
    _Constraint(
        "cost",
        "exit cost bounded",
        "an exit of a gross of Q₀ at prices up to P_max costs at most (f + slippage)·Q₀·P_max in money "
        "(`exit_cost_is_covered`, `net_within_gross`)",
        ("exit_cost_is_covered", "net_within_gross"),
    ),
    _Constraint(
        "ends",
        "(not said) the exit ends",
        "if prices keep coming, a step or the way out comes within `exit_every`, and finitely many steps are enough "
        "(`every_exit_ends`)",
        ENDS,
        fails="off",
    ),
)


def conduct(setting: Setting) -> Part:
    """Prove or refute each constraint in both settings, for all prices and all other parameters."""
    proofs = {
        name: setting.proved(setting.claimed, only=PROPERTIES, timed_exit=on)
        for name, on in (("on", True), ("off", False))
    }
    images = mirrored(setting.shipped, (*TRADED, *COUNTED), MIRROR, seconds=SECONDS, workers=setting.workers)
    everywhere: Mapping[str, Decision] = {
        "bias": _worst(each.verdict for each in images[: len(TRADED)]),
        "stop": "refuted" if any(books_read(setting.shipped.program(), rule) for rule in EXITS) else "proved",
    }
    rows, statements = [], []
    for each in _CONSTRAINTS:
        found = [everywhere.get(each.key) or _of(proof, each.properties) for proof in proofs.values()]
        rows.append((each.words, each.meaning, *(f"**{verdict}**" for verdict in found)))
        for name, verdict in zip(proofs, found, strict=True):
            told: Decision = "refuted" if each.fails == name else "proved"
            statements.append(Statement(each.key, f"exit timer {name}", each.words, told, verdict))
    statements += [
        Statement("statistics", each.first, "its guard holds in the mirror where it holds", "refuted", each.verdict)
        for each in images[len(TRADED) :]
    ]
    stuck = "at a price that stays at the anchor an exit without its timer changes nothing"
    statements.append(
        Statement("stuck", "exit timer off", stuck, "proved", _of(proofs["off"], ["flat_price_never_exits"]))
    )
    tables = {
        "constraints": Table(("the paper's words", "what they mean here", "timer on", "timer off"), tuple(rows)),
        "mirror": _mirror(images),
    }
    figures = {
        "added": f"```text\n{setting.added}```",
        "inside": ticks(proofs["on"], "exit_steps_obey_the_band"),
        "flat": ticks(proofs["off"], "every_exit_ends.comes"),
        "stuck": f"**{_of(proofs['off'], ['flat_price_never_exits'])}**",
    }
    return Part("constraints", (), tables, (), figures, tuple(statements))


def ticks(proof: Proof, name: str) -> str:
    """Return the events that break a property, as a block of text; where there are none, the verdict."""
    found = next(each for each in proof.results if each.name == name)
    if found.counterexample is None:
        return found.verdict
    changed = (f"{name} = {_value(value)}" for name, value in found.counterexample.parameters.items())
    with_them = ", ".join(changed)
    lines = [f"with {with_them}:"] if with_them else []
    return "\n".join(("```text", *lines, found.counterexample.table.rstrip(), "```"))


def _value(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else f"{float(value):.10g}"


def _of(proof: Proof, names: Iterable[str]) -> Decision:
    found = {result.name: result.verdict for result in proof.results}
    return _worst(found[name] for name in names)


def _worst(verdicts: Iterable[Decision]) -> Decision:
    order: tuple[Decision, ...] = ("refuted", "not decided", "noted", "proved")
    return min(verdicts, key=order.index)


def _mirror(images: Iterable[Mirrored]) -> Table:
    rows = []
    for each in images:
        parts = dict(each.parts)
        guards = parts.pop("guards")
        trades = (each.first, each.second) in TRADED
        left = f"**{_worst(parts.values())}**" if trades else "it does not trade"
        rows.append((f"`{each.first}`", f"`{each.second}`", f"**{guards}**", left))
    return Table(("transition", "its image", "the guards agree", "legs and anchor after it agree"), tuple(rows))
