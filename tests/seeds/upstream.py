"""A model on loopback that speaks as the official SDK expects, and says nothing more until it is let go."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

import msgspec
from aiohttp import web

WORDS: Final = ("Once ", "upon ", "a ", "time")


class Upstream:
    """Answers every chat: the first word at once, the others after `go`."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self._runner: web.AppRunner

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.post("/chat/completions", self._answer)])
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def address(self) -> str:
        """What `provider.base_url` is to be."""
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for word in WORDS:
            await answer.write(chunk({"content": word}, None))
            await self.go.wait()
        await answer.write(chunk({}, "stop") + b"data: [DONE]\n\n")
        return answer


def chunk(delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    said = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "gpt-4o-mini", "choices": [choice]}
    return b"data: %b\n\n" % msgspec.json.encode(said)
