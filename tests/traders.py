"""Small specs that trade one index, put together from parts, and how they are loaded and sent prices.

loads(head(params="") + buyer("1 IDX"))
composed(desk, gate=gate, a=head() + buyer())
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hedgerow.engine.load import Spec, loads
from hedgerow.engine.registry import Registry
from hedgerow.engine.step import Step

__all__ = ["SECOND", "buyer", "composed", "head", "steps"]

SECOND = 10**9
MOST = "most: {default: 500, unit: USD, range: [1, 10000]}"


def head(
    name: str = "small",
    *,
    capital: int = 1000,
    params: str = MOST,
    price: str = "[1, 1000]",
    size: str = "",
    events: str = "",
    fee: float = 0.001,
) -> str:
    """Return a spec but for its legs and states.

    `events` are those beside `tick`, each with a comma behind it; `size` is the unit of a field of `tick` beside `price`.
    """
    field = f", size: {{unit: {size}}}" if size else ""
    return f"""\
hedgerow: 1
name: {name}
units: [USD, IDX]
capital: {{USD: {capital}}}
events: {{{events}tick: {{price: {{unit: USD/IDX, range: {price}}}{field}}}}}
params: {{{params}}}
instruments: {{index: {{unit: IDX, price: tick.price, fee: {fee}}}}}
"""


def buyer(size: str = "4 IDX", *, person: bool = False) -> str:
    """Return the leg and the states of a spec that buys below 50, sells above 60 and turns its book round above 900.

    With a `person`, `stop` and `back` lead out of trading and into it again.
    """
    stop, back = ("\n        stop: {to: stopped}", "\n      on: {back: {to: trading}}") if person else ("", "")
    return f"""\
legs: {{book: {{instrument: index, side: both}}}}
machine:
  initial: trading
  fail_safe: stopped
  states:
    trading:
      on:
        tick:
          - {{name: buy, if: tick.price < 50 USD / 1 IDX, do: [{{increase: {{book: {size}}}}}]}}
          - {{name: turn, if: tick.price > 900 USD / 1 IDX, do: [{{target: {{book: -book.quantity}}}}]}}
          - {{name: sell, if: tick.price > 60 USD / 1 IDX, do: [{{target: {{book: 0 IDX}}}}]}}{stop}
        gate.rejected: {{name: told, do: []}}
    stopped:
      tags: [halted]
      entry: [{{close: book}}]{back}
"""


def composed(desk: str, *, registry: Registry | None = None, **files: str) -> Spec:
    """Return a desk, given the texts of the specs that it uses, each by the name of its file."""
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / f"{name}.yaml").write_text(text, "utf-8")
        return loads(desk, "desk.yaml", folder=folder, registry=registry)


def steps(spec: Spec, prices: Sequence[float], **settings: Any) -> list[Step]:
    """Return what a live machine does at prices a second apart."""
    machine = spec.bind(settings).machine()
    return [machine.send("tick", index * SECOND, price=price) for index, price in enumerate(prices)]
