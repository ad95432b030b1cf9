"""What every test file shares: the same Hypothesis examples on every machine."""

from __future__ import annotations

from hypothesis import settings

# A failure must be the same one wherever the tests run, and a slow machine is no failure.
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("fixed")
