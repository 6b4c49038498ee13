"""Published events in SQLite: appended with the session's history limit, and removed by every limit that they have.

The table `published` has a row for each, in the order of their coming over all logs.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from sse_server.eventlog import Receipt, Write
from sse_server.eventlog.history import is_over
from sse_server.eventlog.order import now
from sse_server.eventlog.sqlite.holders import Holders
from sse_server.eventlog.sqlite.logs import open_log

BATCH: Final = 1000
"""Events that one transaction removes, so that live jobs need not wait for a large clean-up."""

Row = tuple[int, int, int, int]
"""Log, seq, bytes and expiry of a published event."""

_INSERT: Final = (
    "INSERT INTO events (log, seq, job, attempt, type, time, body, expires) VALUES (?, ?, 0, ?, ?, ?, ?, ?)"
)
_UP_TO: Final = "DELETE FROM published WHERE log = ? AND seq <= ? RETURNING log, seq, bytes, expires"
_OVER: Final = (
    "DELETE FROM published WHERE n IN (SELECT n FROM published WHERE expires > 0 AND expires <= ? LIMIT ?)"
    " RETURNING log, seq, bytes, expires"
)


def publish(connection: sqlite3.Connection, holders: Holders, write: Write, keep: int) -> Receipt:
    """Store events of no job; the session's latest `keep` stay."""
    log = holders.prepare(connection, write.key)
    log_id, head = open_log(connection, write.key)
    drafts, at = list(enumerate(write.drafts, head.last + 1)), now()
    connection.executemany(_INSERT, [(log_id, seq, d.attempt, d.type, d.time, d.body, d.expires) for seq, d in drafts])
    connection.executemany(
        "INSERT INTO published (log, seq, bytes, expires) VALUES (?, ?, ?, ?)",
        [(log_id, seq, len(draft.body), draft.expires) for seq, draft in drafts],
    )
    size = sum(len(draft.body) for draft in write.drafts)
    ((published,),) = connection.execute(
        "UPDATE logs SET last = last + ?1, events = events + ?1, published = published + ?1, bytes = bytes + ?2,"
        " touched = ?3 WHERE id = ?4 RETURNING published",
        (len(drafts), size, at, log_id),
    )
    if log:
        log.last = log.settled = head.last + len(drafts)
    add_bytes(connection, size)
    if published > keep:
        ((seq,),) = connection.execute(
            "SELECT seq FROM published WHERE log = ? ORDER BY seq LIMIT 1 OFFSET ?", (log_id, published - keep - 1)
        )
        evict(connection, log_id, seq, at)
    return Receipt(head.epoch, head.last + 1)


def evict(connection: sqlite3.Connection, log_id: int, seq: int, at: int) -> None:
    """Remove a log's published events up to `seq`, for which history has no room."""
    gone = remove(connection, log_id, seq)
    evicted = max((seq for _, seq, _, expires in gone if not is_over(expires, at)), default=0)
    connection.execute("UPDATE logs SET evicted = max(evicted, ?) WHERE id = ?", (evicted, log_id))
    connection.execute(
        "UPDATE logs SET trimmed = max(trimmed, evicted) WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM events WHERE log = logs.id AND seq <= logs.evicted)",
        (log_id,),
    )


def remove(connection: sqlite3.Connection, log_id: int, seq: int) -> list[Row]:
    """Remove a log's published events up to `seq`; which ones."""
    gone: list[Row] = connection.execute(_UP_TO, (log_id, seq)).fetchall()
    _follow(connection, gone)
    return gone


def expire(connection: sqlite3.Connection, at: int) -> bool:
    """Remove up to `BATCH` events that are past their time; whether there may be more."""
    gone: list[Row] = connection.execute(_OVER, (at, BATCH)).fetchall()
    _follow(connection, gone)
    return len(gone) == BATCH


def thin_out(connection: sqlite3.Connection, down_to: int, at: int) -> bool:
    """Remove up to `BATCH` events, those that came first, until `down_to` bytes are left; whether more have to go."""
    excess = total_bytes(connection) - down_to
    cuts: dict[int, int] = {}
    rows = connection.execute("SELECT log, seq, bytes FROM published ORDER BY n LIMIT ?", (BATCH,)).fetchall()
    for log_id, seq, size in rows:
        if excess <= 0:
            break
        cuts[log_id] = seq
        excess -= size
    for log_id, seq in cuts.items():
        evict(connection, log_id, seq, at)
    return excess > 0 and len(rows) == BATCH


def total_bytes(connection: sqlite3.Connection) -> int:
    """What the published events of all sessions have."""
    size: int = connection.execute("SELECT value FROM meta WHERE key = 'published'").fetchone()[0]
    return size


def add_bytes(connection: sqlite3.Connection, size: int) -> None:
    """Count published events that came, or with a negative size went, among those of all sessions."""
    connection.execute("UPDATE meta SET value = value + ? WHERE key = 'published'", (size,))


def _follow(connection: sqlite3.Connection, gone: Sequence[Row]) -> None:
    """What left `published` leaves the logs, and what they count up."""
    connection.executemany(
        "DELETE FROM events WHERE log = ? AND seq = ?", [(log_id, seq) for log_id, seq, _, _ in gone]
    )
    counts, sizes = Counter[int](), Counter[int]()
    for log_id, _, size, _ in gone:
        counts[log_id] += 1
        sizes[log_id] += size
    connection.executemany(
        "UPDATE logs SET events = events - ?1, published = published - ?1, bytes = bytes - ?2 WHERE id = ?3",
        [(count, sizes[log_id], log_id) for log_id, count in counts.items()],
    )
    add_bytes(connection, -sizes.total())
