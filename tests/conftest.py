"""What every test file shares: the same Hypothesis examples on every machine, and a place for native code."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from hypothesis import settings

import hedgerow

# A failure must be the same one wherever the tests run, and a slow machine is no failure.
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("fixed")

# Hypothesis draws the literals of the modules that are there when a test runs: all of them, whatever ran before it.
for module in pkgutil.walk_packages(hedgerow.__path__, "hedgerow."):
    try:
        importlib.import_module(module.name)
    except ImportError:  # of an extra that is not installed
        continue


@pytest.fixture(autouse=True, scope="session")
def _native_code_of_these_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep object code in a folder of this run: nothing is left to the user, and each kernel is compiled once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEDGEROW_CACHE", str(tmp_path_factory.mktemp("native")))
        yield
