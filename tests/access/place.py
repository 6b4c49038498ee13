"""A real server, the people who use it, and what they get from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

import jwt
import msgspec
from aiohttp import ClientResponse, ClientSession, DummyCookieJar
from msgspec import Struct
from multidict import CIMultiDict
from yarl import URL

from sse_server import config, sse
from sse_server.app import Server, registry_of
from sse_server.config import Settings
from tests.access.troupe import troupe

SECRET: Final = "gP1r0uJwHk3mYx7nVtQ5eZs8dLbC2aRf"
ORIGIN: Final = "https://app.example.com"


def rules(**sections: Mapping[str, Any]) -> Settings:
    """Settings of a server that asks for tokens, with other values by section."""
    mine: dict[str, Any] = {
        "server": {"port": 0, "drain_timeout": 0.0, "max_body_bytes": 65_536},
        "auth": {"jwt_secret": SECRET, "leeway": 0.0},
        "cors": {"origins": (ORIGIN,)},
        "jobs": {"cancel_grace": 0.2},
        "stream": {"retry_ms": 10},
        "store": {"kind": "memory"},
    }
    for section, values in sections.items():
        mine[section] = mine.get(section, {}) | values
    return Settings(**{section: getattr(config, section.capitalize())(**values) for section, values in mine.items()})


def token(user: str, ttl: float = 60, **claims: object) -> str:
    """A good token, as the issuer makes it."""
    good = {"sub": user, "aud": "authenticated", "exp": time.time() + ttl}
    return jwt.encode(good | claims, SECRET, algorithm="HS256")


ANN: Final = token("ann", 86_400)
BOB: Final = token("bob", 86_400)
ADMIN: Final = token("root", 86_400, scope="admin stats")


class Answer(Struct):
    """An answer with its whole body."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON."""
        assert "json" in self.headers["Content-Type"], self
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The stable word of a problem, whose shape is looked at each time."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self
        said = self.json
        assert said["status"] == self.status
        assert said["request_id"] == self.headers["X-Request-Id"]
        assert {"type", "title", "detail"} < said.keys()
        assert ("Retry-After" in self.headers) == (self.status in {429, 503})
        return str(said["code"])

    @property
    def told(self) -> tuple[int, str]:
        """Its status and code."""
        return self.status, self.code


class Reading:
    """An open stream, event by event."""

    def __init__(self, answer: ClientResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.events: list[dict[str, Any]] = []
        """The job's events so far, without control events."""
        self.last_event_id = ""
        self._all = self._parse(answer)

    async def next(self) -> dict[str, Any]:
        """The next event of any kind; an empty one when the stream is over."""
        async with asyncio.timeout(20):
            return await anext(self._all, {})

    async def until(self, *types: str) -> dict[str, Any]:
        """The first event of one of these types; without any, the last one of the stream."""
        last: dict[str, Any] = {}
        async with asyncio.timeout(20):  # for all of it: heartbeats alone would never end
            while event := await self.next():
                last = event
                if event["type"] in types:
                    return last
        assert not types, f"the stream ended with {last}"
        return last

    async def _parse(self, answer: ClientResponse) -> AsyncIterator[dict[str, Any]]:
        decoder = sse.Parser()
        async for piece in answer.content.iter_any():
            for frame in decoder.feed(piece):
                event = msgspec.json.decode(frame.data)
                self.last_event_id = frame.id
                if "seq" in event:
                    self.events.append(event)
                yield event


class Place:
    """Runs the server. `cue` lets a job of `actor` go on, `curtain` end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._cues: asyncio.Queue[str | None] = asyncio.Queue()
        self._http: ClientSession
        self.server: Server

    async def __aenter__(self) -> Self:
        self._http = ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False)
        registry = registry_of(self.settings, ())
        for name, one in troupe(self._cues):
            registry.add(name, one)
        self.server = Server(self.settings, registry)
        await self.server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.close()
        await self.server.stop()

    @property
    def origin(self) -> str:
        """Our own origin."""
        return f"http://127.0.0.1:{self.server.port}"

    def url(self, path: str) -> URL:
        """The address of a path that is encoded already."""
        return URL(self.origin + path, encoded=True)

    async def ask(
        self,
        method: str,
        path: str,
        bearer: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
        endless: bool = False,
    ) -> Answer:
        """Send one request; `bearer` is the token in its header. Of a stream without end only the head is read."""
        given = CIMultiDict(headers or {})
        if bearer is not None:
            given["Authorization"] = f"Bearer {bearer}"
        if json is not None:
            body = msgspec.json.encode(json)
            given.setdefault("Content-Type", "application/json")
        async with self._http.request(
            method, self.url(path), headers=given, data=body, allow_redirects=False
        ) as answer:
            streams = endless and answer.content_type == "text/event-stream"
            return Answer(answer.status, CIMultiDict(answer.headers), b"" if streams else await answer.read())

    async def start(self, bearer: str | None, agent: str = "actor", **more: object) -> str:
        """The address of a new job."""
        answer = await self.ask("POST", "/api/jobs", bearer, json={"agent": agent, "input": {}, **more})
        assert answer.status == 202, answer
        return str(answer.json["links"]["self"])

    async def ended(self, bearer: str | None, agent: str = "echo", **more: object) -> str:
        """The address of a job that has ended."""
        job = await self.start(bearer, agent, **more)
        assert (await self.ask("GET", f"{job}/events?wait=20&types=done", bearer)).json["done"]
        return job

    async def ticket(self, bearer: str | None, ttl: float | None = None, **what: str) -> str:
        """A ticket for a job (`job_id`) or a session (`session_id`)."""
        answer = await self.ask("POST", "/api/tickets", bearer, json={**what, "ttl": ttl})
        assert answer.status == 201, answer
        return str(answer.json["ticket"])

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        bearer: str | None = None,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> AsyncIterator[Reading]:
        """Open a stream."""
        given = dict(headers or {}) | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        given |= {"Accept": "text/event-stream"}
        async with self._http.request(method, self.url(path), headers=given, json=json) as answer:
            assert answer.status == 200, await answer.read()
            assert answer.content_type == "text/event-stream"
            yield Reading(answer)

    def cue(self, text: str) -> None:
        """Let `actor` emit this text."""
        self._cues.put_nowait(text)

    def curtain(self) -> None:
        """Let `actor` end."""
        self._cues.put_nowait(None)
