"""Another attempt: when there is one, what readers are told between, and that the old one has no voice any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from sse_server import Job, JobCancelled, JobFailed, agent
from sse_server.agents import Agent
from sse_server.runner.outcome import MAX_BACKOFF, backoff
from tests.agents.clock import in_no_time
from tests.runner.conftest import Told, works


def brief(events: list[Told]) -> list[tuple[str, int]]:
    return [(event["type"], event["attempt"]) for event in events]


async def test_an_error_leads_to_the_next_attempt_and_readers_are_told() -> None:
    @agent("flaky", retries=2, backoff=0)
    async def flaky(_: Any, job: Job) -> int:
        job.token(f"attempt {job.attempt}")
        if job.attempt < 3:
            raise ValueError("secret")
        return job.attempt

    async with works(flaky) as bench:
        spec = await bench.submit("flaky")
        events = await bench.ended(spec, attempts=3)
        text = (await bench.record(spec)).state.work.text
    assert brief(events) == [
        ("job_queued", 1),
        *[("job_started", 1), ("token", 1), ("attempt_reset", 2)],
        *[("job_started", 2), ("token", 2), ("attempt_reset", 3)],
        *[("job_started", 3), ("token", 3), ("done", 3)],
    ]
    resets = [event for event in events if event["type"] == "attempt_reset"]
    assert [(reset["from_seq"], reset["reason"]) for reset in resets] == [(2, "error"), (5, "error")]
    assert events[-1]["result"] == 3
    assert text == "attempt 3"


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (4, 5)])
async def test_a_job_gets_as_many_attempts_as_its_agent_allows(retries: int, attempts: int) -> None:
    @agent("failing", retries=retries, backoff=0)
    async def failing(_: Any, __: Job) -> None:
        raise ValueError

    async with works(failing) as bench:
        events = await bench.ended(await bench.submit("failing"), attempts=attempts)
    assert events[-1]["attempt"] == attempts


async def test_a_job_may_have_more_attempts_than_a_float_has_powers_of_two() -> None:
    @agent("failing", retries=1100, backoff=0)
    async def failing(_: Any, __: Job) -> None:
        raise ValueError

    async with works(failing) as bench:
        events = await bench.ended(await bench.submit("failing"), attempts=1101)
    assert events[-1]["attempt"] == 1101


def test_each_attempt_waits_twice_as_long_up_to_a_minute() -> None:
    assert [backoff(1.0, attempt) for attempt in (1, 2, 3, 6, 7, 8)] == [1, 2, 4, 32, 60, 60]
    assert backoff(0.5, 1) == 0.5
    assert backoff(0.0, 5000) == 0.0
    assert backoff(500.0, 1) == MAX_BACKOFF == backoff(1e-9, 5000)


async def test_a_job_between_two_attempts_waits_and_gives_its_slot_to_others() -> None:
    @agent("failing", retries=1, backoff=60)
    async def failing(_: Any, __: Job) -> None:
        raise ValueError

    async def quick(_: Any, __: Job) -> None: ...

    async with works(failing, Agent("quick", quick), concurrency=1) as bench:
        spec = await bench.submit("failing")
        await bench.told(spec, "attempt_reset")
        await bench.ended(await bench.submit("quick"))
        assert (await bench.record(spec)).state.status == "queued"
        assert (await bench.cancel(spec)).state == "stopped"
        done = (await bench.ended(spec, attempts=2))[-1]
    assert (done["status"], done["attempt"]) == ("cancelled", 2)


async def test_an_author_may_ask_for_another_attempt() -> None:
    @agent("busy", retries=1, backoff=0)
    async def busy(_: Any, job: Job) -> None:
        raise JobFailed("busy", "Later.", retry=job.attempt == 1)

    async with works(busy) as bench:
        done = (await bench.ended(await bench.submit("busy"), attempts=2))[-1]
    assert (done["attempt"], done["error"]) == (2, {"code": "busy", "message": "Later."})


def test_a_timeout_leads_to_the_next_attempt_too() -> None:
    @agent("slow", retries=1, backoff=0)
    async def slow(_: Any, __: Job) -> None:
        await asyncio.Event().wait()

    async def main() -> tuple[list[Told], float]:
        async with works(slow) as bench:
            events = await bench.ended(await bench.submit("slow", timeout=100), attempts=2)
            return events, asyncio.get_running_loop().time()

    events, took = in_no_time(main())
    assert [event["reason"] for event in events if event["type"] == "attempt_reset"] == ["timeout"]
    assert (events[-1]["finish_reason"], events[-1]["error"]["code"]) == ("timeout", "timeout")
    assert 200 <= took < 201


async def test_nothing_that_an_old_attempts_thread_emits_is_stored(gate: Event) -> None:
    """It emits as fast as it can, while the next attempt runs."""
    heard = Event()

    @agent("haunted", retries=1, backoff=0)
    def haunted(_: Any, job: Job) -> None:
        if job.attempt == 1:
            job.emit("mine", of=1)
            Thread(target=ghost, args=(job,), daemon=True).start()
            raise ValueError
        for _ in range(200):
            job.emit("mine", of=2)
        gate.wait()
        job.emit("mine", of=2)

    def ghost(job: Job) -> None:
        try:
            while True:
                job.emit("mine", of=1)
        except JobCancelled:
            heard.set()

    async with works(haunted) as bench:
        spec = await bench.submit("haunted")
        await asyncio.to_thread(heard.wait)
        gate.set()
        events = await bench.ended(spec, attempts=2)
    assert {(event["of"], event["attempt"]) for event in events if event["type"] == "mine"} == {(1, 1), (2, 2)}


async def test_a_thread_that_does_not_stop_never_meets_its_own_next_attempt(gate: Event) -> None:
    @agent("deaf", retries=5, backoff=0)
    def deaf(_: Any, __: Job) -> None:
        gate.wait()

    async with works(deaf) as bench:
        done = (await bench.ended(await bench.submit("deaf", timeout=0.01)))[-1]
        assert (done["attempt"], done["finish_reason"]) == (1, "timeout")


async def test_a_job_that_waits_for_its_next_attempt_gets_it_after_a_restart(tmp_path: Path) -> None:
    """Its time comes while nobody who would remember it is there."""
    path = tmp_path / "jobs.db"

    @agent("flaky", retries=1, backoff=0.2)
    async def flaky(_: Any, job: Job) -> int:
        if job.attempt == 1:
            raise ValueError
        return job.attempt

    async with works(flaky, path=path) as bench:
        spec = await bench.submit("flaky")
        await bench.told(spec, "attempt_reset")
    async with works(flaky, path=path, sweep_interval=0.05) as bench:
        assert (await bench.ended(spec, attempts=2))[-1]["result"] == 2
