"""Everything that is proved of the shipped rule, for all prices and every parameter in its range."""

from __future__ import annotations

from collections.abc import Iterable

from ...studies.evidence import Decision, Statement
from ...studies.report import Part, Table
from ..reads import books, books_read, reads
from ..result import Proof, Result
from .constraints import EXITS
from .setting import Setting

__all__ = ["conduct", "orders"]

_OWN = ("invariant", "helper", "ends")
_AFTER_ERRORS = ("leaves", "flat")
"""Ways out of the halted state: it is entered after an error only, and over the reals there is none."""
_COUNTED = {"dead": "transitions that can fire", "reached": "states that can be reached"}


def conduct(setting: Setting) -> Part:
    """Prove what the spec claims and what every spec gets, and look up what guards and orders depend on."""
    proof = setting.proved(setting.shipped)
    claimed = [each for each in proof.results if each.kind in _OWN]
    given = [each for each in proof.results if each.kind not in (*_OWN, *_COUNTED, "overlap")]
    statements = [
        Statement(each.name, "shipped", each.words, "noted" if each.kind in _AFTER_ERRORS else "proved", each.verdict)
        for each in (*claimed, *given)
    ]
    tables = {
        "claims": Table(("claim", "says", "verdict"), tuple(map(_row, claimed))),
        "given": Table(("property", "says", "verdict"), tuple(_row(each) for each in given)),
        "reads": _reads(setting),
    }
    figures = {
        "coverage": "\n".join(_coverage(proof)),
        "orders": "\n".join(f"- {line}" for line in orders(proof)),
        "books": ", ".join(f"`{name}`" for name in sorted(books(setting.shipped.program()))),
        "facts": str(len(proof.facts)),
        "assumed": "\n".join(f"- {each}" for each in proof.assumed),
        "unproved": "\n".join(f"- {each}" for each in proof.unproved),
    }
    statements.append(
        Statement(
            "decisions",
            "shipped",
            "no guard rests on the books, not even through quantities",
            "proved",
            _decided(setting),
        )
    )
    return Part("shipped", (), tables, (), figures, tuple(statements))


def orders(proof: Proof) -> Iterable[str]:
    """Yield which transitions go before which others that can fire at the same time."""
    after: dict[str, list[str]] = {}
    for result in proof.results:
        if result.kind == "overlap" and result.verdict == "noted":
            first, second = result.name.split(", ")
            after.setdefault(first, []).append(f"`{second}`")
    for first, others in after.items():
        yield f"`{first}` goes before {', '.join(others)}"


def _row(result: Result) -> tuple[str, str, str]:
    """Return a property as a row; what a spec claims stands in the spec's own words."""
    words = result.words.removeprefix("after every event: ")
    if result.kind in ("invariant", "helper"):
        words = f"`{words}`"
    because = f": {result.because}" if result.because else ""
    return (f"{result.code} `{result.name}`", f"{words}{because}", f"**{result.verdict}**")


def _coverage(proof: Proof) -> Iterable[str]:
    for kind, words in _COUNTED.items():
        results = [each for each in proof.results if each.kind == kind]
        shown = sum(each.verdict == "proved" for each in results)
        others = "; ".join(f"`{each.name}`: {each.because}" for each in results if each.verdict != "proved")
        yield f"- {words}: {shown} of {len(results)}" + (f" ({others})" if others else "")


def _reads(setting: Setting) -> Table:
    program = setting.shipped.program()
    quantities = {leg.quantity for leg in program.legs}
    rows = []
    for rule in EXITS:
        found = reads(program, rule, up_to=quantities)
        direct = [name for name, reader in found.readers.items() if not reader]
        rest = sorted(found.names - set(direct))
        ways = books_read(program, rule)
        told = "; ".join(" → ".join(f"`{name}`" for name in way) for way in ways) or "nothing"
        rows.append((f"`{rule}`", _names(direct), _names(rest), told))
    return Table(("guard", "reads", "and through that", "of the books"), tuple(rows))


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"


def _decided(setting: Setting) -> Decision:
    program = setting.shipped.program()
    found = (books_read(program, rule.name, through_quantities=True) for rule in program.rules)
    return "refuted" if any(found) else "proved"
