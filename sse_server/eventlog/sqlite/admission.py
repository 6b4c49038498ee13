"""How jobs come into SQLite: into the queue, or, where nobody waits, to the worker that submits them.

Starts that come at once are admitted in their order, and stored by a few statements for all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from sse_server.errors import IdempotencyMismatch, QueueFull, ServerError, TooManyJobs
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
from sse_server.eventlog.sqlite.rows import for_rows
from sse_server.events import Draft
from sse_server.jobs import JobSpec, fold

_CROWD: Final = (
    "SELECT column1,"
    " (SELECT count(*) FROM jobs WHERE user = column1 AND finished IS NULL),"
    " (SELECT coalesce(max(turn), 0) FROM jobs WHERE status = 'queued' AND user = column1),"
    " (SELECT count(*) FROM jobs WHERE status = 'queued'),"
    " (SELECT coalesce(max(value), 0) FROM meta WHERE key = 'served')"
    " FROM (VALUES {rows})"
)
_EARLIER: Final = (
    "SELECT user, route, once.key, digest, job FROM once JOIN (VALUES {rows})"
    " ON user = column1 AND route = column2 AND once.key = column3 WHERE until > column4"
)
_ONCE: Final = "INSERT OR REPLACE INTO once (user, route, key, digest, job, until) VALUES {rows}"
_LOGS: Final = (
    "INSERT INTO logs (user, name, epoch, touched, last, events, jobs, active) VALUES {rows}"
    " ON CONFLICT (user, name) DO UPDATE SET touched = excluded.touched,"
    " last = last + excluded.last, events = events + excluded.events, jobs = jobs + 1, active = active + 1"
    " RETURNING user, name, id, epoch, trimmed, last, evicted, cleared"
)
_JOBS: Final = (
    "INSERT INTO jobs (id, user, session, agent, log, epoch, spec, turn, ready_at, lease, worker,"
    " events, unfolded, first, last, status, attempt_seq, started) VALUES {rows} RETURNING id, n"
)


class Start(Struct, frozen=True):
    """What `JobStore.submit` was asked; `key` names the log of the job."""

    key: LogKey
    spec: JobSpec
    room: int
    per_user: int
    once: IdempotencyKey | None
    worker: str


class _Admitted(Struct, frozen=True):
    """A new job with its first events, and its turn in the queue; with a lease it has begun."""

    start: Start
    drafts: list[Draft]
    turn: int
    lease: str = ""


class _Crowd:
    """Who waits and who is active, while more are admitted."""

    def __init__(self, connection: sqlite3.Connection, starts: Sequence[Start]) -> None:
        rows = for_rows(connection, _CROWD, [(user,) for user in {start.spec.user for start in starts}])
        self._active = {user: active for user, active, *_ in rows}
        self._latest = {user: latest for user, _, latest, *_ in rows}
        *_, self._waiting, self._served = rows[0]

    def admit(self, start: Start) -> _Admitted:
        """Raises `QueueFull` and `TooManyJobs`."""
        user, ahead = start.spec.user, self._waiting
        if ahead >= start.room:
            raise QueueFull("the queue is full; try again soon", retry_after=1)
        if self._active[user] >= start.per_user:
            raise TooManyJobs(f"{start.per_user} of your jobs are active already", retry_after=5)
        self._active[user] += 1
        turn, first = fair_turn(self._served, self._latest[user]), queued(start.spec, ahead)
        if start.worker and not ahead:
            return _Admitted(start, [first, started(start.spec, 1)], turn, new_lease())
        self._waiting, self._latest[user] = ahead + 1, turn
        return _Admitted(start, [first], turn)


def submit(
    connection: sqlite3.Connection, starts: Sequence[Start], *, retention: Retention, holders: Holders
) -> list[Submitted | ServerError]:
    """Queue jobs, or find those that the same keys queued before; what became of each start, a refusal as a value."""
    outcomes: list[Submitted | ServerError] = []
    for together in _apart(starts):
        outcomes += _submit(connection, together, retention, holders)
    return outcomes


def _apart(starts: Sequence[Start]) -> Iterator[list[Start]]:
    """Runs of starts of which no two have one log or one key: such two have to see each other's rows."""
    together: list[Start] = []
    seen: set[Any] = set()
    for start in starts:
        once = start.once
        names = {start.key, (once.user, once.route, once.key)} if once else {start.key}
        if not seen.isdisjoint(names):
            yield together
            together, seen = [], set()
        together.append(start)
        seen |= names
    yield together


def _submit(
    connection: sqlite3.Connection, starts: list[Start], retention: Retention, holders: Holders
) -> list[Submitted | ServerError]:
    earlier, crowd = _earlier(connection, starts), _Crowd(connection, starts)
    outcomes: list[Submitted | _Admitted | ServerError] = []
    for start in starts:
        try:
            outcomes.append(_replayed(connection, start, earlier) or crowd.admit(start))
        except ServerError as refusal:
            outcomes.append(refusal)
    admitted = [outcome for outcome in outcomes if isinstance(outcome, _Admitted)]
    stored = iter(_store(connection, holders, admitted))
    _remember(connection, admitted, retention)
    return [next(stored) if isinstance(outcome, _Admitted) else outcome for outcome in outcomes]


def _earlier(connection: sqlite3.Connection, starts: Sequence[Start]) -> dict[tuple[str, ...], tuple[bytes, str]]:
    """What came with the same keys before: the digest and the job."""
    asked = [(once.user, once.route, once.key, now()) for start in starts if (once := start.once)]
    return {tuple(names): (digest, job_id) for *names, digest, job_id in for_rows(connection, _EARLIER, asked)}


def _replayed(
    connection: sqlite3.Connection, start: Start, earlier: dict[tuple[str, ...], tuple[bytes, str]]
) -> Submitted | None:
    once = start.once
    digest, job_id = earlier.get((once.user, once.route, once.key), (b"", "")) if once else (b"", "")
    record = load(connection, job_id) if job_id else None
    if record is None:
        return None
    if once and once.digest != digest:
        raise IdempotencyMismatch("this Idempotency-Key was used with another body")
    return Submitted(record, None)


def _remember(connection: sqlite3.Connection, admitted: Sequence[_Admitted], retention: Retention) -> None:
    until = now() + int(retention.idempotency * 1e6)
    starts = [(new.start.spec.id, once) for new in admitted if (once := new.start.once)]
    rows = [(once.user, once.route, once.key, once.digest, job_id, until) for job_id, once in starts]
    for_rows(connection, _ONCE, rows)


def _store(connection: sqlite3.Connection, holders: Holders, admitted: Sequence[_Admitted]) -> list[Submitted]:
    """The jobs with their first events, which their logs have counted."""
    for new in admitted:
        holders.prepare(connection, new.start.key)
    logs = for_rows(connection, _LOGS, [_log_row(new) for new in admitted])
    places = {LogKey(user, name): (log_id, Head(*head)) for user, name, log_id, *head in logs}
    stored = [_Stored(new, *places[new.start.key]) for new in admitted]
    jobs = dict(for_rows(connection, _JOBS, [one.row() for one in stored]))
    values: list[Any] = []
    for one in stored:
        job = jobs[one.record.spec.id]
        for e in one.events:
            values += (one.log_id, e.seq, job, e.attempt, e.type, e.time, e.body)
        holders.admitted(one.record, job, one.log_id, one.new.lease, one.worker)
    insert(connection, values)
    return [one.submitted() for one in stored]


def _log_row(new: _Admitted) -> tuple[Any, ...]:
    count, spec = len(new.drafts), new.start.spec
    return (spec.user, spec.session, new_epoch(), new.drafts[0].time, count, count, 1, 1)


class _Stored:
    """A new job in its log, which stands at `head` with the job's first events."""

    def __init__(self, new: _Admitted, log_id: int, head: Head) -> None:
        spec, drafts = new.start.spec, new.drafts
        self.new = new
        self.log_id = log_id
        self.worker = new.start.worker if new.lease else ""
        self.events = events_of(Write(new.start.key, drafts, spec.id), head.last + 1 - len(drafts))
        self.record = Record(spec, fold(self.events), head.epoch, head)

    def row(self) -> tuple[Any, ...]:
        """Its row in `jobs`."""
        new, record, count = self.new, self.record, len(self.events)
        spec, state = record.spec, record.state
        names = (spec.id, spec.user, spec.session, spec.agent, self.log_id, record.epoch, msgspec.json.encode(spec))
        place = (new.turn, new.drafts[0].time, new.lease, self.worker)
        return (*names, *place, count, count, state.first, state.last, state.status, state.attempt_seq, state.started)

    def submitted(self) -> Submitted:
        """The job as it stands behind its first event, and the claim to it, if it has begun."""
        record, lease = self.record, self.new.lease
        receipt = Receipt(record.epoch, record.state.first)
        return Submitted(record.as_queued, receipt, self.new.drafts, Claim(record, lease) if lease else None)
