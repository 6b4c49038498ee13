"""`kill -9` at any point: what a reader saw stays, its cursor goes on, and every job ends exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import aiohttp

from tests.runner.conftest import Told, whole
from tests.runner.process import Process, process

Seen = list[tuple[str, Told]]

AGAIN = "count again", "count in a thread"
TICKS = 60


async def read(server: Process, job_id: str, seen: Seen, *, enough: int) -> None:
    """Go on where `seen` ends, until so many events have come, or all, or the line is cut."""
    with contextlib.suppress(aiohttp.ClientError):
        await _read(server, job_id, seen, enough=enough)


async def _read(server: Process, job_id: str, seen: Seen, *, enough: int) -> None:
    async with server.watch(job_id, seen[-1][0] if seen else "0") as stream:
        async for event_id, event in stream:
            if "seq" in event:
                seen.append((event_id, event))
            assert event["type"] != "gap", event
            if len(seen) >= enough:
                return


async def finish(server: Process, job_id: str, seen: Seen, *, attempts: int) -> Told:
    """Read on to the end; the two halves are the whole story. Returns its last event."""
    while not seen or seen[-1][1]["type"] != "done":
        await read(server, job_id, seen, enough=10_000)
    story = await server.story(job_id)
    assert seen == story, "what a reader saw, and what there is"
    assert len({event_id.partition("-")[0] for event_id, _ in story}) == 1, "one epoch"
    whole([event for _, event in story], attempts=attempts)
    return story[-1][1]


async def test_a_reader_misses_nothing_however_often_the_server_dies(tmp_path: Path) -> None:
    """Each death meets every job at another point: in its first events, in the middle, at its end, or behind it."""
    chance, deaths = random.Random(1), 4
    async with process(tmp_path) as server:
        seen: dict[str, Seen] = {}
        for _ in range(deaths):
            for name in AGAIN:
                seen[await server.begin(name, TICKS)] = []
            reading = [
                asyncio.create_task(read(server, job_id, events, enough=len(events) + chance.randrange(1, TICKS)))
                for job_id, events in seen.items()
                if not events or events[-1][1]["type"] != "done"
            ]
            await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            await server.kill()
            await asyncio.gather(*reading)
            await server.start()
        for job_id, events in seen.items():
            done = await finish(server, job_id, events, attempts=deaths + 1)
            assert ends(done) == ("succeeded", "stop")
            ticks = [e["n"] for _, e in events if e["type"] == "tick" and e["attempt"] == done["attempt"]]
            assert ticks == list(range(TICKS))


async def test_jobs_in_every_state_come_to_their_end(tmp_path: Path) -> None:
    """Running, waiting, between two attempts, about to be cancelled, ended: each as it must."""
    async with process(tmp_path, "jobs.concurrency=3", "jobs.cancel_grace=60") as server:
        ended = await server.begin("count", 1)
        before = await server.story(ended)
        failing = await server.begin("fail")
        await server.told(failing, "attempt_reset")
        stopping, once, again = [await server.begin(name) for name in ("deaf", "wait", "wait again")]
        for job_id in (stopping, once, again):
            await server.told(job_id, "token")
        await server.post(f"/api/jobs/{stopping}/cancel")
        waiting = [await server.begin("count", 3) for _ in range(3)]
        cancelled = await server.begin("count", 3)
        await server.post(f"/api/jobs/{cancelled}/cancel")
        seen: dict[str, Seen] = {job_id: [] for job_id in (stopping, once, again, failing, cancelled, *waiting)}
        for job_id, events in seen.items():
            await read(server, job_id, events, enough=1)
        await server.kill()
        await server.start()
        assert await server.story(ended) == before
        assert ends(await finish(server, stopping, seen[stopping], attempts=1)) == ("cancelled", "cancelled")
        assert ends(await finish(server, cancelled, seen[cancelled], attempts=1)) == ("cancelled", "cancelled")
        assert ends(await finish(server, once, seen[once], attempts=1)) == ("failed", "interrupted")
        assert ends(await finish(server, failing, seen[failing], attempts=2)) == ("succeeded", "stop")
        for job_id in waiting:
            assert ends(await finish(server, job_id, seen[job_id], attempts=1)) == ("succeeded", "stop")
        await server.post(f"/api/jobs/{again}/cancel")
        done = await finish(server, again, seen[again], attempts=2)
        assert (*ends(done), done["attempt"]) == ("cancelled", "cancelled", 2)


def ends(done: Told) -> tuple[Any, Any]:
    return done["status"], done["finish_reason"]


async def test_what_was_answered_202_is_there_after_a_crash(tmp_path: Path) -> None:
    async with process(tmp_path) as server:
        jobs = [await server.begin("count again", 3) for _ in range(3)]
        await server.kill()
        await server.start()
        for job_id in jobs:
            assert ends(await finish(server, job_id, [], attempts=2)) == ("succeeded", "stop")


async def test_a_server_that_dies_as_soon_as_it_listens_loses_nothing(tmp_path: Path) -> None:
    async with process(tmp_path) as server:
        job_id, seen = await server.begin("count again", TICKS), Seen()
        await read(server, job_id, seen, enough=10)
        for _ in range(2):
            await server.kill()
            await server.start()
        assert (await finish(server, job_id, seen, attempts=3))["status"] == "succeeded"
