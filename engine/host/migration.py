"""A state of one program as a state of another one, where somebody has declared how.

    migration: 1
    machine: desk
    from: "96f3d3156dc13b13"        # the first 16 digits of each program's digest at least
    to: "0b1c5a3397cf0e2d"
    states: {active: trading}       # old name: new name; others keep theirs
    cells: {long.quantity: leg.quantity}
    dropped: [old_counter]          # cells of the old program that nothing takes over
    initial: {new_counter: 0}       # what cells of the new program are that were not in the old one

Everything is said: a cell of the old program is kept under its name, renamed or dropped, a cell of the new one has a source
or a value here. Windows are meant where cells are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..diagnostics import SpecError
from ..snapshot import Snapshot, SnapshotError
from ..source import read
from .journalled import Journalled
from .problem import HostError

__all__ = ["Migration", "migrated", "read_migration"]

_DIGEST = re.compile(r"[0-9a-f]{16,64}")
_Digest = Annotated[str, Field(pattern=f"^{_DIGEST.pattern}$")]


class Migration(BaseModel):
    """What a file declares; see the module."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    migration: Literal[1]
    machine: str
    before: _Digest = Field(alias="from")
    after: _Digest = Field(alias="to")
    states: dict[str, str] = {}
    cells: dict[str, str] = {}
    dropped: list[str] = []
    initial: dict[str, bool | int | float | list[float]] = {}

    def to_json(self) -> dict[str, Any]:
        """Return what is journalled of it."""
        return self.model_dump(by_alias=True)


def read_migration(path: Path) -> Migration:
    """Return the migration that a YAML or JSON file declares.

    Raises:
        HostError: (HR875) it declares none.
    """
    try:
        return Migration.model_validate(read(path).plain())
    except SpecError as error:
        raise _wrong(str(path), error.diagnostics[0].message, error.diagnostics[0].help) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise _wrong(str(path), f"`{where}`: {first['msg'].lower()}", "see docs/host.md for what it declares") from None


def migrated(migration: Migration, snapshot: Snapshot, target: Journalled, place: str) -> None:
    """Give a machine of another program the state that a snapshot is in it.

    Args:
        migration: how.
        snapshot: of the old program.
        target: a machine of the new one, not yet started.
        place: what messages call the journal.

    Raises:
        HostError: (HR875) the migration does not lead from the one to the other.
    """
    if not snapshot.program.startswith(migration.before):
        raise _wrong(place, f"it leads from program {migration.before}, the state is of {snapshot.program}", _DIGESTS)
    if not target.program.startswith(migration.after):
        raise _wrong(place, f"it leads to program {migration.after}, the spec is {target.program}", _DIGESTS)
    new = target.snapshot()
    cells = _taken(migration, {**snapshot.cells, **snapshot.windows}, {**new.cells, **new.windows}, place)
    history = _taken_history(migration, snapshot, new)
    moved = Snapshot(
        program=target.program,
        parameters=target.compiled.parameters,
        time_ns=snapshot.time_ns,
        configuration=tuple(migration.states.get(name, name) for name in snapshot.configuration),
        cells={name: cells[name] for name in new.cells},
        windows={name: cells[name] for name in new.windows},
        history=history,
        ended=snapshot.ended,
    )
    try:
        target.restore(moved)
    except SnapshotError as error:
        raise _wrong(place, str(error), "say under `states` and `cells` what each is now") from None


def _taken(migration: Migration, old: Mapping[str, Any], new: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the cells and windows of the new program."""
    dropped, initial = set(migration.dropped), migration.initial
    for name in (*migration.cells, *dropped):
        if name not in old:
            raise _wrong(place, f"the old program has no `{name}`", "name a cell of the state")
    for name in (*migration.cells.values(), *initial):
        if name not in new:
            raise _wrong(place, f"the new program has no `{name}`", "name a cell of the spec")
    found: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in initial.items()
    }
    for name, value in old.items():
        if name in dropped:
            continue
        target = migration.cells.get(name, name)
        if target not in new:
            raise _wrong(place, f"nothing takes `{name}` over", "rename it under `cells`, or name it under `dropped`")
        if target in found:
            raise _wrong(place, f"`{target}` would come from two places", "take one of them away")
        found[target] = value
    for name in new:
        if name not in found:
            raise _wrong(place, f"nothing says what `{name}` is", "rename a cell to it, or name it under `initial`")
    return found


def _taken_history(migration: Migration, old: Snapshot, new: Snapshot) -> dict[str, tuple[str, ...]]:
    """Return what the history states of the new program remember; one that is new remembers nothing."""
    renamed = {
        migration.states.get(name, name): tuple(migration.states.get(each, each) for each in kept)
        for name, kept in old.history.items()
    }
    return {name: renamed.get(name, ()) for name in new.history}


_DIGESTS = "write the digests that `hedgerow audit show --kind machine` and the refusal without it name"


def _wrong(place: str, what: str, help: str) -> HostError:
    return HostError("HR875", f"the migration does not fit: {what}", place, help)
