"""What can be wrong with a lane or an act: one error, with a code, a place and a help line."""

from __future__ import annotations

from ..dryrun.problem import RunError

__all__ = ["ControlError"]


class ControlError(RunError):
    """What keeps a lane from being used, or an act from being done."""
