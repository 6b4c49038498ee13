"""The store that keeps everything in this process: for development, tests, and where a restart may lose jobs."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sse_server.errors import Conflict, IdempotencyMismatch, NotFound, QueueFull, TooManyJobs
from sse_server.eventlog import (
    PAGE_BYTES,
    SCAN_LIMIT,
    Claim,
    Figures,
    Head,
    IdempotencyKey,
    JobFilter,
    Listener,
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
from sse_server.eventlog.history import is_over
from sse_server.eventlog.memory import sessions
from sse_server.eventlog.memory.log import Log
from sse_server.eventlog.memory.queue import Entry, Queue
from sse_server.eventlog.order import new_epoch, new_lease, now, queued, started
from sse_server.events import Event
from sse_server.jobs import JobSpec, JobState, Work


class _Once(Struct):
    digest: bytes
    job_id: str
    until: int


class MemoryStore:
    """Implements `Store`. Nothing in it ever waits, so each method is atomic on the loop."""

    durable = False

    def __init__(self, retention: Retention | None = None) -> None:
        self._secret = os.urandom(32)
        self._retention = retention or Retention()
        self._most_events = self._retention.max_job_events * 11 // 10
        self._logs: dict[LogKey, Log] = {}
        self._jobs: dict[str, Entry] = {}
        self._queue = Queue()
        self._once: dict[tuple[str, str, str], _Once] = {}
        self._active: Counter[str] = Counter()
        self._submitted = 0

    async def open(self, listener: Listener) -> None:
        """Nobody else can reach this store: the listener never hears anything."""

    async def close(self) -> None:
        """Nothing outlives the process."""

    async def secret(self) -> bytes:
        return self._secret

    async def ping(self) -> None:
        """Always there."""

    async def append(self, writes: Sequence[Write]) -> list[Receipt | None]:
        at = now()
        return [self._append_to_job(write, at) if write.job_id else self._publish(write, at) for write in writes]

    def _append_to_job(self, write: Write, at: int) -> Receipt | None:
        entry = self._jobs.get(write.job_id)
        if entry is None or entry.lease != write.lease or entry.state.done:
            return None
        eventlog = entry.eventlog
        first = eventlog.last + 1
        events = events_of(write, first)
        eventlog.add(events, at)
        if entry.add(events):
            self._advance(entry, write.delay)
        if entry.events > self._most_events:
            mine = [event.seq for event in eventlog.events if event.job_id == write.job_id]
            self._trim_log(eventlog, mine[-self._retention.max_job_events] - 1)
        return Receipt(eventlog.epoch, first, events)

    def _publish(self, write: Write, at: int) -> Receipt:
        eventlog = self._open_log(write.key)
        first = eventlog.last + 1
        events = events_of(write, first)
        eventlog.publish(events, at)
        if (excess := len(eventlog.published) - self._retention.max_history) > 0:
            eventlog.evict(excess, at)
        return Receipt(eventlog.epoch, first, events)

    def _open_log(self, key: LogKey) -> Log:
        return self._logs.get(key) or self._logs.setdefault(key, Log(new_epoch()))

    def _advance(self, entry: Entry, delay: float) -> None:
        """Give the job the place that its new state means."""
        self._queue.leave(entry)
        if entry.state.status != "running":
            entry.lease = entry.worker = ""
        if entry.state.done:
            entry.eventlog.active -= 1
            self._active[entry.spec.user] -= 1
            if not self._active[entry.spec.user]:
                del self._active[entry.spec.user]
        elif entry.state.status == "queued":
            entry.ready_at = now() + int(delay * 1e6)
            self._queue.join(entry)

    def _trim_log(self, eventlog: Log, seq: int) -> None:
        """Remove the log's prefix up to `seq`."""
        for event in eventlog.trim(seq):
            if owner := self._jobs.get(event.job_id):
                owner.events -= 1
                owner.bytes -= len(event.body)

    async def queued(self) -> list[Record]:
        return [self._record(entry) for entry in self._queue]

    async def read(
        self,
        key: LogKey,
        after: int,
        limit: int,
        *,
        job_id: str | None = None,
        types: Iterable[str] | None = None,
    ) -> Page:
        eventlog = self._logs.get(key)
        if eventlog is None:
            return Page(None, [], 0)
        start = eventlog.after(after)
        wanted = frozenset(types) | {"done"} if types is not None else None
        events: list[Event] = []
        passed, size, at = max(after, eventlog.trimmed), 0, now()
        for event in eventlog.events[start : start + SCAN_LIMIT]:
            passed = event.seq
            if (job_id is not None and event.job_id != job_id) or (wanted is not None and event.type not in wanted):
                continue
            if event.expires and is_over(event.expires, at):  # most never expire, and a call costs more than a look
                continue
            events.append(event)
            size += len(event.body)
            if len(events) == limit or size > PAGE_BYTES:
                break
        else:
            if start + SCAN_LIMIT >= len(eventlog.events):
                passed = max(passed, eventlog.last)
        return Page(eventlog.head, events, passed)

    async def head(self, key: LogKey) -> Head | None:
        return self._logs[key].head if key in self._logs else None

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
        if once and (earlier := self._earlier(once)):
            return Submitted(self._record(earlier), None)
        if (waiting := len(self._queue)) >= room:
            raise QueueFull("the queue is full; try again soon", retry_after=1)
        if self._active[spec.user] >= per_user:
            raise TooManyJobs(f"{per_user} of your jobs are active already", retry_after=5)
        key = LogKey(spec.user, spec.session)
        eventlog = self._open_log(key)
        self._submitted += 1
        entry = Entry(self._submitted, spec, key, eventlog, JobState(), eventlog.epoch, bytes=len(bytes(spec.input)))
        eventlog.jobs += 1
        eventlog.active += 1
        self._jobs[spec.id] = entry
        self._active[spec.user] += 1
        if once:
            until = now() + int(self._retention.idempotency * 1e6)
            self._once[once.user, once.route, once.key] = _Once(once.digest, spec.id, until)
        drafts = [queued(spec, waiting)]
        if worker and not waiting:
            drafts.append(started(spec, entry.state.attempt))
            entry.lease, entry.worker = new_lease(), worker
        receipt = self._append_to_job(Write(key, drafts, spec.id, entry.lease), drafts[0].time)
        record = self._record(entry)
        return Submitted(record.as_queued, receipt, drafts, Claim(record, entry.lease) if entry.lease else None)

    def _earlier(self, once: IdempotencyKey) -> Entry | None:
        known = self._once.get((once.user, once.route, once.key))
        entry = self._jobs.get(known.job_id) if known and known.until > now() else None
        if known and entry and known.digest != once.digest:
            raise IdempotencyMismatch("this Idempotency-Key was used with another body")
        return entry

    async def claim(self, worker: str, lease_for: float, most: int = 1) -> list[Claim]:
        claims: list[Claim] = []
        while len(claims) < most and (entry := self._queue.next()):
            claims.append(self._claim(entry, worker))
        return claims

    def _claim(self, entry: Entry, worker: str) -> Claim:
        draft = started(entry.spec, entry.state.attempt)
        receipt = self._append_to_job(Write(entry.key, [draft], entry.spec.id), draft.time)
        entry.lease, entry.worker = new_lease(), worker
        return Claim(self._record(entry), entry.lease, receipt, draft)

    async def renew(self, worker: str, lease_for: float) -> None:
        """One process: its leases last as long as it does."""

    async def reclaim(self, worker: str, lease_for: float) -> list[Claim]:
        lost = [
            e
            for e in self._jobs.values()
            if e.state.status == "running" and e.worker != worker  # one process: another worker is a dead one
        ]
        for entry in lost:
            entry.lease, entry.worker = new_lease(), worker
        return [Claim(self._record(entry), entry.lease) for entry in lost]

    async def load(self, job_id: str, *, work: bool = False) -> Record | None:
        entry = self._jobs.get(job_id)
        return self._record(entry, work=work) if entry else None

    def _record(self, entry: Entry, *, work: bool = False) -> Record:
        if work:
            entry.fold()
        told = msgspec.json.decode(msgspec.json.encode(entry.state.work), type=Work) if work else Work()
        head = eventlog.head if (eventlog := self._logs.get(entry.key)) else None
        return Record(entry.spec, replace(entry.state, work=told), entry.epoch, head, entry.cancel_requested)

    async def jobs(self, which: JobFilter) -> list[Record]:
        found = (entry for entry in self._jobs.values() if entry.matches(which))
        return [self._record(entry) for entry in heapq.nlargest(which.limit, found, key=lambda entry: entry.spec.id)]

    async def request_cancel(self, job_id: str) -> None:
        if entry := self._jobs.get(job_id):
            entry.cancel_requested = True

    async def erase(self, job_id: str) -> None:
        entry = self._jobs.get(job_id)
        if entry is None:
            raise NotFound("no such job")
        if not entry.state.done:
            raise Conflict("the job is active; cancel it first")
        self._erase(entry)

    def _erase(self, entry: Entry, read: Collection[LogKey] = ()) -> None:
        """Its log goes with the last job, unless somebody reads it."""
        del self._jobs[entry.spec.id]
        eventlog = self._logs[entry.key]
        eventlog.events = [event for event in eventlog.events if event.job_id != entry.spec.id]
        eventlog.jobs -= 1
        if not eventlog.events and not eventlog.jobs and entry.key not in read:
            del self._logs[entry.key]

    async def trim(self, read: Collection[LogKey] = ()) -> list[tuple[LogKey, str]]:
        at, read = now(), frozenset(read)
        sessions.trim(self._logs, read, self._retention, at)
        self._once = {k: o for k, o in self._once.items() if o.until > at and o.job_id in self._jobs}
        oldest = at - int(self._retention.age * 1e6)
        size = sum(held.bytes for held in self._logs.values()) + sum(held.bytes for held in self._jobs.values())
        gone = []
        ended = [(e.state.done.event.time, e) for e in self._jobs.values() if e.state.done]
        for time, entry in sorted(ended, key=itemgetter(0)):
            if time >= oldest and size <= self._retention.max_bytes:
                break
            self._erase(entry, read)
            size -= entry.bytes
            gone.append((entry.key, entry.spec.id))
        return gone

    async def figures(self, key: LogKey) -> Figures | None:
        eventlog = self._logs.get(key)
        return sessions.figures(key, eventlog) if eventlog and eventlog.is_known else None

    async def sessions(self, limit: int) -> Sessions:
        return sessions.everybody(self._logs, limit)

    async def clear(self, key: LogKey) -> None:
        eventlog = self._logs.get(key)
        if eventlog is None or not eventlog.is_known:
            raise NotFound("no such session")
        if eventlog.active:
            raise Conflict("a job of the session is active; cancel it first")
        self._trim_log(eventlog, eventlog.last)
        self._logs[key] = Log(new_epoch(), cleared=eventlog.epoch, touched=now(), jobs=eventlog.jobs)
