"""What is asked of a host, done group by group and made durable before it is answered.

    ask -> queue -> (machine steps, records are appended) x group -> one commit -> futures resolve, orders may leave

All machines of a host write one journal, because what a disk gives is commits a second: one commit is for all that came
meanwhile, whichever machines it was for. While a group is on its way to the disk the next one gathers; so groups grow with
the load, and an event that comes alone waits for nobody.

Any thread may ask. Everything else is for the one that calls `turn`: a host's own, or a simulation's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from ..dryrun.problem import RunError
from ..journal.journal import Journal
from ..step import Step
from .departure import Departed, departure_at, immovable
from .lane import Lane
from .machines import Machines
from .moving import depart
from .problem import Busy, HostError
from .resolving import answer, begin, fail
from .waiting import Waiting

__all__ = ["Committing"]

T = TypeVar("T")
_LOOK_SECONDS = 0.005
"""How often the stop lane is looked at while no event comes."""


class _Asked(NamedTuple):
    """Something to be done: `work(*arguments)`, and who waits for what it returns."""

    future: Future[Any]
    work: Callable[..., Any]
    arguments: tuple[Any, ...]


class Committing:
    """The queue of a host, and what happens to what is in it.

    Attributes:
        failure: why nothing more is done; None while all is well.
    """

    def __init__(
        self,
        journal: Journal,
        machines: Machines,
        *,
        kept: int,
        lane: Lane | None,
        flatten: Mapping[str, str],
        waiting: int,
        group: int,
        state_every: int,
        clock: Callable[[], int],
    ) -> None:
        """Begin with machines as a journal has them; what stands before record `kept`, a kept state has."""
        self._journal, self._machines, self._kept = journal, machines, kept
        self._lane, self._flatten, self._clock = lane, flatten, clock
        self._group, self._state_every = group, state_every
        self._waiting: Waiting[_Asked] = Waiting(waiting)
        self.failure: str | None = None
        self._keeps = False
        """Whether the state of all machines is kept with this group, due or not."""

    # --------------------------------------------------------------------------------------------------- any thread

    def ask(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Let something wait to be done; its future has what it returned once all that it led to is durable.

        Raises:
            Busy: (HR871) too much waits.
            HostError: (HR870) nothing more is done.
        """
        future: Future[T] = Future()
        taken = self._waiting.put(_Asked(future, work, arguments))
        if taken is None:
            raise self.stopped()
        if not taken:
            raise Busy(self._machines.place, "as much as may wait to be journalled does", "wait, and try again")
        return future

    def stop(self) -> None:
        """Take no more; what waits is done."""
        self._waiting.close()

    def leave(self) -> None:
        """Leave all of it to the process that this one was forked from: the thread that does it is there."""
        self.failure = "it belongs to another process"
        # The lock of the one that was may be held by a thread that is not here.
        self._waiting = Waiting(1)
        self._waiting.close()

    def stopped(self) -> HostError:
        """Return the error of who asks for something when nothing more is done."""
        why = "it was closed" if self.failure is None else self.failure
        help = "open it again: machines come back as they were when an event was last acknowledged, or later"
        return HostError("HR870", f"the host takes no more: {why}", self._machines.place, help)

    def holds_orders(self) -> bool:
        """Return whether no order may leave: a person has halted the machines, is about to, or nothing more is done."""
        lane = self._lane
        return self.failure is not None or self._machines.halted or (lane is not None and lane.pending() is not None)

    # --------------------------------------------------------------------------------------------------- one thread

    def run(self) -> None:
        """Do what is asked until no more is taken."""
        seconds = None if self._lane is None else _LOOK_SECONDS
        while self.turn(seconds):
            pass

    def turn(self, seconds: float | None = None) -> bool:
        """Do what waits, as one group; wait for something for so long, or for ever.

        Returns:
            Whether there will be more to do. After the last of it the state of all machines is kept, and the journal closed.
        """
        asked: list[_Asked] | None = []
        try:
            asked = self._waiting.take(self._group, seconds)
            if asked is not None:
                self._answer(asked)
                return True
            if self._journal.next != self._kept:
                self._keep_state()
            self._journal.close()
        except BaseException as error:  # noqa: BLE001  # whatever it is, nothing more may be acknowledged
            self._fail(error, asked or [])
        return False

    def take_all(self, given: Sequence[tuple[Any, ...]]) -> list[Step]:
        """Give events to machines, each as `Machines.take` has it."""
        steps = []
        for arguments in given:
            self._look()
            steps.append(self._machines.take(self._journal, *arguments))
        return steps

    def depart(self, machine: str, time_ns: int, to: str, pinned: bool) -> Departed:
        """Let a machine leave, see `moving.depart`."""
        departed = depart(self._machines, self._journal, machine, time_ns, to=to, pinned=pinned)
        # So that no recovery needs the spec of what is not here any more.
        self._keeps = True
        return departed

    def departed(self, machine: str) -> Departed:
        """Return what left with the last departure of a machine that is not here."""
        left = self._machines.left.get(machine)
        if left is None:
            raise immovable(self._machines.place, f"`{machine[:80]}` has not left this host", "ask for one that has")
        if left.record > self._journal.durable:
            self._journal.commit()
        return departure_at(self._journal.store, left.record)

    def _answer(self, asked: list[_Asked]) -> None:
        """Do what was asked, make it durable, and only then answer."""
        answers: list[tuple[Future[Any], Any]] = []
        refused: list[tuple[Future[Any], HostError]] = []
        for future, work, arguments in asked:
            self._look()
            if begin(future):
                try:
                    answers.append((future, work(*arguments)))
                except HostError as error:  # what is refused so has changed nothing
                    refused.append((future, error))
        self._look()
        if self._keeps or self._journal.next - self._kept >= self._state_every:
            self._keep_state()
        self._journal.commit()
        for future, found in answers:
            answer(future, found)
        for future, why in refused:
            fail(future, why)

    def _look(self) -> None:
        """Look at the stop lane, at the start of a macrostep and before orders are released."""
        lane = self._lane
        if lane is None:
            return
        while (act := lane.pending()) is not None:
            self._machines.obey(self._journal, act, self._flatten, self._clock())
            # One act at a time: the next is seen when this one is in effect.
            self._journal.commit()
            lane.taken(act)

    def _keep_state(self) -> None:
        self._journal.keep(self._machines.state())
        self._kept, self._keeps = self._journal.next, False

    def _fail(self, error: BaseException, asked: list[_Asked]) -> None:
        """Stop: what is durable only the journal knows, and so nothing more is acknowledged."""
        self.failure = _told(error)
        self._waiting.close()
        left = list(asked)
        while more := self._waiting.take(self._group):
            left += more
        for each in left:
            # One error for all would be raised in several threads at once, each of which writes its traceback there. Who was
            # answered already, or has gone, is left alone.
            fail(each.future, self.stopped())
        self._journal.store.close()


def _told(error: BaseException) -> str:
    """Return what has stopped a host as a part of a sentence."""
    return f"{error.message} ({error.code})" if isinstance(error, RunError) else str(error) or type(error).__name__
