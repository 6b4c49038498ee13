"""Stores against the model: whatever happens in whatever order, log, jobs and readers stay whole."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from contextlib import AbstractAsyncContextManager
from itertools import count, product
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec import Raw

from sse_server.encoding import encode_fields
from sse_server.errors import Conflict, NotFound
from sse_server.eventlog import JobFilter, LogKey, Store, Write
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.eventlog.sqlite.holders import SETTLE
from sse_server.events import Draft
from sse_server.jobs import ACTIVE, JobSpec, new_job_id

if TYPE_CHECKING:
    from tests.eventlog.conftest import Opened
    from tests.eventlog.model.conftest import Known, Model, Reader

KEYS = [LogKey(user, session) for user, session in product(["ann", "bob"], ["s", "t"])]
TYPES = ["message", "token", "job_started"]
OLD = 10**10
"""Microseconds after which an ended job is surely too old."""

Said = tuple[str, dict[str, Any]]
agent_events: st.SearchStrategy[Said] = st.sampled_from(
    [
        ("token", {"text": "word "}),
        ("token", {"text": 5}),
        ("insight", {"text": "found"}),
        ("step_progress", {"step": "s", "pct": 50, "status": "running", "job_pct": 25}),
        ("tool_call", {"call_id": "1", "tool": "t", "arguments": {"q": 1}}),
        ("tool_result", {"call_id": "1", "tool": "t", "result": None}),
        ("usage", {"tokens_in": 1, "tokens_out": 1, "cost_usd": 0.5, "model": "m"}),
        ("own_type", {}),
    ]
)


LASTING, PAST, NEVER = 2**62, 1, 0
"""When a published event expires: not in this test, long ago, never."""
published = st.tuples(st.integers(0, 60), st.sampled_from([LASTING, NEVER, PAST]))


def draft(kind: str, fields: dict[str, Any], attempt: int = 1, *, ago: int = 0) -> Draft:
    return Draft(kind, encode_fields(fields), time.time_ns() // 1000 - ago, attempt)


class Machine(RuleBasedStateMachine):
    """All that servers do to a store, in any order."""

    model_of: type[Model]

    def opened(self, file: Path) -> AbstractAsyncContextManager[Store]:
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.model = self.model_of()
        self.readers = [self.model.reader(key) for key in KEYS]
        self.names = count(1)
        self.created = count(time.time_ns() // 1000)
        self.worker = "worker"
        self.folder = Path(mkdtemp())
        self.runner = asyncio.Runner()
        self.open(self.folder / "store.db")

    def do(self, promise: Any) -> Any:
        return self.runner.run(promise)

    def open(self, file: Path) -> None:
        self.file, self.opening = file, self.opened(file)
        self.store: Store = self.do(self.opening.__aenter__())

    def close(self) -> None:
        self.do(self.opening.__aexit__(None, None, None))

    def teardown(self) -> None:
        for reader in self.readers:
            self.follow(reader, 100)
        self.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def any_job(self, data: st.DataObject) -> Known:
        return self.model.jobs[data.draw(st.sampled_from(sorted(self.model.jobs)))]

    @rule(key=st.sampled_from(KEYS), at_once=st.booleans())
    def submit(self, key: LogKey, at_once: bool) -> None:
        created = next(self.created)
        spec = JobSpec(new_job_id(created), key.user, key.session, "echo", Raw(b"{}"), created, 60.0)
        worker = self.worker if at_once else ""
        submitted = self.do(self.store.submit(spec, room=100, per_user=100, worker=worker, lease_for=60.0))
        assert bool(submitted.claim) == (at_once and not self.model.having("queued"))
        self.model.submitted(spec, submitted)
        self.readers.append(self.model.reader(key, spec.id))

    @rule(most=st.integers(1, 3))
    def claim(self, most: int) -> None:
        self.model.claimed(self.do(self.store.claim(self.worker, 60.0, most)), most)

    @rule(data=st.data(), said=st.lists(agent_events, min_size=1, max_size=4))
    def write(self, data: st.DataObject, said: list[Said]) -> None:
        self.append(data, [draft(*one) for one in said])

    @rule(data=st.data(), status=st.sampled_from(["succeeded", "failed", "cancelled"]), ago=st.sampled_from([0, OLD]))
    def end(self, data: st.DataObject, status: str, ago: int) -> None:
        self.append(data, [draft("done", {"status": status, "finish_reason": "stop", "result": {"a": 1}}, ago=ago)])

    def append(self, data: st.DataObject, drafts: list[Draft]) -> None:
        """Whoever holds, or held, some lease writes twice at once."""
        job_id, lease = data.draw(st.sampled_from(self.model.leases))
        job = self.model.jobs.get(job_id)
        write = Write(job.key if job else KEYS[0], drafts, job_id, lease)
        for receipt in self.do(self.store.append([write, write])):
            self.model.appended(write, receipt)

    @precondition(lambda self: self.model.having("running"))
    @rule(data=st.data(), delay=st.sampled_from([0.0, 0.0, 3600.0]))
    def retry(self, data: st.DataObject, delay: float) -> None:
        job = self.model.jobs[data.draw(st.sampled_from(sorted(self.model.having("running"))))]
        fields = {"from_seq": job.state.attempt_seq, "reason": "error"}
        drafts = [draft("token", {"text": "last"}), draft("attempt_reset", fields, job.state.attempt + 1)]
        write = Write(job.key, drafts, job.spec.id, job.lease, delay)
        (receipt,) = self.do(self.store.append([write]))
        self.model.appended(write, receipt)

    @rule(key=st.sampled_from(KEYS), said=st.lists(published, min_size=1, max_size=7))
    def publish(self, key: LogKey, said: list[tuple[int, int]]) -> None:
        drafts = [
            Draft("message", encode_fields({"text": "x" * size}), time.time_ns() // 1000, expires=expires)
            for size, expires in said
        ]
        write = Write(key, drafts)
        (receipt,) = self.do(self.store.append([write]))
        self.model.appended(write, receipt)

    @rule(key=st.sampled_from(KEYS))
    def clear(self, key: LogKey) -> None:
        known, before = key in self.model.known(), self.do(self.store.head(key))
        active = any(job.state.status in ACTIVE for job in self.model.jobs_of(key))
        try:
            self.do(self.store.clear(key))
        except NotFound:
            assert not known
        except Conflict:
            assert active
        else:
            assert known
            assert not active
            self.model.cleared(key, self.do(self.store.head(key)))
            return
        assert self.do(self.store.head(key)) == before

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = self.any_job(data)
        self.do(self.store.request_cancel(job.spec.id))
        job.cancel = True

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        job = self.any_job(data)
        try:
            self.do(self.store.erase(job.spec.id))
        except Conflict:
            assert job.state.status in ACTIVE
        else:
            assert job.state.status not in ACTIVE
            self.model.erased(job.spec.id)

    @rule(read=st.just(frozenset(KEYS)) | st.frozensets(st.sampled_from(KEYS)))
    def trim(self, read: frozenset[LogKey]) -> None:
        at = time.time_ns() // 1000
        ended = [(job.state.done, job) for job in self.model.jobs.values()]
        old = {job.spec.id: job.key for done, job in ended if done and done.event.time < at - OLD // 2}
        gone = self.do(self.store.trim(read))
        assert sorted(gone, key=str) == sorted(((key, job_id) for job_id, key in old.items()), key=str)
        self.model.trimmed(read, old, at)

    @rule()
    def lose_the_worker(self) -> None:
        self.worker = f"worker {next(self.names)}"
        self.model.taken_over(self.do(self.store.reclaim(self.worker, 60.0)))

    @rule(data=st.data(), limit=st.integers(1, 5), types=st.none() | st.frozensets(st.sampled_from(TYPES)))
    def read(self, data: st.DataObject, limit: int, types: frozenset[str] | None) -> None:
        self.follow(data.draw(st.sampled_from(self.readers)), limit, types)

    def follow(self, reader: Reader, limit: int, types: frozenset[str] | None = None) -> None:
        page = self.do(self.store.read(reader.key, reader.after, limit, job_id=reader.job_id, types=types))
        self.model.read(reader, page, limit, types)

    @precondition(lambda self: self.store.durable)
    @rule()
    def restart(self) -> None:
        self.close()
        self.open(self.file)

    @precondition(lambda self: self.store.durable)
    @rule()
    def crash(self) -> None:
        """What is on the disk now is what a dead process leaves."""
        left = self.folder / f"{next(self.names)}.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.file}{suffix}", f"{left}{suffix}")
        self.close()
        self.open(left)

    @precondition(lambda self: self.store.durable)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        """A transaction is rolled back, with what others wrote in it: they get another one."""
        job_id, lease = data.draw(st.sampled_from(self.model.leases))
        job = self.model.jobs.get(job_id)
        write = Write(job.key if job else KEYS[0], [draft("token", {"text": "word "})], job_id, lease)
        first, fault, second = self.do(self.beside_a_fault(write))
        assert isinstance(fault, ZeroDivisionError)
        for (receipt,) in (first, second):
            self.model.appended(write, receipt)

    async def beside_a_fault(self, write: Write) -> list[Any]:
        def fault(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE logs SET last = last + 1")
            raise ZeroDivisionError

        assert isinstance(self.store, SqliteStore)
        doing = (self.store.append([write]), self.store._write(fault), self.store.append([write]))
        return list(await asyncio.gather(*doing, return_exceptions=True))

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        for job_id in self.model.jobs:
            self.model.shows(job_id, self.do(self.store.load(job_id, work=True)))
        for key in KEYS:
            self.model.stands(key, self.do(self.store.head(key)))
            self.model.is_honest(key, self.do(self.store.read(key, 0, 1000)))
            self.model.counts(key, self.do(self.store.figures(key)))
        self.model.sums_up(self.do(self.store.sessions(3)), 3)
        for user in ("ann", "bob"):
            mine = [job_id for job_id, job in self.model.jobs.items() if job.spec.user == user]
            listed = self.do(self.store.jobs(JobFilter(user, limit=100)))
            assert [record.spec.id for record in listed] == sorted(mine, reverse=True)
        waiting = {record.spec.id for record in self.do(self.store.queued())}
        assert waiting == self.model.having("queued")


@pytest.fixture(params=[SETTLE, 3])
def settle(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """After how many events a log in SQLite is settled."""
    monkeypatch.setattr("sse_server.eventlog.sqlite.gathered.SETTLE", request.param)


@pytest.mark.usefixtures("settle")
@pytest.mark.parametrize(("kind", "examples"), [("memory", 40), ("sqlite", 20)])
def test_a_store_does_what_the_model_does(kind: str, examples: int, opened: Opened, model: type[Model]) -> None:

    class ThisStore(Machine):
        model_of = model

        def opened(self, file: Path) -> AbstractAsyncContextManager[Store]:
            return opened(kind, path=file, retention=model.retention)

    run_state_machine_as_test(ThisStore, settings=settings(max_examples=examples, stateful_step_count=40))
