"""Snapshots: exact as JSON, refused where they do not belong, and nothing is half restored."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hedgerow
from hedgerow.engine.backends.live import Machine
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.snapshot import Snapshot, SnapshotError

TEXT = """\
hedgerow: 1
name: kept
events: {tick: {x: {}}, go: {}}
params: {weight: {default: 2, range: [0, 10]}, on: {type: bool, default: true}}
state: {last: {initial: 0}, count: {type: int, initial: 0, range: [0, 9]}, odd: {type: bool, initial: false}, begun: {initial: tick.x}}
windows: {recent: {of: weight * tick.x, on: tick, length: 3, until_full: partial}}
observe: {tick: {mean: 'ewma(tick.x, decay=0.5, initial=0)', gap: elapsed(tick)}}
machine:
  initial: a
  states:
    a:
      on: {tick: {name: take, do: {set: {last: tick.x, count: 'min(count + 1, 9)', odd: not odd}}}, go: {to: b}}
    b: {on: {go: {to: a}, tick: {to: z}}}
    z: {final: true}
"""
COMPILED = loads(TEXT.replace("on: {type", "'on': {type")).compile() if False else None
