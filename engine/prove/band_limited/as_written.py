"""The rule to the letter of its paper: what is refuted of it, with the shortest ticks that do it."""

from __future__ import annotations

from ...studies.evidence import Decision, Statement
from ...studies.report import Part, Table
from ..result import Proof
from .constraints import ticks
from .setting import Setting
from .shipped import orders

__all__ = ["conduct"]

_FLAWS = (
    ("invariant", "no_leg_collapses", "a move of at most 1 % leaves half of the long leg or more"),
    ("invariant", "legs_stay_positive", "both legs stay above 0"),
    ("divides", "divisions", "nothing divides by zero"),
    ("dead", "thaw", "what is paused can become active again"),
    ("ends", "exit_ends.comes", "an exit takes its next step within `patience`"),
)
"""What ought to hold, by kind and name of its property."""
_EVENTS = {
    "collapse": "no_leg_collapses",
    "negative": "legs_stay_positive",
    "empty": "divisions",
    "endless": "exit_ends.comes",
}


def conduct(setting: Setting) -> Part:
    """Refute what ought to hold, and note which guards overlap."""
    proof = setting.proved(setting.as_written)
    rows, statements = [], []
    for kind, name, words in _FLAWS:
        found = _verdict(proof, kind, name)
        shown = _events(proof, kind, name)
        rows.append(
            (words, f"`{name}`", f"**{found}**", f"{shown} events" if shown else "nothing leads there, from anywhere")
        )
        statements.append(Statement(name, "as written", words, "refuted", found))
    held = [each for each in proof.results if each.kind in ("invariant", "ends", "divides", "fails", "dead", "reached")]
    kept = [each for each in held if each.verdict == "proved"]
    figures = {
        "refusal": f"```text\n{setting.refusal}\n```",
        **{key: ticks(proof, name) for key, name in _EVENTS.items()},
        "overlaps": "\n".join(f"- {line}" for line in orders(proof)),
        "kept": f"{len(kept)} of {len(held)}",
        "pause": next(f"`{each}`" for each in proof.facts if "In(paused)" in each and "interval_max" in each),
    }
    flaws = Table(("what ought to hold", "property", "verdict", "shortest"), tuple(rows))
    return Part("as_written", (), {"flaws": flaws}, (), figures, tuple(statements))


def _verdict(proof: Proof, kind: str, name: str) -> Decision:
    return next(each.verdict for each in proof.results if (each.kind, each.name) == (kind, name))


def _events(proof: Proof, kind: str, name: str) -> int:
    found = next(each.counterexample for each in proof.results if (each.kind, each.name) == (kind, name))
    return 0 if found is None else len(found.events)
