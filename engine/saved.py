"""A machine between two commands: its snapshot in a file, and back.

The file is the snapshot's JSON. It names its program and holds its params, so that nothing else has to be given again; a
new one takes the place of an old one in one step, so that whoever reads it sees either.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .diagnostics import printable, reason_of
from .dryrun.problem import RunError
from .ir import FillMode
from .printer import digest
from .snapshot import Snapshot, SnapshotError

if TYPE_CHECKING:
    from .backends.live import Machine
    from .load import Spec

__all__ = ["save", "saved_machine"]

_MAKE_ONE = "make one with `hedgerow run SPEC --events SCRIPT --state FILE`"
_SIMULATED: tuple[FillMode, ...] = ("same", "next")


def saved_machine(spec: Spec, path: Path) -> Machine:
    """Return a machine of a spec as a file holds it.

    Raises:
        RunError: (HR850) the file cannot be read, or holds no state of a machine of this spec.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise _refusal(path, f"the file cannot be read: {reason_of(error)}", _MAKE_ONE) from None
    except UnicodeDecodeError:
        raise _refusal(path, "this is no snapshot: it is no UTF-8", _MAKE_ONE) from None
    try:
        snapshot = Snapshot.from_json(text)
        machine = _machine(spec, path, snapshot)
        machine.restore(snapshot)
    except SnapshotError as error:
        raise _refusal(path, str(error), _MAKE_ONE) from None
    return machine


def _machine(spec: Spec, path: Path, snapshot: Snapshot) -> Machine:
    """Return a new machine with the program and the params of a snapshot."""
    from .load import ParameterError

    fills = dict.fromkeys((spec.fill, *_SIMULATED))
    fill = next((fill for fill in fills if digest(spec.program(fill)) == snapshot.program), None)
    if fill is None:
        help = (
            "give the spec that it was saved from; where that or Hedgerow has changed since, replay its events into a new "
            "state"
        )
        raise _refusal(path, f"this is the state of another program than `{spec.name}`", help)
    free = {each.name for each in spec.program(fill).parameters if each.given is None}
    held: Any = snapshot.parameters  # what a text held was typed by nobody
    try:
        return spec.bind({name: held[name] for name in held if name in free}, fill=fill).machine()
    except (ParameterError, TypeError) as error:
        raise _refusal(path, f"its params are none of this spec: {error}", _MAKE_ONE) from None


def _refusal(path: Path, why: str, help: str) -> RunError:
    return RunError("HR850", printable(why)[:400], str(path), help)


def save(machine: Machine, path: Path) -> None:
    """Write the state of a machine into a file, in the place of what it held.

    Raises:
        RunError: (HR850) it cannot be written; what was there still is.
    """
    draft = None
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(machine.snapshot().to_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except OSError as error:
        if draft is not None:
            Path(draft).unlink(missing_ok=True)
        why = f"the state cannot be written: {reason_of(error)}"
        raise _refusal(path, why, "choose a file in a folder that exists and may be written") from None
