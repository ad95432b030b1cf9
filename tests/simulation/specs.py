"""The machines of a world: a shipped strategy with real orders, the same in the shadow, one with timers, one with people and
one that asks a function. That with timers has a second version, and may go over to it and back.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import hedgerow
from hedgerow.engine.host.journalled import Journalled
from hedgerow.engine.host.migration import Migration
from hedgerow.engine.load import Compiled, loads
from hedgerow.engine.registry import Binding, Registry

__all__ = ["COUNTING", "FILLED", "LATER", "MODELLED", "SHADOW", "WITH_PEOPLE", "compiled", "migration", "version"]

SPECS = Path(__file__).resolve().parent.parent.parent / "specs"

# It trades for ever: what its venue rejects or cancels it asks for again, and a person flattens it and lets it go on.
_LIVELY = """
hedgerow: 1
name: lively
units: [USD, IDX]
capital: {USD: 1000000}
fills: external
events:
  tick: {price: {unit: USD/IDX, range: [1, 1e6]}}
  flatten: {}
  resume: {}
params: {band: {default: 0.003, range: [0.0001, 0.1]}}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.0005}}
legs:
  long: {instrument: index, side: long, quantity: 100 IDX}
  short: {instrument: index, side: short, quantity: 100 IDX}
state: {anchor: {unit: USD/IDX, initial: index.price}}
let:
  price: index.price
machine:
  initial: trading
  fail_safe: halted
  states:
    trading:
      on:
        tick:
          - {name: up, if: "price >= anchor * (1 + band) and long.quantity > 10 IDX", do: up}
          - {name: down, if: "price <= anchor * (1 - band) and short.quantity > 10 IDX", do: down}
        flatten: {to: flat}
      every: {30h: {name: even, do: {target: {long: 100 IDX, short: 100 IDX}}}}
    flat:
      entry: {close: [long, short]}
      after: {9h: {name: again, to: trading}}
      on:
        long.cancelled: {do: {close: long}}
        long.rejected: {do: {close: long}}
        short.cancelled: {do: {close: short}}
        short.rejected: {do: {close: short}}
        resume: {to: trading}
    halted: {on: {resume: {to: trading}}}
actions:
  up: [{target: {long: long.quantity - 3 IDX, short: short.quantity + 2 IDX}}, {set: {anchor: price}}]
  down: [{target: {long: long.quantity + 2 IDX, short: short.quantity - 3 IDX}}, {set: {anchor: price}}]
"""

# What comes at the time of its arrival can be taken twice, and then this machine has counted it twice.
_COUNTING = """
hedgerow: 1
name: counting
events:
  note: {amount: {range: [0, 1000]}}
  reset: {}
state:
  total: {initial: 0}
  count: {initial: 0}
  turns: {initial: 0}
observe:
  note:
    total: total + note.amount
    mean: ewma(note.amount, decay=0.9, initial=0)
machine:
  initial: quiet
  states:
    quiet:
      on:
        note: {name: loud, if: note.amount > 900, to: busy, do: {set: {count: count + 1}}}
    busy:
      after: {2h: {name: calm, to: quiet}}
      every: {25m: {name: turn, do: {set: {turns: turns + 1}}}}
      on:
        reset: {name: early, to: quiet}
"""

# The same with other names, without one thing and with another.
_COUNTING_OTHERWISE = """
hedgerow: 1
name: counting_otherwise
events:
  note: {amount: {range: [0, 1000]}}
  reset: {}
state:
  sum: {initial: 0}
  count: {initial: 0}
  most: {initial: 0}
observe:
  note:
    sum: sum + note.amount
    mean: ewma(note.amount, decay=0.9, initial=0)
machine:
  initial: silent
  states:
    silent:
      on:
        note: {name: loud, if: note.amount > 900, to: busy, do: {set: {count: count + 1, most: "max(most, note.amount)"}}}
    busy:
      after: {4h: {name: calm, to: silent}}
      every: {40m: {name: turn, do: {set: {most: most + 1}}}}
      on:
        reset: {name: early, to: silent}
"""

# What the function has answered, nobody can compute again, and now and then it fails.
_MODELLED = """
hedgerow: 1
name: modelled
events:
  note: {amount: {range: [0, 1000]}}
  reset: {}
state:
  total: {initial: 0}
  last: {initial: 0}
observe:
  note: {measure: {call: world.measured, with: {amount: note.amount}, initial: 0}}
machine:
  initial: quiet
  fail_safe: failed
  states:
    quiet:
      on:
        note: {name: loud, if: measure > 200, to: busy, do: {set: {total: total + measure}}}
    busy:
      after: {3h: {name: calm, to: quiet}}
      on:
        note: {name: louder, if: measure > last, do: {set: {last: measure}}}
        reset: {name: early, to: quiet}
    failed:
      after: {5h: {name: mended, to: quiet}}
"""

_WITH_PEOPLE = """
hedgerow: 1
name: asking
units: [USD, IDX]
capital: {USD: 1000000}
people:
  anna: [risk]
  ben:  [risk]
approvals:
  structural: {role: risk, within: 6h, again: 3h}
events:
  tick: {price: {unit: USD/IDX, range: [1, 1e6]}}
  release: {}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.0005}}
legs: {book: {instrument: index, side: long}}
state: {anchor: {unit: USD/IDX, initial: index.price}}
machine:
  initial: trading
  fail_safe: halted
  states:
    trading:
      on:
        tick:
          - {name: buy, if: index.price < 0.99 * anchor, approval: structural, do: buy}
          - {name: sell, if: index.price > 1.01 * anchor, do: [{close: book}, {set: {anchor: index.price}}]}
    halted: {on: {release: {to: trading}}}
actions:
  buy: [{increase: {book: 10 IDX}}, {set: {anchor: index.price}}]
"""

FILLED = ("desk", "lively")
"""Machines whose orders a venue fills."""
SHADOW = "shadow"
COUNTING = "counting"
MODELLED = "modelled"
WITH_PEOPLE = "asking"
LATER = tuple(f"later.{number}" for number in range(6))
"""Machines that a host takes up while it runs."""


@cache
def compiled() -> dict[str, Compiled]:
    """Return what every machine of a world runs, by its name."""
    shipped = hedgerow.load(SPECS / "band_limited_hedge.yaml").text
    live = loads(shipped.replace("\nlegs:", "\nfills: external\nlegs:", 1), "live.yaml")
    counting = version(0)
    measured = Binding("world.measured", "action", "simulation.models:measured")
    modelled = loads(_MODELLED, "modelled.yaml", registry=Registry({measured.name: measured}))
    found = {
        "desk": live.compile(k=6, fee=0.0005, tau_max="30d", net_max=1e9, gross_max=1e9, calm_checks=1_000_000),
        "lively": loads(_LIVELY, "lively.yaml").compile(),
        SHADOW: live.compile(fill="same", k=6, fee=0.0005, tau_max="30d"),
        COUNTING: counting,
        MODELLED: modelled.compile(),
        WITH_PEOPLE: loads(_WITH_PEOPLE, "asking.yaml").compile(),
    }
    return found | dict.fromkeys(LATER, counting)


@cache
def version(number: int) -> Compiled:
    """Return what `COUNTING` runs, 0 or 1."""
    return loads((_COUNTING, _COUNTING_OTHERWISE)[number], "counting.yaml").compile()


_TO: tuple[dict[str, Any], ...] = (
    {"states": {"silent": "quiet"}, "cells": {"sum": "total"}, "dropped": ["most"], "initial": {"turns": 0.0}},
    {"states": {"quiet": "silent"}, "cells": {"total": "sum"}, "dropped": ["turns"], "initial": {"most": 0.0}},
)


@cache
def migration(target: int) -> Migration:
    """Return how a state of the other version of `COUNTING` becomes one of this."""
    before, after = (Journalled(COUNTING, version(number)).program for number in (1 - target, target))
    return Migration.model_validate({"migration": 1, "machine": COUNTING, "from": before, "to": after, **_TO[target]})
