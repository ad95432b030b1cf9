"""The certificate of a proof: what was proved of which text, by which engine and solver, question by question.

It is one JSON document with sorted keys, so that two proofs of one spec differ only where they differ. It is no signature:
what makes it true is that `hedgerow prove SPEC --check proof.json` comes to the same again. The published JSON Schema
(`schemas/proof.v1.schema.json`) is generated from these classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..diagnostics import reason_of
from ..dryrun.problem import RunError

__all__ = [
    "FORMAT",
    "ID",
    "Certificate",
    "CounterexampleShape",
    "EventShape",
    "FileShape",
    "Identity",
    "ObligationShape",
    "PropertyShape",
    "SecondShape",
    "json_schema",
    "read_certificate",
]

FORMAT: Final = "hedgerow.proof/1"
ID = "urn:hedgerow:schema:proof:v1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES = 2**28
SCHEMA_FILE = "schemas/proof.v1.schema.json"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileShape(_Shape):
    """A file of the spec; its hash is of the text with line feeds and without a byte order mark."""

    file: Annotated[str, Field(description="its name, seen from the folder of the spec")]
    sha256: Sha256


class Identity(_Shape):
    """What was proved about, and with what."""

    name: Annotated[str, Field(description="what the spec calls itself")]
    files: Annotated[tuple[FileShape, ...], Field(min_length=1, description="the spec, then those that it uses")]
    program: Annotated[Sha256, Field(description="of the intermediate representation")]
    fill: Literal["same", "next"]
    parameters: Annotated[
        Mapping[str, str], Field(description="fixed ones, as `--set` takes them; all others are free")
    ]
    only: Annotated[tuple[str, ...], Field(description="names of the properties that were asked for; empty for all")]
    version: Annotated[str, Field(description="of Hedgerow")]
    engine: Annotated[Sha256, Field(description="of the source files of the engine that a proof depends on")]
    solver: Annotated[str, Field(description="name and version")]


class ObligationShape(_Shape):
    """One question to the solver; the hash is of its script in SMT-LIB 2, empty where the form of the claim is enough."""

    place: str
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    verdict: Literal["unsat", "sat", "unknown"]
    solver: str
    seconds: Seconds


class EventShape(_Shape):
    """An event of a counterexample."""

    event: str
    time: Annotated[str, Field(description="as scripts write it")]
    values: Annotated[tuple[str, ...], Field(description="of its fields, in declared order, as exact fractions")]


class CounterexampleShape(_Shape):
    """Events that break a property or, where something is claimed to be possible, show it."""

    parameters: Mapping[str, str]
    events: tuple[EventShape, ...]
    script: Annotated[str, Field(description="for `hedgerow run SPEC --events`")]


class PropertyShape(_Shape):
    """A property and its verdict."""

    code: Annotated[str, Field(pattern=r"^HR9\d\d$")]
    kind: str
    name: str
    words: str
    verdict: Literal["proved", "refuted", "not decided", "noted"]
    because: str
    help: tuple[str, ...]
    opaque: Annotated[tuple[str, ...], Field(description="bound functions of which only their contract is known")]
    obligations: tuple[ObligationShape, ...]
    counterexample: CounterexampleShape | None


class SecondShape(_Shape):
    """What a second solver said of the same questions."""

    solver: str
    agreed: Annotated[int, Field(ge=0)]
    silent: Annotated[int, Field(ge=0, description="answered by the first only")]
    alone: Annotated[int, Field(ge=0, description="answered by the second only")]
    open: Annotated[int, Field(ge=0, description="answered by neither")]
    disagreements: Annotated[tuple[Sha256, ...], Field(description="scripts to which the two say the contrary")]
    seconds: Seconds


class Certificate(_Shape):
    """What `hedgerow prove --out` writes."""

    format: Annotated[Literal["hedgerow.proof/1"], Field(description="kind and number of the format")]
    about: Identity
    verdict: Annotated[Literal["proved", "refuted", "not decided"], Field(description="the worst of all")]
    limit: Annotated[float, Field(gt=0, allow_inf_nan=False, description="seconds for each question and strategy")]
    seconds: Seconds
    outcomes: Annotated[int, Field(ge=0, description="ways that an event can go")]
    questions: Annotated[int, Field(ge=0, description="that went to the solver")]
    properties: tuple[PropertyShape, ...]
    grounds: Annotated[tuple[ObligationShape, ...], Field(description="questions that all properties rest on")]
    facts: Annotated[tuple[str, ...], Field(description="found by the proof itself, and used")]
    assumed: tuple[str, ...]
    unproved: Annotated[tuple[str, ...], Field(description="what is not claimed")]
    second: SecondShape | None


def read_certificate(path: Path) -> Certificate:
    """Return the certificate in a file.

    Raises:
        RunError: (HR840) there is no such file, it is no JSON, or it is no certificate of this format.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _refusal(path, f"it has more than {MAX_BYTES:,} bytes", "give what `hedgerow prove --out` wrote")
        text = content.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except OSError as error:
        reason = reason_of(error)
        raise _refusal(path, f"it cannot be read: {reason}", "`hedgerow prove SPEC --out FILE` writes one") from None
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        reason = str(error) if isinstance(error, _Twice) else f"it is no JSON{where}"
        raise _refusal(path, reason, "it may have been cut off or changed; ask for it again") from None
    format = document.get("format") if isinstance(document, dict) else None
    if format != FORMAT:
        told = "it does not say `format`" if format is None else f"its format is {json.dumps(format)[:60]}"
        raise _refusal(path, told, f'a certificate of this version has "format": "{FORMAT}"')
    try:
        return Certificate.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _refusal(path, _misfit(first["type"], first["loc"]), f"its shape is that of {SCHEMA_FILE}") from None


class _Twice(ValueError):
    """A key that is given twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Twice(f"the key `{twice[:60]}` is given twice in it")
    return found


def _no_number(text: str) -> float:
    raise ValueError(text)


def _misfit(type: str, loc: tuple[int | str, ...]) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    match type:
        case "missing":
            return f"it lacks `{place}`"
        case "extra_forbidden":
            return f"it has `{place}`, which no certificate has"
        case _:
            return f"`{place}` does not fit"


def _refusal(path: Path, message: str, help: str) -> RunError:
    return RunError("HR840", f"this is no certificate of a proof: {message}", str(path), help)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of certificates (draft 2020-12), its keys in the order of the model."""
    made: dict[str, Any] = _plain(Certificate.model_json_schema())
    definitions = {name.removesuffix("Shape"): each for name, each in made.pop("$defs").items()}
    del made["description"]
    return {
        "$schema": DIALECT,
        "$id": ID,
        "title": "A Hedgerow certificate",
        "description": "What was proved of a spec, by which engine and solver, question by question.",
        **made,
        "$defs": definitions,
    }


def _plain(schema: Any) -> Any:
    """Return a schema without pydantic's titles, its references to the names published here."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema.removesuffix("Shape") if isinstance(schema, str) and schema.startswith("#/$defs/") else schema
    # A property may be called `title`; pydantic's own is a text.
    return {key: _plain(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
