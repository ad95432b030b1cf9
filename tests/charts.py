"""Small statecharts that write down what they do: each step adds a digit to the cell `log`."""

from __future__ import annotations

from twins import Twins, twins

__all__ = ["CHART", "chart", "logged", "mark"]

# `log` gains a decimal digit whenever something runs, so that its digits tell what ran in which order.
CHART = """
hedgerow: 1
name: chart
events: {begin: {}, go: {}, note: {digit: {}}, tick: {x: {range: [-100, 100]}}}
state: {log: {initial: 0}, n: {initial: 0}}
machine: {initial: START, fail_safe: halted, states: {STATES}}
"""


def chart(states: str, start: str = "a") -> Twins:
    """Return a started chart of these states and a state `halted`; an entry at the start has been logged."""
    halted = "" if "halted:" in states else ", halted: {}"
    machine = twins(CHART.replace("{STATES}", "{" + states + halted + "}").replace("START", start))
    machine.send("begin", 0)
    return machine


def mark(digit: int) -> str:
    return f"{{set: {{log: 10 * log + {digit}}}}}"


def logged(digit: int) -> str:
    return f"entry: {mark(digit)}, exit: {mark(digit + 1)}"
