"""The queue in SQLite: claims, and what becomes of jobs that have ended or were left behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from sse_server.errors import Conflict, NotFound
from sse_server.eventlog import (
    Claim,
    Head,
    JobFilter,
    LogKey,
    Receipt,
    Record,
    Retention,
    Write,
)
from sse_server.eventlog.order import new_lease, now, started
from sse_server.eventlog.sqlite.events import state_of, store, work_of
from sse_server.eventlog.sqlite.gathered import Gathered
from sse_server.eventlog.sqlite.holders import Holders
from sse_server.eventlog.sqlite.orders import snapshot
from sse_server.events import Event
from sse_server.jobs import JobSpec

BATCH: Final = 100
"""Jobs that one transaction erases, so that live jobs need not wait for a large clean-up."""

_RECORD: Final = (
    "SELECT jobs.n, jobs.spec, jobs.epoch, jobs.cancel,"
    " logs.epoch, logs.trimmed, logs.last, logs.evicted, logs.cleared,"
    " status, attempt, first, jobs.last, attempt_seq, started, done, turn"
    " FROM current_jobs AS jobs LEFT JOIN current_logs AS logs ON logs.id = jobs.log"
)


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
