"""Events in SQLite: append with the fence and the job's state, fold, and trim."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from sse_server.eventlog import Receipt, Retention, Write
from sse_server.eventlog.order import fair_turn, now
from sse_server.eventlog.sqlite.gathered import CHECKPOINT, Gathered, Joined, most
from sse_server.eventlog.sqlite.holders import Holder, Holders
from sse_server.eventlog.sqlite.published import publish, remove
from sse_server.events import Event
from sse_server.jobs import DoneState, JobState, Work

_FOLLOWING: Final = (
    "SELECT seq, type, attempt, time, body FROM events WHERE log = ? AND seq BETWEEN ? AND ? AND job = ? ORDER BY seq"
)
_OLDEST_KEPT: Final = "SELECT seq FROM events WHERE log = ? AND job = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"


def append(
    connection: sqlite3.Connection, writes: Sequence[Write], retention: Retention, holders: Holders
) -> list[Receipt | None]:
    """Store the writes that are published or hold their job's lease."""
    receipts: list[Receipt | None] = []
    for job_id, together in groupby(writes, _of_job):
        if job_id:
            receipts += _append_to_jobs(connection, holders, together, retention.max_job_events)
        else:
            receipts += [publish(connection, holders, write, retention.max_history) for write in together]
    return receipts


def _of_job(write: Write) -> bool:
    return bool(write.job_id)


def _append_to_jobs(
    connection: sqlite3.Connection, holders: Holders, writes: Iterable[Write], keep: int
) -> list[Receipt | None]:
    gathered = Gathered(connection, holders, keep)
    receipts = []
    for write in writes:
        receipts.append(gathered.add(write))
        if gathered.is_crowded:
            store(connection, holders, gathered, keep)
            gathered = Gathered(connection, holders, keep)
    store(connection, holders, gathered, keep)
    return receipts


def store(connection: sqlite3.Connection, holders: Holders, gathered: Gathered, keep: int) -> None:
    """Store what was gathered, and what follows from it for the queue, the snapshots and the limits."""
    gathered.store()
    for waiting in gathered.joined:
        _queue(connection, waiting)
    for holder in gathered.full.values():
        if holder.unfolded >= CHECKPOINT:
            checkpoint(connection, holder.job)
            holder.unfolded = 0
        if holder.events > most(keep):
            _trim(connection, holders, holder, keep)


def _queue(connection: sqlite3.Connection, waiting: Joined) -> None:
    """Give the job its turn among those who wait."""
    served, latest = connection.execute(
        "SELECT (SELECT coalesce(max(value), 0) FROM meta WHERE key = 'served'),"
        " (SELECT coalesce(max(turn), 0) FROM jobs"
        " WHERE status = 'queued' AND user = (SELECT user FROM jobs WHERE n = ?1) AND n <> ?1)",
        (waiting.job,),
    ).fetchone()
    connection.execute(
        "UPDATE jobs SET turn = ?, ready_at = ? WHERE n = ?",
        (fair_turn(served, latest), now() + int(waiting.delay * 1e6), waiting.job),
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
        "SELECT id, log, work, work_seq, first, last FROM current_jobs WHERE n = ?", (job,)
    ).fetchone()
    state = JobState(work=msgspec.json.decode(blob, type=Work) if blob else Work())
    rows = connection.execute(_FOLLOWING, (log_id, max(since + 1, first), last, job))
    for seq, kind, attempt, time, body in rows:
        state.apply(Event(seq, kind, job_id, attempt, time, body))
    return state.work


def state_of(row: Sequence[Any]) -> JobState:
    """The state in a job's columns, its work left out."""
    status, attempt, first, last, attempt_seq, started, done = row[:7]
    return JobState(
        status=status,
        attempt=attempt,
        first=first,
        last=last,
        attempt_seq=attempt_seq,
        started=started,
        done=msgspec.json.decode(done, type=DoneState) if done else None,
    )


def _trim(connection: sqlite3.Connection, holders: Holders, holder: Holder, keep: int) -> None:
    """Remove the log's prefix up to where the job has `keep` events; what they added up to stays in the snapshots."""
    job, log_id = holder.job, holder.log.id
    holders.release(connection, holder.log.key)
    (events,) = connection.execute("SELECT events FROM jobs WHERE n = ?", (job,)).fetchone()
    if events <= most(keep):
        return  # another job's flood, of the same moment, took enough of them
    trimmed = connection.execute(_OLDEST_KEPT, (log_id, job, keep - 1)).fetchone()[0] - 1
    remove(connection, log_id, trimmed)
    cut = connection.execute(
        "SELECT job, count(*) FROM events WHERE log = ? AND seq <= ? GROUP BY job", (log_id, trimmed)
    ).fetchall()
    for owner, count in cut:
        checkpoint(connection, owner)
        connection.execute("UPDATE jobs SET events = events - ? WHERE n = ?", (count, owner))
    connection.execute("DELETE FROM events WHERE log = ? AND seq <= ?", (log_id, trimmed))
    connection.execute(
        "UPDATE logs SET trimmed = ?, events = events - ? WHERE id = ?",
        (trimmed, sum(count for _, count in cut), log_id),
    )
