"""A whole server on a real socket, agents that do what a test says when it says so, a client that sees each byte."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
import pytest
from msgspec import Struct

from sse_server import Job
from sse_server.agents import Registry, agent
from sse_server.app import Server
from sse_server.config import Auth, Jobs, Limits, Settings
from sse_server.config import Server as ServerSettings
from sse_server.config import Sessions as SessionSettings
from sse_server.config import Store as StoreSettings
from sse_server.config import Stream as StreamSettings
from sse_server.routes.house import HOUSE
from sse_server.routes.seats import Seats
from sse_server.sse import Parser, ServerSentEvent

# ---------------------------------------------------------------- agents


class Actor:
    """A running agent in a test's hands: emit through `job`, then `end` it or let it `fail`."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def say(self, *texts: str) -> None:
        """Emit tokens; they are stored and on their way to the readers when this returns."""
        for text in texts:
            self.job.token(text)
        await self.job.flush()

    def end(self, result: Any = None) -> None:
        self.over.set_result(result)

    def fail(self, error: Exception) -> None:
        self.over.set_exception(error)


class Stage:
    """Where the actors are found by their job's id."""

    def __init__(self) -> None:
        self._actors: dict[str, asyncio.Future[Actor]] = {}

    def _place(self, job_id: str) -> asyncio.Future[Actor]:
        return self._actors.setdefault(job_id, asyncio.get_running_loop().create_future())

    async def actor(self, job_id: str) -> Actor:
        """The job's actor, once it is on the stage."""
        return await self._place(job_id)

    async def enter(self, job: Job) -> Any:
        actor = Actor(job)
        self._place(job.id).set_result(actor)
        return await actor.over

    def registry(self) -> Registry:
        """`puppet` does what its test says, `count` emits so many tokens, `strict` is particular about its input."""

        class Particular(Struct, forbid_unknown_fields=True):
            text: str
            size: int = 1

        @agent("puppet")
        async def puppet(_: Any, job: Job) -> Any:
            return await self.enter(job)

        @agent("count")
        async def count(input: dict[str, int], job: Job) -> dict[str, int]:
            for n in range(input["to"]):
                job.token(f"{n};")
                if n % input.get("flush", 100) == 0:
                    await job.flush()
            return {"counted": input["to"]}

        @agent("strict")
        async def strict(input: Particular, _: Job) -> str:
            return input.text * input.size

        return Registry([puppet, count, strict])


# ---------------------------------------------------------------- client


class Answer(Struct):
    """A whole answer: `headers` by their lower-case names, `raw` the head as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes = b""

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Line:
    """One connection. It reads what a test asks for and nothing before."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.head = b""
        self.body = b""

    @classmethod
    async def open(cls, port: int, *, buffer: int = 2**16) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=buffer))

    async def send(self, data: bytes) -> Self:
        self.writer.write(data)
        await self.writer.drain()
        return self

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Self:
        """Send a request; what comes back is still on the line."""
        lines = {"Host": "test"} | ({"Content-Length": str(len(body))} if body else {}) | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return await self.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body)

    async def read_head(self) -> Self:
        self.head = await self.reader.readuntil(b"\r\n\r\n")
        status, *lines = self.head.decode("latin-1").split("\r\n")[:-2]
        self.status = int(status.split(" ")[1])
        pairs = [line.split(": ", 1) for line in lines]
        self.headers = {name.lower(): value for name, value in pairs}
        assert len(self.headers) == len(pairs), f"a header stands twice: {lines}"
        return self

    async def chunk(self) -> bytes:
        """The next chunk of a chunked body, which is one write of the server; empty at the end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size)
        assert await self.reader.readexactly(2) == b"\r\n"
        self.body += data
        return data

    async def answer(self) -> Answer:
        """The whole of the next answer."""
        await self.read_head()
        body = b""
        if self.status in {204, 304}:
            pass
        elif "content-length" in self.headers:
            body = await self.reader.readexactly(int(self.headers["content-length"]))
        elif self.headers.get("transfer-encoding") == "chunked":
            while data := await self.chunk():
                body += data
        else:
            body = await self.reader.read()
        return Answer(self.status, self.headers, body, self.head)

    async def eof(self) -> bool:
        """Whether the server closes the connection, with nothing more to say; waits for the one or the other."""
        with contextlib.suppress(ConnectionResetError):
            return await self.reader.read(1) == b""
        return True

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def abort(self) -> None:
        """Away without a word (RST)."""
        self.writer.transport.abort()


class Frame(Struct):
    """An event of a stream: its JSON, its id (of the event itself) and its name."""

    data: dict[str, Any]
    id: str
    name: str

    @property
    def type(self) -> str:
        return self.name or str(self.data["type"])


BLOCK = re.compile(rb"(?::[^\r\n\0]*\n)*(?:retry: \d+\n)?(?::[^\r\n\0]*\n)*(?:retry: \d+\n)?"
                   rb"(?:event: ([A-Za-z][\w.:-]*)\n)?data: ([^\r\n\0]+)\n(?:id: ([^\r\n\0]+)\n)?\n")  # fmt: skip


class Stream:
    """A stream being read. Each block is held to the contract's rules for frames as it comes."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.raw = b""
        self.frames: list[Frame] = []
        self.parser = Parser()
        self._taken = 0
        self._checked = 0
        self.ended = False

    @property
    def last_id(self) -> str:
        return self.parser.last_event_id

    def take(self, data: bytes) -> None:
        """Read what came of it."""
        self.raw += data
        parsed: list[ServerSentEvent] = list(self.parser.feed(data))
        while match := BLOCK.match(self.raw, self._checked):
            self._checked = match.end()
            name, body, event_id = (part.decode() if part else "" for part in match.groups())
            frame = Frame(msgspec.json.decode(body), event_id, name)
            assert frame.data.get("type", frame.type) == frame.type or not event_id, "what is published may have a type"
            self.frames.append(frame)
            event = parsed.pop(0)
            assert (event.data, event.type) == (body, name or "message")
        assert not parsed, f"no frame of ours: {self.raw[self._checked :]!r}"

    async def read(self) -> bool:
        """The next bytes; False at the end."""
        data = (
            await self.line.chunk() if "transfer-encoding" in self.line.headers else await self.line.reader.read(2**16)
        )
        self.ended = not data
        if self.ended:
            assert re.fullmatch(rb"(: *\n)?", self.raw[self._checked :]), "the stream ended within a frame"
        self.take(data)
        return bool(data)

    async def next(self) -> Frame:
        """The next frame."""
        while len(self.frames) == self._taken:
            assert await self.read(), "the stream is over"
        self._taken += 1
        return self.frames[self._taken - 1]

    async def until(self, type: str) -> Frame:
        """The next frame of that type; those before are passed over."""
        while (frame := await self.next()).type != type:
            pass
        return frame

    async def all(self) -> list[Frame]:
        """Every frame up to the end of the stream."""
        while await self.read():
            pass
        return self.frames

    async def close(self) -> None:
        await self.line.close()


# ---------------------------------------------------------------- server


class House:
    """A server and all that a test does with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stage = Stage()
        self.server: Server
        self._lines: list[Line] = []

    async def start(self) -> None:
        self.server = Server(self.settings, self.stage.registry())
        await self.server.start()

    async def restart(self) -> None:
        """Stop as after SIGTERM, and start anew on the same store."""
        await self.server.stop()
        await self.start()

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def seats(self) -> Seats:
        return self.server._doors.app[HOUSE].seats

    async def line(self, *, buffer: int = 2**16) -> Line:
        line = await Line.open(self.port, buffer=buffer)
        self._lines.append(line)
        return line

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """One request on a connection of its own."""
        line = await self.line()
        answer = await (await line.ask(method, path, headers, body)).answer()
        await line.close()
        return answer

    async def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        return await self.ask("GET", f"{path}?{urlencode(query)}" if query else path, headers)

    async def post(self, body: Any, headers: dict[str, str] | None = None, path: str = "/api/jobs") -> Answer:
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.ask("POST", path, headers, raw)

    async def job(self, agent: str = "puppet", input: Any = None, **fields: Any) -> str:
        """Start a job; its id."""
        answer = await self.post({"agent": agent, "input": input, **fields})
        assert answer.status == 202, answer.body
        return str(answer.json["job_id"])

    async def puppet(self, **fields: Any) -> tuple[str, Actor]:
        """Start a job that does what the test says, and wait until it runs."""
        job_id = await self.job(**fields)
        return job_id, await self.stage.actor(job_id)

    async def counted(self, to: int, **fields: Any) -> str:
        """A job that has ended, with so many tokens."""
        job_id = await self.job("count", {"to": to, "flush": 1000}, **fields)
        await (await self.stream(job_id, types="done")).all()
        return job_id

    async def stream(
        self,
        job_id: str,
        cursor: str | None = None,
        headers: dict[str, str] | None = None,
        *,
        buffer: int = 2**16,
        **query: Any,
    ) -> Stream:
        """Open a job's stream, behind a `Last-Event-ID`; with a small `buffer` it reads no more than a test asks."""
        sent = ({"Last-Event-ID": cursor} if cursor is not None else {}) | (headers or {})
        line = await self.line(buffer=buffer)
        await line.ask("GET", f"/api/jobs/{job_id}/stream?{urlencode(query)}", sent)
        await line.read_head()
        assert line.status == 200, line.head
        return Stream(line)

    async def session(
        self,
        session_id: str,
        cursor: str | None = None,
        *,
        door: str = "/sse",
        headers: dict[str, str] | None = None,
        buffer: int = 2**16,
        **query: Any,
    ) -> Stream:
        """Open a session's stream; its first frame, `connection`, is read."""
        line = await self.line(buffer=buffer)
        sent = ({"Last-Event-ID": cursor} if cursor is not None else {}) | (headers or {})
        await line.ask("GET", f"{door}/{session_id}?{urlencode(query)}", sent)
        await line.read_head()
        assert line.status == 200, line.head
        stream = Stream(line)
        assert (await stream.next()).type == "connection"
        return stream

    async def publish(self, session_id: str, type: str = "message", ttl: float | None = None, **data: Any) -> str:
        """Publish an event; its id."""
        body = {"type": type, "data": data} | ({"ttl": ttl} if ttl is not None else {})
        answer = await self.post(body, path=f"/api/sessions/{session_id}/events")
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def listen(self, line: Line) -> Stream:
        """What comes on a line whose head was read."""
        return Stream(line)

    async def streamed_post(self, body: Any, headers: dict[str, str] | None = None) -> Stream:
        """Start a job and stream it in the same answer."""
        line = await self.line()
        raw = msgspec.json.encode(body)
        await line.ask("POST", "/api/jobs", {"Accept": "text/event-stream"} | (headers or {}), raw)
        await line.read_head()
        assert line.status == 200, line.head
        return Stream(line)

    async def poll(self, job_id: str, **query: Any) -> Any:
        """A page of a job's events."""
        answer = await self.get(f"/api/jobs/{job_id}/events", **query)
        assert answer.status == 200, answer.body
        return answer.json

    async def hang_up(self) -> None:
        """Close every connection that is still open."""
        for line in self._lines:
            await line.close()
        self._lines.clear()

    def assert_idle(self) -> None:
        """Nobody watches: no subscriber, tail or seat is left."""
        assert not self.server.hub.subscribers
        assert not self.server.hub._tails
        assert not self.seats.total
        assert not self.seats._taken

    def idle(self) -> bool:
        with contextlib.suppress(AssertionError):
            self.assert_idle()
            return True
        return False


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what the server does by itself; only a test that waits in vain meets the time limit."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  (there is no one event that it could wait for)
            await asyncio.sleep(0.001)


@asynccontextmanager
async def opened(
    kind: str = "memory",
    *,
    limits: Limits | None = None,
    jobs: Jobs | None = None,
    stream: StreamSettings | None = None,
    server: ServerSettings | None = None,
    auth: Auth | None = None,
    sessions: SessionSettings | None = None,
    max_job_events: int = 100_000,
) -> AsyncIterator[House]:
    """A server of that store with these settings. At the end nothing may be left: no task, no subscriber, no seat."""
    before = asyncio.all_tasks()
    with TemporaryDirectory() as folder:
        house = House(
            Settings(
                store=StoreSettings(
                    kind=kind,  # type: ignore[arg-type]
                    path=str(Path(folder) / "store.db"),
                    commit_interval=0.0,
                    max_job_events=max_job_events,
                ),
                server=msgspec.structs.replace(server or ServerSettings(drain_timeout=0.0), port=0),
                limits=limits or Limits(),
                sessions=sessions or SessionSettings(),
                auth=auth or Auth(),
                jobs=jobs or Jobs(cancel_grace=0.5),
                stream=stream or StreamSettings(heartbeat_interval=30.0),
            )
        )
        await house.start()
        try:
            yield house
            await house.hang_up()
            await until(house.idle)
        finally:
            await house.hang_up()
            await house.server.stop()
        house.assert_idle()
        await until(lambda: not asyncio.all_tasks() - before - {asyncio.current_task()})


Opened = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session", name="opened")
def _opened() -> Opened:
    """For tests with settings of their own."""
    return opened


@pytest.fixture(scope="session", name="until")
def _until() -> Callable[[Callable[[], Any]], Any]:
    return until


@pytest.fixture
def kind() -> str:
    """Which store; modules for which it matters run with each."""
    return "memory"


@pytest.fixture
async def house(kind: str) -> AsyncIterator[House]:
    """A server at the defaults, which says nothing of itself in time of a test."""
    async with opened(kind) as house:
        yield house


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a client does, no handler fails: that would be a line with a stack."""
    yield
    failed = [
        record
        for record in caplog.get_records("call")
        if record.exc_info and record.name != "sse_server.runner.attempt"
    ]
    assert not failed, [record.getMessage() for record in failed]
