"""A store in a few lines: what must be true after each thing that happened to a real one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import count

import pytest
from msgspec import Struct, field

from sse_server.eventlog import (
    Claim,
    Figures,
    Head,
    LogKey,
    Page,
    Receipt,
    Record,
    Retention,
    Sessions,
    Submitted,
    Write,
)
from sse_server.events import Draft, Event
from sse_server.jobs import ACTIVE, JobSpec, JobState, fold
from tests.eventlog.model.log import Log, is_over, micros

KEEP = 8
"""Events of a job: a tenth more would be none more."""


class Known(Struct):
    """A job with all its events ever; `later`: its next attempt may not begin now."""

    spec: JobSpec
    epoch: str
    history: list[Event] = field(default_factory=list)
    lease: str = ""
    later: bool = False
    cancel: bool = False

    @property
    def key(self) -> LogKey:
        return LogKey(self.spec.user, self.spec.session)

    @property
    def state(self) -> JobState:
        return fold(self.history)


class Reader(Struct):
    """One who follows a log, or one job's events of it, and has passed the seq `after`."""

    key: LogKey
    job_id: str | None = None
    epoch: str = ""
    after: int = 0


class Model:
    """Told what happened and what the store said to it, it objects to what can't be."""

    retention = Retention(
        age=3600, max_job_events=KEEP, max_history=5, session_ttl=0, history_warning=300, history_critical=600
    )

    def __init__(self) -> None:
        self.logs: dict[LogKey, Log] = {}
        self.jobs: dict[str, Known] = {}
        self.leases: list[tuple[str, str]] = [("job_unknown", "")]
        self.epochs: set[str] = set()
        self._arrivals = count()

    def having(self, *statuses: str) -> set[str]:
        """The ids of the jobs in one of these states."""
        return {job_id for job_id, job in self.jobs.items() if job.state.status in statuses}

    def jobs_of(self, key: LogKey) -> list[Known]:
        return [job for job in self.jobs.values() if job.key == key]

    def known(self) -> set[LogKey]:
        """The sessions that somebody knows."""
        return {key for key, log in self.logs.items() if log.last or self.jobs_of(key)}

    def reader(self, key: LogKey, job_id: str | None = None) -> Reader:
        return Reader(key, job_id)

    def submitted(self, spec: JobSpec, submitted: Submitted) -> None:
        assert submitted.receipt
        job = self.jobs[spec.id] = Known(spec, submitted.receipt.epoch)
        self._stored(job.key, job, submitted.drafts, submitted.receipt)
        self.leases.append((spec.id, ""))
        if submitted.claim:
            self._leased(submitted.claim)

    def claimed(self, claims: Sequence[Claim], most: int) -> None:
        ready = {job_id for job_id in self.having("queued") if not self.jobs[job_id].later}
        assert len(claims) == min(most, len(ready))
        for claim in claims:
            ready.remove(claim.record.spec.id)
            assert claim.draft
            job = self.jobs[claim.record.spec.id]
            self._stored(job.key, job, [claim.draft], claim.receipt)
            self._leased(claim)

    def taken_over(self, claims: Sequence[Claim]) -> None:
        assert {claim.record.spec.id for claim in claims} == self.having("running")
        for claim in claims:
            self._leased(claim)

    def _leased(self, claim: Claim) -> None:
        job = self.jobs[claim.record.spec.id]
        job.lease = claim.lease
        self.leases.append((job.spec.id, claim.lease))
        assert claim.record.state.attempt == job.state.attempt

    def appended(self, write: Write, receipt: Receipt | None) -> None:
        """The fence: only the holder of the lease of an active job writes."""
        job = self.jobs.get(write.job_id)
        if write.job_id and (job is None or job.lease != write.lease or job.state.status not in ACTIVE):
            assert receipt is None
            return
        self._stored(write.key, job, write.drafts, receipt)
        if job and write.drafts[-1].type in {"attempt_reset", "done"}:
            job.lease, job.later = "", write.delay > 0

    def _stored(self, key: LogKey, job: Known | None, drafts: Sequence[Draft], receipt: Receipt | None) -> None:
        """Densely behind what was there; what there is no room for any more goes at once."""
        assert receipt is not None
        if key not in self.logs:
            self._begun(key, receipt.epoch)
        log = self.logs[key]
        assert (receipt.epoch, receipt.first) == (log.epoch, log.last + 1)
        for seq, draft in enumerate(drafts, receipt.first):
            expires = 0 if job else draft.expires
            event = Event(seq, draft.type, job.spec.id if job else "", draft.attempt, draft.time, draft.body, expires)
            log.events[seq] = log.ever[seq] = event
            log.arrived[seq] = next(self._arrivals)
            if job:
                job.history.append(event)
        log.last += len(drafts)
        log.touched = drafts[0].time if not job else log.touched
        if job is None:
            excess = len(log.published) - self.retention.max_history
            log.evict(log.published[: max(0, excess)])
        elif len(mine := [seq for seq, event in log.events.items() if event.job_id == job.spec.id]) > KEEP:
            log.trimmed = sorted(mine)[-KEEP] - 1
            log.events = {seq: event for seq, event in log.events.items() if seq > log.trimmed}

    def _begun(self, key: LogKey, epoch: str) -> Log:
        assert epoch not in self.epochs
        self.epochs.add(epoch)
        log = self.logs[key] = Log(epoch)
        return log

    def erased(self, job_id: str, read: Collection[LogKey] = ()) -> None:
        """A log that has neither jobs nor events goes with its last job, unless somebody reads it."""
        key = self.jobs.pop(job_id).key
        log = self.logs[key]
        log.events = {seq: event for seq, event in log.events.items() if event.job_id != job_id}
        log.ever = {seq: event for seq, event in log.ever.items() if event.job_id != job_id}
        if not log.events and not self.jobs_of(key) and key not in read:
            del self.logs[key]

    def cleared(self, key: LogKey, head: Head | None) -> None:
        """A new epoch that remembers the old one; ended jobs are all that is left."""
        assert head
        before = self.logs[key]
        self._begun(key, head.epoch).cleared = before.epoch

    def trimmed(self, read: Collection[LogKey], old: Collection[str], at: int) -> None:
        """After a trim that began at `at` and took the `old` jobs."""
        for log in self.logs.values():
            log.events = {seq: event for seq, event in log.events.items() if not is_over(event)}
        self._thin_out()
        for key, log in list(self.logs.items()):
            if key in read:
                log.touched = at
            elif not any(job.state.status in ACTIVE for job in self.jobs_of(key)):
                log.evict(log.published)
                if not self.jobs_of(key):
                    del self.logs[key]
        for job_id in old:
            self.erased(job_id, read)

    def _thin_out(self) -> None:
        """The events that came first, of whichever session."""
        if sum(log.bytes for log in self.logs.values()) > self.retention.history_critical:
            while sum(log.bytes for log in self.logs.values()) > self.retention.history_warning:
                first = [(log.arrived[log.published[0].seq], log) for log in self.logs.values() if log.published]
                log = min(first, key=lambda one: one[0])[1]
                log.evict(log.published[:1])

    def read(self, reader: Reader, page: Page, limit: int, types: Collection[str] | None = None) -> None:
        """Everything kept behind the cursor that is not past its time, once and in order."""
        log = self.logs.get(reader.key)
        if log is None:
            assert (page.head, page.events, page.passed) == (None, [], 0)
            return
        self.stands(reader.key, page.head)
        if reader.epoch != log.epoch:
            reader.epoch, reader.after = log.epoch, 0
            return
        due = [
            event
            for seq, event in sorted(log.events.items())
            if seq > reader.after
            and not is_over(event)
            and reader.job_id in {None, event.job_id}
            and (types is None or event.type in {*types, "done"})
        ]
        assert page.events == due[:limit]
        assert page.passed == (due[limit - 1].seq if len(due) >= limit else log.last)
        reader.after = page.passed

    def stands(self, key: LogKey, head: Head | None) -> None:
        log = self.logs.get(key)
        assert head == (log.head if log else None)

    def is_honest(self, key: LogKey, page: Page) -> None:
        """What a reader of the whole log doesn't get is gone for a reason, and the head tells of it."""
        log, head = self.logs.get(key), page.head
        if log is None or head is None:
            return
        seen = {event.seq for event in page.events}
        lost = {seq: event for seq, event in log.ever.items() if seq not in seen and not is_over(event)}
        assert all(seq <= max(head.trimmed, 0 if event.job_id else head.evicted) for seq, event in lost.items())
        assert all(event.seq > (head.trimmed if event.job_id else head.evicted) for event in page.events)
        assert sum(not event.job_id for event in page.events) <= self.retention.max_history

    def counts(self, key: LogKey, figures: Figures | None) -> None:
        """A session's figures are those of what is kept."""
        log = self.logs.get(key)
        if log is None or key not in self.known():
            assert figures is None
            return
        assert figures
        expected = Figures(key, len(log.events), log.bytes, log.last, len(self.jobs_of(key)), figures.touched)
        assert figures == expected
        assert log.touched <= figures.touched <= micros()

    def sums_up(self, sessions: Sessions, limit: int) -> None:
        """All known sessions, and the latest of them."""
        logs = [self.logs[key] for key in self.known()]
        assert (sessions.total, sessions.events) == (len(logs), sum(len(log.events) for log in logs))
        assert sessions.bytes == sum(log.bytes for log in logs)
        assert len(sessions.latest) == min(limit, len(logs))
        touched = [figures.touched for figures in sessions.latest]
        assert touched == sorted(touched, reverse=True)
        for figures in sessions.latest:
            self.counts(figures.key, figures)

    def shows(self, job_id: str, record: Record | None) -> None:
        """A job is the fold of its events, however it is stored, and wherever they went."""
        assert record
        job, log = self.jobs[job_id], self.logs[self.jobs[job_id].key]
        assert record.state == job.state
        assert (record.spec.id, record.cancel_requested) == (job_id, job.cancel)
        assert (record.epoch, record.head) == (job.epoch, log.head)
        done = job.state.done
        assert record.done_is_gone == bool(done and (job.epoch != log.epoch or done.event.seq not in log.events))
        assert sum(event.type == "done" for event in job.history) <= 1


@pytest.fixture
def model() -> type[Model]:
    return Model
