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
from typing import Final, Protocol

from msgspec import Struct

from sse_server.events import START, Draft, Event, EventId
from sse_server.jobs import JobSpec, JobState

__all__ = [
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
]

SCAN_LIMIT: Final = 5000
"""Events that one read looks at, however few of them its filter lets through."""
PAGE_BYTES: Final = 2 * 1024 * 1024
"""A page ends with the event that takes its bodies past this, however many events were asked for."""
LAST_OF_WRITE: Final = frozenset({"attempt_reset", "done"})
"""Behind these their writer has lost its lease."""


class LogKey(Struct, frozen=True, gc=False):
    """A log's name: sessions are named within a user."""

    user: str
    session: str


class Head(Struct, frozen=True, gc=False):
    """Where a log stands: `last` is its latest seq, `trimmed` ends the prefix that retention removed (0 = none).

    `evicted` is the highest seq of a published event that a history limit removed before its time; `trimmed` reaches it
    where no job's event stands below. `cleared` is the epoch that the log had before it was cleared last.
    """

    epoch: str
    trimmed: int
    last: int
    evicted: int = 0
    cleared: str = ""

    @property
    def id(self) -> EventId:
        """The cursor behind all that is there."""
        return EventId(self.epoch, self.last)


class Page(Struct, frozen=True):
    """Events in order. `passed` is the highest seq looked at: where the next read goes on. No head: no such log."""

    head: Head | None
    events: list[Event]
    passed: int


class Write(Struct, frozen=True):
    """Events for one log, at least one; those of a job carry its id and the lease of who writes.

    Without a job they are published events: anybody's, and bounded by the session's history and their own `expires`.

    `delay` is for an `attempt_reset`: seconds before the job may be claimed again. Like `done` it comes last.
    """

    key: LogKey
    drafts: Sequence[Draft]
    job_id: str = ""
    lease: str = ""
    delay: float = 0.0

    def __post_init__(self) -> None:
        if not self.drafts or (self.job_id and any(draft.type in LAST_OF_WRITE for draft in self.drafts[:-1])):
            raise ValueError("a write has events, and none behind its job's end")


class Receipt(Struct, frozen=True, gc=False):
    """The log took a write: its first event has `seq` `first`, the others follow densely."""

    epoch: str
    first: int


class Record(Struct, frozen=True):
    """A job as the store holds it. `head` is its log's at the moment of reading, None once the log is gone."""

    spec: JobSpec
    state: JobState
    epoch: str
    head: Head | None
    cancel_requested: bool = False

    @property
    def begin(self) -> EventId:
        """The cursor before every event kept: behind what retention removed, and not before the job's own first."""
        if self.head is None or self.head.epoch != self.epoch:
            return START
        return EventId(self.epoch, max(self.head.trimmed, self.state.first - 1))

    @property
    def standpoint(self) -> EventId:
        """Where a snapshot of the job stands: at the log's head; once it has ended, just before its `done`."""
        if self.state.done:
            return EventId(self.epoch, self.state.done.event.seq - 1)
        return self.head.id if self.head else START

    @property
    def done_is_gone(self) -> bool:
        """Whether the log no longer has the job's `done`: it was trimmed, cleared or begun anew. The job keeps it."""
        if self.state.done is None:
            return False
        head = self.head
        return head is None or head.epoch != self.epoch or self.state.done.event.seq <= head.trimmed

    def is_past_done(self, cursor: EventId | None) -> bool:
        """Whether a reader there has seen the job's end."""
        done = self.state.done
        return bool(done and cursor and cursor.epoch == self.epoch and cursor.seq >= done.event.seq)


class IdempotencyKey(Struct, frozen=True):
    """A client's key, scoped to user and route; `digest` is that of the request's body."""

    user: str
    route: str
    key: str
    digest: bytes


class Submitted(Struct, frozen=True):
    """The job that a start leads to. `receipt` is that of `job_queued`; None: an earlier start's job, replayed."""

    record: Record
    receipt: Receipt | None
    draft: Draft | None = None


class Claim(Struct, frozen=True):
    """The right to run one attempt. `receipt` is that of the attempt's `job_started`, None for a reclaimed job."""

    record: Record
    lease: str
    receipt: Receipt | None = None
    draft: Draft | None = None


class JobFilter(Struct, frozen=True, omit_defaults=True):
    """Which jobs of a user a listing shows, newest first (by id), those older than `before`, which may be gone."""

    user: str
    status: str | None = None
    agent: str | None = None
    session: str | None = None
    before: str | None = None
    limit: int = 50


class Retention(Struct, frozen=True):
    """What may stay.

    Ended jobs stay for `age` seconds since their end, as long as the store has less than `max_bytes`; of an active
    job's events the latest `max_job_events`; an idempotency key for `idempotency` seconds.

    Of a session's published events the latest `max_history` stay; once those of all sessions have more than
    `history_critical` bytes the oldest go until `history_warning` bytes are left. A session without jobs goes
    `session_ttl` seconds after its latest event or reader; one with ended jobs only loses what was published.
    """

    age: float = 86_400.0
    max_bytes: int = 2**31
    max_job_events: int = 100_000
    idempotency: float = 86_400.0
    max_history: int = 500
    session_ttl: float = 1800.0
    history_warning: int = 100 * 2**20
    history_critical: int = 250 * 2**20


class Figures(Struct, frozen=True):
    """What a session holds: kept `events` (published ones and those of its jobs), and the `bytes` of the published.

    `touched` is when its latest event came, or a reader was last seen there, in Unix microseconds.
    """

    key: LogKey
    events: int
    bytes: int
    last: int
    jobs: int
    touched: int


class Sessions(Struct, frozen=True):
    """All sessions added up, and the `latest` touched ones, latest first."""

    total: int
    events: int
    bytes: int
    latest: list[Figures]


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

    async def submit(self, spec: JobSpec, *, room: int, per_user: int, once: IdempotencyKey | None = None) -> Submitted:
        """Queue a job and log its `job_queued`.

        Raises `QueueFull` when `room` jobs wait already, `TooManyJobs` when the user has `per_user` active ones,
        `IdempotencyMismatch` when `once` was used with another body.
        """

    async def claim(self, worker: str, lease_for: float) -> Claim | None:
        """Lease the next job, round robin over the users who wait, and log its `job_started`.

        `worker` is a word that no other process has, nor this one before it was restarted. A caller that is cancelled
        leaves a job that runs nowhere, until another worker reclaims it.
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
