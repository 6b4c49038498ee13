"""One suite for all stores: `store` is each of them in turn, `bench` says in short words what a server does to it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from sse_server.encoding import encode_fields
from sse_server.eventlog import (
    Claim,
    Figures,
    Head,
    IdempotencyKey,
    LogKey,
    Receipt,
    Record,
    Retention,
    Store,
    Submitted,
    Write,
)
from sse_server.eventlog.memory import MemoryStore
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.events import Draft, Event
from sse_server.jobs import JobSpec, new_job_id

STORES = ["memory", "sqlite"]
Opened = Callable[..., AbstractAsyncContextManager[Store]]


class Nobody:
    """Hears of other processes, and there are none."""

    def log_changed(self, key: LogKey) -> None:
        raise AssertionError(f"another process changed {key}")

    def work_arrived(self) -> None:
        raise AssertionError("another process queued a job")

    def cancel_requested(self, job_id: str) -> None:
        raise AssertionError(f"another process cancelled {job_id}")


@asynccontextmanager
async def opened(kind: str, *, path: Path | None = None, retention: Retention | None = None) -> AsyncIterator[Store]:
    """A store of that kind, ready; its file is `path`, or one that nobody misses."""
    with TemporaryDirectory() as folder:
        file = path or Path(folder) / "store.db"
        store: Store = (
            MemoryStore(retention) if kind == "memory" else SqliteStore(file, commit_interval=0, retention=retention)
        )
        await store.open(Nobody())
        try:
            yield store
        finally:
            await store.close()


class Bench:
    """What a server does to a store, in short words. Job ids rise with each submit."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._created = count(time.time_ns() // 1000)

    def spec(self, user: str = "ann", session: str = "", agent: str = "echo") -> JobSpec:
        """What is asked for; without a session a log of its own."""
        job_id = new_job_id(created := next(self._created))
        return JobSpec(job_id, user, session or job_id, agent, msgspec.Raw(b'{"a":1}'), created, 60.0)

    async def submit(
        self,
        user: str = "ann",
        session: str = "",
        *,
        agent: str = "echo",
        room: int = 1000,
        per_user: int = 1000,
        once: IdempotencyKey | None = None,
        worker: str = "",
    ) -> Submitted:
        spec = self.spec(user, session, agent)
        return await self.store.submit(
            spec, room=room, per_user=per_user, once=once, worker=worker, lease_for=60.0 if worker else 0.0
        )

    async def claim(self, worker: str = "worker") -> Claim:
        """The next job's lease; there must be one."""
        (claim,) = await self.store.claim(worker, 60.0)
        return claim

    async def running(self, user: str = "ann", session: str = "", *, agent: str = "echo") -> Claim:
        """A job that runs; nothing else may wait."""
        submitted = await self.submit(user, session, agent=agent)
        claim = await self.claim()
        assert claim.record.spec.id == submitted.record.spec.id
        return claim

    async def append(self, claim: Claim, *drafts: Draft, delay: float = 0.0) -> Receipt | None:
        """Write as the holder of the claim's lease."""
        spec = claim.record.spec
        (receipt,) = await self.store.append([Write(self.key(spec), drafts, spec.id, claim.lease, delay)])
        return receipt

    async def tokens(self, claim: Claim, *texts: str) -> Receipt | None:
        return await self.append(claim, *(self.draft("token", text=text) for text in texts))

    async def reset(self, claim: Claim, *, delay: float = 0.0) -> Receipt | None:
        """Give up this attempt for another one."""
        state = claim.record.state
        draft = self.draft("attempt_reset", state.attempt + 1, from_seq=state.attempt_seq, reason="error")
        return await self.append(claim, draft, delay=delay)

    async def end(self, claim: Claim, status: str = "succeeded", *, ago: float = 0.0) -> Receipt | None:
        """End the job, `ago` seconds before now."""
        return await self.append(claim, self.done(status, ago=ago))

    async def ended(self, user: str = "ann", session: str = "", *, ago: float = 0.0) -> Claim:
        """A job that has ended."""
        claim = await self.running(user, session)
        assert await self.end(claim, ago=ago)
        return claim

    async def publish(self, key: LogKey, *texts: str, ttl: float = 0.0) -> Receipt:
        """Write events of no job that expire `ttl` seconds from now; 0 never."""
        at = time.time_ns() // 1000
        expires = at + int(ttl * 1e6) if ttl else 0
        drafts = [Draft("message", encode_fields({"text": text}), at, expires=expires) for text in texts]
        (receipt,) = await self.store.append([Write(key, drafts)])
        assert receipt is not None
        return receipt

    async def events(self, key: LogKey, after: int = 0) -> list[Event]:
        """All events of a log, page by page."""
        events: list[Event] = []
        while True:
            page = await self.store.read(key, after, 100)
            events += page.events
            if page.head is None or page.passed >= page.head.last:
                return events
            assert page.passed > after, "a read that gets nowhere"
            after = page.passed

    async def record(self, claim: Claim, *, work: bool = True) -> Record:
        """The job as it is now."""
        record = await self.store.load(claim.record.spec.id, work=work)
        assert record is not None
        return record

    async def seqs(self, key: LogKey) -> list[int]:
        """The numbers of all events that a reader of the log gets."""
        return [event.seq for event in await self.events(key)]

    async def head(self, key: LogKey) -> Head:
        head = await self.store.head(key)
        assert head is not None
        return head

    async def figures(self, key: LogKey) -> Figures:
        figures = await self.store.figures(key)
        assert figures is not None
        return figures

    async def gone(self, claim: Claim) -> bool:
        return await self.store.load(claim.record.spec.id) is None

    def done(self, status: str = "succeeded", *, ago: float = 0.0, result: Any = None) -> Draft:
        body = encode_fields({"status": status, "finish_reason": "stop", "result": result})
        return Draft("done", body, time.time_ns() // 1000 - int(ago * 1e6))

    def draft(self, type: str, attempt: int = 1, **fields: Any) -> Draft:
        return Draft(type, encode_fields(fields), time.time_ns() // 1000, attempt)

    def key(self, spec: JobSpec) -> LogKey:
        return LogKey(spec.user, spec.session)


@pytest.fixture(scope="session", name="opened")
def _opened() -> Opened:
    return opened


@pytest.fixture(scope="session")
def bench_of() -> type[Bench]:
    return Bench


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    """Which store; the suite runs with each."""
    return str(request.param)


@pytest.fixture
async def store(kind: str) -> AsyncIterator[Store]:
    async with opened(kind) as store:
        yield store


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)
