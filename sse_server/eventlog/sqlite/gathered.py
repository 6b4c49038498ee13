"""What jobs write in SQLite: the writes of many of them, stored by a few statements for all.

Beside its own cost each statement gives the interpreter's lock away and has to win it back from a busy loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from sse_server.eventlog import Receipt, Write
from sse_server.eventlog.sqlite.holders import SETTLE, Holder, Holders, Log, settle
from sse_server.eventlog.sqlite.rows import for_rows
from sse_server.events import RUNNER_TYPES, Event
from sse_server.jobs import JobState

CHECKPOINT: Final = 500
"""Events after which a job's folded work is written again; a snapshot folds what came since."""

_INSERT: Final = "INSERT INTO events (log, seq, job, attempt, type, time, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
_COLUMNS: Final = 7
_INSERTS: Final = [f"{_INSERT}{', (?, ?, ?, ?, ?, ?, ?)' * more}" for more in range(32)]
"""The first stores one event, the last as many as are stored at once."""
_TURN: Final = (
    "UPDATE jobs SET last = column1, events = column2, unfolded = column3, first = column4, status = column5,"
    " attempt = column6, attempt_seq = column7, started = column8, finished = column9, done = column10,"
    " lease = column11, worker = column12 FROM (VALUES {rows}) WHERE n = column13"
)


def most(keep: int) -> int:
    """Of a job's events the latest `keep` stay, and at times a tenth more."""
    return keep + keep // 10


class Joined(Struct, frozen=True):
    """A job that waits again, and may be claimed after `delay` seconds."""

    job: int
    delay: float


class Gathered:
    """Takes writes into jobs; `store` puts them into the tables.

    It `is_crowded` once a job has more events than may stay (`keep`): what it has must be stored, and cut.
    """

    def __init__(self, connection: sqlite3.Connection, holders: Holders, keep: int) -> None:
        self._connection = connection
        self._holders = holders
        self._most = most(keep)
        self._values: list[int | str | bytearray] = []
        self._due: dict[int, Log] = {}
        self._turned: dict[str, Holder] = {}
        self.full: dict[str, Holder] = {}
        self.joined: list[Joined] = []
        self.is_crowded = False

    def add(self, write: Write, claim: tuple[str, str] | None = None) -> Receipt | None:
        """Number a write's events; None where its job's lease is another's, or it has ended.

        `claim`: the lease and the worker that have the job from now on.
        """
        holder = self._holders.known(write.job_id) or self._find(write.job_id)
        if holder is None or holder.lease != write.lease:
            return None
        log, plain = holder.log, True
        first = log.last + 1
        for draft in write.drafts:
            log.last += 1
            body = bytearray(draft.body)  # sqlite3 asks `bytes` first whether they want to be something else
            self._values += (log.id, log.last, holder.job, draft.attempt, draft.type, draft.time, body)
            plain = plain and draft.type not in RUNNER_TYPES
        count, holder.last = len(write.drafts), log.last
        holder.events += count
        holder.unfolded += count
        if not plain:
            self._turn(holder, write, first, claim)
        if not plain or log.last - log.settled >= SETTLE:
            self._due[log.id] = log
        if holder.unfolded >= CHECKPOINT or holder.events > self._most:
            self._due[log.id] = log
            self.full[write.job_id] = holder
            self.is_crowded = self.is_crowded or holder.events > self._most
        return Receipt(log.epoch, first)

    def _find(self, job_id: str) -> Holder | None:
        self.store()  # the tables don't know yet what ended just now
        return self._holders.find(self._connection, job_id)

    def _turn(self, holder: Holder, write: Write, seq: int, claim: tuple[str, str] | None) -> None:
        """Take the state that the job has behind a write."""
        state = JobState(holder.status, holder.attempt, holder.first, 0, holder.attempt_seq, holder.started)
        for n, draft in enumerate(write.drafts, seq):
            if draft.type in RUNNER_TYPES:
                state.apply(Event(n, draft.type, write.job_id, draft.attempt, draft.time, draft.body))
        holder.status, holder.attempt, holder.attempt_seq = state.status, state.attempt, state.attempt_seq
        holder.first, holder.started, holder.done = state.first or seq, state.started, state.done
        if state.status != "running":
            holder.lease = holder.worker = ""
        elif claim:
            holder.lease, holder.worker = claim
        self._turned[write.job_id] = holder
        if state.status == "queued":
            self.joined.append(Joined(holder.job, write.delay))
        if state.done:
            self._holders.drop(holder)

    def store(self) -> None:
        """Store it. `full` are the jobs that have much to fold or to cut, `joined` those that wait again."""
        insert(self._connection, self._values)
        self._values.clear()
        for_rows(self._connection, _TURN, [_row(holder) for holder in self._turned.values()])
        if self._due:
            settle(self._connection, self._due.values(), self._turned.values())
        self._turned.clear()
        self._due.clear()


def insert(connection: sqlite3.Connection, values: Sequence[Any]) -> None:
    """Store events: the values of `log, seq, job, attempt, type, time, body` of each, one event behind the other."""
    at_once = _COLUMNS * len(_INSERTS)
    for n in range(0, len(values), at_once):
        some = values[n : n + at_once]
        connection.execute(_INSERTS[len(some) // _COLUMNS - 1], some)


def _row(job: Holder) -> tuple[Any, ...]:
    done = (job.done.event.time, msgspec.json.encode(job.done)) if job.done else (None, None)
    counts, state = (job.last, job.events, job.unfolded), (job.first, job.status, job.attempt, job.attempt_seq)
    return (*counts, *state, job.started, *done, job.lease, job.worker, job.job)
