"""`hedgerow validate`: check specs and say every mistake with its place."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .json_text import json_text
from .log import log
from .main import BAD_INPUT, HOLDS
from .permit import permit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..engine.diagnostics import Diagnostic
    from ..engine.load import Spec
    from ..engine.source import Document

__all__ = ["command"]

SUFFIXES = frozenset((".yaml", ".yml", ".json"))
_YAML_KEY = re.compile(rb"""^(?:\xef\xbb\xbf)?(?:\{\s*)?["']?hedgerow["']?\s*:""", re.MULTILINE)
_JSON_KEY = re.compile(rb'"hedgerow"\s*:')


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@permit
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def command(paths: tuple[str, ...], permit: tuple[str, ...], as_json: bool) -> int:
    """Check specs: files, folders with everything below them, and globs such as 'specs/**/*.yaml'.

    In a folder, a spec is a .yaml, .yml or .json file with the key `hedgerow`. Findings go to stderr, a summary to
    stdout. Exit codes: 0 all hold, 2 a mistake.
    """
    files, refused, passed_over = _found(paths)
    reader = _remembering()
    checked = [*refused, *(_checked(file, permit, reader) for file in files)]
    if as_json:
        document = {
            "ok": all(one.ok for one in checked),
            "files": [one.to_json() for one in checked],
            "passed_over": passed_over,
        }
        click.echo(json_text(document))
    else:
        _show(checked, passed_over)
    return HOLDS if all(one.ok for one in checked) else BAD_INPUT


@dataclass(frozen=True, slots=True)
class _Checked:
    """A path and what was found; `spec` is None where it does not hold."""

    file: str
    spec: Spec | None
    diagnostics: Sequence[Diagnostic]
    sources: Mapping[str, str]

    @property
    def ok(self) -> bool:
        return self.spec is not None

    def to_json(self) -> dict[str, object]:
        spec = self.spec
        return {
            "file": self.file,
            "ok": self.ok,
            "name": spec.name if spec else None,
            "diagnostics": [found.to_json() for found in self.diagnostics],
            "backends": [
                {"backend": one.backend, "able": one.able, "reason": one.reason}
                for one in (spec.capabilities() if spec else ())
            ],
            "claims": [claim.to_json() for claim in (spec.backed_claims if spec else ())],
        }


def _remembering() -> Callable[[str], Document]:
    """Return a reader that reads a file once, however many of the specs use it."""
    from ..engine.source import read

    return cache(read)


def _checked(file: str, permit: tuple[str, ...], reader: Callable[[str], Document]) -> _Checked:
    from ..engine.diagnostics import SpecError
    from ..engine.load import load

    try:
        spec = load(file, permit=permit, reader=reader)
    except SpecError as error:
        log("spec.refused", file=file, errors=_count(error.diagnostics, "error"))
        return _Checked(file, None, error.diagnostics, error.sources)
    log("spec.holds", file=file, name=spec.name, findings=len(spec.diagnostics))
    return _Checked(file, spec, spec.diagnostics, spec.sources)


# --------------------------------------------------------------------------------------------------------------- files


def _found(paths: tuple[str, ...]) -> tuple[list[str], list[_Checked], int]:
    """Return the files to check, the paths that lead to none, and how many files in folders are no specs."""
    files: dict[str, None] = {}
    refused: list[_Checked] = []
    passed_over = 0
    for path in paths:
        if os.path.lexists(path) or not glob.has_magic(path):
            matches = [path]
        else:
            hits = sorted(glob.iglob(path, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
            matches = [hit for hit in hits if Path(hit).is_dir() or Path(hit).suffix.lower() in SUFFIXES]
        if not matches:
            help = "check the pattern and the folder you are in; put it in quotes, so that no shell reads it"
            refused.append(_refusal(path, f"`{path}` matches no spec", help))
        for match in matches:
            if not os.path.isdir(match):  # noqa: PTH112 - unlike Path.is_dir it takes a name of any length
                files[match] = None
                continue
            specs, others = _below(match)
            passed_over += others
            files |= dict.fromkeys(specs)
            if not specs and match == path:
                help = "a spec is a .yaml, .yml or .json file with the key `hedgerow`; `hedgerow new` writes one"
                refused.append(_refusal(path, f"the folder `{path}` has no spec in it", help))
    if not files and not refused:
        refused.append(_refusal(paths[0], f"`{paths[0]}` matches no spec", "name a file, or a folder with specs"))
    return list(files), refused, passed_over


def _below(folder: str) -> tuple[list[str], int]:
    """Return the specs in a folder and below it, in order, and how many YAML and JSON files are none."""
    specs: list[str] = []
    others = 0
    for file in _files_below(folder):
        if _is_spec(file):
            specs.append(file)
        else:
            others += 1
    return specs, others


def _files_below(folder: str) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        # Hidden folders and installed packages are not what a user means by `.`.
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one != "node_modules")
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES:
                yield os.path.join(where, name)  # noqa: PTH118 - `./a.yaml` keeps its dot, as the user wrote it


def _is_spec(file: str) -> bool:
    """Return whether a file claims to be a spec, or cannot be read and has to be told of."""
    from ..engine.source import MAX_BYTES

    path = Path(file)
    if path.is_symlink() and not path.exists():
        return True
    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            head = stream.read(MAX_BYTES + 1)
    except OSError:
        return True
    if path.suffix.lower() != ".json":
        return _YAML_KEY.search(head) is not None
    try:
        data = json.loads(head)
    except (ValueError, RecursionError):
        return _JSON_KEY.search(head) is not None
    return isinstance(data, dict) and "hedgerow" in data


def _refusal(path: str, message: str, help: str) -> _Checked:
    from ..engine.diagnostics import Diagnostic, Span

    return _Checked(path, None, [Diagnostic("HR001", message, Span(path, 1, 1, 1, 1), help)], {})


# ------------------------------------------------------------------------------------------------------------- showing


def _show(checked: Sequence[_Checked], passed_over: int) -> None:
    from ..engine.diagnostics import printable
    from .findings import show

    for one in checked:
        if one.diagnostics:
            show(one.diagnostics, one.sources)
            click.echo(err=True)
    for one in checked:
        told = ", ".join(
            _number(count, severity)
            for severity in ("error", "warning", "note")
            if (count := _count(one.diagnostics, severity))
        )
        mark = click.style("ok", fg="green") if one.ok else click.style("not ok", fg="red")
        click.echo(f"{printable(one.file)}: {mark}{f', {told}' if told else ''}")
        if one.spec:
            for line in _backends(one.spec):
                click.echo(f"  {line}")
    if len(checked) > 1 or passed_over:
        bad = sum(not one.ok for one in checked)
        last = [_number(len(checked), "path"), f"{bad} not ok" if bad else "all ok"]
        if passed_over:
            last.append(f"{_number(passed_over, 'file')} without the key `hedgerow` passed over")
        click.echo("; ".join(last))


def _backends(spec: Spec) -> Iterator[str]:
    """Yield which backends can run a spec, and a line for each reason why others cannot."""
    found = spec.capabilities()
    yield "backends: " + ", ".join(one.backend for one in found if one.able)
    reasons = dict.fromkeys(one.reason for one in found if not one.able)
    for reason in reasons:
        unable = ", ".join(one.backend for one in found if not one.able and one.reason == reason)
        yield f"not {unable}: {reason}"


def _count(diagnostics: Sequence[Diagnostic], severity: str) -> int:
    return sum(found.severity == severity for found in diagnostics)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
