"""The texts and the names of a document, held to the word list.

Texts are what stands under `about:` and `says:`, wherever that is; names are the keys, the name of the spec, and the names
and tags of states and transitions. Comments are not read: they belong to whoever edits the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..diagnostics import Findings
from ..source import Document, Mapping, Node, Scalar
from .denial import Claimed, claimed

__all__ = ["check_texts"]

_TEXTS = frozenset(("about", "says"))
_NAMES = frozenset(("name", "tags"))
LONGEST = 4_000
"""Characters of a text that are read; one that is longer is refused for its length."""


def check_texts(document: Document, findings: Findings) -> None:
    """Tell every claim that no market allows; a name that is written again is told where it stands first."""
    read: set[str] = set()
    for scalar, is_text in _texts(document.root):
        text = scalar.value if isinstance(scalar.value, str) else scalar.text
        if not is_text and text in read:
            continue
        read.add(text)
        for claim in claimed(text[:LONGEST]):
            _tell(document, findings, scalar, text, claim)


def _tell(document: Document, findings: Findings, scalar: Scalar, text: str, claim: Claimed) -> None:
    said = " ".join(text[claim.start : claim.end].split())
    phrase = claim.phrase
    findings.error(
        "HR450",
        f"no market allows `{said}`: {phrase.reason} ({phrase.source})",
        document.span_in(scalar, claim.start, claim.end),
        f"{phrase.instead}; a denial stands next to what it denies: `it is no …`, `without …`",
    )


def _texts(root: Node) -> Iterator[tuple[Scalar, bool]]:
    """Yield what is read, and whether it is a text or a name, in the order of the file."""
    stack: list[tuple[str, Node]] = [("", root)]
    while stack:
        key, node = stack.pop()
        if isinstance(node, Mapping):
            for name, value in reversed(node.entries):
                stack += [(name.text, value), ("", name)]
                if name.text in _SCHEMA_KEYS:
                    stack.pop()
        elif not isinstance(node, Scalar):
            stack += [(key, item) for item in reversed(node.items)]
        elif key in _TEXTS:
            yield node, True
        elif not key or key in _NAMES:
            yield node, False


_SCHEMA_KEYS = _TEXTS | _NAMES
