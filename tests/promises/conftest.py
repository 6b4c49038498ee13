"""A whole server on a real socket, an agent that does what the test tells it, and readers that may be cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal

import aiohttp
import msgspec
import pytest

from sse_server import Job, agent
from sse_server import config as c
from sse_server.agents import Registry
from sse_server.app import Server
from sse_server.sse import Parser, ServerSentEvent

Kind = Literal["memory", "sqlite"]
ORDERS: dict[str, asyncio.Queue[int]] = {}


@agent("puppet")
async def puppet(_: dict[str, Any], job: Job) -> str:
    """Emit so many numbered tokens for each order; an order of 0 ends the job."""
    orders = ORDERS.setdefault(job.id, asyncio.Queue())
    number = 0
    while count := await orders.get():
        for _turn in range(count):
            job.token(f"{number} ")
            number += 1
        await job.flush()
    return "ended"


@agent("burst")
async def burst(input: int, job: Job) -> int:
    """Emit `input` tokens, all of a turn's at once, so that frames are joined and tails overflow."""
    for number in range(input):
        job.token(f"{number} é\r\n\u2028")
        if number % 700 == 699:
            await job.flush()
    return input


class Wire:
    """A client of one server: starts jobs, reads streams by raw bytes, polls."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.http = http
        self.url = f"http://127.0.0.1:{server.port}"

    async def start(self, name: str, value: Any, **fields: Any) -> str:
        body = {"agent": name, "input": value, **fields}
        async with self.http.post(f"{self.url}/api/jobs", json=body) as answer:
            assert answer.status == 202, await answer.text()
            job_id: str = (await answer.json())["job_id"]
            return job_id

    async def order(self, job_id: str, count: int) -> None:
        await ORDERS.setdefault(job_id, asyncio.Queue()).put(count)

    async def read(
        self, job_id: str, cursor: str = "", *, most: int = 10**9, size: int = 0, query: str = ""
    ) -> Reading:
        """Read up to `most` events, or `size` bytes, then drop the line, wherever it is."""
        headers = {"Last-Event-ID": cursor} if cursor else {}
        parser, events, taken = Parser(last_event_id=cursor), [], 0
        async with self.http.get(f"{self.url}/api/jobs/{job_id}/stream{query}", headers=headers) as answer:
            async for chunk in answer.content.iter_any():
                part = chunk[: size - taken] if size else chunk
                taken += len(part)
                events += list(parser.feed(part))
                if len(events) >= most or (size and taken >= size):
                    break
            kept = events[:most]
            last = [event.id for event in kept if event.id]
            return Reading(answer.status, kept, last[-1] if last else cursor)

    async def poll(self, job_id: str, after: str = "", limit: int = 500, **query: Any) -> dict[str, Any]:
        params = {"limit": limit, **({"after": after} if after else {}), **query}
        async with self.http.get(f"{self.url}/api/jobs/{job_id}/events", params=params) as answer:
            assert answer.status == 200, await answer.text()
            page: dict[str, Any] = await answer.json()
            return page

    async def all(self, job_id: str, limit: int = 1000) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": "", "done": False}
        while not page["done"]:
            page = await self.poll(job_id, page["next"], limit, wait=5)
            events += page["events"]
        return events

    async def all_so_far(self, job_id: str) -> str:
        """The text that the job's snapshot holds: trimmed events count too."""
        async with self.http.get(f"{self.url}/api/jobs/{job_id}") as answer:
            return str((await answer.json())["text"])


class Reading(msgspec.Struct):
    """What one connection gave."""

    status: int
    events: list[ServerSentEvent]
    cursor: str

    @property
    def data(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(event.data) for event in self.events]

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The events of the log, without those that speak of the stream."""
        return [one for one in self.data if "seq" in one]


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
async def wire(kind: Kind, tmp_path: Path) -> AsyncIterator[Wire]:
    async with running(tmp_path, kind) as client:
        yield client


class running(AsyncExitStack):  # noqa: N801  (reads as a clause)
    """A server and its client, for an `async with`."""

    def __init__(self, folder: Path, kind: Kind = "sqlite", **sections: Any) -> None:
        super().__init__()
        self._settings = c.Settings(
            server=c.Server(port=0, drain_timeout=0.0),
            store=sections.pop("store", None) or c.Store(kind=kind, path=str(folder / "log.db")),
            **sections,
        )

    async def __aenter__(self) -> Wire:  # type: ignore[override]
        server = Server(self._settings, Registry([puppet, burst]))
        await server.start()
        self.push_async_callback(server.stop)
        http = await self.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        return Wire(server, http)
