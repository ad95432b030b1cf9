"""What a host and shards are opened with: checked before anything is opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from ..diagnostics import suggestion
from ..journal.keys import Signer
from ..load import Compiled, Spec
from .given import MACHINE_NAME
from .migration import Migration
from .problem import HostError

__all__ = ["check_limits", "check_machine_names", "check_names", "check_types", "compiled_of", "not_in_the_shadow"]


def check_limits(**limits: Any) -> None:
    """Refuse limits with which nothing would ever be done, with a ValueError."""
    for name, limit in limits.items():
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ValueError(f"`{name}` is {limit}, and has to be a whole number from 1 on")


def check_types(
    place: object,
    *,
    specs: Mapping[str, object],
    shadow: object,
    flatten: object,
    migrations: object,
    signer: object = None,
    lane: object = None,
    lanes: object = (),
) -> None:
    """Refuse what is of another type than a host is given, before anything is opened, with a TypeError.

    `specs` are the arguments that are specs by the names of machines, by their own names.
    """
    if isinstance(place, (bytes, type(None), int)):
        raise TypeError("a journal is given as a file, a URL or a store that is open for writing")
    for argument, given in specs.items():
        if not _is_by_name(given):
            raise TypeError(f'`{argument}` are specs by the names of machines, as in `{{"desk": hedgerow.load(FILE)}}`')
    if not _are(str, shadow):
        raise TypeError('`shadow` is a set of the names of machines, as in `{"desk"}`')
    if not (flatten is None or (_is_by_name(flatten) and _are(str, flatten.values()))):
        raise TypeError('`flatten` are events by the names of machines, as in `{"desk": "manual_exit"}`')
    if not _are(Migration, migrations):
        raise TypeError("`migrations` are a list of those that were read, `[read_migration(FILE)]`")
    if signer is not None and not isinstance(signer, Signer):
        raise TypeError(f"a signer is one that was read, `Signer.read(FILE)`, and no {type(signer).__name__}")
    if lane is not None and not callable(getattr(lane, "pending", None)):
        raise TypeError(f"a lane is one that was opened, `Lane.open(FOLDER)`, and no {type(lane).__name__}")
    if not _are((str, Path), lanes):
        raise TypeError('`lanes` are a list of the folders of stop lanes, one a shard, as in `["lane-0", "lane-1"]`')


def _is_by_name(given: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(given, Mapping) and _are(str, given)


def _are(wanted: type | tuple[type, ...], given: object) -> bool:
    """Return whether something is a collection whose members are all of a type; a text is none of its letters."""
    return (
        isinstance(given, Collection)
        and not isinstance(given, (str, bytes))
        and all(isinstance(each, wanted) for each in given)
    )


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
