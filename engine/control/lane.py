"""What the engine looks at: whether a person wants something of the machine, for less than it costs to ask the time.

    lane = Lane.open(folder)
    while running:
        while (act := lane.pending()) is not None:    # at the start of every macrostep
            if act.event:
                step = machine.send(act.event, now(), **act.fields)
            lane.taken(act)
        ...
        if lane.pending() is None and not lane.halted:    # before orders are released
            release(step.orders)

An act is pending until it is taken, and comes again to an engine that ended before. So what it does belongs before
`taken`, and a host that journals acts says at the next start which was the last: `Lane.open(folder, taken=number)`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import deque
from pathlib import Path
from threading import Lock
from types import TracebackType

from ..diagnostics import reason_of
from ..journal.problem import JournalError
from .acts import Act, act_from
from .flag import ENGINE, POSTED, TAKEN, Flag, number_of, word_of
from .log import is_halted, read_history
from .problem import ControlError
from .writer import ENGINE as WHO
from .writer import folder_of

__all__ = ["Lane"]

_LOCK = "engine"


class Lane:
    """A lane as its one engine sees it; threads may share it."""

    __slots__ = ("_flag", "_folder", "_guard", "_heard", "_last", "_lock", "_quiet", "_waiting", "_words", "halted")

    halted: bool
    """Whether a halt has been taken and no release since: orders are held."""

    def __init__(self, folder: Path, flag: Flag, lock: int, taken: int | None) -> None:
        """Stand where the engine is; `open` gives a lane that can be used."""
        self._folder, self._flag, self._words = folder, flag, flag.words
        self._lock: int | None = lock
        self._guard = Lock()
        # Looked at before the log, what is posted is no later than what the log holds.
        posted, shown = flag.posted or 0, flag.taken
        history = read_history(folder)
        # One more than the log holds is the number of a halt that an engine made for itself.
        if taken is not None and taken > history.last + 1:
            help = "a lane goes with its host's journal: bring its log back, or begin both anew"
            message = f"act {taken:,} was taken, and the log of this lane ends with act {history.last:,}"
            raise ControlError("HR880", message, str(folder), help)
        if taken is None:
            # After a power cut the flag may be an older one than the log.
            known = flag.whole and shown is not None and shown <= history.last
            taken = max(shown or 0, history.taken) if known else history.taken
        self.halted = is_halted(history.acts, taken)
        self._waiting = deque(history.since(taken))
        self._last = max(history.last, posted)
        """The last act that is known here."""
        self._heard = -1
        """The word that was last understood; none yet."""
        self._quiet = -1
        """The word at which nothing is pending; no word is negative."""
        if posted > history.last:
            self._damaged("the log does not hold what was posted")
        flag.words[ENGINE] = os.getpid()

    @staticmethod
    def open(folder: Path | str, *, taken: int | None = None) -> Lane:
        """Return the lane in a folder, as its only engine.

        Args:
            folder: that of a lane that was served once. Nobody needs to serve it now.
            taken: the number of the last act whose effect the machine holds, from the host's own journal; from the
                flag, or the log, where it is not given.

        Raises:
            ControlError: (HR880) there is no lane, or one whose acts are not those that were taken; (HR882) it has an
                engine.
            JournalError: its log cannot be read, or is not what was written.
        """
        folder = folder_of(Path(folder))
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            flag = Flag(folder)
            return Lane(folder, flag, lock, taken)
        except BlockingIOError:
            os.close(lock)
            help = "one engine looks at a lane: stop the other, or make a lane of its own for this one"
            raise ControlError("HR882", "another engine looks at this lane", str(folder), help) from None
        except (OSError, ValueError) as error:
            os.close(lock)
            help = "serve the lane, which makes its flag: `hedgerow control serve LANE`"
            raise ControlError("HR880", f"the flag cannot be mapped: {reason_of(error)}", str(folder), help) from None
        except BaseException:
            os.close(lock)
            raise

    def pending(self) -> Act | None:
        """Return the act that is to be done next, until it is taken; None, at the cost of one look, if there is none.

        Raises:
            ControlError: (HR880) the lane was closed: whoever wants something of the machine would speak to nobody.
        """
        try:
            if self._words[POSTED] == self._quiet:
                return None
        except ValueError:  # the memory is let go
            help = "close the engine before its lane"
            raise ControlError("HR880", "the lane was closed", str(self._folder), help) from None
        return self._look()

    def taken(self, act: Act) -> None:
        """Say that what `pending` gave has had its effect.

        Raises:
            ValueError: it is not what is pending.
        """
        with self._guard:
            if not self._waiting or self._waiting[0] != act:
                raise ValueError(f"act {act.number} is not what is pending")
            self._waiting.popleft()
            if act.act in ("halt", "release"):
                self.halted = act.act == "halt"
            if act.id:
                self._words[TAKEN] = word_of(act.number)

    def close(self) -> None:
        """Let go of the lane, so that another engine may have it; once is enough."""
        if self._lock is None:
            return
        self._words[ENGINE] = 0
        self._flag.close()
        os.close(self._lock)
        self._lock = None

    def __enter__(self) -> Lane:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --------------------------------------------------------------------------------------------------------- within

    def _look(self) -> Act | None:
        with self._guard:
            word = self._words[POSTED]
            if word != self._heard:
                self._hear(word)
                self._heard = word
            if self._waiting:
                return self._waiting[0]
            self._quiet = word
            return None

    def _hear(self, word: int) -> None:
        """Add what has been posted to what waits; what cannot be understood is a halt."""
        number = number_of(word)
        if number is None:
            self._damaged("the flag is damaged")
        elif number > self._last:
            acts = self._shown(number)
            if acts is None:
                acts = self._logged(number)
            if acts is None:
                self._damaged("an act that is posted cannot be read")
            else:
                self._waiting.extend(acts)
                self._last = max(self._last, number)

    def _shown(self, number: int) -> list[Act] | None:
        """Return the acts since the last one up to that of a number, from the flag; None where it does not have them
        all.
        """
        found: list[Act] = []
        while number > self._last:
            slot = self._flag.get(number)
            act = None if slot is None else act_from(number, slot[1])
            if slot is None or not isinstance(act, Act):
                return None
            found.append(act)
            number = slot[0]
        found.reverse()
        return found if number == self._last else None

    def _logged(self, number: int) -> list[Act] | None:
        """Return the acts since the last one from the log; None where that of a number is not there."""
        try:
            acts = read_history(self._folder).since(self._last)
        except JournalError:
            return None
        if not any(act.number == number for act in acts):
            return None
        self._last = acts[-1].number
        return list(acts)

    def _damaged(self, why: str) -> None:
        self._waiting.append(Act(self._last + 1, "halt", WHO, why, time.time_ns(), "", "", {}))
