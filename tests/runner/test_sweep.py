"""What a new process makes of the jobs that a dead one left behind, and what no longer stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sse_server import Job, agent
from sse_server.agents import Agent, Registry
from sse_server.config import Jobs, Stream
from sse_server.eventlog import Claim, LogKey, Retention, Write
from sse_server.eventlog.memory import MemoryStore
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.events import START, Draft
from sse_server.hub import Cursor, Hub, View
from sse_server.jobs import CancelAfter, JobSpec
from sse_server.routes.surface import JobSurface
from sse_server.runner.clerk import Clerk
from sse_server.runner.presence import Presence
from sse_server.runner.sweep import Sweep
from tests.runner.conftest import Nobody, Told, Works, works


async def tell(_: Any, job: Job) -> int:
    job.token(f"attempt {job.attempt}")
    return job.attempt


once = Agent("once", tell)
twice = Agent("twice", tell, retries=1)


class Left:
    """A store as a worker that died left it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self._specs = Works(store, None, None)  # type: ignore[arg-type]

    async def queued(self, name: str, **options: Any) -> JobSpec:
        submitted = await self.store.submit(self._specs.spec(name, **options), room=1000, per_user=1000)
        return submitted.record.spec

    async def running(self, name: str, **options: Any) -> Claim:
        await self.queued(name, **options)
        (claim,) = await self.store.claim("a worker that died", 60)
        assert await self.write(claim, Draft("token", b'{"text":"lost"}', 0, claim.record.state.attempt))
        return claim

    async def write(self, claim: Claim, draft: Draft, *, store: SqliteStore | None = None) -> bool:
        spec = claim.record.spec
        write = Write(LogKey(spec.user, spec.session), [draft], spec.id, claim.lease)
        return (await (store or self.store).append([write])) != [None]


@asynccontextmanager
async def left(path: Path) -> AsyncIterator[Left]:
    store = SqliteStore(path, commit_interval=0)
    await store.open(Nobody())
    yield Left(store)
    await store.close()


def brief(events: list[Told]) -> list[str]:
    return [event["type"] for event in events]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


async def test_a_running_job_is_tried_again_where_its_agent_allows_it(path: Path) -> None:
    async with left(path) as before:
        claim = await before.running("twice")
    async with works(once, twice, path=path) as bench:
        events = await bench.ended(claim.record.spec, attempts=2)
    assert brief(events) == [
        *["job_queued", "job_started", "token"],
        *["attempt_reset", "job_started", "token", "done"],
    ]
    assert (events[3]["from_seq"], events[3]["reason"], events[3]["attempt"]) == (2, "interrupted", 2)
    assert events[-1]["result"] == 2


async def test_a_running_job_ends_interrupted_where_it_has_no_attempt_left(path: Path) -> None:
    async with left(path) as before:
        claims = [await before.running("once"), await before.running("an agent that is gone")]
    async with works(once, path=path) as bench:
        for claim in claims:
            events = await bench.ended(claim.record.spec)
            assert (events[-1]["status"], events[-1]["finish_reason"]) == ("failed", "interrupted")
            assert events[-1]["error"]["code"] == "interrupted"


async def test_attempts_count_over_every_crash(path: Path) -> None:
    async with left(path) as before:
        claim = await before.running("twice")
    async with left(path) as before:
        (taken,) = await before.store.reclaim("another worker that died", 60)
        assert await before.write(taken, Draft("attempt_reset", b'{"from_seq":2,"reason":"interrupted"}', 0, 2))
        await before.store.claim("another worker that died", 60)
    async with works(twice, path=path) as bench:
        events = await bench.ended(claim.record.spec, attempts=2)
    assert (events[-1]["finish_reason"], events[-1]["attempt"]) == ("interrupted", 2)


async def test_a_job_that_was_to_be_cancelled_is_cancelled(path: Path) -> None:
    async with left(path) as before:
        running = await before.running("twice")
        waiting = await before.queued("twice")
        for job_id in (running.record.spec.id, waiting.id):
            await before.store.request_cancel(job_id)
    async with works(twice, path=path) as bench:
        for spec in (running.record.spec, waiting):
            done = (await bench.ended(spec))[-1]
            assert (done["status"], done["finish_reason"]) == ("cancelled", "cancelled")


async def test_waiting_jobs_wait_on_and_run(path: Path) -> None:
    async with left(path) as before:
        specs = [await before.queued("once") for _ in range(5)]
    async with works(once, path=path, concurrency=1) as bench:
        for spec in specs:
            assert brief(await bench.ended(spec)) == ["job_queued", "job_started", "token", "done"]


async def test_nobody_watches_a_job_that_waited_through_a_restart(path: Path) -> None:
    """Its slot may never come: it is counted from the new start on."""
    async with left(path) as before:
        (blocking, *_) = [await before.queued("blocks") for _ in range(2)]
        waiting = await before.queued("once", on_disconnect=CancelAfter(0))

    @agent("blocks")
    async def blocks(_: Any, __: Job) -> None:
        await asyncio.Event().wait()

    async with works(once, blocks, path=path, concurrency=1) as bench:
        events = await bench.ended(waiting)
        assert brief(events) == ["job_queued", "done"]
        assert events[-1]["status"] == "cancelled"
        assert (await bench.record(blocking)).state.status == "running"


async def test_a_hundred_jobs_are_swept_together(path: Path) -> None:
    async with left(path) as before:
        claims = [await before.running(name, session="s") for name in ["once", "twice"] * 50]
    async with works(once, twice, path=path) as bench:
        statuses = [(await bench.ended(claim.record.spec, attempts=2))[-1]["status"] for claim in claims]
    assert statuses == ["failed", "succeeded"] * 50


async def test_the_worker_that_comes_back_from_the_dead_can_write_no_more(path: Path) -> None:
    @agent("slow", retries=1)
    async def slow(_: Any, job: Job) -> None:
        job.token("mine")

    async with left(path) as before:
        claim = await before.running("slow")
    async with works(slow, path=path) as bench:
        store = bench.store
        assert isinstance(store, SqliteStore)
        assert not await before.write(claim, Draft("token", b'{"text":"ghost"}', 0), store=store)
        events = await bench.ended(claim.record.spec, attempts=2)
        assert not await before.write(claim, Draft("done", b'{"status":"failed"}', 0), store=store)
        assert await bench.told(claim.record.spec, "done") == events
    assert [event["text"] for event in events if event["type"] == "token"] == ["lost", "mine"]


class Eager:
    """A client that takes whatever it gets."""

    def write(self, data: bytes) -> bool:
        return True

    def finish(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def waiting(self) -> int:
        return 0


async def no_gap(_: object) -> None:
    raise AssertionError("nothing is missing")


async def test_who_still_reads_a_job_that_goes_is_told_and_its_neighbours_read_on(path: Path) -> None:
    """A reader that lagged so long that retention came first: no event of its job is left to end its stream."""
    key, ago = LogKey("ann", "s"), time.time_ns() // 1000 - 2 * 86_400_000_000
    async with left(path) as before:
        old = await before.running("once", session="s")
        await before.write(old, Draft("done", b'{"status":"succeeded","finish_reason":"stop"}', ago))
        kept = await before.running("once", session="s")
        await before.write(kept, Draft("done", b'{"status":"succeeded","finish_reason":"stop"}', ago + 10**11))
    async with works(path=path, sweep_interval=0.05) as bench:
        views = [View(JobSurface(), "s", job_id=job_id, ends=bool(job_id)) for job_id in (old.record.spec.id, None)]
        with (
            bench.hub.subscribe(key, views[0], Eager(), Cursor.at(START)) as reader,
            bench.hub.subscribe(key, views[1], Eager(), Cursor.at(START)) as neighbour,
        ):
            while await bench.store.load(old.record.spec.id):  # noqa: ASYNC110  (the sweep tells nobody that it ran)
                await asyncio.sleep(0.005)
            assert await asyncio.wait_for(reader.follow(Stream(), no_gap), 10) == "gone"
            assert neighbour.ending is None
            assert await bench.store.load(kept.record.spec.id)


async def test_a_session_that_somebody_follows_does_not_expire() -> None:
    store, left_alone, followed = MemoryStore(Retention(session_ttl=0)), LogKey("ann", "s"), LogKey("bob", "s")
    hub = Hub(store, heartbeat=3600)
    clerk = Clerk(store, hub, Presence(print, retry=1))
    sweep = Sweep(store, hub, clerk, Registry(), Jobs(), worker="me", wake=asyncio.Event().set)
    for key in (left_alone, followed):
        await hub.publish(key, [Draft("message", b"{}", 0)])
    with hub.tail(followed):
        await sweep.trim()
        assert await store.head(left_alone) is None
        assert await store.head(followed)
    await sweep.trim()
    assert await store.head(followed) is None
