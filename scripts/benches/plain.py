"""The least that aiohttp can do: streams that a publisher writes to once a loop turn, and nothing else that ours does.

Nothing is stored, checked or resumed, nobody is asked for a token, and a log is a number and those who read it.
"""
# ruff: noqa: T201  (it says where it listens)

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
import uvloop
from aiohttp import hdrs, web

from benches.pace import TEXT, publish

HEADERS = {hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store", "X-Accel-Buffering": "no"}

works: set[asyncio.Task[None]] = set()


class Log:
    """Numbers its events, makes their frames, and writes what is due to all readers in one write."""

    def __init__(self) -> None:
        self.readers: list[asyncio.WriteTransport] = []
        self._last = 0
        self._due: list[bytes] = []

    def emit(self, kind: str = "token") -> None:
        """An event with the same fields as ours."""
        if not self._due:
            due.append(self)
            if len(due) == 1:
                asyncio.get_running_loop().call_soon(flush)
        self._last += 1
        at = time.time_ns() // 1000
        head = (
            f'data: {{"type":"{kind}","job_id":"job_{1:032}","session_id":"s-1","seq":{self._last},"attempt":1,'
            f'"timestamp":"{second(at // 1_000_000)}.{at % 1_000_000:06}Z",'
        )
        body = encode({"text": TEXT})
        self._due.append(head.encode() + body[1:] + f"\nid: 0123456789-{self._last}\n\n".encode())

    def flush(self) -> None:
        """Write what is due."""
        frames, self._due = b"".join(self._due), []
        chunk = b"%x\r\n%b\r\n" % (len(frames), frames)
        for transport in self.readers:
            if not transport.is_closing():
                transport.write(chunk)


logs: defaultdict[str, Log] = defaultdict(Log)
due: list[Log] = []
encode = msgspec.json.Encoder().encode


def flush() -> None:
    """All that is due in this loop turn."""
    global due
    dirty, due = due, []
    for log in dirty:
        log.flush()


@lru_cache(64)
def second(seconds: int) -> str:
    """Unix seconds as RFC 3339 begins."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


async def opened(request: web.Request) -> tuple[web.StreamResponse, asyncio.Transport]:
    """A response whose frames are written past it."""
    response = web.StreamResponse(headers=HEADERS)
    response.enable_chunked_encoding()
    await response.prepare(request)
    assert request.transport
    return response, request.transport


async def stream(request: web.Request) -> web.StreamResponse:
    """Until the client goes."""
    response, transport = await opened(request)
    log = logs[request.match_info["log"]]
    log.readers.append(transport)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        log.readers.remove(transport)
    return response


async def publish_to_all(request: web.Request) -> web.Response:
    """An event into every log."""
    asked = {name: float(value) for name, value in request.query.items()}
    emits: list[Callable[[], None]] = [log.emit for log in logs.values()]
    await publish(emits, int(asked["count"]), asked["rate"], int(asked["burst"]))
    return web.Response()


async def start_job(request: web.Request) -> web.StreamResponse:
    """A plain task that emits what a small job of ours does, streamed by the same answer."""
    msgspec.json.decode(await request.read())
    response, transport = await opened(request)
    log = Log()
    log.readers.append(transport)

    async def work() -> None:
        for kind in ("job_queued", "job_started", "token", "token", "token", "done"):
            log.emit(kind)

    task = asyncio.create_task(work())
    works.add(task)
    task.add_done_callback(works.discard)
    await task
    await response.write_eof()
    return response


async def main() -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_get("/stream/{log}", stream, allow_head=False)
    app.router.add_get("/publish", publish_to_all)
    app.router.add_post("/jobs", start_job)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    await web.SockSite(runner, listener, backlog=4096).start()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)  # as ours has it
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
