"""Events in SQLite: append with the fence and the job's state, read, and trim."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from sse_server.eventlog import PAGE_BYTES, SCAN_LIMIT, LogKey, Page, Receipt, Retention, Write
from sse_server.eventlog.history import is_over
from sse_server.eventlog.order import fair_turn, now
from sse_server.eventlog.sqlite.gathered import INSERT, Gathered
from sse_server.eventlog.sqlite.logs import find_log
from sse_server.eventlog.sqlite.published import publish, remove
from sse_server.events import RUNNER_TYPES, Event
from sse_server.jobs import DoneState, JobState, Work

CHECKPOINT: Final = 500
"""Events after which a job's folded work is written again; a snapshot folds what came since."""

_HOLDER: Final = (
    "SELECT n, jobs.user, logs.id, jobs.events, logs.epoch, logs.last,"
    " status, attempt, first, jobs.last, attempt_seq, started, done, worker"
    " FROM jobs JOIN logs ON logs.id = log WHERE jobs.id = ? AND lease = ? AND finished IS NULL"
)
_TURN: Final = (
    "UPDATE jobs SET events = events + ?, unfolded = unfolded + ?, first = ?, last = ?, status = ?, attempt = ?,"
    " attempt_seq = ?, started = ?, finished = ?, done = ?, lease = ?, worker = ? WHERE n = ?"
)
_FOLLOWING: Final = (
    "SELECT seq, type, attempt, time, body FROM events WHERE log = ? AND seq BETWEEN ? AND ? AND job = ? ORDER BY seq"
)
_OLDEST_KEPT: Final = "SELECT seq FROM events WHERE log = ? AND job = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"


def append(connection: sqlite3.Connection, writes: Sequence[Write], retention: Retention) -> list[Receipt | None]:
    """Store the writes that are published or hold their job's lease."""
    receipts: list[Receipt | None] = []
    for plain, together in groupby(writes, _changes_no_state):
        if plain:
            receipts += _append_gathered(connection, list(together), retention.max_job_events)
            continue
        for write in together:
            if write.job_id:
                receipts.append(append_to_job(connection, write, retention.max_job_events))
            else:
                receipts.append(publish(connection, write, retention.max_history))
    return receipts


def _changes_no_state(write: Write) -> bool:
    return bool(write.job_id) and not any(draft.type in RUNNER_TYPES for draft in write.drafts)


def _append_gathered(connection: sqlite3.Connection, writes: Sequence[Write], keep: int) -> list[Receipt | None]:
    gathered = Gathered(connection, _most(keep))
    gathered.look(writes)
    receipts = []
    for n, write in enumerate(writes, 1):
        receipts.append(gathered.add(write))
        if gathered.crowded:
            _store(connection, gathered, keep)
            gathered.look(writes[n:])
    _store(connection, gathered, keep)
    return receipts


def _most(keep: int) -> int:
    """Of a job's events the latest `keep` stay, and at times a tenth more."""
    return keep + keep // 10


def _store(connection: sqlite3.Connection, gathered: Gathered, keep: int) -> None:
    for grown in gathered.store():
        if grown.unfolded >= CHECKPOINT:
            checkpoint(connection, grown.job)
        if grown.events > _most(keep):
            _trim(connection, grown.job, grown.log, keep)


def append_to_job(connection: sqlite3.Connection, write: Write, keep: int) -> Receipt | None:
    """Store a write that changes its job's state; None where its lease is another's, or it has ended."""
    row = connection.execute(_HOLDER, (write.job_id, write.lease)).fetchone()
    if row is None:
        return None
    job, user, log_id, events, epoch, seq, *columns = row
    first, last = seq + 1, seq + len(write.drafts)
    connection.executemany(
        INSERT,
        [
            (log_id, seq, job, draft.attempt, draft.type, draft.time, draft.body)
            for seq, draft in enumerate(write.drafts, first)
        ],
    )
    state = _advanced(state_of(columns), write, first)
    count, done = len(write.drafts), state.done
    connection.execute(
        "UPDATE logs SET last = ?, events = events + ?, touched = ?, active = active - ? WHERE id = ?",
        (last, count, now(), done is not None, log_id),
    )
    kept = (write.lease, columns[-1]) if state.status == "running" else ("", "")
    connection.execute(
        _TURN,
        (
            *(count, count, state.first or first, last, state.status, state.attempt, state.attempt_seq, state.started),
            *(done.event.time if done else None, msgspec.json.encode(done) if done else None, *kept, job),
        ),
    )
    if state.status == "queued":
        _queue(connection, job, user, write.delay)
    if done:
        checkpoint(connection, job)
    if events + count > _most(keep):
        _trim(connection, job, log_id, keep)
    return Receipt(epoch, first)


def _advanced(state: JobState, write: Write, first: int) -> JobState:
    """The job's state behind the events of the write that change it."""
    for seq, draft in enumerate(write.drafts, first):
        if draft.type in RUNNER_TYPES:
            state.apply(Event(seq, draft.type, write.job_id, draft.attempt, draft.time, draft.body))
    return state


def _queue(connection: sqlite3.Connection, job: int, user: str, delay: float) -> None:
    """Give the job its turn among those who wait; it may be claimed after `delay` seconds."""
    served, latest = connection.execute(
        "SELECT (SELECT coalesce(max(value), 0) FROM meta WHERE key = 'served'),"
        " (SELECT coalesce(max(turn), 0) FROM jobs WHERE status = 'queued' AND user = ? AND n <> ?)",
        (user, job),
    ).fetchone()
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


def _trim(connection: sqlite3.Connection, job: int, log_id: int, keep: int) -> None:
    """Remove the log's prefix up to where the job has `keep` events; what they added up to stays in the snapshots."""
    (events,) = connection.execute("SELECT events FROM jobs WHERE n = ?", (job,)).fetchone()
    if events <= keep + keep // 10:
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
    known = find_log(connection, key)
    if known is None:
        return Page(None, [], 0)
    log_id, head = known
    job = _job_number(connection, job_id) if job_id is not None else None
    wanted = frozenset(types) | {"done"} if types is not None else None
    rows = connection.execute(
        "SELECT seq, type, job, attempt, time, body, expires FROM events"
        " WHERE log = ? AND seq > ? ORDER BY seq LIMIT ?",
        (log_id, after, SCAN_LIMIT),
    )
    found: list[tuple[int, str, int, int, int, bytes, int]] = []
    passed, size, scanned, at = after, 0, 0, now()
    for scanned, event in enumerate(rows, 1):  # noqa: B007  (how far it came is asked below)
        passed = event[0]
        if event[6] and is_over(event[6], at):
            continue
        if (job is None or event[2] == job) and (wanted is None or event[1] in wanted):
            found.append(event)
            size += len(event[5])
            if len(found) == limit or size > PAGE_BYTES:
                break
    else:
        passed = passed if scanned == SCAN_LIMIT else max(after, head.last)
    names = _job_ids(connection, {event[2] for event in found})
    events = [
        Event(seq, kind, names[n], attempt, time, body, expires) for seq, kind, n, attempt, time, body, expires in found
    ]
    return Page(head, events, passed)


def _job_number(connection: sqlite3.Connection, job_id: str) -> int:
    """The job's number; -1, which no event has, for a job that is not there."""
    row = connection.execute("SELECT n FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return row[0] if row else -1


def _job_ids(connection: sqlite3.Connection, numbers: set[int]) -> dict[int, str]:
    """The jobs' ids by their numbers; 0 is no job."""
    return {n: connection.execute("SELECT id FROM jobs WHERE n = ?", (n,)).fetchone()[0] if n else "" for n in numbers}
