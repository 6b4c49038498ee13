"""What jobs write in SQLite: the writes of many of them, stored by a few statements for all.

Beside its own cost each statement gives the interpreter's lock away and has to win it back from a busy loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Struct

from sse_server.eventlog import Receipt, Write
from sse_server.eventlog.order import now
from sse_server.events import RUNNER_TYPES, Event, Status
from sse_server.jobs import JobState

INSERT: Final = "INSERT INTO events (log, seq, job, attempt, type, time, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
_HOLDERS: Final = (
    "SELECT json_group_array(json_array(jobs.id, lease, n, jobs.events, unfolded, logs.id, logs.epoch, logs.last,"
    " worker, status, attempt, first, attempt_seq, started))"
    " FROM json_each(?) JOIN jobs ON jobs.id = json_each.value JOIN logs ON logs.id = log WHERE finished IS NULL"
)
_LOG: Final = "UPDATE logs SET last = ?, events = events + ?, touched = ? WHERE id = ?"
_ENDED: Final = "UPDATE logs SET active = active - 1 WHERE id = ?"
_JOB: Final = "UPDATE jobs SET last = ?1, events = events + ?2, unfolded = unfolded + ?2 WHERE n = ?3"
_TURN: Final = (
    "UPDATE jobs SET last = ?1, events = events + ?2, unfolded = unfolded + ?2, first = ?4, status = ?5, attempt = ?6,"
    " attempt_seq = ?7, started = ?8, finished = ?9, done = ?10, lease = ?11, worker = ?12 WHERE n = ?3"
)


def most(keep: int) -> int:
    """Of a job's events the latest `keep` stay, and at times a tenth more."""
    return keep + keep // 10


class Holder(Struct, frozen=True, array_like=True):
    """Who may write into a job that has not ended, where the job and its log stand in the tables, and its state."""

    job_id: str
    lease: str
    job: int
    events: int
    unfolded: int
    log: int
    epoch: str
    last: int
    worker: str
    status: Status
    attempt: int
    first: int
    attempt_seq: int
    started: int | None

    def state(self, write: Write, seq: int) -> JobState:
        """The job's state behind a write whose first event has that seq."""
        state = JobState(self.status, self.attempt, self.first, 0, self.attempt_seq, self.started)
        for n, draft in enumerate(write.drafts, seq):
            if draft.type in RUNNER_TYPES:
                state.apply(Event(n, draft.type, write.job_id, draft.attempt, draft.time, draft.body))
        return state


class Grown(Struct, frozen=True):
    """A job that got events: how many it has now, and how many of them no snapshot has folded."""

    job: int
    log: int
    events: int
    unfolded: int


class Joined(Struct, frozen=True):
    """A job that waits again, and may be claimed after `delay` seconds."""

    job: int
    delay: float


class Gathered:
    """Takes writes into jobs that it has looked at; `store` puts them into the tables, in order.

    It `is_stale` for a write into a job whose state another one has changed, and for all once a job has more events
    than may stay (`keep`): these need another look, behind what is stored.
    """

    def __init__(self, connection: sqlite3.Connection, writes: Iterable[Write], keep: int) -> None:
        ids = msgspec.json.encode({write.job_id for write in writes}).decode()
        ((found,),) = connection.execute(_HOLDERS, (ids,))
        self._holders = {(holder.job_id, holder.lease): holder for holder in _decode(found)}
        self._connection = connection
        self._most = most(keep)
        self._crowded = False
        self._changed: set[str] = set()
        self._rows: list[tuple[int, int, int, int, str, int, bytes]] = []
        self._logs: list[tuple[int, int, int, int]] = []
        self._ended: list[tuple[int]] = []
        self._jobs: list[tuple[int, int, int]] = []
        self._turns: list[tuple[Any, ...]] = []
        self._joined: list[Joined] = []
        self._last: dict[int, int] = {}
        self._grown: dict[int, Grown] = {}

    def is_stale(self, write: Write) -> bool:
        """Whether this write needs another look."""
        return self._crowded or write.job_id in self._changed

    def add(self, write: Write, claim: tuple[str, str] | None = None) -> Receipt | None:
        """Number a write's events; None where its job's lease is another's, or it has ended.

        `claim`: the lease and the worker that have the job from now on.
        """
        holder = self._holders.get((write.job_id, write.lease))
        if holder is None:
            return None
        job, log_id, events, unfolded = holder.job, holder.log, holder.events, holder.unfolded
        # Of several writes for one log or one job, the first are not in the tables yet.
        before = self._last.get(log_id, holder.last)
        if grown := self._grown.get(job):
            events, unfolded = grown.events, grown.unfolded
        count, plain = len(write.drafts), True
        for seq, draft in enumerate(write.drafts, before + 1):
            self._rows.append((log_id, seq, job, draft.attempt, draft.type, draft.time, draft.body))
            plain = plain and draft.type not in RUNNER_TYPES
        last = self._last[log_id] = before + count
        if plain:
            self._jobs.append((last, count, job))
        else:
            self._turn(holder, write, before + 1, claim)
        self._logs.append((last, count, now(), log_id))
        self._grown[job] = Grown(job, log_id, events + count, unfolded + count)
        self._crowded = self._crowded or events + count > self._most
        return Receipt(holder.epoch, before + 1)

    def _turn(self, holder: Holder, write: Write, seq: int, claim: tuple[str, str] | None) -> None:
        """Take the state that the job has behind a write."""
        self._changed.add(write.job_id)
        state = holder.state(write, seq)
        done, last, count = state.done, seq + len(write.drafts) - 1, len(write.drafts)
        held = claim or (holder.lease, holder.worker) if state.status == "running" else ("", "")
        self._turns.append(
            (
                *(last, count, holder.job, state.first or seq, state.status, state.attempt, state.attempt_seq),
                *(state.started, done.event.time if done else None, msgspec.json.encode(done) if done else None, *held),
            )
        )
        if state.status == "queued":
            self._joined.append(Joined(holder.job, write.delay))
        if done:
            self._ended.append((holder.log,))

    def store(self) -> tuple[Iterable[Grown], Iterable[Joined]]:
        """Store what was gathered; the jobs that it was for, and those of them that wait again."""
        self._connection.executemany(INSERT, self._rows)
        self._connection.executemany(_LOG, self._logs)
        self._connection.executemany(_ENDED, self._ended)
        self._connection.executemany(_JOB, self._jobs)
        self._connection.executemany(_TURN, self._turns)
        return self._grown.values(), self._joined


_decode = msgspec.json.Decoder(list[Holder]).decode
