"""Who may write into the jobs that have not ended, and where they and their logs stand: what the writing thread knows.

An event is one row. Its log's row and its job's count it later: with the next change of the job's state, with whatever
else changes the log, after `SETTLE` events at the latest. Until then the log is unsettled: all that stands behind its
row's `last` is of active jobs, nothing of that is removed, and the views `current_logs` and `current_jobs` add it.

One process has the file, so its writing thread remembers what it would have to look up for each event. What a dead
process left unsettled, or a transaction that was rolled back, is counted from the events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from sse_server.eventlog import LogKey, Record
from sse_server.eventlog.order import now
from sse_server.eventlog.sqlite.rows import for_rows
from sse_server.events import Status
from sse_server.jobs import DoneState

SETTLE: Final = 100
"""Events after which a log's row and those of its jobs are brought up to date: so many a reader may have to look at."""

_HOLDER: Final = (
    "SELECT jobs.id, lease, worker, n, jobs.last, jobs.events, unfolded, status, attempt, first, attempt_seq, started,"
    " jobs.user, session, logs.id, logs.epoch, logs.last"
    " FROM jobs JOIN logs ON logs.id = log WHERE jobs.id = ? AND finished IS NULL"
)
_COUNT: Final = (
    """
    UPDATE jobs SET last = now.last, events = now.events, unfolded = now.unfolded FROM current_jobs AS now
    WHERE jobs.finished IS NULL AND now.n = jobs.n AND now.last > jobs.last
    """,
    """
    UPDATE logs SET last = now.last, events = now.events, touched = now.touched FROM current_logs AS now
    WHERE logs.id IN (SELECT log FROM jobs WHERE finished IS NULL) AND now.id = logs.id AND now.last > logs.last
    """,
)
_LOG: Final = (
    "UPDATE logs SET last = column1, events = events + column2, active = active - column3, touched = column4"
    " FROM (VALUES {rows}) WHERE id = column5"
)
_JOB: Final = (
    "UPDATE jobs SET last = column1, events = column2, unfolded = column3 FROM (VALUES {rows}) WHERE n = column4"
)


class Log(Struct, eq=False):
    """The log of an active job: its row has counted what came up to `settled`, and `ended` jobs too many as active."""

    id: int
    key: LogKey
    epoch: str
    last: int
    settled: int
    ended: int = 0
    holders: dict[str, Holder] = field(default_factory=dict)


class Holder(Struct, eq=False):
    """A job that has not ended: who may write into it, its state, how many events it has, and has not folded."""

    log: Log
    job_id: str
    lease: str
    worker: str
    job: int
    last: int
    events: int
    unfolded: int
    status: Status
    attempt: int
    first: int
    attempt_seq: int
    started: int | None
    done: DoneState | None = None


class Holders:
    """Used within the writer's transactions alone. A log that it doesn't know is settled."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}
        self._logs: dict[LogKey, Log] = {}
        self._lost = True

    def lose(self) -> None:
        """Know nothing any more: what was known may not be what is stored."""
        self._holders.clear()
        self._logs.clear()
        self._lost = True

    def known(self, job_id: str) -> Holder | None:
        """An active job that needs no look into the tables."""
        return self._holders.get(job_id)

    def find(self, connection: sqlite3.Connection, job_id: str) -> Holder | None:
        """An active job. What is known of it must stand in the tables, or here."""
        self._recover(connection)
        if holder := self._holders.get(job_id):
            return holder
        row = connection.execute(_HOLDER, (job_id,)).fetchone()
        if row is None:
            return None
        *columns, user, session, log_id, epoch, last = row
        return self._add(Holder(self._open(LogKey(user, session), log_id, epoch, last), *columns))

    def admitted(self, record: Record, job: int, log_id: int, lease: str, worker: str) -> None:
        """A new job; its log has counted its first events."""
        spec, state = record.spec, record.state
        log = self._open(LogKey(spec.user, spec.session), log_id, record.epoch, state.last)
        log.last = log.settled = state.last
        count = state.last + 1 - state.first
        where = (state.status, state.attempt, state.first, state.attempt_seq, state.started)
        self._add(Holder(log, spec.id, lease, worker, job, state.last, count, count, *where))

    def _open(self, key: LogKey, log_id: int, epoch: str, last: int) -> Log:
        return self._logs.get(key) or self._logs.setdefault(key, Log(log_id, key, epoch, last, last))

    def _add(self, holder: Holder) -> Holder:
        self._holders[holder.job_id] = holder.log.holders[holder.job_id] = holder
        return holder

    def drop(self, holder: Holder) -> None:
        """The job has ended; its log is still to be settled."""
        log = holder.log
        del self._holders[holder.job_id], log.holders[holder.job_id]
        log.ended += 1
        if not log.holders:
            del self._logs[log.key]

    def prepare(self, connection: sqlite3.Connection, key: LogKey) -> Log | None:
        """Settle a log before somebody else than its jobs changes it; the log, if it is known here."""
        self._recover(connection)
        log = self._logs.get(key)
        if log and log.last > log.settled:
            settle(connection, [log])
        return log

    def release(self, connection: sqlite3.Connection, key: LogKey) -> None:
        """Settle a log before its jobs' rows are changed, and look again when one of them writes."""
        self.prepare(connection, key)
        if log := self._logs.pop(key, None):
            for job_id in log.holders:
                del self._holders[job_id]

    def _recover(self, connection: sqlite3.Connection) -> None:
        """Settle what a dead process left, or who knew it before."""
        if self._lost:
            for statement in _COUNT:
                connection.execute(statement)
            self._lost = False


def settle(connection: sqlite3.Connection, logs: Iterable[Log], written: Iterable[Holder] = ()) -> None:
    """Bring the rows of these logs up to date, and those of their jobs but the ones that are `written` already."""
    written = set(written)
    jobs = [h for log in logs for h in log.holders.values() if h.last > log.settled and h not in written]
    for_rows(connection, _JOB, [(h.last, h.events, h.unfolded, h.job) for h in jobs])
    at = now()
    for_rows(connection, _LOG, [(log.last, log.last - log.settled, log.ended, at, log.id) for log in logs])
    for log in logs:
        log.settled, log.ended = log.last, 0
