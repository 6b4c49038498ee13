"""Pages of a log in SQLite: SQLite joins a page itself, so that it is one step and not several for each event.

Each step gives the interpreter's lock away: a reader of many would have to win it back from the loop at each event.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from sse_server.eventlog import PAGE_BYTES, SCAN_LIMIT, Head, LogKey, Page
from sse_server.eventlog.order import now
from sse_server.eventlog.sqlite.orders import snapshot
from sse_server.events import Event

_PAGE: Final = """
SELECT logs.id, found, joined,
    CASE WHEN last - :after > :scan AND count < :limit THEN (
        SELECT CASE count(*) WHEN :scan THEN max(seq) END
        FROM (SELECT seq FROM events WHERE log = logs.id AND seq > :after ORDER BY seq LIMIT :scan)) END,
    epoch, trimmed, last, evicted, cleared
FROM current_logs AS logs JOIN (
    SELECT json_group_array(json_array(seq, type, owner, attempt, time, expires, bytes)) AS found,
        CAST(group_concat(body, '') AS BLOB) AS joined, count(*) AS count
    FROM (
        SELECT *, CASE WHEN :job_id IS NULL THEN (SELECT id FROM jobs WHERE n = job) END AS owner
        FROM (
            SELECT seq, type, job, attempt, time, expires, length(body) AS bytes,
                CASE WHEN length(body) <= :inline THEN body END AS body
            FROM events WHERE log = (SELECT id FROM logs WHERE user = :user AND name = :name) AND seq > :after
            ORDER BY seq LIMIT :scan)
        WHERE NOT expires BETWEEN 1 AND :at
            AND (:job_id IS NULL OR job = (SELECT n FROM jobs WHERE id = :job_id))
            AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
        LIMIT :limit))
WHERE user = :user AND name = :name
"""
"""The fourth value is where the scan ended, if it ended before the log; who found enough does not ask.

Bodies are joined without anything between them: their lengths say where each one ends, whatever is in it.
"""


def read(
    connection: sqlite3.Connection,
    key: LogKey,
    after: int,
    limit: int,
    *,
    job_id: str | None,
    types: Iterable[str] | None,
) -> Page:
    """A page of a log."""
    asked = {
        "user": key.user,
        "name": key.session,
        "after": after,
        "limit": limit,
        "job_id": job_id,
        "types": None if types is None else msgspec.json.encode({*types, "done"}).decode(),
        "scan": SCAN_LIMIT,
        "inline": PAGE_BYTES // limit,  # so many bytes of each event fit into a page, however many there are
        "at": now(),
    }
    page = _look(connection, asked)
    if page is None:
        with snapshot(connection):
            page = _look(connection, asked, large=True)
    assert page, "nothing is too large for it"
    return page


def _look(connection: sqlite3.Connection, asked: dict[str, Any], *, large: bool = False) -> Page | None:
    """The page; None where an event in it is too `large` for one step: that takes several, and a snapshot."""
    known = connection.execute(_PAGE, asked).fetchall()
    if not known:
        return Page(None, [], 0)
    ((log_id, found, joined, scanned, *columns),) = known
    head, after, limit, inline = Head(*columns), asked["after"], asked["limit"], asked["inline"]
    job_id = asked["job_id"] or ""
    events: list[Event] = []
    begin = size = 0
    for seq, kind, owner, attempt, time, expires, length in _rows(found):
        if length <= inline:
            body = joined[begin : begin + length]
            begin += length
        elif large:
            body = _body(connection, log_id, seq)
        else:
            return None
        events.append(Event(seq, kind, owner or job_id, attempt, time, body, expires))
        size += length
        if size > PAGE_BYTES:
            break
    full = len(events) == limit or size > PAGE_BYTES
    return Page(head, events, events[-1].seq if full else scanned or max(after, head.last))


def _body(connection: sqlite3.Connection, log_id: int, seq: int) -> bytes:
    body: bytes
    ((body,),) = connection.execute("SELECT body FROM events WHERE log = ? AND seq = ?", (log_id, seq))
    return body


_rows = msgspec.json.Decoder(list[tuple[int, str, str | None, int, int, int, int]]).decode
"""Seq, type, job (None: none, or the one that was asked for), attempt, time, expiry and bytes of each event."""
