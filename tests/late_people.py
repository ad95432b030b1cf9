"""Specs in which what a person brings leads to a proposal only later, through delayed events, and what happens to them."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["APART", "LATE", "PEOPLE", "Sent", "happenings"]

SECOND = 10**9
PEOPLE = ("anna", "ben", "carl")
HEAD = """\
hedgerow: 1
name: late
people: {anna: [risk], ben: [risk], carl: []}
approvals: {p: {role: risk, within: 1000d}}
events: {wish: {by: {type: person}}, pull: {by: {type: person}}, drop: {}, undo: {}, tick: {}, more: {}, go: {}}
state: {gone: {initial: 0, type: int, range: [0, 1000]}}
"""
ARMING = """\
wish: {name: wish, do: {raise: more, after: 60s, id: first}}
more: {name: chain, do: {raise: go, after: 60s}}
tick: {name: beat, do: {raise: go, after: 90s}}
pull: {name: pull, do: {raise: go, after: 10s}}
drop: {name: drop, do: {cancel: go}}
undo: {name: undo, do: {cancel: first}}
"""
GOES = 'go: {name: leave, approval: p, do: {set: {gone: "min(gone + 1, 1000)"}}}\n'


def _on(text: str, indent: int) -> str:
    return "".join(f"{' ' * indent}{line}\n" for line in text.splitlines())


LATE = HEAD + "machine:\n  initial: on\n  states:\n    on:\n      on:\n" + _on(ARMING + GOES, 8)
"""A person's `wish` leads to `more` a minute later, and that to `go` another minute later, which waits for approval."""
APART = (
    HEAD
    + "machine:\n  parallel: true\n  states:\n"
    + "    arming:\n      initial: on\n      states:\n        on:\n          on:\n"
    + _on(ARMING, 12)
    + "    going:\n      initial: idle\n      states:\n        idle:\n          on:\n"
    + _on(GOES, 12)
)
"""The same in two regions, whose code is another generator's."""

Sent = tuple[str, int, str | None]
"""An event, its time, and who brings it; without a name time passes."""


@st.composite
def happenings(draw: st.DrawFn) -> list[Sent]:
    """Return events in time, the first of them without a person."""
    drawn, now = [("tick", 0, None)], 0
    one = st.one_of(
        st.tuples(st.sampled_from(("wish", "pull")), st.sampled_from(PEOPLE)),
        st.tuples(st.sampled_from(("tick", "drop", "undo", "")), st.none()),
    )
    for name, by in draw(st.lists(one, max_size=20)):
        now += draw(st.sampled_from((0, 1, 10, 30, 60, 100))) * SECOND
        drawn.append((name, now, by))
    return drawn
