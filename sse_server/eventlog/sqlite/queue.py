"""The queue in SQLite: submit, claim, and what becomes of jobs that have ended or were left behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from sse_server.errors import Conflict, IdempotencyMismatch, NotFound, QueueFull, TooManyJobs
from sse_server.eventlog import (
    Claim,
    Head,
    IdempotencyKey,
    JobFilter,
    LogKey,
    Record,
    Retention,
    Submitted,
    Write,
)
from sse_server.eventlog.order import new_lease, now, queued, started
from sse_server.eventlog.sqlite.events import append_to_job, state_of, work_of
from sse_server.eventlog.sqlite.logs import open_log
from sse_server.jobs import JobSpec

BATCH: Final = 100
"""Jobs that one transaction erases, so that live jobs need not wait for a large clean-up."""

_RECORD: Final = (
    "SELECT jobs.n, jobs.spec, jobs.epoch, jobs.cancel,"
    " logs.epoch, logs.trimmed, logs.last, logs.evicted, logs.cleared,"
    " status, attempt, first, jobs.last, attempt_seq, started, done"
    " FROM jobs LEFT JOIN logs ON logs.id = jobs.log"
)


def submit(
    connection: sqlite3.Connection,
    spec: JobSpec,
    *,
    room: int,
    per_user: int,
    once: IdempotencyKey | None,
    retention: Retention,
) -> Submitted:
    """Queue a job, or find the one that the same key queued before."""
    if once and (earlier := _earlier(connection, once)):
        return Submitted(earlier, None)
    ahead = _waiting(connection)
    if ahead >= room:
        raise QueueFull("the queue is full; try again soon", retry_after=1)
    active = connection.execute(
        "SELECT count(*) FROM jobs WHERE user = ? AND finished IS NULL", (spec.user,)
    ).fetchone()[0]
    if active >= per_user:
        raise TooManyJobs(f"{per_user} of your jobs are active already", retry_after=5)
    key = LogKey(spec.user, spec.session)
    log_id, head = open_log(connection, key)
    connection.execute(
        "INSERT INTO jobs (id, user, session, agent, log, epoch, spec) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (spec.id, spec.user, spec.session, spec.agent, log_id, head.epoch, msgspec.json.encode(spec)),
    )
    connection.execute("UPDATE logs SET jobs = jobs + 1, active = active + 1 WHERE id = ?", (log_id,))
    if once:
        connection.execute(
            "INSERT OR REPLACE INTO once VALUES (?, ?, ?, ?, ?, ?)",
            (once.user, once.route, once.key, once.digest, spec.id, now() + int(retention.idempotency * 1e6)),
        )
    draft = queued(spec, ahead)
    receipt = append_to_job(connection, Write(key, [draft], spec.id), retention.max_job_events)
    return Submitted(_known(connection, spec.id), receipt, draft)


def _earlier(connection: sqlite3.Connection, once: IdempotencyKey) -> Record | None:
    row = connection.execute(
        "SELECT digest, job FROM once WHERE user = ? AND route = ? AND key = ? AND until > ?",
        (once.user, once.route, once.key, now()),
    ).fetchone()
    record = load(connection, row[1]) if row else None
    if record and row[0] != once.digest:
        raise IdempotencyMismatch("this Idempotency-Key was used with another body")
    return record


def queued_jobs(connection: sqlite3.Connection) -> list[Record]:
    """The jobs that wait."""
    return [_record(connection, row) for row in connection.execute(f"{_RECORD} WHERE status = 'queued'").fetchall()]


def _waiting(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("SELECT count(*) FROM jobs WHERE status = 'queued'").fetchone()[0]
    return count


def claim(connection: sqlite3.Connection, worker: str, retention: Retention) -> Claim | None:
    """Lease the job whose turn it is."""
    row = connection.execute(
        "SELECT id, turn FROM jobs WHERE status = 'queued' AND ready_at <= ? ORDER BY turn, n LIMIT 1", (now(),)
    ).fetchone()
    if row is None:
        return None
    record = _known(connection, row[0])
    draft = started(record.spec, record.state.attempt)
    key = LogKey(record.spec.user, record.spec.session)
    receipt = append_to_job(connection, Write(key, [draft], record.spec.id), retention.max_job_events)
    connection.execute(
        "INSERT INTO meta VALUES ('served', ?1) ON CONFLICT DO UPDATE SET value = max(value, ?1)", (row[1],)
    )
    return Claim(_known(connection, record.spec.id), _lease(connection, record.spec.id, worker), receipt, draft)


def _lease(connection: sqlite3.Connection, job_id: str, worker: str) -> str:
    lease = new_lease()
    connection.execute("UPDATE jobs SET lease = ?, worker = ? WHERE id = ?", (lease, worker, job_id))
    return lease


def reclaim(connection: sqlite3.Connection, worker: str) -> list[Claim]:
    """Take over the running jobs of every other worker: the lock on the file says that none of them is alive."""
    rows = connection.execute(
        "SELECT id FROM jobs WHERE status = 'running' AND worker <> ? ORDER BY n", (worker,)
    ).fetchall()
    return [Claim(_known(connection, job_id), _lease(connection, job_id, worker)) for (job_id,) in rows]


def load(connection: sqlite3.Connection, job_id: str, *, work: bool = False) -> Record | None:
    """A job by its id."""
    row = connection.execute(f"{_RECORD} WHERE jobs.id = ?", (job_id,)).fetchone()
    return _record(connection, row, work=work) if row else None


def _known(connection: sqlite3.Connection, job_id: str) -> Record:
    record = load(connection, job_id)
    assert record is not None, "a job that this transaction saw"
    return record


def _record(connection: sqlite3.Connection, row: Sequence[Any], *, work: bool = False) -> Record:
    job, spec, epoch, cancel, log_epoch, trimmed, last, evicted, cleared, *columns = row
    state = state_of(columns)
    if work:
        state.work = work_of(connection, job)
    head = Head(log_epoch, trimmed, last, evicted, cleared) if log_epoch else None
    return Record(msgspec.json.decode(spec, type=JobSpec), state, str(epoch), head, bool(cancel))


def jobs(connection: sqlite3.Connection, which: JobFilter) -> list[Record]:
    """A page of a user's jobs, newest first."""
    terms = {"jobs.user = ?": which.user}
    for column, value in (("status", which.status), ("agent", which.agent), ("session", which.session)):
        if value is not None:
            terms[f"jobs.{column} = ?"] = value
    if which.before is not None:
        terms["jobs.id < ?"] = which.before
    rows = connection.execute(
        f"{_RECORD} WHERE {' AND '.join(terms)} ORDER BY jobs.id DESC LIMIT ?", (*terms.values(), which.limit)
    ).fetchall()
    return [_record(connection, row) for row in rows]


def erase(connection: sqlite3.Connection, job_id: str, *, read: Collection[LogKey] = ()) -> LogKey:
    """Remove an ended job and its events, and its log with the last job, unless somebody reads it; the log's name."""
    row = connection.execute(
        "SELECT n, user, session, log, first, last, finished FROM jobs WHERE id = ?", (job_id,)
    ).fetchone()
    if row is None:
        raise NotFound("no such job")
    job, user, session, log_id, first, last, finished = row
    if finished is None:
        raise Conflict("the job is active; cancel it first")
    events = connection.execute(
        "DELETE FROM events WHERE log = ? AND seq BETWEEN ? AND ? AND job = ?", (log_id, first, last, job)
    ).rowcount
    connection.execute("DELETE FROM jobs WHERE n = ?", (job,))
    connection.execute("UPDATE logs SET jobs = jobs - 1, events = events - ? WHERE id = ?", (events, log_id))
    key = LogKey(user, session)
    if key not in read:
        connection.execute("DELETE FROM logs WHERE id = ? AND jobs = 0 AND events = 0", (log_id,))
    return key


def trim(connection: sqlite3.Connection, retention: Retention, read: Collection[LogKey]) -> list[tuple[LogKey, str]]:
    """Erase up to `BATCH` jobs that may not stay, oldest end first; which ones went."""
    connection.execute("DELETE FROM once WHERE until <= ? OR job NOT IN (SELECT id FROM jobs)", (now(),))
    oldest = now() - int(retention.age * 1e6)
    crowded = _bytes(connection) > retention.max_bytes
    rows = connection.execute(
        "SELECT id FROM jobs WHERE finished IS NOT NULL AND (finished < ? OR ?) ORDER BY finished LIMIT ?",
        (oldest, crowded, BATCH),
    ).fetchall()
    gone: list[tuple[LogKey, str]] = []
    for (job_id,) in rows:
        if crowded and _bytes(connection) <= retention.max_bytes:
            break
        gone.append((erase(connection, job_id, read=read), job_id))
    return gone


def _bytes(connection: sqlite3.Connection) -> int:
    """What the file's pages in use hold."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
