"""Claims in words, each with something that backs it.

    claims:
      it_only_shrinks:
        says: no order enlarges the gross exposure
        backed_by: [{invariant: gross_never_grows}, {study: band_limited_proof}]

What is looked for is whether the thing that is named exists: an invariant or another claim of this spec or of one that it
uses, a study, a test function in a file. Whether it holds is for `prove`, `study` and pytest; whether it says what the words
say is for whoever reads both. None of it is part of the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from ..check import Location, places
from ..diagnostics import Findings, reason_of, suggestion
from ..model import Spec
from ..record import Record
from ..source import Document

if TYPE_CHECKING:
    from ..compose import UsedSpec

__all__ = ["Backed", "backed_claims", "check_backing"]

SECTIONS: Mapping[str, str] = {
    "invariant": "invariants",
    "conserved": "conserved",
    "unchanged": "unchanged",
    "helper": "helpers",
    "decreases": "decreases",
}
"""What a backing of a kind is found under."""
MAX_TEST_BYTES = 2_000_000
"""A file of tests that is larger is not read."""


class Backed(Record):
    """A claim in words: its name, what it says, and (kind, name) of each thing that backs it."""

    name: str
    says: str
    backed_by: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "says": self.says, "backed_by": [{kind: name} for kind, name in self.backed_by]}


def backed_claims(document: Mapping[str, object]) -> tuple[Backed, ...]:
    """Return the claims of a spec that holds, given as plain values."""
    claims = document.get("claims")
    found = []
    for name, claim in claims.items() if isinstance(claims, dict) else ():
        written = claim["backed_by"]
        backings = written if isinstance(written, list) else [written]
        pairs = tuple((str(kind), str(what)) for backing in backings for kind, what in backing.items())
        found.append(Backed(str(name), " ".join(str(claim["says"]).split()), pairs))
    return tuple(found)


def check_backing(
    spec: Spec, document: Document, folder: Path | None, findings: Findings, used: Mapping[str, UsedSpec]
) -> None:
    """Tell every claim that names what does not exist; `folder` is that of the file, None of a text that is no file."""
    checker = _Backing(document, folder, findings, used)
    for name, claim in spec.claims.items():
        backings = claim.backed_by if isinstance(claim.backed_by, list) else [claim.backed_by]
        for loc, backing in zip(places(("claims", name, "backed_by"), claim.backed_by), backings, strict=True):
            # One, or none where its name is empty, which has been told.
            for kind, what in backing.model_dump(exclude_none=True).items():
                checker.check(name, kind, what, loc)


class _Backing:
    """Looks up what backs the claims of one document."""

    def __init__(
        self, document: Document, folder: Path | None, findings: Findings, used: Mapping[str, UsedSpec]
    ) -> None:
        self.document, self.folder, self.findings, self.used = document, folder, findings, used
        self._tests: dict[str, frozenset[str] | str] = {}
        """By file: the test functions in it, or why there are none to be had."""

    def check(self, claim: str, kind: str, what: str, loc: Location) -> None:
        if kind in SECTIONS:
            self._named(claim, kind, what, (*loc, kind))
        elif kind == "study":
            from ..studies import STUDIES  # of which nothing is needed but the names

            if what not in STUDIES:
                help = suggestion(what, STUDIES, "there is " + ", ".join(f"`{each}`" for each in STUDIES))
                self._tell(claim, f"there is no study `{what}`", (*loc, kind), help)
        else:
            self._test(claim, what, (*loc, kind))

    def _tell(self, claim: str, why: str, loc: Location, help: str) -> None:
        self.findings.error("HR451", f"`{claim}` is not backed: {why}", self.document.at(loc).span, help)

    def _named(self, claim: str, kind: str, name: str, loc: Location) -> None:
        """Look for a claim of the spec, or of one that it uses, by its name."""
        part, _, inner = name.partition(".")
        if inner and part not in self.used and self.document.has("use", part):
            return  # what is wrong with the used spec is told there
        known = self._of_used(kind) | set(self.document.keys(SECTIONS[kind]))
        if name in known:
            return
        others = [other for other in SECTIONS if name in self.document.keys(SECTIONS[other])]
        where = f"`{SECTIONS[kind]}:`"
        help = f"write `{others[0]}: {name}`" if others else suggestion(name, known, f"claim it under {where}")
        self._tell(claim, f"there is no `{name}` under {where}", loc, help)

    def _of_used(self, kind: str) -> set[str]:
        """Return the names of the claims of one kind in the specs that are used, with the names of the parts in front."""
        return {f"{part}.{name}" for part, one in self.used.items() for name in _claims_of(one, kind)}

    def _test(self, claim: str, written: str, loc: Location) -> None:
        """Look for a test function in a file, named as pytest names it: `FILE::NAME`, or `FILE::CLASS::NAME`."""
        file, _, name = written.partition("::")
        function = name.rpartition("::")[2]
        spelled = "write its file from the folder of this one and its name: `tests/test_hedge.py::test_it_holds`"
        if not name or not file.endswith(".py"):
            self._tell(claim, f"`{written}` names no test function", loc, spelled)
        elif PurePosixPath(file).is_absolute() or PureWindowsPath(file).drive or "\\" in file or "\0" in file:
            self._tell(claim, f"`{file}` is no relative path", loc, spelled)
        elif not function.startswith("test"):
            self._tell(claim, f"`{function}` is no test", loc, "name a function that pytest collects: `test_…`")
        elif self.folder is None:
            help = "load it from a file, or say in which folder it stands"
            self._tell(claim, "a text that is no file has no tests beside it", loc, help)
        else:
            tests = self._tests.setdefault(file, _tests_in(self.folder / file, file))
            if isinstance(tests, str):
                self._tell(claim, tests, loc, "check the path: it starts in the folder of this file")
            elif name not in tests:
                help = suggestion(name, tests, "write the test first, then its name here")
                self._tell(claim, f"`{file}` has no test `{name}`", loc, help)


def _claims_of(used: UsedSpec, kind: str) -> Iterator[str]:
    """Yield the names of the claims of one kind in a used spec and in those that it uses."""
    lowering = used.lowering
    yield from lowering.document.keys(SECTIONS[kind])
    for part, inner in lowering.used.items():
        yield from (f"{part}.{name}" for name in _claims_of(inner, kind))


def _tests_in(path: Path, named: str) -> frozenset[str] | str:
    """Return the functions and methods of a file of Python as pytest names them, or why it cannot be said."""
    import ast

    try:
        if not path.is_file():
            return f"there is no file `{named}`"
        if path.stat().st_size > MAX_TEST_BYTES:
            return f"`{named}` is larger than {MAX_TEST_BYTES:,} bytes"
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError) as error:
        return f"`{named}` cannot be read: {reason_of(error)}"
    except (SyntaxError, RecursionError, MemoryError):
        return f"`{named}` is no Python that can be read"
    return frozenset(_functions(tree.body, ""))


def _functions(body: Iterable[object], before: str) -> Iterator[str]:
    import ast

    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield before + node.name
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{before}{node.name}::")
