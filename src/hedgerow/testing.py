"""What helps to test specs in one's own test suite; see docs/testing.md.

from hedgerow.testing import machine_for

TestHedge = machine_for(hedgerow.load("hedge.yaml")).TestCase
"""

from __future__ import annotations

from .engine.testing import machine_for

__all__ = ["machine_for"]
