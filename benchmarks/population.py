"""Many machines at once: bytes each and constructions a second."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import hedgerow

from .contenders import BAND, FIRST, SISMIC, HandWritten, Outside, statemachine_class, xstate_machine
from .host import installed
from .page import Section, Size, Target
from .rounds import interleave, timed

__all__ = ["measure"]

BYTES = 2048.0
CONSTRUCTIONS = 200_000.0
SPEC = Path(hedgerow.__file__).parent / "specs" / "band_limited_hedge.yaml"

Make = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Breed:
    """A kind of machine; `prepare` returns what makes the n-th one."""

    name: str
    what: str
    prepare: Callable[[], Make]
    distribution: str = "hedgerow"


def _band_limited() -> Make:
    compiled = hedgerow.load(SPEC).compile()
    return lambda _: compiled.machine()


def _started() -> Make:
    """Three ticks for each machine, the second and third of which trade, at prices and times that no other has."""
    compiled = hedgerow.load(SPEC).compile()

    def make(number: int) -> object:
        machine = compiled.machine()
        tick = machine.port("tick")
        start, price = 1_700_000_000_000_000_000 + number, FIRST + number / 1000
        for second, move in enumerate((1.0, 1.01, 0.99)):
            tick(start + second * 1_000_000_000, price * move)
        return machine

    return make


def _band() -> Make:
    compiled = hedgerow.load(Path(__file__).with_name("band.yaml")).compile(band=BAND)

    def make(number: int) -> object:
        machine = compiled.machine()
        machine.port("tick")(1_700_000_000_000_000_000 + number, FIRST + BAND + number / 1000)
        return machine

    return make


def _hand_written() -> Make:
    return lambda number: HandWritten(FIRST + number / 1000, BAND)


def _transitions() -> Make:
    from transitions import Machine

    move = {"trigger": "tick", "source": "watching", "dest": None, "conditions": "outside", "after": "follow"}
    shared = Machine(None, ["watching"], initial="watching", transitions=[move], auto_transitions=False)

    def make(number: int) -> object:
        model = Outside()
        model.ref = FIRST + number / 1000
        shared.add_model(model)
        return model

    return make


def _python_statemachine() -> Make:
    band = statemachine_class()

    def make(number: int) -> object:
        machine = band()
        machine.ref = FIRST + number / 1000
        return machine

    return make


def _xstate() -> Make:
    from xstate_statemachine import SyncInterpreter

    shared = xstate_machine()

    def make(number: int) -> object:
        interpreter = SyncInterpreter(shared).start()
        interpreter.context["ref"] = FIRST + number / 1000
        return interpreter

    return make


def _sismic() -> Make:
    from sismic.interpreter import Interpreter
    from sismic.io import import_from_yaml

    shared = import_from_yaml(SISMIC)

    def make(number: int) -> object:
        interpreter = Interpreter(shared, ignore_contract=True, initial_context={"start": FIRST + number / 1000})
        interpreter.execute()
        return interpreter

    return make


BREEDS = (
    Breed("hedgerow, not started", "the band-limited spec", _band_limited),
    Breed("hedgerow, after three ticks", "the band-limited spec", _started),
    Breed("hedgerow, after one tick", "the one-state machine", _band),
    Breed("hand-written class", "the one-state machine", _hand_written),
    Breed("transitions, models of one `Machine`", "the one-state machine", _transitions, "transitions"),
    Breed("xstate-statemachine", "the one-state machine", _xstate, "xstate-statemachine"),
    Breed("sismic, one chart", "the one-state machine", _sismic, "sismic"),
    Breed("python-statemachine", "the one-state machine", _python_statemachine, "python-statemachine"),
)


def measure(size: Size, progress: Callable[[str], None]) -> Section:
    """Measure machines in memory and their construction."""
    present = [each for each in BREEDS if installed(each.distribution)]
    makes = {each.name: each.prepare() for each in present}
    counts = {each.name: _count(each, size) for each in present}
    for make in makes.values():
        make(0)  # what the first one makes once for all is no cost of the others
    found = interleave(
        {name: partial(_rate, make, counts[name]) for name, make in makes.items()}, size.rounds, progress
    )
    sizes = {}
    for name, make in makes.items():
        progress(f"bytes: {name}")
        sizes[name] = _bytes(make, counts[name])
    rows = []
    for each in BREEDS:
        if each not in present:
            rows.append((each.name, each.what, "not installed", "", ""))
            continue
        rate = median(found[each.name])
        rows.append((each.name, each.what, f"{counts[each.name]:,}", f"{sizes[each.name]:,.0f}", f"{rate:,.0f}"))
    started = sizes["hedgerow, after three ticks"]
    targets = (
        Target("bytes of a band-limited machine", started, BYTES, False, "{:,.0f}"),
        Target.of(
            "constructions a second", found["hedgerow, not started"], CONSTRUCTIONS, at_least=True, shown="{:,.0f}"
        ),
    )
    words = (
        (
            "Machines kept in a list. Bytes are what tracemalloc counts for all of them, divided by their number, without "
            "the list and without what they share; each holds floats and times of its own. Constructions a second are "
            f"CPU time (rounds: {size.rounds}); what the row says was done to each machine is inside the time."
        ),
        (
            "A Hedgerow machine starts with its first event, which the reference semantics processes; that is why a "
            "started one takes longer to make than a new one. The peers' constructors enter the initial state. Their "
            "machine is the one-state machine above, with code and chart shared wherever the library allows it."
        ),
    )
    head = ("", "machine", "machines", "bytes each", "made a second")
    return Section("Many machines", words, head, tuple(rows), targets)


def _count(breed: Breed, size: Size) -> int:
    return size.machines if breed.distribution == "hedgerow" else size.peer_machines


def _rate(make: Make, machines: int) -> float:
    seconds, _ = timed(lambda: [make(number) for number in range(machines)])
    return machines / seconds


def _bytes(make: Make, machines: int) -> float:
    """Return the bytes a machine, list left out."""
    kept: list[object] = [None] * machines
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(machines):
            kept[number] = make(number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (after - before) / machines
