"""Events in SQLite: append with the fence and the job's state, read, and trim."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from sse_server.eventlog import PAGE_BYTES, SCAN_LIMIT, Head, LogKey, Page, Receipt, Write
from sse_server.eventlog.order import fair_turn, new_epoch, now
from sse_server.events import RUNNER_TYPES, Event
from sse_server.jobs import DoneState, JobState, Work

CHECKPOINT: Final = 500
"""Events after which a job's folded work is written again; a snapshot folds what came since."""

_JOB: Final = "SELECT last, status, attempt, first, last, attempt_seq, started, done FROM jobs WHERE n = ?"
_FOLLOWING: Final = (
    "SELECT seq, type, attempt, time, body FROM events WHERE log = ? AND seq BETWEEN ? AND ? AND job = ? ORDER BY seq"
)
_OLDEST_KEPT: Final = "SELECT seq FROM events WHERE log = ? AND job = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
_INSERT: Final = "INSERT INTO events (log, seq, job, attempt, type, time, body) VALUES (?, ?, ?, ?, ?, ?, ?)"


def append(connection: sqlite3.Connection, writes: Sequence[Write], keep: int) -> list[Receipt | None]:
    """Store the writes that hold their job's lease; `keep` is how many events an active job may have."""
    return [
        append_to_job(connection, write, keep)
        if write.job_id
        else _append(connection, write, open_log(connection, write.key), 0)
        for write in writes
    ]


def _append(connection: sqlite3.Connection, write: Write, to: tuple[int, str, int], job: int) -> Receipt:
    log_id, epoch, last = to
    connection.executemany(
        _INSERT,
        [
            (log_id, seq, job, draft.attempt, draft.type, draft.time, draft.body)
            for seq, draft in enumerate(write.drafts, last + 1)
        ],
    )
    connection.execute("UPDATE logs SET last = ? WHERE id = ?", (last + len(write.drafts), log_id))
    return Receipt(epoch, last + 1)


def append_to_job(connection: sqlite3.Connection, write: Write, keep: int) -> Receipt | None:
    """Store a job's events with what they make of its state; None where its lease is another's, or it has ended."""
    row = connection.execute(
        "SELECT n, log, unfolded, events FROM jobs WHERE id = ? AND lease = ? AND finished IS NULL",
        (write.job_id, write.lease),
    ).fetchone()
    if row is None:
        return None
    job, log_id, unfolded, events = row
    epoch, last = connection.execute("SELECT epoch, last FROM logs WHERE id = ?", (log_id,)).fetchone()
    receipt = _append(connection, write, (log_id, epoch, last), job)
    count = len(write.drafts)
    connection.execute(
        "UPDATE jobs SET last = ?, events = events + ?, unfolded = unfolded + ?,"
        " first = CASE first WHEN 0 THEN ? ELSE first END WHERE n = ?",
        (last + count, count, count, receipt.first, job),
    )
    ended = _advance(connection, job, write, receipt.first)
    if ended or unfolded + count >= CHECKPOINT:
        checkpoint(connection, job)
    if events + count > keep + keep // 10:
        _trim(connection, job, log_id, keep)
    return receipt


def _advance(connection: sqlite3.Connection, job: int, write: Write, first: int) -> bool:
    """Take the job through the states that its new events mean; True when it has ended."""
    turns = [
        Event(seq, draft.type, write.job_id, draft.attempt, draft.time, draft.body)
        for seq, draft in enumerate(write.drafts, first)
        if draft.type in RUNNER_TYPES
    ]
    if not turns:
        return False
    last, *row = connection.execute(_JOB, (job,)).fetchone()
    state = state_of(row)
    for event in turns:
        state.apply(event)
    state.last = last
    done = state.done
    connection.execute(
        "UPDATE jobs SET status = ?, attempt = ?, attempt_seq = ?, started = ?, finished = ?, done = ? WHERE n = ?",
        (
            state.status,
            state.attempt,
            state.attempt_seq,
            state.started,
            done.event.time if done else None,
            msgspec.json.encode(done) if done else None,
            job,
        ),
    )
    if state.status != "running":
        connection.execute("UPDATE jobs SET lease = '', worker = '' WHERE n = ?", (job,))
    if state.status == "queued":
        _queue(connection, job, write.delay)
    return done is not None


def _queue(connection: sqlite3.Connection, job: int, delay: float) -> None:
    """Give the job its turn among those who wait; it may be claimed after `delay` seconds."""
    served = connection.execute("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'served'").fetchone()[0]
    latest = connection.execute(
        "SELECT coalesce(max(turn), 0) FROM jobs WHERE status = 'queued' AND n <> ?"
        " AND user = (SELECT user FROM jobs WHERE n = ?)",
        (job, job),
    ).fetchone()[0]
    connection.execute(
        "UPDATE jobs SET turn = ?, ready_at = ? WHERE n = ?",
        (fair_turn(served, latest), now() + int(delay * 1e6), job),
    )


def checkpoint(connection: sqlite3.Connection, job: int) -> None:
    """Write the job's folded work, so that a later snapshot need not fold from the start."""
    state = JobState(work=work_of(connection, job))
    connection.execute(
        "UPDATE jobs SET work = ?, work_seq = last, unfolded = 0 WHERE n = ?",
        (msgspec.json.encode(state.work), job),
    )


def work_of(connection: sqlite3.Connection, job: int) -> Work:
    """What the job's events add up to: the written fold and the events that came since."""
    job_id, log_id, blob, since, first, last = connection.execute(
        "SELECT id, log, work, work_seq, first, last FROM jobs WHERE n = ?", (job,)
    ).fetchone()
    state = JobState(work=msgspec.json.decode(blob, type=Work) if blob else Work())
    rows = connection.execute(_FOLLOWING, (log_id, max(since + 1, first), last, job))
    for seq, kind, attempt, time, body in rows:
        state.apply(Event(seq, kind, job_id, attempt, time, body))
    return state.work


def state_of(row: Sequence[Any]) -> JobState:
    """The state in a job's columns (`_JOB`), its work left out."""
    status, attempt, first, last, attempt_seq, started, done = row
    return JobState(
        status=status,
        attempt=attempt,
        first=first,
        last=last,
        attempt_seq=attempt_seq,
        started=started,
        done=msgspec.json.decode(done, type=DoneState) if done else None,
    )


def _trim(connection: sqlite3.Connection, job: int, log_id: int, keep: int) -> None:
    """Remove the log's prefix up to where the job has `keep` events; what they added up to stays in the snapshots."""
    trimmed = connection.execute(_OLDEST_KEPT, (log_id, job, keep - 1)).fetchone()[0] - 1
    cut = connection.execute(
        "SELECT job, count(*) FROM events WHERE log = ? AND seq <= ? AND job <> 0 GROUP BY job", (log_id, trimmed)
    ).fetchall()
    for owner, count in cut:
        checkpoint(connection, owner)
        connection.execute("UPDATE jobs SET events = events - ? WHERE n = ?", (count, owner))
    connection.execute("DELETE FROM events WHERE log = ? AND seq <= ?", (log_id, trimmed))
    connection.execute("UPDATE logs SET trimmed = ? WHERE id = ?", (trimmed, log_id))


def open_log(connection: sqlite3.Connection, key: LogKey) -> tuple[int, str, int]:
    """Id, epoch and last seq of a log; it is made when it does not exist."""
    row = connection.execute(
        "SELECT id, epoch, last FROM logs WHERE user = ? AND name = ?", (key.user, key.session)
    ).fetchone()
    if row:
        return row[0], row[1], row[2]
    epoch = new_epoch()
    cursor = connection.execute("INSERT INTO logs (user, name, epoch) VALUES (?, ?, ?)", (key.user, key.session, epoch))
    return cursor.lastrowid or 0, epoch, 0


def head(connection: sqlite3.Connection, key: LogKey) -> Head | None:
    """Where the log stands."""
    row = connection.execute(
        "SELECT epoch, trimmed, last FROM logs WHERE user = ? AND name = ?", (key.user, key.session)
    ).fetchone()
    return Head(*row) if row else None


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
    row = connection.execute(
        "SELECT id, epoch, trimmed, last FROM logs WHERE user = ? AND name = ?", (key.user, key.session)
    ).fetchone()
    if row is None:
        return Page(None, [], 0)
    log_id, *standing = row
    at = Head(*standing)
    job = _job_number(connection, job_id) if job_id is not None else None
    wanted = frozenset(types) | {"done"} if types is not None else None
    rows = connection.execute(
        "SELECT seq, type, job, attempt, time, body FROM events WHERE log = ? AND seq > ? ORDER BY seq LIMIT ?",
        (log_id, after, SCAN_LIMIT),
    )
    found: list[tuple[int, str, int, int, int, bytes]] = []
    passed, size, scanned = after, 0, 0
    for scanned, event in enumerate(rows, 1):  # noqa: B007  (how far it came is asked below)
        passed = event[0]
        if (job is None or event[2] == job) and (wanted is None or event[1] in wanted):
            found.append(event)
            size += len(event[5])
            if len(found) == limit or size > PAGE_BYTES:
                break
    else:
        passed = passed if scanned == SCAN_LIMIT else max(after, at.last)
    names = _job_ids(connection, {event[2] for event in found})
    events = [Event(seq, kind, names[n], attempt, time, body) for seq, kind, n, attempt, time, body in found]
    return Page(at, events, passed)


def _job_number(connection: sqlite3.Connection, job_id: str) -> int:
    """The job's number; -1, which no event has, for a job that is not there."""
    row = connection.execute("SELECT n FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return row[0] if row else -1


def _job_ids(connection: sqlite3.Connection, numbers: set[int]) -> dict[int, str]:
    """The jobs' ids by their numbers; 0 is no job."""
    return {n: connection.execute("SELECT id FROM jobs WHERE n = ?", (n,)).fetchone()[0] if n else "" for n in numbers}
