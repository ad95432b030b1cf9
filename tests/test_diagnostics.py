"""What every message is made of."""

from __future__ import annotations

import pytest

from hedgerow.engine.diagnostics import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(13, "Permission denied", "desk.journal"), "permission denied"),
        (OSError("No space"), "no space"),
        (ValueError("Embedded null byte"), "embedded null byte"),
        (OSError(), "unknown reason"),
    ],
)
def test_an_error_says_its_reason_alone_and_in_lower_case(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
