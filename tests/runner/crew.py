"""Agents for servers in processes of their own; the tests start them with this file."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path

from sse_server import Job, agent


async def _count(input: int, job: Job) -> int:
    for n in range(input):
        job.emit("tick", n=n)
        await job.flush()
    return job.attempt


@agent("count")
async def count(input: int, job: Job) -> int:
    """Counts so far, each number stored before the next."""
    return await _count(input, job)


@agent("count again", retries=100, backoff=0)
async def count_again(input: int, job: Job) -> int:
    """The same, and begins again whenever it was interrupted."""
    return await _count(input, job)


@agent("count in a thread", retries=100, backoff=0)
def count_in_a_thread(input: int, job: Job) -> int:
    """As fast as the store takes it."""
    for n in range(input):
        job.emit("tick", n=n)
    return job.attempt


@agent("fail", retries=1, backoff=0.2)
async def fail(_: None, job: Job) -> int:
    """Fails once, so that it waits between two attempts for a while."""
    if job.attempt == 1:
        raise ValueError("the first attempt")
    return job.attempt


@agent("read")
def read(input: str, job: Job) -> str:
    """Ends when somebody has written into the pipe of that name."""
    job.token("begun")
    return Path(input).read_text()


@agent("wait")
async def wait(_: None, job: Job) -> None:
    """Ends when it is told to."""
    job.token("begun")
    await asyncio.Event().wait()


@agent("wait again", retries=100, backoff=0)
async def wait_again(_: None, job: Job) -> None:
    """The same, and may be tried again."""
    job.token("begun")
    await asyncio.Event().wait()


@agent("deaf")
def deaf(_: None, job: Job) -> None:
    """A thread that never ends."""
    job.token("begun")
    threading.Event().wait()


@agent("deaf pool")
async def deaf_pool(_: None, job: Job) -> None:
    """A coroutine that left a thread of the loop's own pool behind."""
    job.token("begun")
    await asyncio.to_thread(time.sleep, 3600)


@agent("stubborn")
async def stubborn(_: None, job: Job) -> None:
    """A coroutine that never ends."""
    job.token("begun")
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
