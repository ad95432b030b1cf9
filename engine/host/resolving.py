"""Futures, resolved by a thread that many wait for: whatever somebody has done to one is no matter of the others."""

from __future__ import annotations

import logging
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

__all__ = ["answer", "begin", "fail"]

T = TypeVar("T")
_LOG = logging.getLogger("concurrent.futures")


def begin(future: Future[T]) -> bool:
    """Return whether anybody waits for a future still, who then cannot cancel it any more."""
    try:
        return not future.done() and future.set_running_or_notify_cancel()
    except InvalidStateError:  # whoever waited has answered it
        return False


def answer(future: Future[T], found: T) -> None:
    """Give a future its result; what a callback of it raises, be it `SystemExit`, is told and ends nothing."""
    try:
        future.set_result(found)
    except InvalidStateError:
        return
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException:  # noqa: BLE001  # a future itself tells of an exception in these words, and lets these through
        _LOG.exception(_TOLD, future)


def fail(future: Future[T], error: BaseException) -> None:
    """Give a future its error, as `answer` its result."""
    try:
        future.set_exception(error)
    except InvalidStateError:
        return
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException:  # noqa: BLE001  # as above
        _LOG.exception(_TOLD, future)


_TOLD = "exception calling callback for %r"
