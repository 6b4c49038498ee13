"""A store in a few lines: what must be true after each thing that happened to a real one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec import Struct, field

from sse_server.eventlog import Claim, Head, LogKey, Page, Receipt, Record, Retention, Write
from sse_server.events import Draft, Event
from sse_server.jobs import ACTIVE, JobSpec, JobState, fold

KEEP = 8


class Log(Struct):
    """All events that a log ever had but those of erased jobs."""

    epoch: str
    last: int = 0
    trimmed: int = 0
    events: dict[int, Event] = field(default_factory=dict)


class Known(Struct):
    """A job with all its events ever; `later`: its next attempt may not begin now."""

    spec: JobSpec
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

    retention = Retention(age=3600, max_job_events=KEEP)

    def __init__(self) -> None:
        self.logs: dict[LogKey, Log] = {}
        self.jobs: dict[str, Known] = {}
        self.leases: list[tuple[str, str]] = [("job_unknown", "")]

    def having(self, *statuses: str) -> set[str]:
        """The ids of the jobs in one of these states."""
        return {job_id for job_id, job in self.jobs.items() if job.state.status in statuses}

    def reader(self, key: LogKey, job_id: str | None = None) -> Reader:
        return Reader(key, job_id)

    def submitted(self, spec: JobSpec, draft: Draft | None, receipt: Receipt | None) -> None:
        assert draft
        job = self.jobs[spec.id] = Known(spec)
        self._stored(job.key, job, [draft], receipt)
        self.leases.append((spec.id, ""))

    def claimed(self, claim: Claim | None) -> None:
        ready = {job_id for job_id in self.having("queued") if not self.jobs[job_id].later}
        if claim is None:
            assert not ready
            return
        assert claim.record.spec.id in ready
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
        """Densely behind what was there."""
        assert receipt is not None
        log = self.logs.setdefault(key, Log(receipt.epoch))
        assert (receipt.epoch, receipt.first) == (log.epoch, log.last + 1)
        for seq, draft in enumerate(drafts, receipt.first):
            event = Event(seq, draft.type, job.spec.id if job else "", draft.attempt, draft.time, draft.body)
            log.events[seq] = event
            if job:
                job.history.append(event)
        log.last += len(drafts)

    def erased(self, job_id: str) -> None:
        """A log that has neither jobs nor events goes with its last job."""
        key = self.jobs.pop(job_id).key
        log = self.logs[key]
        log.events = {seq: event for seq, event in log.events.items() if event.job_id != job_id}
        kept = any(seq > log.trimmed for seq in log.events)
        if not kept and all(job.key != key for job in self.jobs.values()):
            del self.logs[key]

    def read(self, reader: Reader, page: Page, limit: int) -> None:
        """Everything behind the cursor, once and in order, or a gap that the head tells of."""
        log = self.logs.get(reader.key)
        if log is None:
            assert (page.head, page.events, page.passed) == (None, [], 0)
            return
        self.stands(reader.key, page.head)
        if reader.epoch != log.epoch:
            reader.epoch, reader.after = log.epoch, 0
            return
        behind = max(reader.after, log.trimmed)
        due = [
            event for seq, event in sorted(log.events.items()) if seq > behind and reader.job_id in {None, event.job_id}
        ]
        assert page.events == due[:limit]
        assert page.passed == (due[limit - 1].seq if len(due) >= limit else log.last)
        reader.after = page.passed

    def stands(self, key: LogKey, head: Head | None) -> None:
        """A log is trimmed only by a flood of one job, and only down to that job's latest events."""
        log = self.logs.get(key)
        if log is None:
            assert head is None
            return
        assert head
        assert (head.epoch, head.last) == (log.epoch, log.last)
        assert log.trimmed <= head.trimmed < head.last
        kept = [sum(e.seq > head.trimmed for e in job.history) for job in self.jobs.values() if job.key == key]
        assert max(kept, default=0) <= KEEP + KEEP // 10
        assert head.trimmed == log.trimmed or max(kept) == KEEP
        log.trimmed = head.trimmed

    def shows(self, job_id: str, record: Record | None) -> None:
        """A job is the fold of its events, however it is stored."""
        assert record
        job = self.jobs[job_id]
        assert record.state == job.state
        assert (record.spec.id, record.cancel_requested) == (job_id, job.cancel)
        assert record.head
        assert record.epoch == record.head.epoch == self.logs[job.key].epoch
        assert sum(event.type == "done" for event in job.history) <= 1


@pytest.fixture
def model() -> type[Model]:
    return Model
