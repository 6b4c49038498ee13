"""Cancelling: in every state, once or often, also where nobody listens; and what the one who asks is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from sse_server import Job, JobCancelled, agent
from sse_server.agents import Agent
from sse_server.eventlog import Submitted
from tests.agents.clock import in_no_time
from tests.runner.conftest import Told, works


@agent("waits")
async def waits(_: Any, job: Job) -> None:
    job.token("begun")
    await asyncio.Event().wait()


@agent("quick")
async def quick(_: Any, __: Job) -> str:
    return "done"


@pytest.fixture(params=["memory", "sqlite"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "jobs.db" if request.param == "sqlite" else None


def cancelled(events: list[Told]) -> None:
    done = events[-1]
    assert (done["status"], done["finish_reason"]) == ("cancelled", "cancelled")
    assert "error" not in done
    assert "result" not in done


async def test_a_waiting_job_is_cancelled_at_once_and_never_begins(path: Path | None) -> None:
    async with works(waits, quick, path=path, concurrency=1) as bench:
        running = await bench.submit("waits")
        await bench.told(running, "token")
        waiting = await bench.submit("quick")
        assert (await bench.cancel(waiting)).state == "stopped"
        events = await bench.ended(waiting)
        cancelled(events)
        assert [event["type"] for event in events] == ["job_queued", "done"]
        behind = await bench.submit("quick")
        await bench.cancel(running)
        assert (await bench.ended(behind))[-1]["status"] == "succeeded"


async def test_a_running_coroutine_is_cancelled_where_it_waits(path: Path | None) -> None:
    async with works(waits, path=path) as bench:
        spec = await bench.submit("waits")
        await bench.told(spec, "token")
        assert (await bench.cancel(spec, wait=60)).state == "stopped"
        cancelled(await bench.ended(spec))


async def test_without_waiting_the_answer_is_that_it_was_asked_to(path: Path | None) -> None:
    async with works(waits, path=path) as bench:
        spec = await bench.submit("waits")
        await bench.told(spec, "token")
        assert (await bench.cancel(spec)).state == "requested"
        cancelled(await bench.ended(spec))
        assert (await bench.cancel(spec)).state == "stopped"


async def test_cancelling_again_and_at_once_changes_nothing(path: Path | None) -> None:
    async with works(waits, path=path) as bench:
        spec = await bench.submit("waits")
        await bench.told(spec, "token")
        answers = await asyncio.gather(*(bench.cancel(spec, wait=60) for _ in range(5)))
        assert {answer.state for answer in answers} == {"stopped"}
        cancelled(await bench.ended(spec))


async def test_an_ended_job_stays_as_it_is(path: Path | None) -> None:
    async with works(quick, path=path) as bench:
        spec = await bench.submit("quick")
        events = await bench.ended(spec)
        answer = await bench.cancel(spec, wait=60)
        assert answer.state == "stopped"
        assert answer.ms < 60_000
        assert await bench.ended(spec) == events


async def test_who_asks_with_an_old_record_is_told_that_the_job_has_ended(path: Path | None) -> None:
    async with works(quick, path=path) as bench:
        spec = await bench.submit("quick")
        old = await bench.record(spec)
        await bench.ended(spec)
        await bench.idle()
        assert (await bench.runner.cancel(old, wait=60)).state == "stopped"


async def test_a_cancel_at_any_moment_of_a_short_life_is_never_lost(path: Path | None) -> None:
    """Between submit and claim, claim and start, result and `done`: however many turns of the loop it comes later."""

    @agent("brief", retries=1, backoff=0)
    async def brief(input: int, job: Job) -> str:
        for _ in range(input):
            await asyncio.sleep(0)
        if job.attempt == 1:
            raise ValueError
        await asyncio.Event().wait()
        return "never"

    async with works(brief, path=path, concurrency=1000) as bench:
        for turns in range(40):
            spec = await bench.submit("brief", turns % 7)
            for _ in range(turns):
                await asyncio.sleep(0)
            await bench.cancel(spec)
            cancelled(await bench.ended(spec, attempts=2))


async def test_a_cancel_waits_for_a_start_that_is_under_way(path: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is stored, and seen by others, before its start has heard of it."""
    heard = asyncio.Event()
    async with works(waits, path=path) as bench:
        submit = bench.store.submit

        async def heard_late(*args: Any, **options: Any) -> Submitted:
            submitted = await submit(*args, **options)
            await heard.wait()
            return submitted

        monkeypatch.setattr(bench.store, "submit", heard_late)
        spec = bench.spec("waits")
        start = asyncio.create_task(bench.runner.submit(spec))
        while not (record := await bench.store.load(spec.id)):  # noqa: ASYNC110  (the store tells nobody else)
            await asyncio.sleep(0)
        asking = asyncio.create_task(bench.runner.cancel(record, wait=60))
        while not (await bench.record(spec)).cancel_requested:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        heard.set()
        await start
        assert (await asking).state == "stopped"
        cancelled(await bench.ended(spec))


async def test_a_cancel_goes_on_when_the_one_who_asked_has_left(path: Path | None) -> None:
    async with works(waits, path=path) as bench:
        for turns in range(8):
            spec = await bench.submit("waits")
            record = await bench.record(spec)
            await bench.told(spec, "token")
            asking = asyncio.create_task(bench.runner.cancel(record, wait=60))
            for _ in range(turns + 1):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            cancelled(await bench.ended(spec))


async def test_an_attempt_that_fails_while_it_is_cancelled_is_not_tried_again() -> None:
    @agent("sore", retries=3, backoff=0)
    async def sore(_: Any, job: Job) -> None:
        job.token("begun")
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("sore")

    async with works(sore) as bench:
        spec = await bench.submit("sore")
        await bench.told(spec, "token")
        await bench.cancel(spec)
        cancelled(await bench.ended(spec))


async def test_every_kind_of_emit_of_a_cancelled_job_raises() -> None:
    heard: list[str] = []

    @agent("stubborn")
    async def stubborn(_: Any, job: Job) -> None:
        job.token("begun")
        try:
            await asyncio.Event().wait()
        finally:
            assert job.cancelled
            for emit in (partial(job.token, "x"), partial(job.emit, "mine"), partial(job.step("s").progress, 1)):
                try:
                    emit()
                except JobCancelled as error:
                    heard.append(str(error))

    async with works(stubborn) as bench:
        spec = await bench.submit("stubborn")
        await bench.told(spec, "token")
        await bench.cancel(spec)
        cancelled(await bench.ended(spec))
    assert heard == ["the job was cancelled"] * 3


async def test_the_upstream_call_is_closed_before_the_job_has_ended() -> None:
    closed = asyncio.Event()

    async def upstream() -> AsyncIterator[str]:
        try:
            yield "x" * 100
            await asyncio.Event().wait()
        finally:
            closed.set()

    @agent("streams")
    async def streams(_: Any, job: Job) -> str:
        return await job.stream_text(upstream())

    async with works(streams) as bench:
        spec = await bench.submit("streams")
        await bench.told(spec, "token")
        await bench.cancel(spec)
        cancelled(await bench.ended(spec))
        assert closed.is_set()


async def test_a_hanging_thread_is_fenced_and_the_answer_is_honest(gate: Event) -> None:
    outcome: list[str] = []

    @agent("deaf")
    def deaf(_: Any, job: Job) -> str:
        job.token("begun")
        gate.wait()
        try:
            job.token("too late")
        except JobCancelled:
            outcome.append("refused")
        return "too late"

    async with works(deaf, cancel_grace=0.05) as bench:
        spec = await bench.submit("deaf")
        await bench.told(spec, "token")
        assert (await bench.cancel(spec, wait=60)).state == "unresponsive"
        events = await bench.ended(spec)
        cancelled(events)
        assert (await bench.cancel(spec, wait=60)).state == "unresponsive"
        gate.set()
        await bench.idle()
        assert outcome == ["refused"]
        assert await bench.ended(spec) == events
        assert (await bench.cancel(spec)).state == "stopped"


async def test_a_generators_thread_hears_of_it_at_its_next_yield(gate: Event) -> None:
    @agent("yields")
    def yields(_: Any, __: Job) -> Iterator[str]:
        yield "first"
        gate.wait()
        yield "second"

    async with works(yields, cancel_grace=60) as bench:
        spec = await bench.submit("yields")
        await bench.told(spec, "token")
        await bench.cancel(spec)
        gate.set()
        events = await bench.ended(spec)
        cancelled(events)
        assert [event["text"] for event in events if event["type"] == "token"] == ["first"]


def test_an_unresponsive_coroutine_is_fenced_when_its_grace_is_over() -> None:
    """`done` comes after `cancel_grace`, its slot is free when it returns; who waits is told as soon as it is known."""

    @agent("deaf")
    async def deaf(_: Any, job: Job) -> None:
        job.token("begun")
        end = asyncio.get_running_loop().time() + 100
        while (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        time = asyncio.get_running_loop().time
        async with works(deaf, Agent("quick", quick.function), cancel_grace=5, concurrency=1) as bench:
            spec = await bench.submit("deaf", timeout=1000)
            await bench.told(spec, "token")
            behind = await bench.submit("quick")
            assert (await bench.cancel(spec, wait=25)).state == "unresponsive"
            assert 5 <= time() < 5.1
            cancelled(await bench.ended(spec))
            await bench.ended(behind)
            assert 100 <= time() < 100.1

    in_no_time(main())


def test_who_waits_for_a_cancel_waits_no_longer_than_it_asked_to() -> None:
    @agent("tidy")
    async def tidy(_: Any, job: Job) -> None:
        job.token("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(3)

    async def main() -> None:
        time = asyncio.get_running_loop().time
        async with works(tidy, cancel_grace=5) as bench:
            spec = await bench.submit("tidy")
            await bench.told(spec, "token")
            assert (await bench.cancel(spec, wait=2)).state == "requested"
            assert 2 <= time() < 2.1
            assert (await bench.cancel(spec, wait=2)).state == "stopped"
            assert 3 <= time() < 3.1
            cancelled(await bench.ended(spec))

    in_no_time(main())
