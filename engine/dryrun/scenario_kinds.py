"""The kinds of scenario that there are, with their keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from ...models.scenarios.crashes import CRASHES, Crash
from .scenario_draws import (
    Path,
    draw_bootstrap,
    draw_crash,
    draw_flash_crash,
    draw_gbm,
    draw_heston,
    draw_merton,
    draw_order_flow,
    draw_ou,
    draw_quote_stuffing,
    draw_regimes,
    draw_rough_bergomi,
)
from .scenario_keys import AUTO, Key

__all__ = ["KINDS", "SHARED", "Kind", "shared_keys"]


@dataclass(frozen=True)
class Kind:
    """One kind: what it is, its own keys, and the function that draws a path from a grid, a stream and their values.

    `usual` are defaults of shared keys that are other ones here; `more_rows` how many rows there are beyond the grid's.
    A kind with a `crash` has the times of its sessions, and of the shared keys those of `OF_SESSIONS`.
    """

    about: str
    keys: tuple[Key, ...]
    draw: Callable[..., Path]
    usual: dict[str, str] = field(default_factory=dict)
    more_rows: Callable[..., int] = lambda **_: 0
    columns: tuple[str, ...] = ("time", "price")
    crash: Crash | None = None


SHARED = (
    Key("seed", "whole", "0", "the seed of all paths", most=2**63 - 1),
    Key("path", "whole", "0", "which path of the seed", most=2**63 - 1),
    Key("start", "number", "100", "the first price", least=1e-9),
    Key("begin", "moment", "2000-01-01", "the first time"),
    Key("years", "number", "1", "how long the path is, in years", "years", least=0, most=500),
    Key("length", "time", AUTO, "how long the path is, instead of `years`"),
    Key("step", "time", "5m", "the time between two prices"),
    Key("year", "time", "365d", "how long a year of the rates lasts on the clock"),
)
"""Keys of every kind, but for those that a crash does not have."""

OF_SESSIONS = frozenset(("seed", "path", "start", "step"))
"""The shared keys of a kind whose times are those of sessions."""


def shared_keys(kind: Kind) -> tuple[Key, ...]:
    """Return the shared keys that a kind has, with its own defaults."""
    kept = (key for key in SHARED if kind.crash is None or key.name in OF_SESSIONS)
    return tuple(replace(key, default=kind.usual.get(key.name, key.default)) for key in kept)


CRASH_VOLATILITY = Key(
    "volatility", "number", "0.02", "of the log price between published closes", "per √session", most=20
)
"""The only thing of a crash that is not published, and so to be chosen; it is not fitted to anything."""


def _crash(year: str) -> Kind:
    crash = CRASHES[year]
    about = f"the published closes of {crash.about}, and a Brownian bridge between them"
    return Kind(about, (CRASH_VOLATILITY,), partial(draw_crash, crash), crash=crash)


def _volatility(default: str = "0.2", name: str = "volatility", about: str = "of the log price") -> Key:
    return Key(name, "number", default, about, "per √year", most=20)


def _drift(name: str = "drift", about: str = "growth of the expected price") -> Key:
    return Key(name, "number", "0", about, "per year", least=-20, most=20)


def _correlation(default: str, about: str) -> Key:
    return Key("correlation", "number", default, about, least=-1, most=1)


_ONE_DAY = {"length": "1d", "step": "1s"}

KINDS: dict[str, Kind] = {
    "gbm": Kind("geometric Brownian motion", (_volatility(), _drift()), draw_gbm),
    "merton": Kind(
        "Merton's jump diffusion",
        (
            _volatility("0.15", about="of the log price between jumps"),
            _drift(),
            Key("jumps", "number", "10", "jumps expected", "per year", most=1e6),
            Key("jump_mean", "number", "-0.02", "mean of the log jump", least=-5, most=5),
            Key("jump_deviation", "number", "0.04", "standard deviation of the log jump", most=5),
        ),
        draw_merton,
    ),
    "heston": Kind(
        "Heston's stochastic volatility, scheme QE-M",
        (
            _volatility(about="at the beginning"),
            _drift(),
            Key("long_volatility", "number", "=volatility", "root of the mean variance", "per √year", 1e-3, 20),
            Key("half_life", "time", "90d", "after which half of a deviation of the variance is left"),
            Key("vol_of_vol", "number", "0.5", "ξ, volatility of the variance's root", "per year", 1e-6, 100),
            _correlation("-0.7", "of the price with its variance"),
        ),
        draw_heston,
    ),
    "ou": Kind(
        "a log price that is an Ornstein–Uhlenbeck process",
        (
            Key("mean", "number", "=start", "the price that it returns to, its median", least=1e-9),
            _volatility(),
            Key("half_life", "time", "20d", "after which half of a deviation is left"),
        ),
        draw_ou,
    ),
    "rough_bergomi": Kind(
        "rough Bergomi volatility, hybrid scheme",
        (
            _volatility("0.235", about="root of the forward variance ξ"),
            _drift(),
            Key("vol_of_vol", "number", "1.9", "η", "per year^H", most=20),
            Key("hurst", "number", "0.07", "H, the roughness", least=0.01, most=0.49),
            _correlation("-0.9", "of the price with its variance"),
        ),
        draw_rough_bergomi,
    ),
    "bootstrap": Kind(
        "a block bootstrap of a real series",
        (
            Key("of", "word", None, "the series: sp500, nasdaq, wti, vix, or a CSV or Parquet file"),
            Key("column", "word", AUTO, "the column of its prices"),
            Key("block", "number", AUTO, "rows of a block, on average", "rows", least=1),
            Key("blocks", "word", "stationary", "of random or of fixed length", words=("stationary", "moving")),
        ),
        draw_bootstrap,
        usual={"length": AUTO, "step": AUTO},
    ),
    "flash_crash": Kind(
        "a flash crash over geometric Brownian motion",
        (
            _volatility(),
            _drift(about="growth of the expected price without the crash"),
            Key("at", "number", "0.5", "when the fall begins, as a share of the path", most=1),
            Key("depth", "number", "0.06", "share of the price that is lost", most=0.999),
            Key("fall", "time", "5m", "how long it falls"),
            Key("trough", "time", "5s", "how long it stays at the bottom"),
            Key("recovery", "time", "20m", "how long it recovers"),
            Key("recovered", "number", "1", "share of the log fall that comes back", most=1),
        ),
        draw_flash_crash,
        usual=_ONE_DAY,
    ),
    "regimes": Kind(
        "two regimes that flip",
        (
            _volatility("0.12", "calm_volatility", "in calm"),
            _drift("calm_drift", "in calm"),
            Key("calm_stay", "time", "60d", "how long calm lasts on average"),
            _volatility("0.4", "stormy_volatility", "in a storm"),
            _drift("stormy_drift", "in a storm"),
            Key("stormy_stay", "time", "10d", "how long a storm lasts on average"),
        ),
        draw_regimes,
    ),
    "quote_stuffing": Kind(
        "floods of messages over geometric Brownian motion",
        (
            _volatility(),
            _drift(),
            Key("bursts", "whole", "10", "floods on the path", most=1e6),
            Key("messages", "whole", "1000", "events of a flood", least=1, most=1e7),
            Key("gap", "time", "1us", "the time between two of them"),
            Key("flicker", "number", "0.00001", "how far each stands from the last price, as a share", most=0.5),
        ),
        draw_quote_stuffing,
        usual=_ONE_DAY,
        more_rows=lambda bursts, messages, **_: int(bursts * messages),
    ),
    "order_flow": Kind(
        "geometric Brownian motion beside a signed order flow",
        (
            _volatility(),
            _drift(),
            Key("flow_volatility", "number", "1000000", "φ, of the flow, in units traded", "per √year"),
            _correlation("0.6", "of the flow with the log return of its step"),
        ),
        draw_order_flow,
        columns=("time", "price", "flow"),
    ),
    **{f"crash_{year}": _crash(year) for year in CRASHES},
}
"""Every kind by its name."""
