"""Futures, resolved by a thread that many wait for."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["answer", "fail"]

T = TypeVar("T")
_LOG = logging.getLogger("concurrent.futures")


def answer(future: Future[T], found: T) -> None:
    """Give a future its result; what a callback of it raises, be it `SystemExit`, is told and ends nothing."""
    try:
        future.set_result(found)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException:  # noqa: BLE001  # a future itself tells of an exception in these words, and lets these through
        _LOG.exception(_TOLD, future)


def fail(future: Future[T], error: BaseException) -> None:
    """Give a future its error, as `answer` its result."""
    try:
        future.set_exception(error)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException:  # noqa: BLE001  # as above
        _LOG.exception(_TOLD, future)


_TOLD = "exception calling callback for %r"
