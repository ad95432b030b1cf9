"""What can be wrong with a run's data, options and folders: one error, with a place, a code and a help
line.
"""

from __future__ import annotations

from ..diagnostics import printable

__all__ = ["CODES", "RunError", "missing_extra"]

CODES = {
    "HR801": "the data, or the run to compare, is not there",
    "HR802": "the file cannot be read as what its name says",
    "HR803": "a field of the event has no column",
    "HR804": "there is no column of times, or its values are no times",
    "HR805": "there is no row to run on",
    "HR806": "a row of the data is bad",
    "HR807": "an option of the command does not fit the spec or the data",
    "HR808": "the output folder holds something else",
    "HR809": "an optional package is not installed",
    "HR815": "a scenario that cannot be drawn",
    "HR816": "a stress that cannot be laid over the data",
    "HR850": "a saved state that is none of this spec",
}
"""Every code of this package, and what it means."""


class RunError(Exception):
    """One finding that keeps a run from starting, or from going on.

    Not frozen: Python writes the traceback into an exception.
    """

    def __init__(self, code: str, message: str, file: str, help: str, line: int | None = None) -> None:
        """Say what is wrong with `file` (a data file or an option); `line` counts from 1."""
        super().__init__(code, message, file, help, line)
        self.code = code
        self.message = message
        self.file = file
        self.help = help
        self.line = line

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        text = f"{place}: error[{self.code}]: {self.message}"
        return f"{printable(text)}\n   help: {printable(self.help)}"

    def to_json(self) -> dict[str, object]:
        return {
            "code": self.code,
            "severity": "error",
            "message": self.message,
            "help": self.help,
            "file": self.file,
            "line": self.line,
        }


def missing_extra(package: str, wanted_for: str) -> RunError:
    """Return the error for an optional package that is not installed."""
    return RunError(
        "HR809",
        f"{wanted_for} needs `{package}`, which is not installed",
        "hedgerow run",
        "install the extra: pip install 'hedgerow[run]'",
    )
