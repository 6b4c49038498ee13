"""How a job comes into SQLite: into the queue, or, where nobody waits, to the worker that submits it."""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec
from msgspec import Struct, structs

from sse_server.errors import IdempotencyMismatch, QueueFull, TooManyJobs
from sse_server.eventlog import (
    Claim,
    Head,
    IdempotencyKey,
    LogKey,
    Receipt,
    Record,
    Retention,
    Submitted,
    Write,
    events_of,
)
from sse_server.eventlog.order import fair_turn, new_epoch, new_lease, now, queued, started
from sse_server.eventlog.sqlite.gathered import insert
from sse_server.eventlog.sqlite.holders import Holders
from sse_server.eventlog.sqlite.queue import load
from sse_server.events import Draft
from sse_server.jobs import JobSpec, JobState, fold

_BEFORE: Final = (
    "SELECT (SELECT count(*) FROM jobs WHERE status = 'queued'),"
    " (SELECT count(*) FROM jobs WHERE user = ?1 AND finished IS NULL),"
    " (SELECT coalesce(max(value), 0) FROM meta WHERE key = 'served'),"
    " (SELECT coalesce(max(turn), 0) FROM jobs WHERE status = 'queued' AND user = ?1)"
)
_LOG: Final = (
    "INSERT INTO logs (user, name, epoch, touched, last, events, jobs, active) VALUES (?, ?, ?, ?, ?5, ?5, 1, 1)"
    " ON CONFLICT (user, name) DO UPDATE SET touched = excluded.touched,"
    " last = last + excluded.last, events = events + excluded.events, jobs = jobs + 1, active = active + 1"
    " RETURNING id, epoch, trimmed, last, evicted, cleared"
)
_JOB: Final = (
    "INSERT INTO jobs (id, user, session, agent, log, epoch, spec, turn, ready_at, lease, worker,"
    " events, unfolded, first, last, status, attempt_seq, started)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?12, ?12, ?13, ?14, ?15, ?16, ?17)"
)


class _Place(Struct, frozen=True):
    """A new job's turn in the queue, or who has it already."""

    turn: int
    lease: str = ""
    worker: str = ""


def submit(
    connection: sqlite3.Connection,
    spec: JobSpec,
    *,
    room: int,
    per_user: int,
    once: IdempotencyKey | None,
    worker: str,
    retention: Retention,
    holders: Holders,
) -> Submitted:
    """Queue a job, or find the one that the same key queued before; `worker` gets one that need not wait."""
    if once and (earlier := _earlier(connection, once)):
        return Submitted(earlier, None)
    ahead, active, served, latest = connection.execute(_BEFORE, (spec.user,)).fetchone()
    if ahead >= room:
        raise QueueFull("the queue is full; try again soon", retry_after=1)
    if active >= per_user:
        raise TooManyJobs(f"{per_user} of your jobs are active already", retry_after=5)
    drafts, place = [queued(spec, ahead)], _Place(fair_turn(served, latest))
    if worker and not ahead:
        drafts.append(started(spec, 1))
        place = _Place(place.turn, new_lease(), worker)
    record = _store(connection, holders, spec, drafts, place)
    if once:
        connection.execute(
            "INSERT OR REPLACE INTO once VALUES (?, ?, ?, ?, ?, ?)",
            (once.user, once.route, once.key, once.digest, spec.id, now() + int(retention.idempotency * 1e6)),
        )
    first, epoch = record.state.first, record.epoch
    claim = Claim(record, place.lease, Receipt(epoch, first + 1), drafts[1]) if place.lease else None
    return Submitted(_as_queued(record), Receipt(epoch, first), drafts[0], claim)


def _earlier(connection: sqlite3.Connection, once: IdempotencyKey) -> Record | None:
    row = connection.execute(
        "SELECT digest, job FROM once WHERE user = ? AND route = ? AND key = ? AND until > ?",
        (once.user, once.route, once.key, now()),
    ).fetchone()
    record = load(connection, row[1]) if row else None
    if record and row[0] != once.digest:
        raise IdempotencyMismatch("this Idempotency-Key was used with another body")
    return record


def _store(
    connection: sqlite3.Connection, holders: Holders, spec: JobSpec, drafts: list[Draft], place: _Place
) -> Record:
    """The job with its first events, which its log has counted."""
    write, at, count = Write(LogKey(spec.user, spec.session), drafts, spec.id), drafts[0].time, len(drafts)
    holders.prepare(connection, write.key)
    ((log_id, *columns),) = connection.execute(_LOG, (spec.user, spec.session, new_epoch(), at, count))
    head = Head(*columns)
    events = events_of(write, head.last + 1 - count)
    state = fold(events)
    names = (spec.id, spec.user, spec.session, spec.agent, log_id, head.epoch, msgspec.json.encode(spec))
    stands = (state.first, state.last, state.status, state.attempt_seq, state.started)
    row = (*names, place.turn, at, place.lease, place.worker, count, *stands)
    job = connection.execute(_JOB, row).lastrowid or 0
    insert(connection, [value for e in events for value in (log_id, e.seq, job, e.attempt, e.type, e.time, e.body)])
    record = Record(spec, state, head.epoch, head)
    holders.admitted(record, job, log_id, place.lease, place.worker)
    return record


def _as_queued(record: Record) -> Record:
    """The job as it was behind its first event."""
    first = record.state.first
    assert record.head, "a job that has not ended has a log"
    head = structs.replace(record.head, last=first)
    return structs.replace(record, state=JobState(first=first, last=first), head=head)
