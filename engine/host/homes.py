"""Where the machines of shards are, and how they go elsewhere.

    source   takes nothing more, and lets the machine leave
    target   takes it up; where it is refused, the source takes it back
    here     nothing is sent to it meanwhile, and from then on to where it is

Who has no answer knows nothing: the machine stays on its way, until the processes are there again and say where it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, NamedTuple

from .arguments import not_in_the_shadow
from .departure import Departed
from .problem import Busy, HostError
from .rendezvous import home_of
from .shard import Shard
from .shard_journals import TO_SHARD

__all__ = ["Homes", "Move"]


class Move(NamedTuple):
    """A machine on its way."""

    machine: str
    source: int
    target: int
    pinned: bool


class Homes:
    """In which shard each machine is.

    Attributes:
        lock: held to look at or change where machines are; never while waiting for a process.
        at: the shard of each machine, also of one that is on its way from there.
        away: machines on their way, which take nothing.
        coming: machines that are being added.
        left: machines that have left all shards, and from where.
    """

    def __init__(self, place: str, shards: Sequence[Shard], documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin with none; the shards, and what is known of the specs of machines, are those of whoever calls."""
        self._place, self._shards, self._documents = place, shards, documents
        self.lock = threading.Lock()
        self.at: dict[str, int] = {}
        self.away: dict[str, Move] = {}
        self.coming: set[str] = set()
        self.left: dict[str, int] = {}

    def of(self, machine: str) -> int:
        """Return where a machine is.

        Raises:
            Busy: (HR871) it is on its way.
            HostError: (HR872) it is nowhere.
        """
        if machine in self.away:
            raise Busy(self._place, f"`{machine}` is on its way to another shard", "wait, and try again")
        try:
            return self.at[machine]
        except (KeyError, TypeError):
            known = ", ".join(f"`{each}`" for each in list(self.at)[:20]) or "none"
            raise HostError(
                "HR872", f"no machine `{machine}`", self._place, f"the machines are {known[:300]}"
            ) from None

    def move(self, moves: Sequence[Move]) -> None:
        """Let machines go, all together; the first that goes wrong is raised when all others are done."""
        leaving: list[tuple[Move, Future[str]]] = []
        coming: list[tuple[Move, str, Future[int]]] = []
        wrong: list[Exception] = []
        for move in moves:
            if move.source == move.target:
                continue
            with _kept(wrong):
                if (shard := self._shards[move.target]).ended is not None:
                    raise shard.gone()
                with self.lock:
                    # From here on nothing is sent to it, so that nothing comes behind its departure.
                    leave = self._shards[move.source].ask(
                        "remove", move.machine, f"{TO_SHARD}{move.target}", move.pinned
                    )
                    self.away[move.machine] = move
                leaving.append((move, leave))
        for move, leave in leaving:
            with _kept(wrong):
                moved = self._left(move, leave)
                coming.append((move, moved, self._arrive(move, moved)))
        for move, moved, arrive in coming:
            with _kept(wrong):
                self._settle(move, moved, arrive)
        if wrong:
            raise wrong[0]

    def _left(self, move: Move, leave: Future[str]) -> str:
        """Wait until a machine has left, and return how; where it is not let go, it stays."""
        try:
            return self._shards[move.source].result_of(leave)
        except Exception as error:
            if _is_known(error):
                self.stays(move.machine, move.source)
            raise

    def _arrive(self, move: Move, moved: str, *, back: bool = False) -> Future[int]:
        shard = self._shards[move.source if back else move.target]
        return shard.ask("add", move.machine, self.document(move.machine), False, False, moved)

    def _settle(self, move: Move, moved: str, arrive: Future[int]) -> None:
        """Wait until a machine has arrived; where it is refused, bring it back."""
        try:
            self._shards[move.target].result_of(arrive)
        except Exception as error:
            if _is_known(error):
                self._shards[move.source].result_of(self._arrive(move, moved, back=True))
                self.stays(move.machine, move.source)
            raise
        self.stays(move.machine, move.target)

    def stays(self, machine: str, shard: int) -> None:
        with self.lock:
            self.at[machine] = shard
            self.away.pop(machine, None)

    def document(self, machine: str) -> Mapping[str, Any]:
        try:
            return self._documents[machine]
        except KeyError:
            what = f"a journal holds machine `{machine}`, and nobody gives its spec"
            help = "give the spec of every machine that a shard holds"
            raise HostError("HR872", what, self._place, help) from None

    def finish(self, name: str, source: int, *, shadow: bool = False) -> None:
        """Finish the move of a machine that has left a shard and is in no other, or bring it back where that is refused; one
        that left all of them is elsewhere.

        Raises:
            HostError: (HR873) it is to be in the `shadow`, and is not.
        """
        shard = self._shards[source]
        moved = shard.result_of(shard.ask("departed", name))
        departed = Departed.from_json(moved)
        body = departed.body
        to = body.get("to", "")
        if not to.startswith(TO_SHARD):
            self.left[name] = source
            return
        if shadow and not departed.shadow:
            raise not_in_the_shadow(name, self._place)
        said = int(to.removeprefix(TO_SHARD))
        target = said if said < len(self._shards) else home_of(name, len(self._shards))
        move = Move(name, source, target, pinned=body.get("pinned", False))
        self.away[name] = move
        try:
            self._settle(move, moved, self._arrive(move, moved))
        except Exception:
            if name in self.away:  # nobody has it
                raise

    def find(self, shard: int) -> None:
        """Find the machines whose move from or to a shard was cut off, and finish that; the first that goes wrong is raised
        when all others are done.
        """
        wrong: list[Exception] = []
        for move in [move for move in self.away.values() if shard in (move.source, move.target)]:
            with _kept(wrong):
                self._find(move)
        if wrong:
            raise wrong[0]

    def _find(self, move: Move) -> None:
        source, target = self._shards[move.source], self._shards[move.target]
        if source.ended is not None or target.ended is not None:
            return
        for shard in (source, target):
            if move.machine in shard.result_of(shard.ask("stands"))["here"]:
                self.stays(move.machine, shard.number)
                return
        self.finish(move.machine, move.source)


@contextmanager
def _kept(wrong: list[Exception]) -> Iterator[None]:
    """Keep what goes wrong for one machine, whatever it is: the others are on their way."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # it is raised when the others are there
        wrong.append(error)


def _is_known(error: Exception) -> bool:
    """Return whether what was asked for has not happened: a host that has stopped may have journalled it, or not."""
    return not (isinstance(error, HostError) and error.code == "HR870")
