"""A model's server on the loopback, of OpenAI's streaming wire format, that answers as a test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

SOON = {"retry-after-ms": "1"}

Answer = Callable[["Upstream", web.Request], Awaitable[web.StreamResponse]]


class Upstream:
    """A server of the wire format that answers its requests by the given answers, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.peers: set[object] = set()
        self.disconnected = asyncio.Event()
        self.asked = asyncio.Event()
        self.cues: asyncio.Queue[str | None] = asyncio.Queue()
        """What `cued` writes, chunk by chunk; None ends it."""
        self.base_url = ""
        self.left_at = 0.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        self.asked.set()
        self.requests.append({"body": body, "authorization": request.headers.get("Authorization")})
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            return await answer(self, request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.disconnected.set()
            raise
        finally:
            self.left_at = time.monotonic()


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[Upstream]:
    upstream = Upstream(*answers)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.handle)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield upstream
    finally:
        await runner.cleanup()


def piece(**fields: object) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024-07-18"} | fields
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def text(content: str | None, finish: str | None = None) -> bytes:
    return piece(choices=[{"index": 0, "delta": {"content": content}, "finish_reason": finish}])


USAGE = piece(choices=[], usage={"prompt_tokens": 5, "completion_tokens": 15, "total_tokens": 20})
DONE = b"data: [DONE]\n\n"


async def opened(request: web.Request, *pieces: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for each in pieces:
        await response.write(each)
    return response


async def hello(_: Upstream, request: web.Request) -> web.StreamResponse:
    return await opened(request, text("Hello"), text(", world"), text(None, "stop"), USAGE, DONE)


async def no_usage(_: Upstream, request: web.Request) -> web.StreamResponse:
    return await opened(request, text("Hello", "stop"), DONE)


async def torn(_: Upstream, request: web.Request) -> web.StreamResponse:
    return await opened(request, text("Hel"))


async def garbled(_: Upstream, request: web.Request) -> web.StreamResponse:
    return await opened(request, text("Hel"), b"data: {not json\n\n")


async def hanging(_: Upstream, request: web.Request) -> web.StreamResponse:
    response = await opened(request, text("Hello"))
    await asyncio.Event().wait()
    return response


def refusing(status: int, headers: dict[str, str] | None = None) -> Answer:
    async def refuse(_: Upstream, request: web.Request) -> web.StreamResponse:
        said = f"Refused {request.headers.get('Authorization')}"  # as upstreams do quote a key
        return web.json_response({"error": {"message": said}}, status=status, headers=headers or SOON)

    return refuse


async def cued(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    response = await opened(request)
    while (chunk := await upstream.cues.get()) is not None:
        await response.write(text(chunk))
    await response.write(text(None, "stop") + USAGE + DONE)
    return response


async def silent(_: Upstream, __: web.Request) -> web.StreamResponse:
    """Not even a head."""
    await asyncio.Event().wait()
    return web.StreamResponse()
