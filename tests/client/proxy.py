"""A proxy that does to each answer what a test tells it: cut, reset, hold, lose or replace it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from msgspec import Struct

Then = Literal["close", "reset", "hold"]

REQUEST = re.compile(rb"[A-Z]+ [^\r\n]+")


class Act(Struct, frozen=True):
    """`then` happens after so many bytes of the answer, head and all; `say` is answered in the server's place."""

    after: int | None = None
    then: Then = "close"
    say: bytes | None = None


PASS = Act()
LOSE = Act(after=0)
STUCK = Act(after=0, then="hold")
RUBBISH = Act(say=b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>")
BAD_GATEWAY = Act(say=b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n")

Rule = Callable[[str], Act]
"""What becomes of the answer to a request line."""


class _Hop(Struct):
    act: Act = PASS
    passed: int = 0


class Proxy:
    """Listens on a port of its own. `requests` are the heads of all requests, as they came."""

    def __init__(self, port: int, rule: Rule = lambda _: PASS) -> None:
        self.rule = rule
        self.requests: list[str] = []
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):  # a cancelled callback would be logged
                await self._relay(reader, writer)
        finally:
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_connection("127.0.0.1", self._port)
        hop = _Hop()
        ways = {
            asyncio.create_task(self._ask(reader, server, writer, hop)),
            asyncio.create_task(self._answer(answers, writer, hop)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server.close()

    async def _ask(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, writer: asyncio.StreamWriter, hop: _Hop
    ) -> None:
        while chunk := await reader.read(64 * 1024):
            if line := REQUEST.match(chunk):
                self.requests.append(chunk.partition(b"\r\n\r\n")[0].decode())
                hop.act, hop.passed = self.rule(line[0].decode()), 0
            if hop.act.say is not None:
                writer.write(hop.act.say)
                return
            server.write(chunk)

    async def _answer(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter, hop: _Hop) -> None:
        while chunk := await answers.read(64 * 1024):
            act = hop.act
            if act.after is not None and hop.passed + len(chunk) > act.after:
                writer.write(chunk[: act.after - hop.passed])
                if act.then == "hold":
                    await asyncio.Event().wait()
                if act.then == "reset":
                    writer.transport.abort()
                return
            hop.passed += len(chunk)
            writer.write(chunk)


def only(path: str, act: Act) -> Rule:
    """The act for requests whose line has `path` in it; others pass."""
    return lambda line: act if path in line else PASS


def in_turn(path: str, *acts: Act) -> Rule:
    """One act after the other for requests whose line has `path` in it, then they pass."""
    left = iter(acts)
    return lambda line: next(left, PASS) if path in line else PASS
