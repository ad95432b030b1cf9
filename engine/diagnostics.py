"""Findings about a spec: where, what, and what to write instead.

Every stage of loading adds `Diagnostic` values to one `Findings`; nothing is printed or raised before the last stage has
looked. `SpecError` carries them all, in file order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .record import Record

__all__ = [
    "WAIVABLE",
    "Diagnostic",
    "Findings",
    "Severity",
    "Span",
    "SpecError",
    "printable",
    "reason_of",
    "render",
    "render_all",
    "suggestion",
]

WAIVABLE = frozenset(("HR302", "HR401"))
"""Codes that a person may waive: what is left still has one meaning."""

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Diagnostic(Record):
    """One finding. `code` is a key of `hedgerow.engine.codes.CODES`; `help` says what to write instead."""

    code: str
    message: str
    span: Span
    help: str
    severity: Severity = "error"

    def to_json(self) -> dict[str, object]:
        span = self.span
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "help": self.help,
            "file": span.file,
            "line": span.line,
            "column": span.column,
            "end_line": span.end_line,
            "end_column": span.end_column,
        }


class Findings:
    """The diagnostics of one load, in the order of the file."""

    def __init__(self, permitted: Iterable[str] = ()) -> None:
        self._permitted = frozenset(permitted)
        if refused := sorted(self._permitted - WAIVABLE):
            raise ValueError(
                f"`{refused[0]}` cannot be waived: only {', '.join(sorted(WAIVABLE))} leave a program that can run"
            )
        self._found: dict[tuple[str, Span, str], Diagnostic] = {}
        self._failed = False

    def error(self, code: str, message: str, span: Span, help: str) -> bool:
        """Add an error, or a warning where its code is waived; return whether it is."""
        waived = code in self._permitted
        self.add(Diagnostic(code, message, span, help, "warning" if waived else "error"))
        return waived

    def add(self, diagnostic: Diagnostic) -> None:
        self._found.setdefault((diagnostic.code, diagnostic.span, diagnostic.message), diagnostic)
        self._failed = self._failed or diagnostic.severity == "error"

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._found.values(), key=lambda found: (found.span, found.code)))

    @property
    def failed(self) -> bool:
        """Whether there is an error among them."""
        return self._failed

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self if found.severity == "error")


class SpecError(Exception):
    """A spec that does not hold; carries every finding, errors and others, in file order."""

    def __init__(self, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
        self.diagnostics = tuple(diagnostics)
        self.sources = dict(sources)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n\n".join(render_all(self.diagnostics, self.sources))


def render_all(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> list[str]:
    """Return each finding as text; `sources` maps a file to its text."""
    lines = {file: text.split("\n") for file, text in sources.items()}
    return [render(found, lines.get(found.span.file, ())) for found in diagnostics]


def render(diagnostic: Diagnostic, lines: Sequence[str]) -> str:
    """Return the finding as text: the place, the line underlined, and the help line; `lines` are those of its file."""
    span = diagnostic.span
    parts = [printable(f"{span}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}")]
    if 1 <= span.line <= len(lines) and lines[span.line - 1].strip():
        line = lines[span.line - 1].rstrip("\r")
        start = min(span.column, len(line) + 1)
        end = span.end_column if span.end_line == span.line else len(line) + 1
        # A window around the place: one endless line must not flood the terminal.
        left = max(0, start - 1 - 80)
        shown = printable(line[left : left + 160])
        gutter = f"{span.line:>5} | "
        parts.append(gutter + ("…" if left else "") + shown)
        width = max(1, min(end, left + 161, len(line) + 1) - start)
        offset = start - 1 - left + (1 if left else 0)
        parts.append(" " * (len(gutter) - 2) + "| " + " " * offset + "^" * width)
    parts.append(f"   help: {printable(diagnostic.help)}")
    return "\n".join(parts)


def printable(text: str) -> str:
    """Return a text of one line as a terminal may show it: without what would move its cursor or colour it."""
    return "".join(char if char.isprintable() else " " if char == "\t" else "�" for char in text)


def reason_of(error: BaseException) -> str:
    """Return what an error of the system, such as a file that may not be read, says of its reason, in lower case."""
    said = getattr(error, "strerror", None) or str(error) or "unknown reason"
    return str(said).lower()


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return ``did you mean `x``` for the nearest known name, or `otherwise`."""
    candidates = set(known)
    if len(candidates) > _MANY_NAMES:
        # Comparing every name with every other of a large file would take minutes.
        start, end = name[:2], name[-2:]
        candidates = {each for each in candidates if each.startswith(start) or each.endswith(end)}
    ordered = sorted(candidates)[:_MANY_NAMES]
    near = [each for each in ordered if each.lower() == name.lower()]
    if not near:
        import difflib  # most specs have no name to be told

        near = difflib.get_close_matches(name[:100], ordered, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else otherwise


_MANY_NAMES = 200
