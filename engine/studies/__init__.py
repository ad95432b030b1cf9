"""Studies: claims about a strategy, put to the test by its shipped spec: measured, each with an interval, or proved.

A study is a package with `conduct`, which returns a `Study`. Those that measure are here; those that prove are in
`prove/`, of which nothing here knows. Data flows one way:

```
streams, exits, markets   seeds to paths of prices, exact where a closed form allows it
outcomes                  the shipped spec, run by the engine over each path
rule                      the same rule in NumPy, written apart from the engine
estimates                 samples to 95 % intervals
evidence                  intervals and regions to verdicts
svg, page, folder         verdicts to pictures, a page and files
```
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["STUDIES", "study_named"]

STUDIES: Mapping[str, str] = MappingProxyType(
    {
        "band_limited": "the claims of the band-limited hedge, on simulated prices",
        "band_limited_proof": "the constraints of the band-limited hedge, for all prices",
    },
)
"""Every study by name, and what it is about."""


def study_named(name: str) -> str:
    """Return the name of a study that there is.

    Raises:
        RunError: there is none of this name.
    """
    if name not in STUDIES:
        from ..diagnostics import suggestion
        from ..dryrun.problem import RunError

        help = suggestion(name, STUDIES, "there is " + ", ".join(f"`{each}`" for each in STUDIES))
        raise RunError("HR807", f"there is no study `{name[:60]}`", "hedgerow study", help)
    return name
