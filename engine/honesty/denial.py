"""What a text claims that no market allows, and what it denies.

    it earns a riskless profit          claimed
    it earns no riskless profit         denied
    it is not only riskless profit      claimed: `not only` denies nothing
    never without a sure win            claimed: two denials that meet cancel

The rules:

1. Before it: a claim is denied by the last denying word (`no`, `not`, `never`, `without`, …, a verb with `n't`) before it in
   its clause, at most five words away, or anywhere in the clause where a verb of saying follows (`does not promise …`).
2. A clause ends at a full stop, a semicolon, a colon, a bracket, a comma, a dash between blanks, an empty line, and at
   `and`, `but`, `yet`, `while`, `because`, `so` and their like; `or` and `nor` carry a denial on.
3. After it: a claim is denied where one of the next words of its clause says so (`… does not exist`, `… is impossible`,
   `… is a myth`).
4. `not only`, `no doubt`, `no matter`, `without fail` and their like deny nothing; two denials within two words of each
   other cancel.

The rules know words, not what they mean: an honest sentence that they do not follow can be written so that they do, with the
denial next to what it denies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..record import Record
from .folded import fold
from .phrases import PHRASES, Phrase, terms_of

__all__ = ["Claimed", "claimed"]

REACH = 5
"""So many words may stand between a denial and what it denies."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DENIALS = _words(
    "no not never neither nor none nothing nobody nowhere without cannot lacks lack lacking denies deny denying denied "
    "refuses refuse refused excludes impossible hardly far myth false wrong untrue rather instead absence absent forbids "
    "forbidden isnt arent wasnt werent doesnt dont didnt cant couldnt wont wouldnt shouldnt hasnt havent hadnt aint mustnt "
    "neednt"
)
_EMPTY_AFTER = {
    "no": _words(
        "doubt matter question wonder problem worries worry kidding joke less fewer sooner stress effort hassle fear "
        "brainer"
    ),
    "not": _words("only just merely simply least less unlike surprisingly"),
    "without": _words("doubt question fail fear worry worries effort exception stress hassle"),
    "nothing": _words("but less short"),
    "never": _words("mind fear ending"),
    "rather": _words("good"),
    "far": _words("more better higher above beyond too ahead"),
}
"""After which of these words a denying word denies nothing."""
_LAST = _words(
    "and but yet however while whereas because since so therefore thus hence then as although though "
    "unless until which who if"
)
"""Words that begin a clause of their own."""
_ENDS = frozenset("|,")
_SAYING = _words(
    "claim claims claimed claiming promise promises promised promising say says said saying mean means meant imply implies "
    "suggest suggests pretend pretends assert asserts offer offers assume assumes assumed believe believes expect expects "
    "advertise advertises warrant warrants prove proves proved such think thinks"
)
"""A denial of one of these reaches to the end of its clause."""
_AFTERWARDS = (
    r"(?: \w+){0,2}? (?:"
    r"(?:is|are|was|were|has been|have been) (?:not|never|no|nowhere|nothing)"
    r"(?! (?:only|just|merely|simply|impossible|untrue|a myth|false|wrong|refused|excluded|ruled|denied|"
    r"in doubt|at risk))|"
    r"(?:isnt|arent|wasnt|werent)(?! (?:only|just|merely|simply|impossible|untrue|false|wrong|excluded|ruled))|"
    r"(?:do not|does not|did not|dont|doesnt|didnt|cannot|can not|cant|never|could not|couldnt|will not|wont)(?: ever)? "
    r"(?:exists?|be|come|comes|happens?|occurs?|arises?|follows?|results?|works?|holds?)|"
    r"(?:is|are|was|were|would be|remains?|stays?|seems?)(?: \w+ly)? "
    r"(?:impossible|a myth|myths|a lie|lies|false|refused|ruled out|excluded|untrue|unattainable|an illusion|illusions|"
    r"wrong|denied|absent|forbidden|out of reach))(?!\w)"
)
"""What denies a claim after it, in its clause; compiled where it is first asked, which few specs do."""


class Claimed(Record):
    """A claim of a text: what kind, and `text[start:end]` that makes it."""

    phrase: Phrase
    start: int
    end: int


def claimed(text: str) -> tuple[Claimed, ...]:
    """Return what a text claims that no market allows, in the order of the text; none overlaps another."""
    folded = fold(text)
    found: list[tuple[int, int, Phrase]] = []
    terms = terms_of(folded.text)
    for phrase in PHRASES:
        if not phrase.may_match(terms):
            continue
        for start, end in _matches(folded.text, phrase):
            if any(start < other_end and other_start < end for other_start, other_end, _ in found):
                continue
            found.append((start, end, phrase))
    told = [each for each in found if not _denied(folded.text, each[0], each[1])]
    return tuple(
        Claimed(phrase, *folded.written(start, end)) for start, end, phrase in sorted(told, key=lambda one: one[:2])
    )


def _matches(text: str, phrase: Phrase) -> Iterator[tuple[int, int]]:
    for match in phrase.pattern.finditer(text):
        start, end = match.span()
        # A pattern may take the mark of a clause with it at its end.
        yield start, start + len(text[start:end].rstrip(" ,|"))


def _denied(text: str, start: int, end: int) -> bool:
    return _denied_before(text[:start].split()) or re.match(_AFTERWARDS, _rest(text, end)) is not None


def _rest(text: str, end: int) -> str:
    """Return what follows in the clause, with a blank before each word; eight words decide."""
    words = text[end : end + 120].split()[:8]
    last = next((place for place, word in enumerate(words) if word in _ENDS or word in _LAST), len(words))
    return "".join(f" {word}" for word in words[:last])


def _denied_before(words: list[str]) -> bool:
    """Return whether the last words before a claim deny it."""
    clause = _clause(words)
    for place in range(len(clause) - 1, -1, -1):
        if not _denies(clause, place):
            continue
        after = clause[place + 1 :]
        if len(after) > REACH and not _SAYING & set(after[:2]):
            return False
        # Two denials that meet say yes: `not without`, `no day without`.
        return not any(_denies(clause, other) for other in range(max(0, place - 2), place))
    return False


def _clause(words: list[str]) -> list[str]:
    """Return the words of the last clause."""
    for place in range(len(words) - 1, -1, -1):
        if words[place] in _ENDS or words[place] in _LAST:
            return words[place + 1 :]
    return words


def _denies(words: list[str], place: int) -> bool:
    word = words[place]
    if word not in _DENIALS:
        return False
    following = words[place + 1 : place + 3]
    empty = _EMPTY_AFTER.get(word, frozenset())
    # `without a doubt` is `without doubt`.
    following = following[1:] if following[:1] in (["a"], ["any"]) and word in ("without", "no", "not") else following
    return not (following[:1] and following[0] in empty)
