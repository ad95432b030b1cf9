"""The stop lane that a host looks at, as its control process and its flag are for it: acts that are durable, in order."""

from __future__ import annotations

from random import Random

from hedgerow.engine.control.acts import Act

__all__ = ["StopLane"]


class StopLane:
    """What people have said.

    Attributes:
        acts: all of it; an act that stands here is acknowledged to who said it.
    """

    def __init__(self, halted: bool = False) -> None:
        self.acts: list[Act] = []
        self._taken = 0
        self._ids: set[str] = set()
        self._halted_before = halted

    def post(self, act: Act) -> bool:
        """Take an act, once; return whether it was new."""
        if act.id in self._ids:
            return False
        self._ids.add(act.id)
        self.acts.append(act)
        return True

    def pending(self) -> Act | None:
        return self.acts[self._taken] if self._taken < len(self.acts) else None

    def taken(self, act: Act) -> None:
        assert act is self.acts[self._taken]
        self._taken += 1

    def forget(self, rng: Random) -> None:
        """Be, after the power went, behind what was taken."""
        self._taken = max(0, self._taken - rng.randrange(10))

    @property
    def halted(self) -> bool:
        """Whether the last that people have said of it is that nothing may leave."""
        for act in reversed(self.acts):
            if act.act in ("halt", "release"):
                return act.act == "halt"
        return self._halted_before
