"""From the text of a spec to a checked machine: source, model, check, IR, semantics, backends."""

from os.path import realpath
from time import time_ns

FOLDER = realpath(__path__[0])
"""Where the engine is imported from."""
IMPORTED_NS = time_ns()
"""When its import began, in nanoseconds since 1970: a source file that changed later may not be what runs."""
