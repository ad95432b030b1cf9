"""A spec under Hypothesis: a state machine that sends it events and asks whether its invariants hold.

Hypothesis is imported where it is used, so that nobody needs it for anything else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .explore.events import outside_events
from .ir import Event, Field
from .load import Compiled, Spec
from .script_time import show_time

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine
    from hypothesis.strategies import SearchStrategy

    from .backends.live import Machine
    from .step import Step

__all__ = ["machine_for"]

_WIDE = 1e12
"""Fields without an end of their range are drawn up to here, and as far below 0."""
_SECOND = 10**9
_GAPS = (0, 1, _SECOND, 60 * _SECOND, 3_600 * _SECOND, 86_400 * _SECOND, 30 * 86_400 * _SECOND)
_LONGEST = 365 * 86_400 * _SECOND


def machine_for(spec: Spec | Compiled, /, **parameters: str | float | int | bool) -> type[RuleBasedStateMachine]:
    """Return a Hypothesis state machine that sends events to a spec and checks its invariants after each.

    It has a rule for each event that comes from outside, `send_NAME`, with fields from their declared ranges and time
    going forward by 0 ns to a year. An instance has `machine` (the live machine), `step` (what the last event did, None
    before the first) and `time_ns`; a subclass may add invariants of its own over them. When the machine has ended, what
    follows does nothing.

    Args:
        spec: a spec, or one with its parameters bound, as `spec.bind(values, fill="next")` returns it.
        parameters: as `Spec.compile` takes them, if `spec` has none bound.

    Returns:
        A class; its `TestCase` is what unittest and pytest run.

    Raises:
        ParameterError: a parameter that does not fit.
        RunError: a spec without any event from outside.
        TypeError: parameters for a spec that has its own.
        ImportError: Hypothesis is not installed.
    """
    try:
        from hypothesis import stateful
    except ImportError:
        raise ImportError("`machine_for` needs Hypothesis: pip install 'hedgerow[testing]'") from None
    if isinstance(spec, Compiled):
        if parameters:
            raise TypeError("the parameters of this spec are bound already")
        compiled = spec
    else:
        compiled = spec.bind(parameters, fill="same")
    program = compiled.program

    class SpecMachine(stateful.RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.machine: Machine = compiled.machine()
            self.step: Step | None = None
            self.time_ns = 0
            self._last = ""

        def _send(self, event: Event, gap_ns: int, fields: dict[str, Any]) -> None:
            if self.machine.ended:
                return
            self.time_ns += gap_ns
            self._last = " ".join((event.name, *(f"{name}={value!r}" for name, value in fields.items())))
            self.step = self.machine.send(event.name, self.time_ns, **fields)

        @stateful.invariant()
        def invariants_of_the_spec(self) -> None:
            if self.step is not None and self.step.broken:
                names = ", ".join(f"`{name}`" for name in self.step.broken)
                verb = "does" if len(self.step.broken) == 1 else "do"
                raise AssertionError(
                    f"{names} of `{program.name}` {verb} not hold after `{self._last}` at {show_time(self.time_ns)}"
                )

    rules = {_method(event): _rule(event, program.start_event) for event in outside_events(program).sent}
    name = "".join(part.title() for part in re.findall(r"[A-Za-z0-9]+", program.name)) + "Machine"
    made: type[RuleBasedStateMachine] = type(name, (SpecMachine,), {"__doc__": program.about, **rules})
    return made


def _method(event: Event) -> str:
    return "send_" + re.sub(r"\W", "_", event.name)


def _rule(event: Event, start_event: str | None) -> Any:
    """Return the rule that sends an event; one that cannot start a machine waits until it has started."""
    from hypothesis import stateful
    from hypothesis import strategies as st

    gaps = st.sampled_from(_GAPS) | st.integers(0, _LONGEST)

    def send(self: Any, gap_ns: int, fields: dict[str, Any] | None = None) -> None:
        self._send(event, gap_ns, fields or {})

    send.__name__ = send.__qualname__ = _method(event)
    drawn: dict[str, Any] = {"gap_ns": gaps}
    if event.fields:
        drawn["fields"] = st.fixed_dictionaries({field.name: _strategy(field) for field in event.fields})
    rule: Any = stateful.rule  # typed for targets, which no spec has
    ruled = rule(**drawn)(send)
    if start_event in (None, event.name):
        return ruled
    return stateful.precondition(lambda self: bool(self.machine.configuration))(ruled)


def _strategy(field: Field) -> SearchStrategy[Any]:
    """Return what draws values of a field within its range."""
    from hypothesis import strategies as st

    if field.type == "bool":
        return st.booleans()
    if field.type == "int":
        low = None if field.low is None else -(-field.low // 1)
        high = None if field.high is None else field.high // 1
        return st.integers(-(2**53) if low is None else int(low), 2**53 if high is None else int(high))
    least = -_WIDE if field.low is None else float(field.low)
    most = _WIDE if field.high is None else float(field.high)
    return st.floats(min(least, most), max(least, most), allow_nan=False, allow_infinity=False)
