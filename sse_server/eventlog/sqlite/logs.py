"""The rows of `logs` in SQLite: one for each log, with where it stands."""

from __future__ import annotations

import sqlite3

from sse_server.eventlog import Head, LogKey
from sse_server.eventlog.order import new_epoch


def find_log(connection: sqlite3.Connection, key: LogKey) -> tuple[int, Head] | None:
    """A log's id, and where it stands."""
    row = connection.execute(
        "SELECT id, epoch, trimmed, last, evicted, cleared FROM current_logs WHERE user = ? AND name = ?",
        (key.user, key.session),
    ).fetchone()
    return (row[0], Head(*row[1:])) if row else None


def open_log(connection: sqlite3.Connection, key: LogKey) -> tuple[int, Head]:
    """The same; it is made when it does not exist."""
    if known := find_log(connection, key):
        return known
    epoch = new_epoch()
    cursor = connection.execute("INSERT INTO logs (user, name, epoch) VALUES (?, ?, ?)", (key.user, key.session, epoch))
    return cursor.lastrowid or 0, Head(epoch, 0, 0)
