"""A whole server on a real socket, and somebody who chats with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientResponse, ClientSession, DummyCookieJar
from msgspec import Struct
from msgspec.structs import replace

from sse_server import config
from sse_server.app import Server, registry_of
from sse_server.sse import Parser, ServerSentEvent
from tests.chat.upstream import Upstream

BOUND = 20.0
SESSION = "session-20261121-101500-a1b2"


def settings(
    path: Path | None = None, *, upstream: Upstream | None = None, **sections: dict[str, Any]
) -> config.Settings:
    """In memory without a path, offline without an upstream; `chat={"memory_top_k": 3}` sets what a test wants."""
    said: dict[str, dict[str, Any]] = {
        "server": {"port": 0, "drain_timeout": 1.0},
        "store": {"kind": "sqlite", "path": str(path)} if path else {"kind": "memory"},
        "provider": {"base_url": upstream.base_url, "timeout": BOUND, "max_retries": 0} if upstream else {},
    }
    for name, values in sections.items():
        said[name] = said.get(name, {}) | values
    defaults = config.Settings()
    return replace(defaults, **{name: replace(getattr(defaults, name), **values) for name, values in said.items()})


class Answer(Struct):
    """A whole answer: its bytes, and its frames without heartbeats and such."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def frames(self) -> list[tuple[str, Any]]:
        """The named frames: type and data."""
        return [(event.type, msgspec.json.decode(event.data)) for event in Parser().feed(self.body)]

    @property
    def tokens(self) -> list[str]:
        return [data["text"] for kind, data in self.frames if kind == "token"]

    @property
    def text(self) -> str:
        """All that it says; it must be a whole one."""
        assert self.frames[-1] == ("done", {"finish_reason": "stop"}), self
        return "".join(self.tokens)


class Chatting:
    """An open chat, read as it comes."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer
        self.body = b""
        self._parser = Parser()
        self._frames: list[ServerSentEvent] = []

    async def until(self, *parts: bytes) -> bytes:
        """Read until all these bytes have come; all bytes so far."""
        async with asyncio.timeout(BOUND):
            while not all(part in self.body for part in parts):
                piece = await self.answer.content.readany()
                assert piece, self.body
                self.body += piece
        return self.body

    async def end(self) -> Answer:
        """Read to the end."""
        async with asyncio.timeout(BOUND):
            self.body += await self.answer.read()
        return Answer(self.answer.status, self.answer.headers, self.body)

    def leave(self) -> None:
        """Close the connection, in mid-stream."""
        self.answer.close()


class Place:
    """`server` is whole and real."""

    def __init__(self, server: Server, http: ClientSession) -> None:
        self.server = server
        self.http = http
        self.url = f"http://127.0.0.1:{server.port}"

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Any request; `body` is JSON unless it is bytes."""
        data = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            asyncio.timeout(BOUND),
            self.http.request(method, self.url + path, data=data, headers=named) as answer,
        ):
            return Answer(answer.status, answer.headers, await answer.read())

    async def chat(self, message: object, headers: dict[str, str] | None = None, **fields: object) -> Answer:
        """A chat to its end."""
        return await self.send("POST", "/api/v1/chat", {"message": message, **fields}, **(headers or {}))

    async def open(self, message: str, headers: dict[str, str] | None = None, **fields: object) -> Chatting:
        """A chat's beginning."""
        body = msgspec.json.encode({"message": message, **fields})
        return Chatting(await self.http.post(f"{self.url}/api/v1/chat", data=body, headers=headers))


@asynccontextmanager
async def place(settings: config.Settings) -> AsyncIterator[Place]:
    """Serve, and stop in good order."""
    server = Server(settings, registry_of(settings, []))
    await server.start()
    try:
        async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as http:
            yield Place(server, http)
    finally:
        await server.stop()
