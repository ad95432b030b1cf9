"""Mirror symmetry: proved of the shipped rule, refuted of rules that lean to a side, part by part."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pages import ROOT

from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.prove.symmetry import Mirror, Mirrored, mirrored

RULE = """
hedgerow: 1
name: rule
units: [USD, IDX]
capital: {USD: 1000}
events: {tick: {price: {unit: USD/IDX, range: [0.01, 1e7]}}}
params:
  band:  {default: 0.004, range: [0.0001, 0.1]}
  share: {default: 0.3, range: [0, 0.5]}
instruments: {index: {unit: IDX, price: tick.price, fee: 0.001}}
legs:
  long:  {instrument: index, side: long, quantity: 10 IDX}
  short: {instrument: index, side: short, quantity: 10 IDX}
state: {anchor: {unit: USD/IDX, initial: price}}
let:
  price:    index.price
  distance: abs(price - anchor)
  step:     distance / max(price, anchor)
  out:      distance >= band * min(price, anchor)
machine:
  initial: active
  fail_safe: halted
  states:
    active:
      on:
        tick:
          - {name: up, if: out and price > anchor, do: harvest_up}
          - {name: down, if: out and price < anchor, do: harvest_down}
    halted: {}
actions:
  harvest_up:
    - reduce: {long: share * step * long.quantity}
    - set: {anchor: price}
  harvest_down:
    - reduce: {short: share * step * short.quantity}
    - set: {anchor: price}
"""
MIRROR = Mirror((("long.quantity", "short.quantity"),), ("tick.price", "index.price", "anchor"))
PARTS = ("guards", "long.quantity", "short.quantity", "index.price", "anchor")


def changed(old: str, new: str) -> Spec:
    """Return the small rule with one thing changed."""
    assert RULE.count(old) == 1
    return loads(RULE.replace(old, new), "changed.yaml")


def up_and_down(spec: Spec, mirror: Mirror = MIRROR) -> Mirrored:
    return mirrored(spec, [("up", "down")], mirror, workers=1)[0]


def refuted(found: Mirrored) -> set[str]:
    """Return the parts that do not hold; all others are proved."""
    assert {verdict for _, verdict in found.parts} <= {"proved", "refuted"}
    return {part for part, verdict in found.parts if verdict == "refuted"}


def test_the_shipped_rule_trades_a_rise_as_the_fall_that_undoes_it_and_counts_it_otherwise() -> None:
    mirror = Mirror(MIRROR.exchanged, (*MIRROR.prices, "previous(tick, index.price)"))
    traded = [("up", "down"), ("exit_step", "exit_step"), ("finish", "finish")]
    counted = [("give_up", "give_up"), ("freeze", "freeze")]
    found = mirrored(load(ROOT / "specs" / "band_limited_hedge.yaml"), traded + counted, mirror, workers=1)
    assert [each.verdict for each in found] == ["proved"] * 3 + ["refuted"] * 2
    assert [refuted(each) for each in found] == [set(), set(), set(), {"guards"}, {"guards"}]


def test_every_part_of_a_symmetric_rule_is_proved_and_told() -> None:
    expected = Mirrored("up", "down", tuple((part, "proved") for part in PARTS), {})
    assert up_and_down(loads(RULE, "rule.yaml")) == expected


def test_a_trigger_that_is_measured_from_the_anchor_alone_is_not_symmetric_and_the_example_shows_it() -> None:
    found = up_and_down(changed("band * min(price, anchor)", "band * anchor"))
    assert refuted(found) == {"guards"}
    values = {name: Fraction(value) for name, value in found.values.items()}
    here = values["field tick.price"], values["cell anchor"]
    there = tuple(values["temp centre of the mirror"] ** 2 / each for each in here)

    def fires(prices: tuple[Fraction, ...], sign: int) -> bool:
        price, anchor = prices
        return abs(price - anchor) >= values["param band"] * anchor and sign * (price - anchor) > 0

    assert fires(here, 1) != fires(there, -1) or fires(here, -1) != fires(there, 1)


def test_a_step_that_is_measured_from_the_anchor_alone_leaves_other_legs() -> None:
    found = up_and_down(changed("distance / max(price, anchor)", "distance / anchor / 20"))
    assert refuted(found) == {"long.quantity", "short.quantity"}


def test_a_side_that_trades_more_leaves_other_legs() -> None:
    found = up_and_down(changed("short: share * step * short.quantity", "short: share * step * short.quantity / 2"))
    assert refuted(found) == {"long.quantity", "short.quantity"}


def test_an_anchor_that_moves_on_one_side_by_half_is_told() -> None:
    old = "short.quantity}\n    - set: {anchor: price}"
    found = up_and_down(changed(old, "short.quantity}\n    - set: {anchor: (price + anchor) / 2}"))
    assert refuted(found) == {"anchor"}


def test_legs_that_keep_their_places_are_no_mirror() -> None:
    legs = (("long.quantity", "long.quantity"), ("short.quantity", "short.quantity"))
    found = up_and_down(loads(RULE, "rule.yaml"), Mirror(legs, MIRROR.prices))
    assert refuted(found) == {"long.quantity", "short.quantity"}


@pytest.mark.parametrize(
    ("pair", "mirror", "message"),
    [
        (("up", "dwn"), MIRROR, "there is no transition `dwn`"),
        (("up", "stop"), MIRROR, "`up` and `stop` differ in their state or in their event"),
        (("up", "down"), Mirror((), ("index.prise",)), "there is no cell or field `index.prise`"),
        (("never", "never"), MIRROR, "`never` and `never` do not fire"),
    ],
)
def test_what_cannot_be_compared_is_refused(pair: tuple[str, str], mirror: Mirror, message: str) -> None:
    stop = "events: {stop: {}, tick:"
    text = RULE.replace("events: {tick:", stop).replace(
        "        tick:\n",
        "        stop: {name: stop, to: halted}\n        tick:\n          - {name: never, if: price < 0}\n",
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        mirrored(loads(text, "rule.yaml"), [pair], mirror, workers=1)
