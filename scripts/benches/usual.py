"""The usual choice: a queue for each reader, `sse-starlette` or FastAPI's own event stream, on uvicorn.

usage: python -m benches.usual sse-starlette|fastapi
"""
# ruff: noqa: T201  (it says where it listens)

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.sse import EventSourceResponse as OwnResponse
from fastapi.sse import ServerSentEvent
from sse_starlette import EventSourceResponse

from benches.pace import TEXT, publish

app = FastAPI()
readers: dict[str, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)
works: set[asyncio.Task[None]] = set()


def event(log: str, seq: int, kind: str = "token", text: str = TEXT) -> dict[str, Any]:
    """The same fields as ours."""
    return {
        "type": kind,
        "job_id": f"job_{log:0>32}",
        "session_id": log,
        "seq": seq,
        "attempt": 1,
        "timestamp": time.time(),
        "text": text,
    }


async def follow(log: str) -> AsyncIterator[dict[str, Any]]:
    """The events of a log, from now on."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    readers[log].add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        readers[log].discard(queue)


@app.get("/starlette/{log}")
async def starlette_stream(log: str) -> EventSourceResponse:
    """As the documentation of sse-starlette has it."""

    async def frames() -> AsyncIterator[dict[str, Any]]:
        async for item in follow(log):
            yield {"data": json.dumps(item), "id": str(item["seq"])}

    return EventSourceResponse(frames())


@app.get("/own/{log}", response_class=OwnResponse)
async def own_stream(log: str) -> AsyncIterator[ServerSentEvent]:
    """As FastAPI's documentation has it."""
    async for item in follow(log):
        yield ServerSentEvent(data=item, id=str(item["seq"]))


@app.get("/publish")
async def publish_to_all(count: int, rate: float, burst: int) -> None:
    """An event into every reader's queue."""

    def emit_to(log: str) -> Callable[[], None]:
        def emit() -> None:
            item = event(log, 1)
            for queue in readers[log]:
                queue.put_nowait(item)

        return emit

    await publish([emit_to(log) for log in list(readers)], count, rate, burst)


@app.post("/jobs")
async def start_job(request: Request) -> EventSourceResponse:
    """A plain task that emits what a small job of ours does, streamed by the same answer; nothing is stored."""
    asked = json.loads(await request.body())
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def work() -> None:
        for seq, kind in enumerate(("job_queued", "job_started", "token", "token", "token", "done"), 1):
            queue.put_nowait(event(asked["agent"], seq, kind))

    task = asyncio.create_task(work())
    works.add(task)
    task.add_done_callback(works.discard)

    async def frames() -> AsyncIterator[dict[str, Any]]:
        while True:
            item = await queue.get()
            yield {"data": json.dumps(item), "id": str(item["seq"])}
            if item["type"] == "done":
                return

    return EventSourceResponse(frames())


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="error", access_log=False, backlog=4096, timeout_keep_alive=600)
    uvicorn.Server(config).run(sockets=[listener])
