"""The queue in SQLite: submit, claim, and what becomes of jobs that have ended or were left behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from sse_server.errors import Conflict, IdempotencyMismatch, NotFound, QueueFull, TooManyJobs
from sse_server.eventlog import (
    Claim,
    Head,
    IdempotencyKey,
    JobFilter,
    LogKey,
    Receipt,
    Record,
    Retention,
    Submitted,
    Write,
)
from sse_server.eventlog.order import fair_turn, new_epoch, new_lease, now, queued, started
from sse_server.eventlog.sqlite.events import state_of, store, work_of
from sse_server.eventlog.sqlite.gathered import INSERT, Gathered
from sse_server.eventlog.sqlite.holders import Holders
from sse_server.eventlog.sqlite.orders import snapshot
from sse_server.events import Event
from sse_server.jobs import JobSpec, JobState

BATCH: Final = 100
"""Jobs that one transaction erases, so that live jobs need not wait for a large clean-up."""

_RECORD: Final = (
    "SELECT jobs.n, jobs.spec, jobs.epoch, jobs.cancel,"
    " logs.epoch, logs.trimmed, logs.last, logs.evicted, logs.cleared,"
    " status, attempt, first, jobs.last, attempt_seq, started, done, turn"
    " FROM current_jobs AS jobs LEFT JOIN current_logs AS logs ON logs.id = jobs.log"
)
_BEFORE: Final = (
    "SELECT (SELECT count(*) FROM jobs WHERE status = 'queued'),"
    " (SELECT count(*) FROM jobs WHERE user = ?1 AND finished IS NULL),"
    " (SELECT coalesce(max(value), 0) FROM meta WHERE key = 'served'),"
    " (SELECT coalesce(max(turn), 0) FROM jobs WHERE status = 'queued' AND user = ?1)"
)
_LOG: Final = (
    "INSERT INTO logs (user, name, epoch, touched, last, events, jobs, active) VALUES (?, ?, ?, ?, 1, 1, 1, 1)"
    " ON CONFLICT (user, name) DO UPDATE SET touched = excluded.touched,"
    " last = last + 1, events = events + 1, jobs = jobs + 1, active = active + 1"
    " RETURNING id, epoch, trimmed, last, evicted, cleared"
)
_JOB: Final = (
    "INSERT INTO jobs (id, user, session, agent, log, epoch, spec, first, last, turn, ready_at, events, unfolded)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?8, ?8, ?, ?, 1, 1)"
)


def submit(
    connection: sqlite3.Connection,
    spec: JobSpec,
    *,
    room: int,
    per_user: int,
    once: IdempotencyKey | None,
    retention: Retention,
    holders: Holders,
) -> Submitted:
    """Queue a job, or find the one that the same key queued before."""
    if once and (earlier := _earlier(connection, once)):
        return Submitted(earlier, None)
    ahead, active, served, latest = connection.execute(_BEFORE, (spec.user,)).fetchone()
    if ahead >= room:
        raise QueueFull("the queue is full; try again soon", retry_after=1)
    if active >= per_user:
        raise TooManyJobs(f"{per_user} of your jobs are active already", retry_after=5)
    draft = queued(spec, ahead)
    at, turn, blob = draft.time, fair_turn(served, latest), msgspec.json.encode(spec)
    key = LogKey(spec.user, spec.session)
    holders.prepare(connection, key)
    ((log_id, *columns),) = connection.execute(_LOG, (spec.user, spec.session, new_epoch(), at))
    head = Head(*columns)
    seq = head.last
    cursor = connection.execute(
        _JOB, (spec.id, spec.user, spec.session, spec.agent, log_id, head.epoch, blob, seq, turn, at)
    )
    job = cursor.lastrowid or 0
    connection.execute(INSERT, (log_id, seq, job, draft.attempt, draft.type, at, draft.body))
    if once:
        connection.execute(
            "INSERT OR REPLACE INTO once VALUES (?, ?, ?, ?, ?, ?)",
            (once.user, once.route, once.key, once.digest, spec.id, at + int(retention.idempotency * 1e6)),
        )
    holders.submitted(spec.id, job, key, log_id, head)
    record = Record(spec, JobState(first=seq, last=seq), head.epoch, head)
    return Submitted(record, Receipt(head.epoch, seq), draft)


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
    return [_record(row) for row in connection.execute(f"{_RECORD} WHERE status = 'queued'").fetchall()]


def claim(
    connection: sqlite3.Connection, worker: str, most: int, retention: Retention, holders: Holders
) -> list[Claim]:
    """Lease the jobs whose turn it is, up to `most`."""
    rows = connection.execute(
        f"{_RECORD} WHERE status = 'queued' AND ready_at <= ? ORDER BY turn, n LIMIT ?", (now(), most)
    ).fetchall()
    if not rows:
        return []
    records = [_record(row) for row in rows]
    writes = [_start(record) for record in records]
    gathered = Gathered(connection, holders, retention.max_job_events)
    claims = []
    for record, write in zip(records, writes, strict=True):
        lease = new_lease()
        receipt = gathered.add(write, (lease, worker))
        assert receipt, "a job that this transaction saw"
        claims.append(Claim(_started(record, write, receipt), lease, receipt, write.drafts[0]))
    store(connection, holders, gathered, retention.max_job_events)
    connection.execute(
        "INSERT INTO meta VALUES ('served', ?1) ON CONFLICT DO UPDATE SET value = max(value, ?1)", (rows[-1][-1],)
    )
    return claims


def _start(record: Record) -> Write:
    spec = record.spec
    return Write(LogKey(spec.user, spec.session), [started(spec, record.state.attempt)], spec.id)


def _started(record: Record, write: Write, receipt: Receipt) -> Record:
    """The job behind its `job_started`."""
    (draft,) = write.drafts
    record.state.apply(Event(receipt.first, draft.type, write.job_id, draft.attempt, draft.time, draft.body))
    assert record.head, "a job that has not ended has a log"
    return structs.replace(record, head=structs.replace(record.head, last=receipt.first))


def _lease(connection: sqlite3.Connection, holders: Holders, job_id: str, worker: str) -> str:
    lease = new_lease()
    if holder := holders.find(connection, job_id):
        holder.lease, holder.worker = lease, worker
    connection.execute("UPDATE jobs SET lease = ?, worker = ? WHERE id = ?", (lease, worker, job_id))
    return lease


def reclaim(connection: sqlite3.Connection, worker: str, holders: Holders) -> list[Claim]:
    """Take over the running jobs of every other worker: the lock on the file says that none of them is alive."""
    rows = connection.execute(
        "SELECT id FROM jobs WHERE status = 'running' AND worker <> ? ORDER BY n", (worker,)
    ).fetchall()
    return [Claim(_known(connection, job_id), _lease(connection, holders, job_id, worker)) for (job_id,) in rows]


def load(connection: sqlite3.Connection, job_id: str) -> Record | None:
    """A job by its id."""
    row = connection.execute(f"{_RECORD} WHERE jobs.id = ?", (job_id,)).fetchone()
    return _record(row) if row else None


def load_with_work(connection: sqlite3.Connection, job_id: str) -> Record | None:
    """The same, with what its events add up to."""
    with snapshot(connection):
        row = connection.execute(f"{_RECORD} WHERE jobs.id = ?", (job_id,)).fetchone()
        if row is None:
            return None
        record = _record(row)
        record.state.work = work_of(connection, row[0])
        return record


def _known(connection: sqlite3.Connection, job_id: str) -> Record:
    record = load(connection, job_id)
    assert record is not None, "a job that this transaction saw"
    return record


def _record(row: Sequence[Any]) -> Record:
    """A job as the columns of `_RECORD` have it."""
    _, spec, epoch, cancel, log_epoch, trimmed, last, evicted, cleared, *columns = row
    head = Head(log_epoch, trimmed, last, evicted, cleared) if log_epoch else None
    return Record(msgspec.json.decode(spec, type=JobSpec), state_of(columns), str(epoch), head, bool(cancel))


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
    return [_record(row) for row in rows]


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
