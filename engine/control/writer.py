"""The one that logs acts and then shows them: whoever holds the lock of the log, and nobody else, writes the flag.

The lock is the log's own, that of the one writer of a journal, and ends with its process however that ends. So the
control process and a client that finds it dead cannot both be at it, and neither are two such clients.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from ..journal import kinds
from ..journal.chain import records_since
from ..journal.journal import Journal
from ..journal.opening import open_store
from ..journal.problem import JournalError
from .acts import TAKEN, Act, Asked, payload_of
from .flag import SLOTS, Flag
from .log import LOG, History, history_of, is_halted
from .problem import ControlError
from .terms import check, read_terms

__all__ = ["ENGINE", "Outcome", "Writer", "folder_of"]

ENGINE = "hedgerow"
"""By whom a halt is that a damaged lane leads to."""
Outcome = tuple[Act, bool] | ControlError
"""An act that is durable and shown, and whether it was done before; or why there is none."""


def folder_of(folder: Path) -> Path:
    """Return the folder of a lane, having seen that nobody but its owner may look into it.

    Raises:
        ControlError: (HR880) there is none, or others may.
    """
    read_terms(folder)
    if folder.stat().st_mode & 0o077:
        help = f"who may write there, may act: chmod 700 {folder}"
        raise ControlError("HR880", "others may look into the folder of the lane", str(folder), help)
    return folder


class Writer:
    """The acts of a lane, logged and shown. It rebuilds all it knows from the log, and the flag with it."""

    def __init__(self, folder: Path, clock: Callable[[], int] = time.time_ns) -> None:
        """Take the lane.

        A flag that is behind the log is brought up to it. One that is damaged, or gone, is made whole and leads to a
        halt of its own, which is logged: nobody knows what an engine has seen there.

        Raises:
            ControlError: (HR880) there is no lane; (HR882) somebody else writes it; (HR886) it cannot be written.
            JournalError: its log cannot be read, or is not what was written.
        """
        self._folder, self._clock = folder_of(folder), clock
        self.place = str(folder)
        self.terms = read_terms(folder)
        try:
            store = open_store(str(folder / LOG), write=True)
        except JournalError as error:
            if error.code == "HR861":
                help = "one control process serves a lane; `hedgerow control status LANE` tells of it"
                raise ControlError("HR882", "another process serves this lane", self.place, help) from None
            raise
        self._failed = False
        try:
            if store.last() is None:
                about = kinds.genesis(self.terms.machine, self.terms.program, {}, clock())
                self._journal = Journal.begin(store, about, clock=clock)
            else:
                self._journal = Journal.resume(store, clock=clock)
            history = history_of(records_since(store))
            self._acts, self._taken = list(history.acts), history.taken
            self._by_id = {act.id: act for act in self._acts}
            self.flag = Flag(folder, make=True)
            self._bring_up()
        except BaseException:
            store.close()
            raise

    # ------------------------------------------------------------------------------------------------------- what is

    @property
    def history(self) -> History:
        """What the log says."""
        return History(tuple(self._acts), self._taken)

    @property
    def halted(self) -> bool:
        """Whether the acts so far leave the machine halted."""
        return is_halted(self._acts)

    @property
    def _last(self) -> int:
        return self._acts[-1].number if self._acts else 0

    # --------------------------------------------------------------------------------------------------------- acting

    def act(self, asked: Iterable[Asked]) -> list[Outcome]:
        """Log acts as one group, show them, and return what became of each; an act that was done already is not done
        again.

        Raises:
            ControlError: (HR886) they cannot be logged: none of them is done, the flag makes the engine halt, and this
                writer takes no more.
        """
        self._check_flag()
        outcomes: list[Outcome] = []
        new: list[Act] = []
        for each in asked:
            outcome = self._add(each)
            outcomes.append(outcome)
            if not isinstance(outcome, ControlError) and not outcome[1]:
                new.append(outcome[0])
        if new:
            self._commit()
            # Whoever damaged the flag while the disk was written meant, or met, a halt: it comes after these.
            damaged = self.flag.posted != self._last
            for act in new:
                self.flag.put(act.number, self._last, payload_of(act, self.place))
                self._acts.append(act)
            if damaged:
                self._bring_up()
            else:
                self.flag.post(self._last)
        return outcomes

    def _add(self, asked: Asked) -> Outcome:
        """Append an act to the group, if it stands."""
        try:
            asked = check(self.terms, asked, self.place)
            known = self._by_id.get(asked.id)
            if known is not None:
                if not _same(known, asked):
                    message = f"the id `{asked.id}` is that of another act, number {known.number}"
                    raise ControlError("HR887", message, self.place, "give each act an id of its own")
                return known, True
            if asked.until_ns is not None and asked.until_ns < self._clock() and asked.act != "halt":
                raise ControlError("HR883", "nobody waits for this act any more", self.place, "send it again")
            return self._append(asked), False
        except ControlError as error:
            return error

    def _append(self, asked: Asked) -> Act:
        number, now = self._journal.next, self._clock()
        act = Act(number, asked.act, asked.by, asked.reason, now, asked.id, asked.event, asked.fields)
        self._journal.append(kinds.Kind.CONTROL, payload_of(act, self.place))
        self._by_id[act.id] = act
        return act

    def _commit(self) -> None:
        try:
            self._journal.commit()
        except JournalError as error:
            # What cannot be logged is not done, with one exception: that the machine stops.
            self._failed = True
            self.flag.spoil()
            message = f"nothing can be logged: {error.message}"
            help = f"the machine is halted; {error.help}"
            raise ControlError("HR886", message, self.place, help) from None

    # ------------------------------------------------------------------------------------------------------- watching

    def look(self) -> None:
        """Log what the engine has taken since the last look, and a halt where the flag has been damaged.

        Raises:
            ControlError: (HR886) as `act`; (HR880) the flag has gone, which halts an engine that still looks at it.
        """
        self._check_flag()
        taken = self.flag.taken
        if taken is not None and taken > self._taken:
            self._journal.append(*kinds.control(TAKEN, ENGINE, "", self._clock(), number=taken))
            self._commit()
            self._taken = taken

    def _check_flag(self) -> None:
        if self.flag.gone:
            self._failed = True
            self.flag.spoil()
            help = "start the engine and the control process again; the log says what was done"
            raise ControlError("HR880", "the flag of the lane has gone; the machine is halted", self.place, help)
        if not self._stands() or self.flag.posted != self._last:
            self._bring_up()

    def _stands(self) -> bool:
        """Whether what the flag says can be: it is at or behind what the log says.

        An engine that has just begun may have taken from the log what nobody has posted yet.
        """
        posted, taken = self.flag.posted, self.flag.taken
        if not self.flag.whole or posted is None or taken is None:
            return False
        return posted <= self._last and taken <= self._last

    def _bring_up(self) -> None:
        """Make the flag say what the log says; damage leads to a halt."""
        if self._stands():
            taken = max(self.flag.taken or 0, self._taken)
        else:
            taken = self._taken
            if not self.flag.fresh or self._journal.next > 1:  # a flag was here
                id = f"damage-{self._journal.next}"
                act = self._append(Asked("halt", ENGINE, "the flag was damaged", id, "", {}))
                self._commit()
                self._acts.append(act)
        self.flag.fresh = False
        self.flag.mend(taken)
        before = 0 if len(self._acts) <= SLOTS else self._acts[-SLOTS - 1].number
        for act in self._acts[-SLOTS:]:
            self.flag.put(act.number, before, payload_of(act, self.place))
            before = act.number
        self.flag.post(self._last)

    def close(self) -> None:
        """Log what has been taken, end the log with a checkpoint, and let the lane go."""
        try:
            if not self._failed:
                self.look()
        finally:
            self.flag.close()
            if self._failed:
                self._journal.store.close()
            else:
                self._journal.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _same(act: Act, asked: Asked) -> bool:
    """Return whether an act is what is asked for once more."""
    given = (asked.act, asked.by, asked.reason, asked.event, asked.fields)
    return (act.act, act.by, act.reason, act.event, act.fields) == given
