"""What goes into a store, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sse_server.events import START, Draft, Event, EventId
from sse_server.jobs import JobSpec, JobState

SCAN_LIMIT: Final = 5000
"""Events that one read looks at, however few of them its filter lets through."""
PAGE_BYTES: Final = 2 * 1024 * 1024
"""A page ends with the event that takes its bodies past this, however many events were asked for."""
LAST_OF_WRITE: Final = frozenset({"attempt_reset", "done"})
"""Behind these their writer has lost its lease."""


class LogKey(Struct, frozen=True, gc=False, cache_hash=True):
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
        drafts = self.drafts
        if len(drafts) == 1:
            return  # most writes
        if not drafts or (self.job_id and not LAST_OF_WRITE.isdisjoint([draft.type for draft in drafts[:-1]])):
            raise ValueError("a write has events, and none behind its job's end")


def events_of(write: Write, first: int) -> list[Event]:
    """A write's drafts as the events that they become, the first of them with the seq `first`; a job's never expire."""
    job_id, seq = write.job_id, first
    events = []
    for draft in write.drafts:  # most often there is one, and a comprehension would cost more than its event
        expires = 0 if job_id else draft.expires
        events.append(Event(seq, draft.type, job_id, draft.attempt, draft.time, draft.body, expires))
        seq += 1
    return events


class Receipt(Struct, frozen=True, gc=False):
    """The log took a write: its first event has `seq` `first`, the others follow densely.

    `events` are the same, from a store that has them at hand.
    """

    epoch: str
    first: int
    events: Sequence[Event] = ()


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
    def as_queued(self) -> Record:
        """The same job behind its first event."""
        first = self.state.first
        before = replace(self.head, last=first) if self.head else None
        return replace(self, state=JobState(first=first, last=first, work=self.state.work), head=before)

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


class Claim(Struct, frozen=True):
    """The right to run one attempt. `receipt` is of its `job_started`; None: that came with a start, or long ago."""

    record: Record
    lease: str
    receipt: Receipt | None = None
    draft: Draft | None = None


class Submitted(Struct, frozen=True):
    """The job that a start leads to, as it was queued, and the claim to it, where it need not wait.

    `drafts` are its `job_queued`, and with a claim its `job_started`; no `receipt`: an earlier start's job, replayed.
    """

    record: Record
    receipt: Receipt | None
    drafts: Sequence[Draft] = ()
    claim: Claim | None = None


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
