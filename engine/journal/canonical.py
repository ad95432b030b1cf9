r"""Values as canonical JSON: one text a value, so that a hash of the text is a hash of the value.

The rules are those of `json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)`:

- members of an object stand in the order of their names, which are texts, compared by code points
- no white space between tokens
- ASCII only: every other character is `\uXXXX` in lower-case hexadecimal, beyond U+FFFF as two surrogates; `"`, `\`
  and the control characters are escaped, those at 8, 9, 10, 12 and 13 as `\b \t \n \f \r`, DEL is too and `/` is not
- a whole number has no point and no exponent, and may have any length: int64 nanoseconds are exact. Readers of JSON
  that know doubles only, such as JavaScript's, lose digits beyond 2⁵³
- a double is the shortest decimal that reads back as the same bits, and always has a point or an exponent: 1.0,
  -0.0, 1e+22, 5e-324; one below 1e-4 or from 1e16 on has an exponent, of two digits or more, with its sign
- NaN and the infinities are no JSON, and are refused
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .problem import JournalError

__all__ = ["canonical", "value_of"]

# What `json.loads` asks, twice as fast without its looking for an encoding and for white space.
_SCAN: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # no stub
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: object) -> bytes:
    """Return a value as canonical JSON in ASCII bytes.

    Raises:
        JournalError: (HR866) it is not made of objects, arrays, texts, whole and finite numbers, booleans and null,
            or holds itself.
    """
    try:
        return _ENCODER.encode(value).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        help = "journal objects, lists, texts, finite numbers, true, false and null"
        reason = str(error).lower() if str(error) else "it is nested too deeply"
        raise JournalError("HR866", f"the value is no JSON: {reason[:200]}", "payload", help) from None


def value_of(payload: bytes) -> Any:
    """Return the value that canonical JSON stands for; whole numbers are int, others float.

    Raises:
        ValueError: it is no JSON.
    """
    text = payload.decode("ascii")
    try:
        value, end = _SCAN(text, 0)
    except StopIteration:
        raise ValueError("no value where one is expected") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(text):
        raise ValueError("something follows the value")
    return value
