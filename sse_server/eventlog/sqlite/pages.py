"""Pages of a log in SQLite: SQLite joins a page itself, so that it is one step and not one for each event.

Each step gives the interpreter's lock away: a reader of many would win it back from the loop at each event.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec

from sse_server.eventlog import PAGE_BYTES, SCAN_LIMIT, Head, LogKey, Page
from sse_server.eventlog.order import now
from sse_server.events import Event

Row = tuple[int, str, int, int, int, int, int]
"""Seq, type, job, attempt, time, expiry and bytes of an event."""

NOBODY: Final = -1
"""A job's number that no event has."""

_LOG: Final = (
    "SELECT (SELECT n FROM jobs WHERE id = ?), id, epoch, trimmed, last, evicted, cleared"
    " FROM logs WHERE user = ? AND name = ?"
)
_PAGE: Final = """
SELECT json_group_array(json_array(seq, type, job, attempt, time, expires, bytes)), CAST(group_concat(body, '') AS BLOB)
FROM (
    SELECT * FROM (
        SELECT seq, type, job, attempt, time, expires, length(body) AS bytes,
            CASE WHEN length(body) <= :inline THEN body END AS body
        FROM events WHERE log = :log AND seq > :after ORDER BY seq LIMIT :scan)
    WHERE NOT expires BETWEEN 1 AND :at AND (:job IS NULL OR job = :job)
        AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
    LIMIT :limit)
"""
"""Bodies are joined without anything between them: their lengths say where each one ends, whatever is in it."""
_SEEN: Final = "SELECT count(*), max(seq) FROM (SELECT seq FROM events WHERE log = ? AND seq > ? ORDER BY seq LIMIT ?)"


def read(
    connection: sqlite3.Connection,
    key: LogKey,
    after: int,
    limit: int,
    *,
    job_id: str | None,
    types: Iterable[str] | None,
) -> Page:
    """A page of a log; must stand in one read transaction."""
    known = connection.execute(_LOG, (job_id, key.user, key.session)).fetchone()
    if known is None:
        return Page(None, [], 0)
    job, log_id, *columns = known
    head = Head(*columns)
    inline = PAGE_BYTES // limit  # so many bytes of each event fit into a page, however many there are
    ((found, joined),) = connection.execute(
        _PAGE,
        {
            "log": log_id,
            "after": after,
            "limit": limit,
            "scan": SCAN_LIMIT,
            "inline": inline,
            "at": now(),
            "job": None if job_id is None else job or NOBODY,
            "types": None if types is None else msgspec.json.encode({*types, "done"}).decode(),
        },
    )
    rows = _rows(found)
    numbers = {row[2] for row in rows}
    names = {number: _job_id(connection, number) if job_id is None else job_id for number in numbers}
    events: list[Event] = []
    begin = size = 0
    for seq, kind, number, attempt, time, expires, length in rows:
        if length <= inline:
            body = joined[begin : begin + length]
            begin += length
        else:
            body = _body(connection, log_id, seq)
        events.append(Event(seq, kind, names[number], attempt, time, body, expires))
        size += length
        if size > PAGE_BYTES:
            break
    full = len(events) == limit or size > PAGE_BYTES
    return Page(head, events, events[-1].seq if full else _passed(connection, log_id, after, head))


def _passed(connection: sqlite3.Connection, log_id: int, after: int, head: Head) -> int:
    """How far a read came that found less than it may."""
    if head.last - after > SCAN_LIMIT:
        count, seq = connection.execute(_SEEN, (log_id, after, SCAN_LIMIT)).fetchone()
        if count == SCAN_LIMIT:
            return int(seq)
    return max(after, head.last)


def _job_id(connection: sqlite3.Connection, number: int) -> str:
    """The job's id by its number; 0 is no job."""
    return connection.execute("SELECT id FROM jobs WHERE n = ?", (number,)).fetchone()[0] if number else ""


def _body(connection: sqlite3.Connection, log_id: int, seq: int) -> bytes:
    body: bytes
    ((body,),) = connection.execute("SELECT body FROM events WHERE log = ? AND seq = ?", (log_id, seq))
    return body


_rows = msgspec.json.Decoder(list[Row]).decode
