"""What goes to a host in another process and comes back, as JSON: specs by their texts, errors, steps and orders.

Numbers keep their type and every bit: a float is written with a point or an exponent, and so as to read back the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..diagnostics import WAIVABLE, SpecError
from ..document import Document
from ..dryrun.problem import RunError
from ..load import Compiled, ParameterError, Spec, load
from ..registry import Binding, Registry
from ..source import parse_text
from ..step import Order, Ruling, Step, Verdict
from .arguments import compiled_of
from .machines import Outgoing
from .problem import Busy, HostError

__all__ = ["Specs", "document_of", "error_from", "error_of", "listed", "outgoing_from", "step_from"]


def document_of(compiled: Compiled | Spec) -> dict[str, Any]:
    """Return a spec with its parameters: the texts of its files, and by name what it binds; a TypeError where it is none."""
    compiled = compiled_of(compiled)
    spec, program = compiled.spec, compiled.program
    bindings = [[each.name, each.kind, each.target] for each in compiled.registry] if program.functions else None
    return {
        "file": spec.file,
        "sources": dict(spec.sources),
        "bindings": bindings,
        "fill": program.fill,
        "parameters": {each.name: compiled.parameters[each.name] for each in program.parameters if each.given is None},
        "digest": compiled.digest,
    }


def listed(documents: Mapping[str, Mapping[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the documents of many machines with each text once: the texts, and the rest with the number of its text."""
    texts: dict[tuple[Any, ...], int] = {}
    found: list[dict[str, Any]] = []
    known: dict[str, Any] = {}
    for name, document in documents.items():
        text = {each: document[each] for each in ("file", "sources", "bindings")}
        key = (document["file"], *document["sources"].items(), repr(document["bindings"]))
        if key not in texts:
            texts[key] = len(found)
            found.append(text)
        known[name] = {**{each: document[each] for each in document if each not in text}, "text": texts[key]}
    return found, known


class Specs(Mapping[str, Compiled]):
    """Specs by the names of machines, from their documents, each compiled when it is first asked for."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._loaded: dict[tuple[Any, ...], Spec] = {}

    def add(self, name: str, document: Mapping[str, Any]) -> None:
        self._documents[name] = document

    def __contains__(self, name: object) -> bool:
        return name in self._documents

    def __iter__(self) -> Any:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)

    def __getitem__(self, name: str) -> Compiled:
        """Return what a machine runs.

        Raises:
            HostError: (HR878) it is not here what it is where it comes from.
        """
        document = self._documents[name]
        try:
            found = self._spec(document).bind(document["parameters"], fill=document["fill"])
        except SpecError as error:
            raise self._other(name, error.diagnostics[0].message) from None
        except (ParameterError, KeyError) as error:
            raise self._other(name, str(error)) from None
        if found.digest != document["digest"]:
            raise self._other(name, "its program is another one")
        return found

    def _spec(self, document: Mapping[str, Any]) -> Spec:
        sources, bindings = document["sources"], document["bindings"]
        key = (document["file"], *sources.items(), repr(bindings))
        if key not in self._loaded:

            def read(path: str) -> Document:
                return parse_text(sources[path], path)

            known = {name: Binding(name, kind, target) for name, kind, target in bindings or ()}
            # What was waived where it comes from is waived here; the digest says whether it came to the same.
            registry = None if bindings is None else Registry(known)
            self._loaded[key] = load(document["file"], permit=WAIVABLE, registry=registry, reader=read)
        return self._loaded[key]

    def _other(self, name: str, why: str) -> HostError:
        help = "load the spec from its file, with the Hedgerow that its shards run"
        return HostError("HR878", f"the spec of `{name}` is not the same in another process: {why}", self._place, help)


def error_of(error: BaseException) -> dict[str, Any]:
    """Return an error as it is told to another process."""
    if isinstance(error, RunError):
        return {"code": error.code, "message": error.message, "file": error.file, "help": error.help}
    return {"type": type(error).__name__, "message": str(error)}


def error_from(told: Mapping[str, Any]) -> Exception:
    """Return an error that another process has told."""
    if "type" in told:
        # One that is not ours may be of a type that is not here, with arguments of its own.
        named = {"TypeError": TypeError, "ValueError": ValueError}.get(told["type"])
        return RuntimeError(f"{told['type']}: {told['message']}") if named is None else named(told["message"])
    if told["code"] == "HR871":
        return Busy(told["file"], told["message"], told["help"])
    return HostError(told["code"], told["message"], told["file"], told["help"])


def step_from(told: list[Any]) -> Step:
    """Return the step that a list of its members is."""
    fired, before, configuration, orders, raised, rejected, errors, broken, timers, verdicts, approvals, shadowed = told
    return Step(
        tuple(fired),
        tuple(before),
        tuple(configuration),
        tuple(Order(*each) for each in orders),
        tuple(raised),
        rejected,
        tuple(errors),
        tuple(broken),
        tuple((name, due) for name, due in timers),
        tuple(Verdict(*each) for each in verdicts),
        tuple(_ruling_from(*each) for each in approvals),
        tuple(Order(*each) for each in shadowed),
    )


def _ruling_from(number: int, rule: str, outcome: Any, by: str | None, reason: str, orders: list[Any]) -> Ruling:
    return Ruling(number, rule, outcome, by, reason, tuple((leg, change) for leg, change in orders))


def outgoing_from(told: list[Any]) -> Outgoing:
    """Return an order on its way that a list of its members is."""
    id, machine, sequence, order = told
    return Outgoing(id, machine, sequence, Order(*order))
