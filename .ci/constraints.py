"""Print constraints.txt: what Hedgerow and its extras pull in, at the versions installed here.

python .ci/constraints.py > constraints.txt
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEADER = """\
# The versions that the tests and the benchmarks ran with; `python .ci/constraints.py` writes this file.
"""


def installed(root: str, extras: frozenset[str]) -> dict[str, str]:
    """Return name -> version of what `root[extras]` needs, without itself and what is not installed."""
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(canonicalize_name(root), extras)]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            here = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = here.version
        for text in here.requires or ():
            need = Requirement(text)
            environments = [{**default_environment(), "extra": extra} for extra in wanted or {""}]
            if need.marker is None or any(need.marker.evaluate(here) for here in environments):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    found.pop(canonicalize_name(root), None)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.stdout.write(HEADER)
    for name, version in installed("hedgerow", frozenset({"run", "bench", "dev"})).items():
        sys.stdout.write(f"{name}=={version}\n")
