"""What the threads of a host pass to each other: a queue, the answer of a future, the steps of several shards in one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any

import pytest

from hedgerow.engine.host.gathered import Gathered
from hedgerow.engine.host.resolving import answer, begin, fail
from hedgerow.engine.host.waiting import Waiting

# --- what waits ---


def test_a_queue_takes_as_much_as_it_may_and_says_when_it_is_full() -> None:
    waiting: Waiting[int] = Waiting(2)
    assert [waiting.put(number) for number in range(3)] == [True, True, False]
    assert waiting.take(1) == [0]
    assert [waiting.put(number) for number in (3, 4)] == [True, False]
    assert waiting.take(9) == [1, 3]
    assert waiting.take(9, 0) == []


def test_what_is_in_a_queue_that_is_closed_can_still_be_taken() -> None:
    waiting: Waiting[int] = Waiting(2)
    waiting.put(0)
    waiting.put(1)
    waiting.close()
    assert waiting.put(2) is None
    assert [waiting.take(1), waiting.take(1), waiting.take(1)] == [[0], [1], None]


@pytest.mark.parametrize(
    ("change", "taken"), [(lambda waiting: waiting.put("item"), ["item"]), (lambda waiting: waiting.close(), None)]
)
def test_who_waits_for_something_is_woken_by_it_and_by_the_end(change: Callable[[Any], Any], taken: Any) -> None:
    waiting: Waiting[str] = Waiting(2)
    waits, found = Event(), []
    wait = waiting._changed.wait

    def told(seconds: float | None = None) -> bool:
        waits.set()  # with the lock, which nobody gets before it is let go by who waits
        return wait(seconds)

    waiting._changed.wait = told  # type: ignore[method-assign]
    taker = Thread(target=lambda: found.append(waiting.take(9)), daemon=True)
    taker.start()
    assert waits.wait(10)
    change(waiting)
    taker.join(10)
    assert found == [taken]


# --- answers ---


def raising(error: BaseException) -> Callable[[Future[int]], None]:
    def callback(future: Future[int]) -> None:
        raise error

    return callback


@pytest.mark.parametrize("give", [lambda future: answer(future, 7), lambda future: fail(future, ZeroDivisionError())])
def test_a_callback_that_ends_its_thread_is_told_and_ends_nothing(
    give: Callable[[Future[int]], None], caplog: pytest.LogCaptureFixture
) -> None:
    future: Future[int] = Future()
    future.add_done_callback(raising(SystemExit()))
    with caplog.at_level(logging.ERROR, "concurrent.futures"):
        give(future)
    assert future.done()
    (told,) = caplog.records
    assert (told.getMessage(), told.exc_info and told.exc_info[0]) == (
        f"exception calling callback for {future!r}",
        SystemExit,
    )


@pytest.mark.parametrize("give", [lambda future: answer(future, 7), lambda future: fail(future, ZeroDivisionError())])
def test_an_interruption_is_nobodys_callback(give: Callable[[Future[int]], None]) -> None:
    future: Future[int] = Future()
    future.add_done_callback(raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        give(future)


def test_a_future_that_was_answered_or_cancelled_stays_as_it_is() -> None:
    answered, cancelled, waiting = Future[int](), Future[int](), Future[int]()
    answered.set_result(5)
    cancelled.cancel()
    for future in (answered, cancelled):
        assert not begin(future)
        answer(future, 7)
        fail(future, ZeroDivisionError())
    assert (answered.result(0), cancelled.cancelled()) == (5, True)
    assert begin(waiting)
    assert not waiting.cancel()


# --- the steps of several shards ---


def resolved(found: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(found, BaseException):
        future.set_exception(found)
    else:
        future.set_result(found)
    return future


def test_the_steps_of_shards_stand_where_their_events_stood() -> None:
    steps: Future[Any] = Future()
    gathered = Gathered(steps, 5, 2)
    gathered.taker([1, 4])(resolved(["b", "e"]))
    assert not steps.done()
    gathered.taker([3, 0, 2])(resolved(["d", "a", "c"]))
    assert steps.result(0) == ["a", "b", "c", "d", "e"]


def test_the_first_error_of_a_shard_is_told_once_all_have_answered() -> None:
    steps: Future[Any] = Future()
    gathered = Gathered(steps, 3, 4)
    first = ZeroDivisionError()
    gathered.taker([1])(resolved(first))
    gathered.failed(OSError())
    gathered.taker([0])(resolved(["a"]))
    assert not steps.done()
    gathered.taker([2])(resolved(OSError()))
    assert steps.exception(0) is first
