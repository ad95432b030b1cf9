"""The machines of a world: a shipped strategy with real orders, the same in the shadow, one with timers, one with people."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import hedgerow
from hedgerow.engine.load import Compiled, loads

__all__ = ["COUNTING", "FILLED", "LATER", "SHADOW", "WITH_PEOPLE", "compiled"]

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
WITH_PEOPLE = "asking"
LATER = tuple(f"later.{number}" for number in range(6))
"""Machines that a host takes up while it runs."""


@cache
def compiled() -> dict[str, Compiled]:
    """Return what every machine of a world runs, by its name."""
    shipped = hedgerow.load(SPECS / "band_limited_hedge.yaml").text
    live = loads(shipped.replace("\nlegs:", "\nfills: external\nlegs:", 1), "live.yaml")
    counting = loads(_COUNTING, "counting.yaml").compile()
    found = {
        "desk": live.compile(k=6, fee=0.0005, tau_max="30d", net_max=1e9, gross_max=1e9, calm_checks=1_000_000),
        "lively": loads(_LIVELY, "lively.yaml").compile(),
        SHADOW: live.compile(fill="same", k=6, fee=0.0005, tau_max="30d"),
        COUNTING: counting,
        WITH_PEOPLE: loads(_WITH_PEOPLE, "asking.yaml").compile(),
    }
    return found | dict.fromkeys(LATER, counting)
