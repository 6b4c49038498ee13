"""A server that is about to stop: what becomes of its jobs, and how long it may take."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sse_server import Job, agent
from sse_server.agents import Agent
from sse_server.errors import Draining
from sse_server.jobs import JobSpec
from tests.agents.clock import in_no_time
from tests.runner.conftest import Told, works


async def seconds(input: float, job: Job) -> str:
    job.token("begun")
    await asyncio.sleep(input)
    return f"attempt {job.attempt}"


async def deaf_for(input: float, job: Job) -> None:
    job.token("begun")
    end = asyncio.get_running_loop().time() + input
    while (left := end - asyncio.get_running_loop().time()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(left)


once = Agent("once", seconds)
twice = Agent("twice", seconds, retries=1)
deaf = Agent("deaf", deaf_for)


def drained(agent: Agent, needs: float, within: float, *, grace: float, hurry: float = 1e9) -> tuple[Told, float]:
    """How a job ended that still needs so many seconds when the drain begins, and how long that took."""

    async def main() -> tuple[Told, float]:
        loop = asyncio.get_running_loop()
        async with works(agent, cancel_grace=grace) as bench:
            spec = await bench.submit(agent.name, needs, timeout=10_000)
            await bench.told(spec, "token")
            loop.call_later(hurry, bench.runner.hurry)
            begun = loop.time()
            await bench.runner.drain(within)
            took = loop.time() - begun
            done = (await bench.ended(spec))[-1]
            await bench.idle()
            return done, took

    return in_no_time(main())


def test_a_job_that_ends_in_time_ends_as_ever() -> None:
    done, took = drained(once, 19, 25, grace=5)
    assert done["result"] == "attempt 1"
    assert 19 <= took < 19.1


def test_a_job_that_needs_longer_is_interrupted_with_its_grace_left() -> None:
    done, took = drained(once, 100, 25, grace=5)
    assert (done["status"], done["finish_reason"], done["error"]["code"]) == ("failed", "interrupted", "interrupted")
    assert 20 <= took < 20.1


@pytest.mark.parametrize(("within", "grace"), [(25, 5), (5, 25), (0, 5), (3, 0)])
def test_an_agent_that_hears_nothing_holds_up_the_drain_no_longer_than_it_may_take(within: float, grace: float) -> None:
    done, took = drained(deaf, 1000, within, grace=grace)
    assert done["finish_reason"] == "interrupted"
    assert within <= took < within + 0.1


def test_a_drain_that_is_cut_short_leaves_the_grace() -> None:
    done, took = drained(once, 100, 25, grace=5, hurry=2)
    assert done["finish_reason"] == "interrupted"
    assert 2 <= took < 2.1
    _, took = drained(deaf, 1000, 25, grace=5, hurry=2)
    assert 7 <= took < 7.1


async def test_in_memory_all_that_is_left_ends_interrupted() -> None:
    failing = Agent("failing", failing_once, retries=1, backoff=60)
    async with works(twice, failing, concurrency=1) as bench:
        between = await bench.submit("failing")
        await bench.told(between, "attempt_reset")
        running = await bench.submit("twice", 1000)
        await bench.told(running, "token")
        waiting = await bench.submit("twice", 0)
        await bench.runner.drain(0)
        for spec, attempts in ((running, 1), (waiting, 1), (between, 2)):
            done = (await bench.ended(spec, attempts=attempts))[-1]
            assert (done["finish_reason"], done["attempt"]) == ("interrupted", attempts)


async def failing_once(_: Any, __: Job) -> None:
    raise ValueError


async def test_on_disk_a_job_that_may_be_tried_again_goes_back_to_the_queue(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    async with works(once, twice, path=path) as bench:
        specs = [await bench.submit(name, 1000) for name in ("once", "twice")]
        for spec in specs:
            await bench.told(spec, "token")
        await bench.runner.drain(0)
        ended, requeued = [await bench.record(spec) for spec in specs]
        assert (ended.state.status, requeued.state.status) == ("failed", "queued")
        (reset,) = [e for e in await bench.told(specs[1], "attempt_reset") if e["type"] == "attempt_reset"]
        assert (reset["reason"], reset["attempt"], reset["from_seq"]) == ("interrupted", 2, 2)
        assert (await bench.ended(specs[0]))[-1]["finish_reason"] == "interrupted"
    async with works(Agent("twice", failing_once, retries=1), path=path) as bench:
        events = await bench.ended(specs[1], attempts=2)
    assert [event["type"] for event in events[-2:]] == ["job_started", "done"]


async def test_on_disk_waiting_jobs_wait_on(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    async with works(once, path=path, concurrency=1) as bench:
        await bench.told(await bench.submit("once", 1000), "token")
        waiting = [await bench.submit("once", 0) for _ in range(3)]
    async with works(once, path=path) as bench:
        for spec in waiting:
            assert [event["type"] for event in await bench.ended(spec)] == [
                "job_queued",
                "job_started",
                "token",
                "done",
            ]


async def test_a_hanging_thread_dies_with_its_process_so_its_job_may_be_tried_again(
    tmp_path: Path, gate: Event
) -> None:
    path = tmp_path / "jobs.db"

    @agent("deaf", retries=1)
    def deaf_thread(_: Any, job: Job) -> int:
        job.token("begun")
        if job.attempt == 1:
            gate.wait()
        return job.attempt

    async with works(deaf_thread, path=path) as bench:
        spec = await bench.submit("deaf")
        await bench.told(spec, "token")
        await bench.runner.drain(0)
        assert (await bench.record(spec)).state.status == "queued"
    async with works(deaf_thread, path=path) as bench:
        assert (await bench.ended(spec, attempts=2))[-1]["result"] == 2


@pytest.mark.parametrize("stored", [True, False])
async def test_no_job_falls_between_a_start_and_a_drain(tmp_path: Path, *, stored: bool) -> None:
    """However many turns of the loop lie between them: in the queue, being claimed, about to begin."""
    for turns in range(12):
        path = tmp_path / f"{turns}.db" if stored else None
        async with works(twice, path=path, concurrency=2) as bench:
            specs = [await bench.submit("twice", 0) for _ in range(4)]
            for _ in range(turns):
                await asyncio.sleep(0)
            await bench.runner.drain(0)
            if not stored:
                for spec in specs:
                    assert (await bench.ended(spec, attempts=2))[-1]["status"] in {"succeeded", "failed"}
        if stored:
            async with works(twice, path=path) as bench:
                for spec in specs:
                    assert (await bench.ended(spec, attempts=2))[-1]["status"] == "succeeded"


@pytest.mark.parametrize("stored", [True, False])
async def test_a_start_that_is_under_way_is_no_job_that_runs_on_behind_the_drain(
    tmp_path: Path, *, stored: bool
) -> None:
    """However many turns of the loop it is old: refused, or ended, or in the queue of a store that keeps it."""
    for turns in range(8):
        path = tmp_path / f"{turns}.db" if stored else None
        async with works(twice, path=path, concurrency=2) as bench:
            starts = [asyncio.create_task(bench.submit("twice", 1000)) for _ in range(4)]
            for _ in range(turns):
                await asyncio.sleep(0)
            await bench.runner.drain(0)
            assert not bench.runner.running
            answers = await asyncio.gather(*starts, return_exceptions=True)
            specs = [answer for answer in answers if isinstance(answer, JobSpec)]
            assert {type(answer) for answer in answers} <= {JobSpec, Draining}
            assert len(specs) == (4 if turns else 0)
            told = [(await bench.record(spec)).state.status for spec in specs]
            assert set(told) <= ({"queued"} if stored else {"failed"})


async def test_a_store_that_fails_does_not_hold_up_a_drain(tmp_path: Path) -> None:
    """The next start finds what became of the jobs."""
    path = tmp_path / "jobs.db"
    async with works(once, path=path) as bench:
        spec = await bench.submit("once", 1000)
        await bench.told(spec, "token")
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("ALTER TABLE jobs RENAME TO hidden")
            await bench.runner.drain(0)
            other.execute("ALTER TABLE hidden RENAME TO jobs")
    async with works(once, path=path) as bench:
        assert (await bench.ended(spec))[-1]["finish_reason"] == "interrupted"
