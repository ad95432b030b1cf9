"""One machine in every library: `abs(price - ref) >= band` fires, and then `ref = price`.

Each contender is built as its documentation recommends where speed matters, and is given the loop that suits its
interface best; the words of each say how. A contender returns how many prices fired the transition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hedgerow

__all__ = [
    "BAND",
    "CONTENDERS",
    "FIRST",
    "SISMIC",
    "Contender",
    "HandWritten",
    "Outside",
    "statemachine_class",
    "xstate_machine",
]

FIRST = 100.0
BAND = 1.0

Run = Callable[[Sequence[int], Sequence[float]], int]


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to run the machine.

    `prepare` returns a call that takes int64 nanoseconds and prices, runs a new machine over them and returns how many
    fired. A slow one is given fewer events. `distribution` is what it needs installed.
    """

    name: str
    words: str
    prepare: Callable[[], Run]
    distribution: str = "hedgerow"
    slow: bool = False


class HandWritten:
    """What a person would write for this one machine, without a check of any kind."""

    __slots__ = ("band", "ref")

    def __init__(self, ref: float, band: float) -> None:
        self.ref = ref
        self.band = band

    def tick(self, price: float) -> bool:
        if abs(price - self.ref) >= self.band:
            self.ref = price
            return True
        return False


class Outside:
    """The model that `transitions` and `python-statemachine` call back."""

    ref = FIRST
    band = BAND

    def outside(self, price: float) -> bool:
        return abs(price - self.ref) >= self.band

    def follow(self, price: float) -> bool:
        self.ref = price
        return True


def _hand_written() -> Run:
    def run(_times: Sequence[int], prices: Sequence[float]) -> int:
        tick = HandWritten(FIRST, BAND).tick
        fired = 0
        for price in prices:
            if tick(price):
                fired += 1
        return fired

    return run


def _compiled() -> Any:
    return hedgerow.load(Path(__file__).with_name("band.yaml")).compile(band=BAND)


def _port() -> Run:
    compiled = _compiled()

    def run(times: Sequence[int], prices: Sequence[float]) -> int:
        tick = compiled.machine().port("tick")
        fired = 0
        for time_ns, price in zip(times, prices, strict=True):
            if tick(time_ns, price).fired:
                fired += 1
        return fired

    return run


def _send() -> Run:
    compiled = _compiled()

    def run(times: Sequence[int], prices: Sequence[float]) -> int:
        send = compiled.machine().send
        fired = 0
        for time_ns, price in zip(times, prices, strict=True):
            if send("tick", time_ns, price=price).fired:
                fired += 1
        return fired

    return run


def _transitions() -> Run:
    from transitions import Machine

    def run(_times: Sequence[int], prices: Sequence[float]) -> int:
        model: Any = Outside()
        move = {
            "trigger": "tick",
            "source": "watching",
            "dest": None,
            "conditions": model.outside,
            "after": model.follow,
        }
        Machine(model, ["watching"], initial="watching", transitions=[move], auto_transitions=False)
        tick = model.tick
        fired = 0
        for price in prices:
            if tick(price):
                fired += 1
        return fired

    return run


def statemachine_class() -> Any:
    """Return the machine's class in `python-statemachine`."""
    from statemachine import State, StateMachine

    class Band(Outside, StateMachine):
        allow_event_without_transition = True
        watching: Any = State(initial=True)
        tick = watching.to.itself(internal=True, cond="outside", on="follow")

    return Band


def _python_statemachine() -> Run:
    band = statemachine_class()

    def run(_times: Sequence[int], prices: Sequence[float]) -> int:
        tick = band().tick
        fired = 0
        for price in prices:
            if tick(price):
                fired += 1
        return fired

    return run


def xstate_machine() -> Any:
    """Return the machine of `xstate-statemachine`, which its interpreters may share."""
    from xstate_statemachine import MachineLogic, create_machine

    def outside(context: dict[str, float], event: Any) -> bool:
        return bool(abs(event.payload["price"] - context["ref"]) >= context["band"])

    def follow(_interpreter: Any, context: dict[str, float], event: Any, _action: Any) -> None:
        context["ref"] = event.payload["price"]

    chart = {
        "id": "band",
        "initial": "watching",
        "context": {"ref": FIRST, "band": BAND},
        "states": {"watching": {"on": {"tick": {"guard": "outside", "actions": ["follow"]}}}},
    }
    logic: Any = MachineLogic(guards={"outside": outside}, actions={"follow": follow})
    return create_machine(chart, logic=logic)


def _xstate() -> Run:
    from xstate_statemachine import SyncInterpreter

    machine = xstate_machine()

    def run(_times: Sequence[int], prices: Sequence[float]) -> int:
        interpreter = SyncInterpreter(machine).start()
        send, context = interpreter.send, interpreter.context
        fired = 0
        for price in prices:
            send("tick", price=price)
            # `send` does not say whether a transition fired.
            if context["ref"] is price:
                fired += 1
        return fired

    return run


SISMIC = f"""
statechart:
  name: band
  preamble: |
    ref = {FIRST}
    band = {BAND}
  root state:
    name: root
    initial: watching
    states:
      - name: watching
        transitions:
          - event: tick
            guard: abs(event.price - ref) >= band
            action: ref = event.price
"""


def _sismic() -> Run:
    from sismic.interpreter import Interpreter
    from sismic.io import import_from_yaml

    chart = import_from_yaml(SISMIC)

    def run(_times: Sequence[int], prices: Sequence[float]) -> int:
        interpreter = Interpreter(chart, ignore_contract=True)
        interpreter.execute()
        queue, execute = interpreter.queue, interpreter.execute_once
        fired = 0
        for price in prices:
            queue("tick", price=price)
            if execute().transitions:
                fired += 1
        return fired

    return run


CONTENDERS = (
    Contender("hand-written class", "`tick(price)`, two slots, no clock, no check, returns a bool", _hand_written),
    Contender("hedgerow port", "`tick(time_ns, price)`: clock, type and range checked, returns a `Step`", _port),
    Contender("hedgerow send", '`send("tick", time_ns, price=price)`: the same, by name', _send),
    Contender(
        "transitions",
        "an internal transition (`dest=None`), callbacks bound in advance, `send_event`, `queued` and "
        "`auto_transitions` off, the trigger called as the model's method",
        _transitions,
        "transitions",
    ),
    Contender(
        "xstate-statemachine",
        "`SyncInterpreter`, no plugins, `send` without a receipt",
        _xstate,
        "xstate-statemachine",
        slow=True,
    ),
    Contender(
        "sismic",
        "`ignore_contract=True`, `queue` and `execute_once`; its evaluator compiles each guard once",
        _sismic,
        "sismic",
        slow=True,
    ),
    Contender(
        "python-statemachine",
        "`StateMachine` with its synchronous engine, an internal transition, no listeners, the event called as a method",
        _python_statemachine,
        "python-statemachine",
        slow=True,
    ),
)
