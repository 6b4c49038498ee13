"""What agents emit in SQLite: the writes of many jobs, stored by four statements for all where each had its own.

Beside its own cost, each statement gives the interpreter's lock away and has to win it back from a busy loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from sse_server.eventlog import Receipt, Write
from sse_server.eventlog.order import now

INSERT: Final = "INSERT INTO events (log, seq, job, attempt, type, time, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
_HOLDERS: Final = (
    "SELECT json_group_array(json_array(jobs.id, lease, n, unfolded, jobs.events, logs.id, logs.epoch, logs.last))"
    " FROM json_each(?) JOIN jobs ON jobs.id = json_each.value JOIN logs ON logs.id = log WHERE finished IS NULL"
)
_LOG: Final = "UPDATE logs SET last = ?, events = events + ?, touched = ? WHERE id = ?"
_JOB: Final = "UPDATE jobs SET last = ?1, events = events + ?2, unfolded = unfolded + ?2 WHERE n = ?3"


class Holder(Struct, frozen=True, array_like=True):
    """Who may write into a job that runs, and where the job and its log stand in the tables."""

    job_id: str
    lease: str
    job: int
    unfolded: int
    events: int
    log: int
    epoch: str
    last: int


class Grown(Struct, frozen=True):
    """A job that got events: how many it has now, and how many of them no snapshot has folded."""

    job: int
    log: int
    events: int
    unfolded: int


class Gathered:
    """Takes writes that change no job's state, after a look at their jobs; `store` puts them into the tables, in order.

    Once a job has more than `most` events it is `crowded`, and has to be stored, trimmed and looked at again.
    """

    def __init__(self, connection: sqlite3.Connection, most: int) -> None:
        self.crowded = False
        self._connection = connection
        self._most = most
        self._holders: dict[tuple[str, str], Holder] = {}
        self._rows: list[tuple[int, int, int, int, str, int, bytes]] = []
        self._logs: list[tuple[int, int, int, int]] = []
        self._jobs: list[tuple[int, int, int]] = []
        self._last: dict[int, int] = {}
        self._grown: dict[int, Grown] = {}

    def look(self, writes: Iterable[Write]) -> None:
        """See who holds the jobs of these writes."""
        ids = msgspec.json.encode({write.job_id for write in writes}).decode()
        ((found,),) = self._connection.execute(_HOLDERS, (ids,))
        self._holders = {(holder.job_id, holder.lease): holder for holder in _decode(found)}

    def add(self, write: Write) -> Receipt | None:
        """Number a write's events; None where its job's lease is another's, or it has ended."""
        holder = self._holders.get((write.job_id, write.lease))
        if holder is None:
            return None
        job, log_id, events, unfolded = holder.job, holder.log, holder.events, holder.unfolded
        # Of several writes for one log or one job, the first are not in the tables yet.
        last = self._last.get(log_id, holder.last)
        if before := self._grown.get(job):
            events, unfolded = before.events, before.unfolded
        count = len(write.drafts)
        for seq, draft in enumerate(write.drafts, last + 1):
            self._rows.append((log_id, seq, job, draft.attempt, draft.type, draft.time, draft.body))
        self._last[log_id] = last + count
        self._logs.append((last + count, count, now(), log_id))
        self._jobs.append((last + count, count, job))
        self._grown[job] = Grown(job, log_id, events + count, unfolded + count)
        self.crowded = self.crowded or events + count > self._most
        return Receipt(holder.epoch, last + 1)

    def store(self) -> list[Grown]:
        """Store what was gathered; the jobs that it was for."""
        grown, execute = list(self._grown.values()), self._connection.executemany
        if grown:
            execute(INSERT, self._rows)
            execute(_LOG, self._logs)
            execute(_JOB, self._jobs)
            self._rows, self._logs, self._jobs, self._last, self._grown = [], [], [], {}, {}
            self.crowded = False
        return grown


_decode = msgspec.json.Decoder(list[Holder]).decode
