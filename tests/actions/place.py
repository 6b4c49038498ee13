"""A whole server on a real socket, agents in a test's hands, and somebody who follows a session or a run."""

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

from sse_server.actions.marks import delete_message, edit_message
from sse_server.actions.regenerate import regenerate_at
from sse_server.agents import Agent, Job, Registry, agent
from sse_server.app import Server
from sse_server.config import Settings
from sse_server.sse import Parser
from tests.access.place import ANN, BOB, rules

__all__ = ["ANN", "BOB", "Frame", "Place", "Reading", "place"]

BOUND: Final = 20.0


class Puppets:
    """An agent that takes anything and does what a test says, when it says so."""

    def __init__(self) -> None:
        self._entered: asyncio.Queue[tuple[Any, Job, asyncio.Future[Any]]] = asyncio.Queue()

    def agent(self, name: str = "puppet", **options: Any) -> Agent:
        @agent(name, **options)
        async def puppet(input: Any, job: Job) -> Any:
            over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._entered.put_nowait((input, job, over))
            return await over

        return puppet

    async def next(self) -> tuple[Any, Job, asyncio.Future[Any]]:
        """What the next job was asked, the job, and what ends it."""
        async with asyncio.timeout(BOUND):
            return await self._entered.get()

    def waiting(self) -> int:
        """How many run that nobody has taken."""
        return self._entered.qsize()


class Frame(Struct, frozen=True):
    """A frame as an EventSource would dispatch it; `id` is its own, or that of the one before."""

    type: str
    data: Any
    id: str


class Answer(Struct):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def faults(self) -> list[str]:
        """Where the input of a 400 is wrong."""
        assert self.status == 400, self
        return [fault["path"] for fault in self.json["errors"]]

    @property
    def frames(self) -> list[Frame]:
        return [
            Frame(event.type, msgspec.json.decode(event.data), event.id)
            for event in Parser(max_line=2**26).feed(self.body)
        ]

    @property
    def blocks(self) -> list[bytes]:
        """The frames as they came."""
        return self.body.removesuffix(b"\n\n").split(b"\n\n")


class Reading:
    """An open stream, frame by frame."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer
        self._parser = Parser()
        self._frames: list[Frame] = []

    async def next(self) -> Frame | None:
        """The next frame; None at the end."""
        async with asyncio.timeout(BOUND):
            while not self._frames:
                piece = await self.answer.content.readany()
                if not piece:
                    return None
                for event in self._parser.feed(piece):
                    self._frames.append(Frame(event.type, msgspec.json.decode(event.data), event.id))
        return self._frames.pop(0)

    async def until(self, *types: str) -> Frame:
        """The first frame of one of these types."""
        while frame := await self.next():
            if frame.type in types:
                return frame
        raise AssertionError(f"the stream ended without {types}")

    async def frames_until(self, type: str) -> list[Frame]:
        """All up to the first one of this type, with it."""
        frames = []
        while frame := await self.next():
            frames.append(frame)
            if frame.type == type:
                return frames
        raise AssertionError(f"the stream ended without {type}")

    def leave(self) -> None:
        """Close the connection, in mid-stream."""
        self.answer.close()


class Place:
    """`server` is whole and real."""

    def __init__(self, server: Server, http: ClientSession, puppets: Puppets) -> None:
        self.server = server
        self.http = http
        self.puppets = puppets

    async def ask(
        self,
        method: str,
        path: str,
        *,
        bearer: str = ANN,
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> Answer:
        """One request, and its whole answer."""
        body = None if json is None else msgspec.json.encode(json)
        given = {"Authorization": f"Bearer {bearer}"} | dict(headers or {})
        async with (
            asyncio.timeout(BOUND),
            self.http.request(method, self._url(path), headers=given, data=body) as answer,
        ):
            return Answer(answer.status, dict(answer.headers), await answer.read())

    @asynccontextmanager
    async def open(self, path: str, *, bearer: str = ANN, last: str = "") -> AsyncIterator[Reading]:
        """A stream, read as it comes."""
        given = {"Authorization": f"Bearer {bearer}"} | ({"Last-Event-ID": last} if last else {})
        async with self.http.get(self._url(path), headers=given) as answer:
            assert answer.status == 200, await answer.text()
            yield Reading(answer)

    async def act(self, action: str, bearer: str = ANN, **body: Any) -> Answer:
        """`POST /api/chat_actions/...`."""
        return await self.ask("POST", f"/api/chat_actions/{action}", bearer=bearer, json=body)

    @asynccontextmanager
    async def session(self, name: str, bearer: str = ANN) -> AsyncIterator[Reading]:
        async with self.open(f"/agent_network_sse/{name}", bearer=bearer) as reading:
            await reading.until("connection")
            yield reading

    async def run(self, app: str, query: str, *, last: str = "", user: str = "ann", session: str = "s") -> Answer:
        """An ADK-style run to its end."""
        return await self.ask(
            "GET", run_path(app, query, user=user, session=session), headers={"Last-Event-ID": last} if last else {}
        )

    async def jobs(self, bearer: str = ANN) -> list[Any]:
        return list((await self.ask("GET", "/api/jobs", bearer=bearer)).json["jobs"])

    def _url(self, path: str) -> URL:
        return URL(f"http://127.0.0.1:{self.server.port}{path}", encoded=True)


def run_path(app: str, query: str | None, *, user: str = "ann", session: str = "s") -> str:
    asked = "" if query is None else f"?query={quote(query, safe='')}"
    return f"/apps/{quote(app, safe='')}/users/{user}/sessions/{session}/run{asked}"


@asynccontextmanager
async def place(settings: Settings | None = None, *agents: Agent) -> AsyncIterator[Place]:
    """The agents of this wing, at no pace, and those that a test brings; `ann` and `bob` may come in."""
    puppets = Puppets()
    mine = [regenerate_at(0), edit_message, delete_message, puppets.agent(), *agents]
    server = Server(settings or rules(), Registry(mine))
    await server.start()
    try:
        async with ClientSession(cookie_jar=DummyCookieJar(), read_bufsize=2**20) as http:
            yield Place(server, http, puppets)
    finally:
        await server.stop()
