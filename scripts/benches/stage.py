"""The agents that the bench starts: they emit through `Job`, as everybody's do."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from msgspec import Struct

from benches.pace import TEXT, publish
from sse_server import Job, agent

held: dict[str, Job] = {}
let_go = asyncio.Event()


class Pace(Struct):
    """`to`: as many jobs as must be held before it begins."""

    to: int
    count: int
    rate: float
    burst: int = 1


class Talk(Struct):
    """`count` events, one every `pause` seconds, the first at `begin` (Unix seconds)."""

    count: int
    pause: float
    begin: float = 0.0


class Fill(Struct):
    """`stay`: the job goes on behind its events."""

    count: int
    stay: bool = False


@agent("hold")
async def hold(input: Any, job: Job) -> None:
    """Stays, so that `publish` can emit for it."""
    held[job.id] = job
    try:
        await let_go.wait()
    finally:
        del held[job.id]


@agent("publish")
async def publish_to_held(input: Pace, job: Job) -> int:
    """Emit through every held job in turn."""
    while len(held) < input.to:
        await asyncio.sleep(0.01)
    emits = [lambda job=other: job.token(TEXT) for other in held.values()]
    await publish(emits, input.count, input.rate, input.burst)
    return input.count


@agent("talk")
async def talk(input: Talk, job: Job) -> None:
    """An agent with a clock of its own."""
    clock = asyncio.get_running_loop().time
    began = clock() + max(0.0, input.begin - time.time())
    for n in range(input.count):
        if (left := began + n * input.pause - clock()) > 0:
            await asyncio.sleep(left)
        job.token(TEXT)


@agent("small")
async def small(input: Any, job: Job) -> None:
    """Three events."""
    for _ in range(3):
        job.token(TEXT)


@agent("fill")
async def fill(input: Fill, job: Job) -> None:
    """So many events, as fast as the store takes them."""
    for n in range(input.count):
        job.token(TEXT)
        if n % 1000 == 999:
            await job.flush()
    if input.stay:
        await let_go.wait()
