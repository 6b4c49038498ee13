"""Sessions in SQLite: their figures, and those that are cleared or that nobody touches any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from sse_server.errors import Conflict, NotFound
from sse_server.eventlog import Figures, LogKey, Sessions
from sse_server.eventlog.order import new_epoch, now
from sse_server.eventlog.sqlite.events import checkpoint
from sse_server.eventlog.sqlite.orders import snapshot
from sse_server.eventlog.sqlite.published import BATCH, add_bytes, evict

_FIGURES: Final = "SELECT user, name, events, bytes, last, jobs, touched FROM sessions"


def figures(connection: sqlite3.Connection, key: LogKey) -> Figures | None:
    """One session's; None for an unknown one."""
    row = connection.execute(f"{_FIGURES} WHERE user = ? AND name = ?", (key.user, key.session)).fetchone()
    return _figures(row) if row else None


def everybody(connection: sqlite3.Connection, limit: int) -> Sessions:
    """All known sessions added up, and the `limit` latest touched ones."""
    with snapshot(connection):
        total, events, size = connection.execute(
            "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM sessions"
        ).fetchone()
        latest = connection.execute(f"{_FIGURES} ORDER BY touched DESC LIMIT ?", (limit,)).fetchall()
    return Sessions(total, events, size, [_figures(row) for row in latest])


def _figures(row: Sequence[Any]) -> Figures:
    user, name, *counts = row
    return Figures(LogKey(user, name), *counts)


def clear(connection: sqlite3.Connection, key: LogKey) -> None:
    """Remove every event and begin a new epoch; what the ended jobs added up to is written before."""
    row = connection.execute(
        "SELECT id, epoch, active, bytes FROM sessions WHERE user = ? AND name = ?", (key.user, key.session)
    ).fetchone()
    if row is None:
        raise NotFound("no such session")
    log_id, epoch, active, size = row
    if active:
        raise Conflict("a job of the session is active; cancel it first")
    for (job,) in connection.execute("SELECT n FROM jobs WHERE log = ? AND unfolded > 0", (log_id,)).fetchall():
        checkpoint(connection, job)
    _empty(connection, log_id, size)
    connection.execute(
        "UPDATE logs SET epoch = ?, cleared = ?, last = 0, trimmed = 0, evicted = 0, events = 0, published = 0,"
        " bytes = 0, touched = ? WHERE id = ?",
        (new_epoch(), epoch, now(), log_id),
    )


def _empty(connection: sqlite3.Connection, log_id: int, size: int) -> None:
    """Remove every event of a log, whose published ones have `size` bytes."""
    connection.execute("DELETE FROM events WHERE log = ?", (log_id,))
    connection.execute("DELETE FROM published WHERE log = ?", (log_id,))
    add_bytes(connection, -size)


def touch(connection: sqlite3.Connection, keys: Sequence[LogKey], at: int) -> None:
    """Somebody reads these logs."""
    connection.executemany(
        "UPDATE logs SET touched = ? WHERE user = ? AND name = ?", [(at, key.user, key.session) for key in keys]
    )


def forget(connection: sqlite3.Connection, before: int, at: int) -> bool:
    """Remove sessions that nobody touched since; of those that have ended jobs, what was published.

    Those that have about `BATCH` events together; whether there may be more.
    """
    rows = connection.execute(
        "SELECT id, jobs, last, published, bytes FROM logs"
        " WHERE active = 0 AND (jobs = 0 OR published > 0) AND touched < ? ORDER BY touched LIMIT ?",
        (before, BATCH),
    ).fetchall()
    left = BATCH
    for log_id, jobs, last, published, size in rows:
        if left <= 0:
            break
        left -= 1 + published
        if jobs:
            evict(connection, log_id, last, at)
        else:
            _empty(connection, log_id, size)
            connection.execute("DELETE FROM logs WHERE id = ?", (log_id,))
    return bool(rows)
