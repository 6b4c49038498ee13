"""The contract of every store: an ordered log of events for each session, and the jobs whose events they are.

What a store promises, whatever it is made of:

- An append is one transaction: all of it is stored, with the state of its job, or nothing is. It is stored when
  `append` returns, and nobody reads it before.
- `seq` is dense within a log and an epoch. Retention removes a prefix and remembers where it ended (`Head.trimmed`);
  erasing a job, and an event's own expiry, leave numbers unused. Published events that a history limit removed between
  a job's events are remembered too (`Head.evicted`): whoever reads the whole session has missed them.
- A job's events are accepted from the holder of its current lease alone. A queued job has no lease (`""`), an ended
  job takes nothing more: that is the fence, and why there is exactly one `done`.
- Job ids, leases, idempotency keys, the queue and its fairness live here, not in a process, so that several processes
  may share one store. Only `Listener` tells a process what another one did.

The suite in `tests/eventlog` holds every store to this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from sse_server.eventlog.shapes import (
    PAGE_BYTES,
    SCAN_LIMIT,
    Claim,
    Figures,
    Head,
    IdempotencyKey,
    JobFilter,
    LogKey,
    Page,
    Receipt,
    Record,
    Retention,
    Sessions,
    Submitted,
    Write,
    events_of,
)
from sse_server.jobs import JobSpec

__all__ = [
    "PAGE_BYTES",
    "SCAN_LIMIT",
    "Claim",
    "EventLog",
    "Figures",
    "Head",
    "IdempotencyKey",
    "JobFilter",
    "JobStore",
    "Listener",
    "LogKey",
    "Page",
    "Receipt",
    "Record",
    "Retention",
    "SessionStore",
    "Sessions",
    "Store",
    "Submitted",
    "Write",
    "events_of",
]


class Listener(Protocol):
    """Hears what *another process* did with a shared store."""

    def log_changed(self, key: LogKey) -> None:
        """Events were appended to that log, or it was trimmed or cleared."""

    def work_arrived(self) -> None:
        """A job was queued."""

    def cancel_requested(self, job_id: str) -> None:
        """Someone wants that job to stop."""


class EventLog(Protocol):
    """Append and read."""

    async def append(self, writes: Sequence[Write]) -> list[Receipt | None]:
        """Store all writes in one transaction, each with its job's state; None for a write that was fenced off."""

    async def read(
        self,
        key: LogKey,
        after: int,
        limit: int,
        *,
        job_id: str | None = None,
        types: Iterable[str] | None = None,
    ) -> Page:
        """Up to `limit` events (at least 1) with a seq above `after`; of one job, of some types and `done`."""

    async def head(self, key: LogKey) -> Head | None:
        """Where the log stands; None while it does not exist."""


class JobStore(Protocol):
    """The queue, the leases and the jobs' states."""

    async def submit(
        self,
        spec: JobSpec,
        *,
        room: int,
        per_user: int,
        once: IdempotencyKey | None = None,
        worker: str = "",
        lease_for: float = 0.0,
    ) -> Submitted:
        """Queue a job and log its `job_queued`; where no job waits before it, `worker` has the claim to it at once.

        A caller with a `worker` that is cancelled leaves a job that runs nowhere, as in `claim`.

        Raises `QueueFull` when `room` jobs wait already, `TooManyJobs` when the user has `per_user` active ones,
        `IdempotencyMismatch` when `once` was used with another body.
        """

    async def claim(self, worker: str, lease_for: float, most: int = 1) -> list[Claim]:
        """Lease the next jobs, up to `most`, round robin over the users who wait, and log their `job_started`.

        `worker` is a word that no other process has, nor this one before it was restarted. A caller that is cancelled
        leaves jobs that run nowhere, until another worker reclaims them.
        """

    async def renew(self, worker: str, lease_for: float) -> None:
        """Keep this worker's leases for so many seconds more."""

    async def reclaim(self, worker: str, lease_for: float) -> list[Claim]:
        """Take over the running jobs whose lease ran out, or whose worker can't be alive."""

    async def load(self, job_id: str, *, work: bool = False) -> Record | None:
        """A job; its `state.work` is filled in only when asked for."""

    async def jobs(self, which: JobFilter) -> list[Record]:
        """A page of jobs, without their work."""

    async def request_cancel(self, job_id: str) -> None:
        """Remember, across crashes, that the job shall stop."""

    async def erase(self, job_id: str) -> None:
        """Remove an ended job and its events. Raises `Conflict` while it is active, `NotFound` without one."""

    async def trim(self, read: Collection[LogKey] = ()) -> list[tuple[LogKey, str]]:
        """Remove what may not stay; the jobs that went, by log and id.

        Somebody reads the logs `read` just now, which touches them: a session that is watched does not expire.
        """

    async def queued(self) -> list[Record]:
        """The jobs that wait, in no particular order."""


class SessionStore(Protocol):
    """What is known of sessions. A log that has neither events nor jobs, as after `clear`, is an unknown session."""

    async def figures(self, key: LogKey) -> Figures | None:
        """One session's figures; None while nobody knows it."""

    async def sessions(self, limit: int) -> Sessions:
        """The figures of all, with those of the `limit` latest touched ones."""

    async def clear(self, key: LogKey) -> None:
        """Remove every event and begin the log anew, in a new epoch that remembers the old one; ended jobs stay.

        Raises `NotFound` for an unknown session, `Conflict` while a job of it is active.
        """


class Store(EventLog, JobStore, SessionStore, Protocol):
    """A whole store. `durable`: queued jobs outlive the process."""

    durable: bool

    async def open(self, listener: Listener) -> None:
        """Make it ready. Raises `StoreBusy` when another process has it, `StoreUnavailable` when nobody can open it."""

    async def close(self) -> None:
        """Store what is under way and let go."""

    async def secret(self) -> bytes:
        """32 random bytes, made once, that live as long as the store: what they sealed outlives a restart."""

    async def ping(self) -> None:
        """Raises `StoreUnavailable` when nothing can be stored now."""
