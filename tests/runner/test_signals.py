"""SIGTERM and SIGINT: the sockets stay open while the server drains, everybody is told, and it leaves with 0."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runner.conftest import Told, whole
from tests.runner.process import Process, process

LONG = "server.drain_timeout=100000", "jobs.cancel_grace=50"
SHORT = "server.drain_timeout=0.2", "jobs.cancel_grace=0.1"

GUARD = 30
"""Seconds after which a process that should have left never will."""

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Who reads it waits until somebody has written."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


async def until_it_drains(server: Process) -> None:
    """It says so to whoever asks, before it begins."""
    while (await server.get("/ready"))[0] != 503:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def story(server: Process, job_id: str, *, attempts: int = 1) -> Told:
    """How a job ended, after a look at its whole story."""
    events = [event for _, event in await server.story(job_id)]
    whole(events, attempts=attempts)
    return events[-1]


@BOTH
async def test_while_it_drains_it_answers_and_lets_a_job_end(
    number: signal.Signals, tmp_path: Path, pipe: Path
) -> None:
    async with process(tmp_path, *LONG, store="memory") as server:
        async with server.begin_here("read", str(pipe)) as stream:
            told = await up_to("token", stream)
            other = await server.begin("count", 1)
            await server.story(other)
            server.tell(number)
            await until_it_drains(server)
            assert (await server.get("/health"))[0] == 200
            status, problem = await server.post("/api/jobs", {"agent": "count", "input": 1})
            assert (status, problem["code"]) == (503, "draining")
            async with server.watch(other) as refused:
                assert [event["type"] async for _, event in refused] == ["reconnect"]
            status, page = await server.get(f"/api/jobs/{other}/events")
            assert (status, page["done"]) == (200, True)
            await asyncio.to_thread(pipe.write_text, "written")
            told += [event async for _, event in stream if "seq" in event]
        assert told[-1]["result"] == "written"
        whole(told)
        assert await server.ended() == 0
        assert "Traceback" not in server.errors


async def up_to(type: str, stream: AsyncIterator[tuple[str, Told]]) -> list[Told]:
    """What comes, up to the first event of that type."""
    told = list[Told]()
    async for _, event in stream:
        told.append(event)
        if event["type"] == type:
            break
    return told


@BOTH
async def test_what_is_left_goes_back_to_the_queue_or_ends_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    async with process(tmp_path, *SHORT, "jobs.concurrency=3") as server:
        once, deaf = await server.begin("wait"), await server.begin("deaf")
        for job_id in (once, deaf):
            await server.told(job_id, "token")
        async with server.watch(once) as watching, server.begin_here("wait again") as stream:
            told = await up_to("token", stream)
            waiting = await server.begin("count", 3)
            server.tell(number)
            rest = [event async for _, event in stream if event["type"] != "heartbeat"]
            assert [event["type"] for event in rest] == ["attempt_reset", "reconnect"]
            assert (rest[0]["attempt"], rest[0]["reason"]) == (2, "interrupted")
            assert (rest[1]["reason"], rest[1]["retry_ms"] >= 3000) == ("draining", True)
            assert [event async for _, event in watching][-1]["type"] == "reconnect"
        assert await server.ended() == 0
        assert "Traceback" not in server.errors
        await server.start()
        for job_id in (once, deaf):
            assert (await story(server, job_id))["finish_reason"] == "interrupted"
        assert (await story(server, waiting))["status"] == "succeeded"
        again = told[0]["job_id"]
        await server.told(again, "attempt_reset")
        await server.post(f"/api/jobs/{again}/cancel")
        assert (await story(server, again, attempts=2))["status"] == "cancelled"


async def test_in_memory_everybody_who_watches_a_post_is_told_that_it_ended(tmp_path: Path) -> None:
    async with process(tmp_path, *SHORT, "jobs.concurrency=1", store="memory") as server:
        async with server.begin_here("wait again") as running:
            told = await up_to("token", running)
            async with server.begin_here("count", 3) as waiting:
                server.tell(signal.SIGTERM)
                told += [event async for _, event in running if "seq" in event]
                left = [event async for _, event in waiting if "seq" in event]
        for events in (told, left):
            whole(events)
            assert events[-1]["finish_reason"] == "interrupted"
        assert await server.ended() == 0


@pytest.mark.parametrize("name", ["deaf", "deaf pool", "stubborn"])
async def test_an_agent_that_never_ends_does_not_keep_the_process(name: str, tmp_path: Path) -> None:
    """A thread of its own, one of the loop's pool, and a coroutine that hears no cancel."""
    async with process(tmp_path, *SHORT) as server:
        job_id = await server.begin(name)
        await server.told(job_id, "token")
        async with asyncio.timeout(GUARD):
            assert await server.stop() == 0
        assert "Traceback" not in server.errors
        await server.start()
        assert (await story(server, job_id))["finish_reason"] == "interrupted"


@BOTH
async def test_a_second_signal_cuts_the_drain_short(number: signal.Signals, tmp_path: Path) -> None:
    async with process(tmp_path, *LONG) as server:
        job_id = await server.begin("wait")
        await server.told(job_id, "token")
        server.tell(number)
        await until_it_drains(server)
        server.tell(number)
        async with asyncio.timeout(GUARD):
            assert await server.ended() == 0
        assert "Traceback" not in server.errors
        await server.start()
        assert (await story(server, job_id))["finish_reason"] == "interrupted"
