r"""A text as a reader takes it: small letters, single blanks, clauses apart, whatever it was written with.

    "Risk-Free\n  proﬁt: can't lose!"      ->      "risk free profit | cant lose |"

Look-alike letters, accents, ligatures, wide forms, and characters that nobody sees are undone, so that a word is the same
word however it is spelled. Each character knows where it stood.
"""

from __future__ import annotations

import re
import unicodedata

from ..record import Record

__all__ = ["Folded", "fold"]


class Folded(Record):
    """A folded text; `places[i]` is where the character `text[i]` stood in the text as written.

    `|` stands where a sentence or a part of one ends, `,` where a comma was; both have a blank on each side.
    """

    text: str
    places: tuple[int, ...]

    def written(self, start: int, end: int) -> tuple[int, int]:
        """Return the stretch as written of `text[start:end]`, which is not empty and begins and ends with a letter."""
        return self.places[start], self.places[end - 1] + 1


# Letters of Cyrillic and Greek that look like Latin ones, as Unicode's confusables.txt (UTS #39) pairs them, small only:
# case is folded before.
_LOOK_ALIKES = str.maketrans(
    "авгԁеһіјкӏмпорԛѕтуԝхѵ" + "αβγεηικνορτυχω" + "ıɑɡɩʟ",
    "abrdehijklmnopqstywxv" + "abyenikvoptuxw" + "iagil",
)
_BREAKS = frozenset(".;:!?()[]{}…。！？；：¡¿")
_COMMAS = frozenset(",、،")
_PLAIN = re.compile("[a-z0-9]+(?:[ _][a-z0-9]+)*")
"""What most names are, and some texts: each character stands for itself."""
_DROPPED = frozenset("'’‘ʼ`´*\"“”„«»‹›")
"""Apostrophes (`can't` is `cant`), quotes and marks of emphasis: they part no clause."""


def fold(text: str) -> Folded:
    """Return a text folded."""
    if _PLAIN.fullmatch(text):
        return Folded(text.replace("_", " "), tuple(range(len(text))))
    characters: list[str] = []
    places: list[int] = []

    def put(character: str, place: int) -> None:
        # One blank parts words; none stands at the start.
        if character != " " or (characters and characters[-1] != " "):
            characters.append(character)
            places.append(place)

    def mark(character: str, place: int) -> None:
        put(" ", place)
        put(character, place)
        put(" ", place)

    for place, char in enumerate(text):
        before, after = text[place - 1 : place] if place else "", text[place + 1 : place + 2]
        if char in _DROPPED:
            continue
        if char in _COMMAS:
            if not (before.isdigit() and after.isdigit()):
                mark(",", place)
        elif char in _BREAKS:
            if not (char == "." and before.isdigit() and after.isdigit()):
                mark("|", place)
        elif _is_dash(char):
            # Between letters a dash makes one word of two; with blanks around it, it parts clauses.
            parts = (not before or before.isspace()) and (not after or after.isspace())
            mark(",", place) if parts else put(" ", place)
        elif char == "\n" and text[place + 1 :].lstrip(" \t")[:1] == "\n":
            mark("|", place)
        elif char.isspace() or char in "_/\\+&=<>~|#^":
            put(" ", place)
        else:
            if char.isupper() and before.islower():
                put(" ", place)  # `SureWin` is two words
            for folded in _letters(char):
                put(folded, place)
    while characters and characters[-1] == " ":
        characters.pop()
        places.pop()
    return Folded("".join(characters), tuple(places))


def _is_dash(char: str) -> bool:
    return unicodedata.category(char) == "Pd" or char == "−"


def _letters(char: str) -> str:
    """Return what a reader takes a character for; nothing where it cannot be seen, or is an accent."""
    if char.isascii():
        return char.lower() if char.isprintable() else ""
    parts = unicodedata.normalize("NFKD", char)
    seen = "".join(part for part in parts if unicodedata.category(part) not in ("Cf", "Mn", "Me", "Cc"))
    return seen.casefold().translate(_LOOK_ALIKES).replace(" ", "")
