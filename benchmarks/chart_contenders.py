"""The charts in every library.

Each contender is built as its documentation recommends where speed matters, and takes a list of events one by one;
where a library offers several ways, it takes the one that was found to be the fastest. A row of its own shows the one
that takes the whole list in a call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hedgerow

from .charts import Chart

__all__ = ["CONTENDERS", "Contender", "Make", "Player"]

Told = Callable[[int], object]
"""Is called with a number of transitions that have fired."""


@dataclass(frozen=True, slots=True)
class Player:
    """A machine: `run` takes int64 nanoseconds and names of events, `leaves` returns its innermost active states."""

    run: Callable[[Sequence[int], Sequence[str]], object]
    leaves: Callable[[], frozenset[str]]


Make = Callable[[Told | None], Player]
"""Makes a new machine; it tells of what fires where it is given whom to tell, and is slower then."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to run a chart; `prepare` does once what machines share. A slow one is given fewer events."""

    name: str
    words: str
    prepare: Callable[[Chart], Make]
    distribution: str = "hedgerow"
    slow: bool = True


# ------------------------------------------------------------------------------------------------------------- hedgerow


def _port(chart: Chart) -> Make:
    compiled = hedgerow.load(chart.path).compile()

    def make(told: Told | None) -> Player:
        machine = compiled.machine()
        ports = {name: _telling(machine.port(name), told) for name in chart.events}

        def run(times: Sequence[int], names: Sequence[str]) -> None:
            for time_ns, name in zip(times, names, strict=True):
                ports[name](time_ns)

        return Player(run, lambda: frozenset(machine.configuration))

    return make


def _send(chart: Chart) -> Make:
    compiled = hedgerow.load(chart.path).compile()

    def make(told: Told | None) -> Player:
        machine = compiled.machine()
        send = _telling(machine.send, told)

        def run(times: Sequence[int], names: Sequence[str]) -> None:
            for time_ns, name in zip(times, names, strict=True):
                send(name, time_ns)

        return Player(run, lambda: frozenset(machine.configuration))

    return make


def _telling(call: Callable[..., hedgerow.Step], told: Told | None) -> Callable[..., object]:
    """Return a call that tells how many transitions fired; the call itself where nobody is told."""
    return call if told is None else lambda *given: told(len(call(*given).fired))


# ---------------------------------------------------------------------------------------------------------- transitions


class _Model:
    """What `transitions` gives its state and its triggers to."""


def _transitions(chart: Chart) -> Make:
    from transitions.extensions import HierarchicalMachine

    root = chart.root()
    states = [_transitions_state(*state) for state in root["states"].items()]
    initial = ["_".join(path) for path in _initial_leaves(root)]

    def make(told: Told | None) -> Player:
        model: Any = _Model()
        after: Any = None if told is None else lambda: told(1)
        HierarchicalMachine(
            model,
            states,
            initial=initial if root.get("parallel") else initial[0],
            transitions=_transitions_moves(root),
            auto_transitions=False,
            ignore_invalid_triggers=True,
            after_state_change=after,
        )
        triggers = {name: getattr(model, name) for name in chart.events}

        def run(_times: Sequence[int], names: Sequence[str]) -> None:
            for name in names:
                triggers[name]()

        def leaves() -> frozenset[str]:
            active = model.state if isinstance(model.state, list) else [model.state]
            return frozenset(state.rpartition("_")[2] for state in active)

        return Player(run, leaves)

    return make


def _transitions_state(name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state with the transitions of its children, which are found sooner there than in the machine."""
    if "states" not in state:
        return {"name": name}
    children = [_transitions_state(*child) for child in state["states"].items()]
    return {"name": name, "initial": state["initial"], "children": children, "transitions": _transitions_moves(state)}


def _transitions_moves(state: Mapping[str, Any]) -> list[list[str]]:
    return [
        [event, source, taken["to"]]
        for source, child in state["states"].items()
        for event, taken in child.get("on", {}).items()
    ]


def _initial_leaves(state: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the path to each leaf that is entered first."""
    if "states" not in state:
        yield ()
        return
    for name in state["states"] if state.get("parallel") else [state["initial"]]:
        for path in _initial_leaves(state["states"][name]):
            yield (name, *path)


# -------------------------------------------------------------------------------------------------- xstate-statemachine


def _xstate(chart: Chart) -> Make:
    return _xstate_makes(chart, at_once=False)


def _xstate_at_once(chart: Chart) -> Make:
    return _xstate_makes(chart, at_once=True)


def _xstate_makes(chart: Chart, *, at_once: bool) -> Make:
    from xstate_statemachine import Event, PluginBase, SyncInterpreter, create_machine

    machine: Any = create_machine({"id": "chart", **_xstate_state(chart.root())})

    class Tells(PluginBase[Any]):
        def __init__(self, told: Told) -> None:
            self.told = told

        def on_transition(self, *_: object) -> None:
            self.told(1)

    def make(told: Told | None) -> Player:
        interpreter = SyncInterpreter(machine).start()
        if told is not None:
            interpreter.use(Tells(told))
        send, made = interpreter.send, {name: Event(name) for name in chart.events}

        def run(_times: Sequence[int], names: Sequence[str]) -> None:
            for name in names:
                send(made[name])

        def run_at_once(_times: Sequence[int], names: Sequence[str]) -> None:
            interpreter.send_events([made[name] for name in names])

        def leaves() -> frozenset[str]:
            return frozenset(state.rpartition(".")[2] for state in interpreter.current_state_ids)

        return Player(run_at_once if at_once else run, leaves)

    return make


def _xstate_state(state: Mapping[str, Any]) -> dict[str, Any]:
    node: dict[str, Any] = {"on": {event: taken["to"] for event, taken in state.get("on", {}).items()}}
    if "states" in state:
        node |= {"type": "parallel"} if state.get("parallel") else {"initial": state["initial"]}
        node["states"] = {name: _xstate_state(child) for name, child in state["states"].items()}
    return node


# --------------------------------------------------------------------------------------------------------------- sismic


def _sismic(chart: Chart) -> Make:
    from sismic.interpreter import Interpreter
    from sismic.io import import_from_yaml

    # JSON is YAML.
    statechart = import_from_yaml(
        json.dumps({"statechart": {"name": "chart", "root state": _sismic_state("root", chart.root())}})
    )

    def make(told: Told | None) -> Player:
        interpreter = Interpreter(statechart, ignore_contract=True)
        interpreter.execute()
        if told is not None:
            interpreter.attach(lambda happened: happened.name == "transition processed" and told(1))
        queue, execute = interpreter.queue, interpreter.execute_once

        def run(_times: Sequence[int], names: Sequence[str]) -> None:
            for name in names:
                queue(name)
                execute()

        return Player(run, lambda: frozenset(statechart.leaf_for(interpreter.configuration)))

    return make


def _sismic_state(name: str, state: Mapping[str, Any]) -> dict[str, Any]:
    node: dict[str, Any] = {"name": name}
    if "states" in state:
        children = [_sismic_state(*child) for child in state["states"].items()]
        node |= {"parallel states": children} if state.get("parallel") else {"states": children}
    if "initial" in state:
        node["initial"] = state["initial"]
    if "on" in state:
        node["transitions"] = [{"event": event, "target": taken["to"]} for event, taken in state["on"].items()]
    return node


# -------------------------------------------------------------------------------------------------- python-statemachine


def _python_statemachine(chart: Chart) -> Make:
    from statemachine.io import create_machine_class_from_definition

    root = chart.root()
    # A chart of this library has no state around all states: where that is parallel, it becomes a state of its own.
    states = {"root": {**root, "on": {}}} if root.get("parallel") else root["states"]
    inner = {name for name, state in _all_states(states) if "states" not in state}
    kind: Any = create_machine_class_from_definition(
        "Machine",
        states={name: _python_state(state, name == root.get("initial", "root")) for name, state in states.items()},
        atomic_configuration_update=True,
        catch_errors_as_events=False,
    )

    class Tells:
        def __init__(self, told: Told) -> None:
            self.told = told

        def after_transition(self) -> None:
            self.told(1)

    def make(told: Told | None) -> Player:
        machine = kind()
        if told is not None:
            machine.add_listener(Tells(told))
        triggers = {name: getattr(machine, name) for name in chart.events}

        def run(_times: Sequence[int], names: Sequence[str]) -> None:
            for name in names:
                triggers[name]()

        return Player(run, lambda: frozenset(inner.intersection(machine.configuration_values)))

    return make


def _python_state(state: Mapping[str, Any], initial: bool) -> Any:
    node: dict[str, Any] = {"initial": initial, "parallel": bool(state.get("parallel"))}
    if "states" in state:
        node["states"] = {
            name: _python_state(child, node["parallel"] or name == state["initial"])
            for name, child in state["states"].items()
        }
    node["on"] = {event: [{"target": taken["to"]}] for event, taken in state.get("on", {}).items()}
    return node


def _all_states(states: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in states.items():
        yield name, state
        yield from _all_states(state.get("states", {}))


CONTENDERS = (
    Contender("hedgerow port", "`port(time_ns)`: the clock checked, returns a `Step`", _port, slow=False),
    Contender("hedgerow send", "`send(name, time_ns)`: the same, by name", _send, slow=False),
    Contender(
        "xstate-statemachine",
        "`SyncInterpreter`, no plugins, `send` without a receipt, its `Event`s made in advance",
        _xstate,
        "xstate-statemachine",
    ),
    Contender(
        "xstate-statemachine, at once",
        "the same with `send_events`, which takes the whole list in one call and answers nothing in between",
        _xstate_at_once,
        "xstate-statemachine",
    ),
    Contender(
        "transitions",
        "`HierarchicalMachine`, transitions declared in the state around them, `auto_transitions` off, the trigger "
        "called as the model's method",
        _transitions,
        "transitions",
    ),
    Contender("sismic", "`ignore_contract=True`, `queue` and `execute_once`", _sismic, "sismic"),
    Contender(
        "python-statemachine",
        "`StateChart` with its synchronous engine, atomic updates of the configuration, errors not caught, no "
        "listeners, the event called as a method",
        _python_statemachine,
        "python-statemachine",
    ),
)
