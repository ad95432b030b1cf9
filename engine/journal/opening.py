"""A store by its place: `desk.journal` is a SQLite file, `postgresql://…` a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path

from .problem import need
from .store import Store

__all__ = ["is_url", "open_store"]


def is_url(place: str) -> bool:
    """Return whether a place is that of a database server."""
    return place.startswith(("postgresql://", "postgres://"))


def open_store(place: str, *, write: bool = False) -> Store:
    """Return the store at a place; with `write` as its one writer, making it where there is none.

    Raises:
        JournalError: (HR809) a package is not installed; (HR860 to HR864) it cannot be opened.
    """
    need("journal", "google_crc32c")
    if is_url(place):
        from .postgres import PostgresStore

        return PostgresStore(place, write=write)
    from .sqlite import SqliteStore

    return SqliteStore(Path(place), write=write)
