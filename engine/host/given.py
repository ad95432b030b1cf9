"""What somebody gives to a host, as plain values: no arithmetic of its own gets near a machine."""

from __future__ import annotations

import numbers
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ..diagnostics import suggestion
from ..journal.keys import Signer
from ..load import Compiled, Spec
from .problem import HostError

__all__ = [
    "LONGEST_TEXT",
    "MACHINE_NAME",
    "Numbered",
    "Sent",
    "check_limits",
    "check_machine_names",
    "check_names",
    "check_types",
    "compiled_of",
    "not_in_the_shadow",
    "plain",
    "plain_sent",
    "plain_text",
]

MACHINE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
LONGEST_TEXT = 200
"""Characters of a name or an id."""
_PLAIN = frozenset((int, float, bool, str, type(None)))
_NAMED = 'the fields of an event are its values by name, as in `{"price": 100.0}`'


class Numbered(NamedTuple):
    """The number of an event among those of its source."""

    source: str
    sequence: int


class Sent(NamedTuple):
    """An event for a machine, as `Host.submit` takes it."""

    machine: str
    event: str
    time_ns: int
    fields: Mapping[str, object] = {}
    id: str | None = None
    source: str | None = None
    sequence: int | None = None


def check_limits(**limits: Any) -> None:
    """Refuse limits with which nothing would ever be done, with a ValueError."""
    for name, limit in limits.items():
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValueError(f"`{name}` is {limit}, and has to be a whole number from 1 on")


def plain_sent(given: object) -> Sent:
    """Return an event with plain values, but for the machine, which is looked up by whoever knows them.

    Raises:
        TypeError: it is none, or something in it is of a type that no event has.
    """
    if not (isinstance(given, tuple) and 3 <= len(given) <= len(Sent._fields)):
        raise TypeError("an event of a list is a `Sent`: machine, event, time_ns, fields, id, source, sequence")
    machine, event, time_ns, fields, id, source, sequence = Sent(*given)
    name, known = plain_text("an event", event), None if id is None else plain_text("an id", id)
    return Sent(machine, name, plain(time_ns), _plain_fields(fields), known, *_counted(source, sequence))


def _plain_fields(fields: Mapping[str, object]) -> dict[str, object]:
    if not isinstance(fields, Mapping):
        raise TypeError(_NAMED)
    return {_name(name): plain(value) for name, value in fields.items()}


def _name(given: object) -> str:
    if type(given) is str:
        return given
    if not isinstance(given, str):
        raise TypeError(_NAMED)
    return str.__str__(given)


def plain_text(what: str, given: object) -> str:
    """Return a text as a plain one; a TypeError where it is none, or too long."""
    if not (isinstance(given, str) and 0 < str.__len__(given) <= LONGEST_TEXT):
        raise TypeError(f"{what} is a text of 1 to {LONGEST_TEXT} characters")
    return str.__str__(given)


def _counted(source: object, sequence: object) -> tuple[str, int] | tuple[None, None]:
    """Return who counts an event and its number; a TypeError where one is given without the other, or is none."""
    if source is None and sequence is None:
        return None, None
    counting = plain_text("a source", source)
    if isinstance(sequence, bool) or not isinstance(sequence, numbers.Integral) or not 0 <= int(sequence) < 2**63:
        raise TypeError("a sequence is a whole number from 0 on, of 63 bits, that a source counts its events by")
    return counting, int(sequence)


def plain(value: object) -> Any:
    """Return a value of an event as a plain one.

    Raises:
        TypeError: it is none that an event can have.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if type(value).__name__ in ("bool_", "bool"):  # that of NumPy, which is no number
        return bool(value)
    raise TypeError(f"{type(value).__name__} is no type of a value of an event")


def check_types(place: object, machines: object, shadow: object, signer: object, lane: object) -> None:
    """Refuse what is of another type than a host is given, before anything is opened, with a TypeError."""
    if isinstance(place, (bytes, type(None), int)):
        raise TypeError("a journal is given as a file, a URL or a store that is open for writing")
    if not isinstance(machines, Mapping):
        raise TypeError('the machines of a host are their specs by name, as in `{"desk": hedgerow.load(FILE)}`')
    if isinstance(shadow, str):
        raise TypeError('the machines in the shadow are a set of names, as in `{"desk"}`')
    if signer is not None and not isinstance(signer, Signer):
        raise TypeError(f"a signer is one that was read, `Signer.read(FILE)`, and no {type(signer).__name__}")
    if lane is not None and not callable(getattr(lane, "pending", None)):
        raise TypeError(f"a lane is one that was opened, `Lane.open(FOLDER)`, and no {type(lane).__name__}")


def compiled_of(spec: object) -> Compiled:
    """Return what a machine runs; a TypeError where it is no spec that was loaded."""
    if isinstance(spec, Spec):
        return spec.compile()
    if not isinstance(spec, Compiled):
        raise TypeError(f"a machine is a spec that was loaded, `hedgerow.load(FILE)`, and no {type(spec).__name__}")
    return spec


def check_machine_names(names: Iterable[str], place: str) -> None:
    """Refuse names that no machine can have, with a HostError (HR872)."""
    for each in names:
        if not MACHINE_NAME.fullmatch(each):
            help = "a name is letters, digits, `_` and `.`, a letter first, 64 at most"
            raise HostError("HR872", f"`{each[:80]}` is no name of a machine", place, help)


def not_in_the_shadow(machine: str, place: str) -> HostError:
    """Return the error of a machine that is to send nothing and has been begun as one that does."""
    help = "a machine stays what it was begun as: leave `shadow` out, or begin another machine in the shadow"
    return HostError("HR873", f"`{machine}` is not in the shadow: it sends orders", place, help)


def check_names(
    compiled: Mapping[str, Compiled | Spec], shadow: Collection[str], flatten: Mapping[str, str], place: str
) -> None:
    """Refuse names that mean nothing, where a person or a venue would be the first to learn of it."""
    for each in shadow:
        if each not in compiled:
            known = ", ".join(f"`{name}`" for name in compiled) or "none"
            help = suggestion(str(each)[:64], compiled, f"the machines are {known[:300]}")
            raise HostError("HR872", f"no machine `{str(each)[:64]}` to be in the shadow", place, help)
    for each, event in flatten.items():
        if each in compiled:
            spec = compiled[each]
            program = spec.program() if isinstance(spec, Spec) else spec.program
            names = [one.name for one in program.events if not one.fields]
            if event not in names:
                known = ", ".join(f"`{name}`" for name in names) or "none"
                help = suggestion(str(event)[:64], names, f"its events without fields are {known[:300]}")
                raise HostError("HR885", f"`{each}` has no event `{str(event)[:64]}` without fields", place, help)
