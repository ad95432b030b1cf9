"""Event descriptors: equal to a name, or a prefix of it by tokens (W3C SCXML 3.12.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.engine.vocabulary import Vocabulary, matches

NAMES = st.lists(
    st.lists(
        st.sampled_from(("tick", "ticks", "fast", "done", "state", "after", "every", "a")), min_size=1, max_size=4
    ),
    max_size=8,
).map(lambda names: [".".join(tokens) for tokens in names])


@pytest.mark.parametrize(
    ("descriptor", "event", "is_matched"),
    [
        ("tick", "tick", True),
        ("tick", "tick.fast", True),
        ("tick.*", "tick", True),
        ("tick.*", "tick.fast.most", True),
        ("tick", "ticks", False),
        ("tick.fast", "tick", False),
        ("*", "tick.fast", True),
        ("*", "after.open.1", False),
        ("after.open.1", "after.open.1", True),
        ("done.state", "done.state.desk", True),
        ("done.state.desk", "done.state.desk", True),
        ("done.state.desk", "done.state.desk.open", False),
        ("done.state.desk.*", "done.state.desk.open", False),
    ],
)
def test_a_descriptor_matches_by_whole_tokens(descriptor: str, event: str, is_matched: bool) -> None:
    assert matches((descriptor,), event) is is_matched


@given(events=NAMES, descriptors=NAMES, star=st.booleans(), dotted=st.booleans())
def test_a_vocabulary_finds_what_matches(events: list[str], descriptors: list[str], star: bool, dotted: bool) -> None:
    asked = [f"{each}.*" if dotted else each for each in descriptors] + (["*"] if star else [])
    assert Vocabulary(events).matching(asked) == {event for event in events if matches(asked, event)}
