"""Many readers at once: each has every event once, and costs little."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened


async def test_six_hundred_streams_of_one_job_are_each_the_whole(house: House) -> None:
    job_id, actor = await house.puppet()
    streams = [await house.stream(job_id) for _ in range(600)]
    for n in range(5):
        await actor.say(f"{n}a", f"{n}b")
    actor.end()
    await asyncio.gather(*(stream.all() for stream in streams))
    (raw,) = {stream.raw for stream in streams}
    assert raw.count(b"\nid: ") == 13
    assert [frame.data["seq"] for frame in streams[0].frames] == list(range(1, 14))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_readers_that_come_in_the_midst_of_it_are_each_the_whole(house: House) -> None:
    job_id, actor = await house.puppet()
    streams = []
    for n in range(100):
        streams.append(await house.stream(job_id))
        actor.job.token(f"{n}")
    actor.end()
    for stream in streams:
        assert [frame.data["seq"] for frame in await stream.all()] == list(range(1, 104))


async def test_a_reader_at_rest_holds_neither_the_jobs_input_nor_its_state(opened: Opened) -> None:
    async with opened("sqlite") as house:
        small = await _cost_of_readers(house, "x", "y")
        large = await _cost_of_readers(house, "x" * 500_000, "y" * 60_000)
        assert large < 1.5 * small + 500_000  # thirty readers


async def _cost_of_readers(house: House, text: str, said: str) -> int:
    """Bytes that thirty readers keep, who began with a snapshot."""
    job_id, actor = await house.puppet(input=text)
    await actor.say(said)
    tracemalloc.start()
    streams = [await house.stream(job_id, replay="snapshot") for _ in range(30)]
    for stream in streams:
        await stream.next()
        stream.raw = b""
        stream.frames.clear()
        stream.line.body = b""
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for stream in streams:
        await stream.close()
    return kept
