"""Many parameter sets explored on some workers.

A worker is a process: between two walks of some microseconds there is Python, which threads would take turns at.

The steps are shared out over parameter sets beforehand, and each set is explored by itself, from the seed and its number.
So the result is the same whatever the number of workers, and however fast they are.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import Literal, NamedTuple

from ..backends.native.able import why_not
from ..dryrun.problem import RunError
from ..ir import FillMode, Value
from ..load import ParameterError, Spec
from ..processes import started, submitted
from .corpus import LIVE, NATIVE
from .coverage import Chart, Coverage
from .events import Outside, outside_events
from .explorer import Explored, Explorer
from .streams import Book, book_of
from .walk import Errors, Runner

__all__ = ["MOST_STEPS", "Exploration", "Plan", "explore"]

MOST_STEPS = 10**13
_MOST_SETS = 4096
_SET_STEPS = {"native": 1 << 18, "live": 1 << 13}
"""Steps of a parameter set, where there are many."""
_BOOK_ROWS = {"native": 1 << 18, "live": 1 << 14}
_BOOK_SETS = {"native": 32, "live": 4}
"""Parameter sets that walk over one book."""
_AHEAD = 4
"""Parameter sets for each worker that wait for it."""
_GLANCE = 0.2
"""Seconds between two looks at whether a person wants it to stop."""

Backend = Literal["native", "live"]
Progress = Callable[[int, int], None]
"""Told after each parameter set: steps done, and of how many."""


@dataclass(frozen=True)
class Plan:
    """What is explored, and how; all that the result depends on."""

    spec: Spec
    fill: FillMode
    fixed: Mapping[str, Value]
    """Parameters that are not drawn."""
    outside: Outside
    backend: Backend
    reason: str
    """Why not in native code; empty where it is."""
    seed: int
    steps: int

    @property
    def sets(self) -> int:
        return min(_MOST_SETS, max(1, self.steps // _SET_STEPS[self.backend], min(8, self.steps // 1024)))

    def share(self, number: int) -> int:
        """Return the steps of a parameter set."""
        return self.steps // self.sets + (number < self.steps % self.sets)

    def book_number(self, number: int) -> int:
        return number // _BOOK_SETS[self.backend]

    def book(self, number: int) -> Book:
        """Return a book by its number."""
        others = self.outside.others if self.backend == "live" else ()
        return book_of(self.outside.streamed, others, _BOOK_ROWS[self.backend], (self.seed, 2, number))


@dataclass(frozen=True)
class Exploration:
    """A plan, and what came of it; `interrupted` where not all of it was done."""

    plan: Plan
    found: Explored
    interrupted: bool


def explore(
    spec: Spec,
    *,
    steps: int,
    seed: int = 0,
    workers: int = 1,
    settings: Mapping[str, str | float | int | bool] | None = None,
    fill: FillMode = "same",
    send: Sequence[str] = (),
    backend: Literal["auto", "native", "live"] = "auto",
    progress: Progress | None = None,
    interrupted: Callable[[], bool] | None = None,
) -> Exploration:
    """Send events to machines of many parameter sets, with every invariant watched.

    Args:
        spec: what is explored.
        steps: how many events are sent, in 1 … 10¹³.
        seed: ≥ 0; the same one gives the same result.
        workers: processes, ≥ 1; more than one take half a second to start.
        settings: parameters that keep these values; the others are drawn from their ranges.
        fill: at which mark orders are filled.
        send: the events to send; see `outside_events` for which are sent without.
        backend: native code where it can be had, or one of the two.
        progress: told after each parameter set.
        interrupted: asked now and then whether to stop.

    Raises:
        RunError: (HR807) a parameter, an event or a backend that does not fit the spec, or a number out of range.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise RunError("HR807", f"{steps:,} steps are not between 1 and 10^13", "--steps", "write e.g. --steps 1e7")
    if seed < 0 or workers < 1:
        raise RunError("HR807", "a seed is at least 0, and there is at least one worker", "--seed", "see --help")
    plan = _plan(spec, steps, seed, settings or {}, fill, send, backend)
    found = Explored(Coverage(Chart(spec.program(fill))))
    for result in _results(plan, workers, interrupted):
        found.add(result)
        if progress is not None:
            progress(found.coverage.steps, steps)
    return Exploration(plan, found, found.coverage.steps < steps and interrupted is not None and interrupted())


def _plan(
    spec: Spec,
    steps: int,
    seed: int,
    settings: Mapping[str, str | float | int | bool],
    fill: FillMode,
    send: Sequence[str],
    backend: Literal["auto", "native", "live"],
) -> Plan:
    try:
        compiled = spec.bind(settings, fill=fill)
    except ParameterError as error:
        known = ", ".join(f"`{each.name}`" for each in spec.program().parameters) or "none"
        raise RunError("HR807", str(error), "--set", f"the params are {known}") from None
    outside = outside_events(compiled.program, send)
    reason = _why_live(spec, outside)
    if backend == "native" and reason:
        raise RunError("HR807", f"there is no native code for these walks: {reason}", "--backend", "leave it out")
    chosen: Backend = "live" if backend == "live" or reason else "native"
    told = "" if chosen == "native" else reason or "it was asked for"
    fixed = {name: compiled.parameters[name] for name in settings}
    return Plan(spec, fill, fixed, outside, chosen, told, seed, steps)


def _why_live(spec: Spec, outside: Outside) -> str:
    """Return why walks of a spec cannot be native; empty where they can."""
    if importlib.util.find_spec("llvmlite") is None:
        return "llvmlite is not installed (pip install 'hedgerow[sweep]')"
    if len(outside.streamed) > 1:
        told = ", ".join(f"`{event.name}`" for event in outside.streamed[:3])
        return f"its streams are of several events ({told})"
    return why_not(spec.program("same")) or ""


# -------------------------------------------------------------------------------------------------------------- workers


class _Task(NamedTuple):
    number: int
    steps: int


class _Station:
    """What explores sets in one process: compiled once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        program = plan.spec.program(plan.fill)
        chart = Chart(program)
        self.errors = Errors(program)
        self.book = lru_cache(maxsize=3)(plan.book)
        habits = NATIVE if plan.backend == "native" else LIVE
        make = self._native(chart) if plan.backend == "native" else self._live(chart)
        self.explorer = Explorer(chart, plan.outside, plan.fixed, plan.seed, habits, make)

    def _native(self, chart: Chart) -> Callable[[Mapping[str, Value], Book], Runner]:
        from ..backends.native.kernel import Options
        from ..backends.native.machine import Kernel
        from ..semantics import Reference
        from .native import NativeRunner

        plan, errors = self.plan, self.errors
        compiled = plan.spec.bind({}, fill=plan.fill)
        reference = Reference(compiled.program, compiled.parameters, compiled.registry)
        kernel = Kernel(chart.program, plan.outside.streamed[0].name, Options(pairs=True))

        def make(values: Mapping[str, Value], book: Book) -> Runner:
            bound = plan.spec.bind_values(values, fill=plan.fill)
            return NativeRunner(kernel, chart, errors, reference, bound.parameters, book)

        return make

    def _live(self, chart: Chart) -> Callable[[Mapping[str, Value], Book], Runner]:
        from .live import LiveRunner

        plan, errors = self.plan, self.errors
        return lambda values, book: LiveRunner(plan.spec.bind_values(values, fill=plan.fill), chart, errors, book)

    def run(self, task: _Task, interrupted: Callable[[], bool] | None = None) -> Explored:
        number = self.plan.book_number(task.number)
        return self.explorer.explore(task.number, task.steps, self.book(number), number, interrupted)


def _results(plan: Plan, workers: int, interrupted: Callable[[], bool] | None) -> Iterator[Explored]:
    """Yield what came of each set, in the order of their numbers."""
    tasks = deque(_Task(number, plan.share(number)) for number in range(plan.sets))
    workers = min(workers, len(tasks))
    if workers > 1 and (text := _pickled(plan)) is not None:
        yield from _shared(text, tasks, workers, interrupted)
    if not tasks:
        return
    # All of them, or what a worker has left that died.
    station = _Station(plan)
    for task in tasks:
        if interrupted is not None and interrupted():
            return
        yield station.run(task, interrupted)


def _shared(
    plan: bytes, tasks: deque[_Task], workers: int, interrupted: Callable[[], bool] | None
) -> Iterator[Explored]:
    """Yield results in the order of the tasks, a few tasks ahead of what is asked for; leave those that are not done."""
    stop = get_context("spawn").Event()
    pending: deque[tuple[_Task, Future[Explored]]] = deque()
    with started(workers, _begin, plan, stop) as processes:
        while tasks or pending:
            try:
                while tasks and len(pending) < _AHEAD * workers:
                    pending.append((tasks[0], submitted(processes, _run_task, tasks[0])))
                    tasks.popleft()
                if interrupted is not None and interrupted():
                    stop.set()
                    tasks.clear()
                    pending = deque((task, future) for task, future in pending if not future.cancel())
                if pending and wait((pending[0][1],), _GLANCE).done:
                    found = pending[0][1].result()
                    pending.popleft()
                    yield found
            except BrokenProcessPool:
                tasks.extendleft(task for task, _ in reversed(pending))
                return


def _pickled(plan: Plan) -> bytes | None:
    """Return the plan for other processes; None where a function of its registry cannot be handed over."""
    try:
        return pickle.dumps(plan)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


_station: _Station
_stop: Event


def _begin(plan: bytes, stop: Event) -> None:
    """Compile the spec, once a process."""
    global _station, _stop
    # The bytes come from the process that started this one.
    _station, _stop = _Station(pickle.loads(plan)), stop


def _run_task(task: _Task) -> Explored:
    return _station.run(task, _stop.is_set)
