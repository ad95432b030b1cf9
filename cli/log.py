"""What the command line does, as structured events on stderr: nothing unless asked for (`--log-level`, `--log-json`).

structlog is imported when logs are asked for and not before, since `--help` and `validate` are to start at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

__all__ = ["LEVELS", "Level", "configure", "log"]

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

_write: Callable[..., object] | None = None


def configure(level: Level | None, *, as_json: bool) -> None:
    """Turn logs on from a level upwards, as JSON lines or as text for people; None turns them off."""
    global _write
    if level is None:
        _write = None
        return
    import sys

    import structlog

    render = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    _write = logger.log


def log(event: str, level: Level = "info", **fields: object) -> None:
    """Log an event, named `subject.verb`, with its fields."""
    if _write is not None:
        _write({"debug": 10, "info": 20, "warning": 30, "error": 40}[level], event, **fields)
