"""A whole server on a real socket, somebody who asks the panel there, and a panel that does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import ClientResponse, ClientSession, DummyCookieJar
from msgspec import Struct
from yarl import URL

from sse_server.agents import Agent, Job, Registry, agent
from sse_server.app import Server
from sse_server.config import Settings
from sse_server.panel.agent import panel_at
from sse_server.panel.pace import Pace
from sse_server.panel.result import PanelInput
from sse_server.sse import Parser, ServerSentEvent
from tests.access.place import ANN, BOB, rules
from tests.panel.run import TODAY

__all__ = ["ANN", "BOB", "Answer", "Place", "Puppets", "Reading", "place"]

BOUND: Final = 20.0
SEVERAL: Final = "convert 5 miles to km, BMI of 82 kg at 1.80 m and 3 * 4"


class Puppets:
    """Panels in a test's hands: each question waits on the stage until it is ended or fails."""

    def __init__(self) -> None:
        self._entered: asyncio.Queue[tuple[Job, asyncio.Future[Any]]] = asyncio.Queue()

    def agent(self) -> Agent:
        @agent("panel")
        async def panel(_: PanelInput, job: Job) -> Any:
            over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._entered.put_nowait((job, over))
            return await over

        return panel

    async def next(self) -> tuple[Job, asyncio.Future[Any]]:
        """The next job that runs, and what ends it."""
        async with asyncio.timeout(BOUND):
            return await self._entered.get()

    def waiting(self) -> int:
        """How many run that nobody has taken."""
        return self._entered.qsize()


class Answer(Struct):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])

    @property
    def frames(self) -> list[ServerSentEvent]:
        return list(Parser().feed(self.body))

    @property
    def blocks(self) -> list[bytes]:
        """The frames as they came, without the comment and the `retry` before the first."""
        first, *others = self.body.removesuffix(b"\n\n").split(b"\n\n")
        return [first.split(b"\n", 2)[2], *others]


class Reading:
    """An open stream, frame by frame."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer
        self._parser = Parser()
        self._frames: list[ServerSentEvent] = []

    async def next(self) -> ServerSentEvent | None:
        """The next frame; None at the end."""
        async with asyncio.timeout(BOUND):
            while not self._frames:
                piece = await self.answer.content.readany()
                if not piece:
                    return None
                self._frames += self._parser.feed(piece)
        return self._frames.pop(0)

    async def __aiter__(self) -> AsyncIterator[ServerSentEvent]:
        while frame := await self.next():
            yield frame

    async def until(self, name: str) -> ServerSentEvent:
        """The first frame of this name."""
        while frame := await self.next():
            if frame.type == name:
                return frame
        raise AssertionError(f"the stream ended without {name}")

    @property
    def job_id(self) -> str:
        return self._parser.last_event_id.partition(".")[0]

    def leave(self) -> None:
        """Close the connection, in mid-stream."""
        self.answer.close()


class Place:
    """`server` is whole and real; `puppets` is set where the panel is in the test's hands."""

    def __init__(self, server: Server, http: ClientSession) -> None:
        self.server = server
        self.http = http
        self.puppets = Puppets()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def ask(
        self,
        method: str,
        path: str,
        bearer: str | None = ANN,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request, and its whole answer."""
        given = dict(headers or {}) | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        if json is not None:
            body = msgspec.json.encode(json)
        url = URL(self.origin + path, encoded=True)
        async with asyncio.timeout(BOUND), self.http.request(method, url, headers=given, data=body) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())

    async def stream(self, message: str, bearer: str | None = ANN, *, last: str = "", **headers: str) -> Answer:
        """`GET /api/chat/stream` to its end; `last` is the Last-Event-ID."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = named | ({"Last-Event-ID": last} if last else {})
        return await self.ask("GET", f"/api/chat/stream?message={quote(message, safe='')}", bearer, headers=sent)

    async def post(self, message: object, bearer: str | None = ANN) -> Answer:
        """`POST /api/chat/message` to its end."""
        return await self.ask("POST", "/api/chat/message", bearer, json={"message": message})

    @asynccontextmanager
    async def open(
        self, message: str, bearer: str = ANN, *, method: str = "GET", last: str = ""
    ) -> AsyncIterator[Reading]:
        """An open stream of either door."""
        headers = {"Authorization": f"Bearer {bearer}"} | ({"Last-Event-ID": last} if last else {})
        if method == "GET":
            url = URL(f"{self.origin}/api/chat/stream?message={quote(message, safe='')}", encoded=True)
            request = self.http.get(url, headers=headers)
        else:
            body = msgspec.json.encode({"message": message})
            request = self.http.post(f"{self.origin}/api/chat/message", data=body, headers=headers)
        async with request as answer:
            assert answer.status == 200, await answer.read()
            yield Reading(answer)

    async def jobs(self, bearer: str = ANN) -> list[dict[str, Any]]:
        """All jobs of a user, newest first."""
        jobs: list[dict[str, Any]] = (await self.ask("GET", "/api/jobs?limit=200", bearer)).json["jobs"]
        return jobs

    async def ended(self, job_id: str, bearer: str = ANN) -> dict[str, Any]:
        """The job, once it has ended."""
        poll = await self.ask("GET", f"/api/jobs/{job_id}/events?wait=20&types=done", bearer)
        assert poll.json["done"], poll
        job: dict[str, Any] = (await self.ask("GET", f"/api/jobs/{job_id}", bearer)).json
        return job


@asynccontextmanager
async def place(
    *, puppets: bool = False, pace: Pace | None = None, **sections: Mapping[str, Any]
) -> AsyncIterator[Place]:
    """Serve, with settings by section, and stop in good order."""
    settings: Settings = rules(**sections)
    hands = Puppets()
    panel = hands.agent() if puppets else panel_at(pace or Pace(task=0.005, words=0), today=lambda: TODAY)
    server = Server(settings, Registry([panel]))
    await server.start()
    try:
        async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as http:
            here = Place(server, http)
            here.puppets = hands
            yield here
    finally:
        await server.stop()
