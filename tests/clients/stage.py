"""The real server, with agents that play what a test tells them, and a job's events as polling answers them."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import ClientSession
from msgspec import Struct

from sse_server import config
from sse_server.agents import Job, Registry, agent
from sse_server.app import Server
from sse_server.config import Settings

ODD = [
    "a\r\nb\rc\nd",
    "nul\0nul",
    "\u2028\u2029\x85",
    "👩\u200d🚀 \ufeff",
    "data: x\n\nid: 7\n\n",
    ": comment",
    " ",
    "",
]
"""Texts that would break a frame, or a reader that splits lines where it may not."""


class Line(Struct, frozen=True):
    """One event that an agent shall emit."""

    type: str
    fields: dict[str, Any] = {}


def on_stage(**stream: Any) -> Settings:
    """Settings for a server of which little is kept; `stream` is that section."""
    return Settings(
        server=config.Server(port=0, drain_timeout=20.0),
        stream=config.Stream(**stream),
        store=config.Store(kind="memory"),
    )


class Stage:
    """`reciter` emits all its input's lines at once; `actor` waits for a cue before each line, and before its end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cues: asyncio.Queue[Line | None] = asyncio.Queue()
        self._server: Server
        self._http: ClientSession

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self._server.port

    async def __aenter__(self) -> Self:
        self._http = ClientSession()
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.curtain()  # an actor that still waits goes home
        await self._http.close()
        await self.close()

    async def open(self) -> None:
        """Start the server, or the next one on the same store."""
        self._server = Server(self._settings, self._registry())
        await self._server.start()

    async def close(self) -> None:
        """Drain the server and stop it."""
        await self._server.stop()

    async def start(self, agent: str, *lines: Line) -> str:
        """The address of a new job."""
        body = {"agent": agent, "input": [msgspec.to_builtins(line) for line in lines], "session_id": "stage"}
        async with self._http.post(self.url("/api/jobs"), json=body) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["links"]["self"])

    async def recited(self, *lines: Line) -> str:
        """The address of a job that has emitted these lines and ended."""
        job = await self.start("reciter", *lines)
        await self.events(job)
        return job

    def cue(self, type: str, **fields: object) -> None:
        """Let the actor go on with this line."""
        self._cues.put_nowait(Line(type, fields))

    def curtain(self) -> None:
        """Let the actor end."""
        self._cues.put_nowait(None)

    async def events(self, job: str, *, until: int | None = None) -> list[dict[str, Any]]:
        """A job's events as polling lists them: all, or as soon as there are `until`."""
        events: list[dict[str, Any]] = []
        after = "0"
        while True:
            query = {"after": after, "wait": "20"}
            async with self._http.get(self.url(f"{job}/events"), params=query) as answer:
                page = await answer.json()
            assert "gap" not in page
            events += page["events"]
            after = page["next"]
            if page["done"] or (until is not None and len(events) >= until):
                return events

    async def bytes(self, path: str, *, http: str = "1.0") -> bytes:
        """The body of an answer as it is on the wire."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {path} HTTP/{http}\r\nHost: stage\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer.partition(b"\r\n\r\n")[2]

    def url(self, path: str) -> str:
        """The server's own address, with nothing between."""
        return f"http://127.0.0.1:{self.port}{path}"

    def _registry(self) -> Registry:
        @agent("reciter")
        async def recite(input: list[Line], job: Job) -> None:
            for line in input:
                job.emit(line.type, **line.fields)

        @agent("actor", retries=1, backoff=0)
        async def act(_: list[Line], job: Job) -> None:
            while cue := await self._cues.get():
                job.emit(cue.type, **cue.fields)

        return Registry([recite, act])
