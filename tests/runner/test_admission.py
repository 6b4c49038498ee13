"""Who gets in, in which order, and who is told at once that there is no room."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sse_server import Job, agent
from sse_server.agents import Agent
from sse_server.errors import (
    AgentUnknown,
    Draining,
    IdempotencyMismatch,
    InvalidInput,
    QueueFull,
    StoreUnavailable,
    TooManyJobs,
)
from sse_server.eventlog import IdempotencyKey, LogKey
from tests.runner.conftest import Works, works


class Held:
    """An agent that runs until it is let go; `running` is which jobs it has, in the order of their start."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._begun = asyncio.Condition()
        self.agent = Agent("held", self.work)

    async def work(self, _: Any, job: Job) -> None:
        free = asyncio.get_running_loop().create_future()
        async with self._begun:
            self.running.append(job.id)
            self._waiting.append(free)
            self._begun.notify_all()
        await free

    async def begun(self, number: int) -> None:
        """Until so many jobs have begun."""
        async with self._begun:
            await self._begun.wait_for(lambda: len(self.running) >= number)

    def let_go(self) -> None:
        """The job that has run for longest may end."""
        self._waiting.pop(0).set_result(None)


@pytest.fixture(params=["memory", "sqlite"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "jobs.db" if request.param == "sqlite" else None


async def start(bench: Works, number: int, **options: Any) -> Counter[str]:
    """Start so many jobs at once; how many were accepted, and how many refused with which code."""
    answers = await asyncio.gather(*(bench.submit("held", **options) for _ in range(number)), return_exceptions=True)
    return Counter(str(getattr(answer, "code", "accepted")) for answer in answers)


@pytest.mark.parametrize(("concurrency", "queue_size"), [(1, 1), (2, 3), (5, 1), (20, 10)])
async def test_as_many_as_run_and_wait_are_accepted_and_not_one_more(
    path: Path | None, concurrency: int, queue_size: int
) -> None:
    held = Held()
    async with works(held.agent, path=path, concurrency=concurrency, queue_size=queue_size) as bench:
        told = Counter[str]()
        for _ in range(concurrency + queue_size + 5):
            told += await start(bench, 1)
        assert told == {"accepted": concurrency + queue_size, "queue_full": 5}
        await held.begun(concurrency)
        held.let_go()
        await held.begun(concurrency + 1)
        assert await start(bench, 2) == {"accepted": 1, "queue_full": 1}


@pytest.mark.parametrize("burst", [2, 3, 7, 50])
async def test_bursts_are_counted_as_exactly(path: Path | None, burst: int) -> None:
    """While jobs move from the queue to their slots, they are neither forgotten nor counted twice."""
    held = Held()
    async with works(held.agent, path=path, concurrency=4, queue_size=6) as bench:
        told = Counter[str]()
        while told.total() < 30:
            told += await start(bench, burst)
        assert told["accepted"] == 10


async def test_a_full_queue_says_when_to_come_back(path: Path | None) -> None:
    held = Held()
    async with works(held.agent, path=path, concurrency=1, queue_size=1) as bench:
        await start(bench, 2)
        with pytest.raises(QueueFull) as refused:
            await bench.submit("held")
    assert refused.value.status == 503
    assert refused.value.retry_after


async def test_a_refused_start_is_not_remembered(path: Path | None) -> None:
    held, once = Held(), IdempotencyKey("ann", "POST /api/jobs", "key", b"digest")
    async with works(held.agent, path=path, concurrency=1, queue_size=1) as bench:
        await start(bench, 2)
        with pytest.raises(QueueFull):
            await bench.submit("held", once=once)
        await held.begun(1)
        held.let_go()
        await held.begun(2)
        fresh = await bench.submit("held", once=once)
        assert (await bench.submit("held", once=once)).id == fresh.id
        with pytest.raises(IdempotencyMismatch):
            await bench.submit("held", once=IdempotencyKey("ann", "POST /api/jobs", "key", b"other"))


async def test_a_user_has_so_many_active_jobs_and_another_one_has_as_many(path: Path | None) -> None:
    held = Held()
    async with works(held.agent, path=path, per_user=3, concurrency=2) as bench:
        assert await start(bench, 5, user="ann") == {"accepted": 3, "too_many_jobs": 2}
        assert await start(bench, 4, user="bob") == {"accepted": 3, "too_many_jobs": 1}
        with pytest.raises(TooManyJobs) as refused:
            await bench.submit("held", user="ann")
        assert refused.value.status == 429
        assert refused.value.retry_after
        await held.begun(2)
        held.let_go()
        await held.begun(3)
        assert await start(bench, 2, user="ann") == {"accepted": 1, "too_many_jobs": 1}


async def test_users_who_wait_take_turns(path: Path | None) -> None:
    held = Held()
    async with works(held.agent, path=path, concurrency=1) as bench:
        names = {}
        for user in ["first", *["ann"] * 4, *["bob"] * 2, "eve"]:
            spec = await bench.submit("held", user=user)
            names[spec.id] = user
        for number in range(1, 9):
            await held.begun(number)
            held.let_go()
    assert [names[job] for job in held.running] == ["first", "ann", "bob", "eve", "ann", "bob", "ann", "ann"]


async def test_a_slot_that_a_start_held_for_nothing_goes_to_who_waits(path: Path | None) -> None:
    """A start that is refused, or is an earlier one sent again, held it while the store was asked."""
    held = Held()
    async with works(held.agent, path=path, concurrency=1, sweep_interval=3600.0, lease=3600.0) as bench:
        slots = bench.runner._slots
        worker = slots.hold()
        assert worker
        await bench.submit("held")
        for _ in range(10):
            await asyncio.sleep(0)
        assert held.running == []
        slots.let_go(worker)
        await held.begun(1)


async def test_a_slot_that_a_start_holds_makes_the_queue_no_smaller(path: Path | None) -> None:
    """A slot became free, and who waits has not been claimed yet: there is room for one more, and for no second."""
    held = Held()
    async with works(held.agent, path=path, concurrency=1, queue_size=1) as bench:
        assert await start(bench, 2) == {"accepted": 2}
        await held.begun(1)
        async with bench.runner._slots.claiming:
            held.let_go()
            while bench.runner.running:  # noqa: ASYNC110  (nobody is told of it)
                await asyncio.sleep(0)
            for answer in ("accepted", "queue_full"):
                assert await start(bench, 1) == {answer: 1}
        await held.begun(2)


async def test_a_slot_that_a_claim_may_fill_is_held_for_no_start(tmp_path: Path) -> None:
    async with works(path=tmp_path / "jobs.db", concurrency=1) as bench:
        slots = bench.runner._slots
        slots.wake()
        while not slots.reserved:  # noqa: ASYNC110  (it is to be seen within one turn)
            await asyncio.sleep(0)
        assert slots.hold() == ""


async def test_no_more_jobs_run_at_once_than_may_however_they_come(path: Path | None) -> None:
    """Some begin with their start, others are claimed meanwhile."""
    running: set[str] = set()
    most = 0

    @agent("short")
    async def short(turns: int, job: Job) -> None:
        nonlocal most
        running.add(job.id)
        most = max(most, len(running))
        for _ in range(turns):
            await asyncio.sleep(0)
        job.token("almost there")
        await job.flush()
        running.discard(job.id)

    async with works(short, path=path, concurrency=3) as bench:

        async def some(seed: int) -> None:
            for n in range(30):
                spec = await bench.submit("short", (seed * 7 + n * 5) % 11)
                if n % 3 == seed % 3:
                    await bench.ended(spec)

        await asyncio.gather(*(some(seed) for seed in range(8)))
        await bench.idle()
    assert 2 <= most <= 3


async def test_a_queued_job_is_told_how_many_wait_before_it(path: Path | None) -> None:
    held = Held()
    async with works(held.agent, path=path, concurrency=1) as bench:
        first = await bench.submit("held")
        await held.begun(1)
        positions = []
        for spec in [first, *[await bench.submit("held", user=user) for user in ("ann", "bob", "ann")]]:
            (queued, *_) = await bench.told(spec, "job_queued")
            positions.append(queued["position"])
    assert positions == [0, 0, 1, 2]


async def test_a_start_that_can_not_work_leaves_nothing_behind(path: Path | None) -> None:
    @agent("strict")
    async def strict(_: dict[str, int], __: Job) -> None: ...

    async with works(strict, path=path) as bench:
        for name, value, error in (("nobody", {}, AgentUnknown), ("strict", {"a": "b"}, InvalidInput)):
            with pytest.raises(error):
                await bench.submit(name, value, session="s")
        assert await bench.store.head(LogKey("ann", "s")) is None


async def test_a_job_whose_client_left_during_its_start_runs(path: Path | None) -> None:
    held = Held()
    async with works(held.agent, path=path) as bench:
        asking = asyncio.create_task(bench.submit("held"))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        await held.begun(1)


async def test_a_server_that_drains_takes_nothing_new(path: Path | None) -> None:
    held = Held()
    async with works(held.agent, path=path) as bench:
        await bench.runner.drain(0)
        with pytest.raises(Draining) as refused:
            await bench.submit("held")
        assert refused.value.retry_after


async def test_a_thread_that_never_stops_keeps_its_slot(path: Path | None, gate: Event) -> None:
    @agent("deaf")
    def deaf(_: Any, job: Job) -> None:
        job.token("begun")
        gate.wait()

    held = Held()
    async with works(deaf, held.agent, path=path, concurrency=1, queue_size=1) as bench:
        hanging = await bench.submit("deaf")
        await bench.told(hanging, "token")
        assert (await bench.cancel(hanging, wait=60)).state == "unresponsive"
        assert (await bench.ended(hanging))[-1]["status"] == "cancelled"
        assert await start(bench, 2) == {"accepted": 1, "queue_full": 1}
        assert held.running == []
        gate.set()
        await held.begun(1)


@contextlib.contextmanager
def broken(path: Path) -> Iterator[None]:
    """A store whose tables are gone for a while: a disk that fails and comes back."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("ALTER TABLE jobs RENAME TO hidden")
        try:
            yield
        finally:
            other.execute("ALTER TABLE hidden RENAME TO jobs")


async def test_a_store_that_fails_for_a_while_loses_no_job_and_no_event(tmp_path: Path) -> None:
    path, goes_on = tmp_path / "jobs.db", asyncio.Event()

    @agent("steady")
    async def steady(_: Any, job: Job) -> None:
        job.token("before")
        await goes_on.wait()
        job.token("meanwhile")
        await job.flush()
        job.token("after")

    async with works(steady, path=path, concurrency=1) as bench:
        running, waiting = await bench.submit("steady"), await bench.submit("steady")
        await bench.told(running, "token")
        with broken(path):
            goes_on.set()
            with pytest.raises(StoreUnavailable):
                await bench.submit("steady")
        for spec in (running, waiting):
            events = await bench.ended(spec)
            assert [event["text"] for event in events if event["type"] == "token"] == ["before", "meanwhile", "after"]


async def test_claims_go_on_after_a_store_has_failed_them(tmp_path: Path) -> None:
    path, held = tmp_path / "jobs.db", Held()
    async with works(held.agent, path=path) as bench:
        await bench.submit("held")
        await held.begun(1)
        with broken(path):
            bench.runner.work_arrived()
            with pytest.raises(StoreUnavailable):
                await bench.submit("held")
        await bench.submit("held")
        await held.begun(2)
