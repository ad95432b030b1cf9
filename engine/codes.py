"""Every code of a finding, with a one-line title; docs/codes.md shows each failing and mended.

A code keeps its meaning for ever: one that is no longer raised is not given to anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .dryrun.problem import CODES as _RUN_CODES

__all__ = ["CODES"]

CODES: Mapping[str, str] = MappingProxyType(
    {
        "HR001": "the file cannot be read",
        "HR002": "the file is too large",
        "HR003": "the file is not readable text",
        "HR004": "the file is empty",
        "HR005": "the file is no YAML (or JSON)",
        "HR006": "nested too deeply",
        "HR007": "too many values",
        "HR008": "a key is given twice",
        "HR009": "a tag",
        "HR010": "an anchor or an alias",
        "HR011": "several documents in one file",
        "HR012": "the file is no mapping",
        "HR013": "a number is too long",
        "HR101": "an unknown key",
        "HR102": "a key is missing",
        "HR103": "a value of the wrong shape",
        "HR104": "a value that is not allowed here",
        "HR105": "a key that is no name",
        "HR110": "an expression that cannot be read",
        "HR111": "an expression that is too large",
        "HR112": "not in this language",
        "HR201": "an unknown name",
        "HR202": "a name is used twice",
        "HR203": "a cycle",
        "HR204": "an event's field outside its event",
        "HR205": "an unknown state",
        "HR206": "an unknown event",
        "HR207": "an unknown action",
        "HR208": "an unknown leg or instrument",
        "HR209": "an unknown transition",
        "HR210": "something that cannot stand here",
        "HR211": "a word of the language as a name",
        "HR212": "an unknown function",
        "HR213": "wrong arguments of a function",
        "HR301": "a wrong type",
        "HR302": "a wrong or unknown unit",
        "HR303": "a root that has no unit",
        "HR304": "a constant that cannot be",
        "HR305": "a whole number that can leave ±2^53",
        "HR306": "a whole number without a range",
        "HR401": "`fail_safe` is missing",
        "HR402": "`capital` is missing",
        "HR403": "a leg is ordered twice",
        "HR404": "it is not clear which event starts the machine or sets a price",
        "HR405": "a nested state without `initial`",
        "HR406": "`fail_safe` is no state to stay in",
        "HR407": "a value that does not exist yet",
        "HR408": "a value that is observed further down",
        "HR409": "something that actions cannot set",
        "HR410": "a final state that goes on",
        "HR411": "a transition that would fire for ever",
        "HR501": "an unknown function to bind",
        "HR502": "an argument is missing",
        "HR503": "an argument that the function does not have",
        "HR504": "an argument that does not fit",
        "HR505": "a result that does not fit",
        **_RUN_CODES,
    }
)
