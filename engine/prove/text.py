"""A proof as lines of text, for people: what was claimed and what came of it, what is assumed, and what is not proved.

The spec's own claims
  proved       HR901 exposure  12 obligations, 0.04 s
    after every event: abs(net) <= limit
What every spec gets
  proved       HR904 transitions that can fire: 14 of 14  31 obligations, 0.20 s
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..diagnostics import printable
from ..explain_text import Piece, Tone
from ..honesty import Backed
from ..ir import Value
from .result import Counterexample, Obligation, Proof, Result, Verdict
from .second import SecondOpinion

__all__ = ["Line", "Reader", "lines", "script_name"]

OWN = frozenset(("invariant", "helper", "ends"))
"""Kinds of properties that a spec claims itself."""
_MANY = {
    "dead": "transitions that can fire",
    "reached": "states that can be reached",
    "overlap": "pairs of transitions that never hold at once",
    "conserved": "ledgers that conserve money",
    "divides": "programs that never divide by zero",
    "fails": "programs in which nothing fails",
    "leaves": "halted states that can be left",
    "orders": "halted states in which no order enlarges a leg",
    "trips": "halted states that nothing leads straight back into",
    "flat": "halted states with a way to close every leg",
    "gate": "checks that can stop an order in every mode",
    "passes": "checks that can let an order through",
}
"""What is proved of several properties of a kind that are told in one line."""
_TONES: Mapping[Verdict, Tone] = {"proved": "good", "refuted": "bad", "not decided": "warn", "noted": "plain"}
_PLACES = 3
"""Questions without an answer that are told of one property."""
_WIDTH = len("not decided")


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces of text, `indent` columns in; one that is `kept` is not to be wrapped."""

    pieces: tuple[Piece, ...]
    indent: int = 0
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """What the reader sees and can do.

    `spec` is the file as it was named, with what it needs to load, `every` asks for each property by itself, `events` is the
    folder that the scripts of counterexamples were written to. `said` is what the spec says of itself in words.
    """

    spec: str
    every: bool = False
    events: str | None = None
    said: tuple[Backed, ...] = ()


def lines(proof: Proof, reader: Reader, second: SecondOpinion | None = None) -> Iterator[Line]:
    """Yield a proof as text, the verdict on all of it last."""
    yield from _head(proof)
    own = [result for result in proof.results if result.kind in OWN]
    given = [result for result in proof.results if result.kind not in OWN and result.verdict != "noted"]
    if own:
        yield _title("The spec's own claims")
        for result in own:
            yield from _result(proof, reader, result)
    if reader.said:
        yield _title("What it says of itself, and what backs that")
        for claim in reader.said:
            yield from _said(proof, claim)
    if given:
        yield _title("What every spec gets")
        for kind in dict.fromkeys(result.kind for result in given):
            alike = [result for result in given if result.kind == kind]
            yield from _kind(proof, reader, alike)
    if noted := [result for result in proof.results if result.kind not in OWN and result.verdict == "noted"]:
        yield _title("Noted: orders that decide, and what only errors lead to")
        yield from _notes(noted)
    if reader.every and proof.facts:
        yield from _list("Proved on the way, and used", proof.facts)
    yield from _list("Assumed", proof.assumed)
    yield from _list("Not proved", proof.unproved)
    if second is not None:
        yield from _opinion(second)
    yield from _verdict(proof, second)


def script_name(result: Result) -> str:
    """Return the name of the file for the events of a counterexample; no two properties of a proof have the same."""
    name = re.sub(r"[^\w.]+", "-", result.name)
    return f"{name}.yaml" if result.kind == "invariant" else f"{name}-{result.kind}.yaml"


# ----------------------------------------------------------------------------------------------------------- properties


def _head(proof: Proof) -> Iterator[Line]:
    told = f": {_count(len(proof.results), 'property', 'properties')}, fills at the {proof.fill} mark"
    yield Line((Piece(proof.name, "title"), Piece(told)))
    asked = f"{_count(proof.outcomes, 'way', 'ways')} that an event can go, {_count(proof.questions, 'question')}"
    yield Line((Piece(f"{asked} to {proof.solver}, {_seconds(proof.seconds)}", "faint"),))


def _kind(proof: Proof, reader: Reader, results: Sequence[Result]) -> Iterator[Line]:
    """Yield properties of one kind: in one line those that are proved, if there are several."""
    proved = [result for result in results if result.verdict == "proved"]
    folded = len(proved) > 1 and not reader.every
    if folded:
        told = f"{proved[0].code} {_MANY[proved[0].kind]}: {len(proved)} of {len(results)}"
        yield Line((_mark("proved"), Piece(told), _cost(proved)), 2)
    for result in results:
        if not (folded and result.verdict == "proved"):
            yield from _result(proof, reader, result)


def _result(proof: Proof, reader: Reader, result: Result) -> Iterator[Line]:
    yield Line((_mark(result.verdict), Piece(f"{result.code} "), Piece(result.name, "title"), _cost([result])), 2)
    yield _plain(result.words, 4)
    if result.opaque:
        named = ", ".join(f"`{name}`" for name in result.opaque)
        yield _plain(f"of {named} only what the spec `ensures` is known", 4)
    if result.because:
        yield _plain(result.because, 4)
    if result.counterexample is not None and (result.verdict != "proved" or reader.every):
        yield from _events(result.counterexample)
    if result.verdict == "refuted" and result.counterexample is not None:
        yield _replay(proof, reader, result)
    if result.verdict == "not decided":
        yield from _unanswered(result.obligations)
    for help in result.help:
        yield Line((Piece("help: ", "title"), Piece(_one_line(help))), 4)


def _said(proof: Proof, claim: Backed) -> Iterator[Line]:
    """Yield a claim in words, and of each thing that backs it what came of it here; words are not proved."""
    yield Line((Piece(claim.name, "title"), Piece(f": {_one_line(claim.says)}")), 2)
    for kind, name in claim.backed_by:
        # What comes to an end is proved in parts, each with its name behind the claim's.
        inside = {"helper": "helper", "decreases": "ends"}.get(kind, "invariant")
        named = ((one, one.name.rpartition(".")[0] if kind == "decreases" else one.name) for one in proof.results)
        found = [one for one, known in named if one.kind == inside and known == name]
        if kind in ("study", "test"):
            yield _plain(f"{kind} {name}", 4)
        elif not found:
            yield _plain(f"{kind} {name}: not asked", 4)
        else:
            worst = max((one.verdict for one in found), key=_WEIGHT.index)
            yield Line((Piece(f"{kind} {_one_line(name)}: "), Piece(worst, _TONES[worst])), 4)


_WEIGHT: Sequence[Verdict] = ("noted", "proved", "not decided", "refuted")


def _events(found: Counterexample) -> Iterator[Line]:
    if found.parameters:
        values = ", ".join(f"{name} = {_value(value)}" for name, value in found.parameters.items())
        yield _plain(f"with {values}:", 4)
    for row in found.table.splitlines():
        yield Line((Piece(printable(row)),), 4, kept=True)


def _replay(proof: Proof, reader: Reader, result: Result) -> Line:
    folder = "FOLDER" if reader.events is None else reader.events
    fill = " --fill next" if proof.fill == "next" else ""
    command = f"hedgerow run {reader.spec} --events {folder}/{script_name(result)}{fill}"
    first = "write it with --events FOLDER, then replay it: " if reader.events is None else "replay it: "
    return Line((Piece(first, "title"), Piece(printable(command))), 4, kept=True)


def _unanswered(obligations: Iterable[Obligation]) -> Iterator[Line]:
    without = sorted((each for each in obligations if each.verdict == "unknown"), key=lambda each: -each.seconds)
    for each in without[:_PLACES]:
        yield _plain(f"no answer after {_seconds(each.seconds)}: {each.place}", 4)
    if len(without) > _PLACES:
        yield _plain(f"and {len(without) - _PLACES:,} more without an answer", 4)


def _notes(results: Sequence[Result]) -> Iterator[Line]:
    """Yield what is no fault: whose order decides in one line for each transition that goes first, then the rest."""
    before: dict[str, list[str]] = {}
    for result in results:
        if result.kind == "overlap":
            first, _, second = result.name.partition(", ")
            certain = any(each.verdict == "sat" for each in result.obligations)
            before.setdefault(first, []).append(f"`{second}`" + ("" if certain else " (if both can hold)"))
    for first, others in before.items():
        yield _plain(f"`{first}` goes before {', '.join(others)}", 2)
    for result in results:
        if result.kind != "overlap":
            yield _plain(f"{result.code} `{result.name}`: {result.because or result.words}", 2)


# ------------------------------------------------------------------------------------------------------------- the rest


def _opinion(second: SecondOpinion) -> Iterator[Line]:
    yield _title(f"A second opinion: {second.solver}")
    told = [f"{second.agreed:,} of {_count(second.asked, 'question')} have the same answer"]
    for count, words in (
        (second.silent, "without an answer from it"),
        (second.alone, "answered by it alone"),
        (second.open, "answered by neither"),
    ):
        if count:
            told.append(f"{count:,} {words}")
    yield _plain(f"{'; '.join(told)}; {_seconds(second.seconds)}", 2)
    for each in second.disagreements:
        said = f"the first solver says {each.first}, {second.solver} says {each.second}"
        yield Line((Piece("DISAGREEMENT ", "bad"), Piece(f"`{each.property}`, {each.place}: {said}; {each.sha256}")), 2)
    if second.disagreements:
        yield _plain("one of the two is wrong, so nothing here counts as proved; please report it", 2)


def _verdict(proof: Proof, second: SecondOpinion | None) -> Iterator[Line]:
    counts = {word: sum(result.verdict == word for result in proof.results) for word in _TONES}
    total = _count(len(proof.results) - counts["noted"], "property", "properties")
    yield Line(())
    if second is not None and second.disagreements:
        yield Line(
            (Piece("the solvers disagree", "bad"), Piece(f" on {_count(len(second.disagreements), 'question')}"))
        )
    elif proof.verdict == "proved":
        yield Line((Piece("proved", "good"), Piece(f": {total}, under what is assumed")))
    else:
        named = [f"{counts[word]:,} {word}" for word in ("refuted", "not decided", "proved") if counts[word]]
        yield Line((Piece(proof.verdict, _TONES[proof.verdict]), Piece(f": of {total} {', '.join(named)}")))


def _list(title: str, texts: Iterable[str]) -> Iterator[Line]:
    yield _title(title)
    for text in texts:
        yield _plain(text, 2)


def _title(text: str) -> Line:
    return Line((Piece(text, "title"),))


def _plain(text: str, indent: int) -> Line:
    return Line((Piece(_one_line(text)),), indent)


def _mark(verdict: Verdict) -> Piece:
    return Piece(f"{verdict:<{_WIDTH}}  ", _TONES[verdict])


def _cost(results: Sequence[Result]) -> Piece:
    """Return what was asked for properties; those that show something possible rest on events that do it."""
    obligations = sum(len(result.obligations) for result in results)
    shown = sum(result.verdict == "proved" and result.counterexample is not None for result in results)
    told = [_count(obligations, "obligation")] if obligations else []
    told += ["shown by events"] if shown else []
    told += [_seconds(sum(result.seconds for result in results))] if obligations else []
    return Piece(f"  {', '.join(told)}" if told else "", "faint")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:,.0f} s"


def _value(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else f"{float(value):.10g}"


def _one_line(text: str) -> str:
    """Return a text whose author may have broken it into lines, as one."""
    return printable(" ".join(text.split()))
