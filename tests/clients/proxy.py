"""A proxy that cuts connections where a test wants it, and remembers who asked for what."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType
from typing import Self

from msgspec import Struct

IN_HEAD = -1
"""The cut of an answer whose head is not even whole."""


class Visit(Struct):
    """One request: the cursor that it came with, the time it came, and the time its answer was over."""

    cursor: str
    came: float
    over: float | None = None


class Hop:
    """What lies between one client and the server.

    `cuts`: bytes of the body after which the answer to its first request is cut, to its second, and so on; the answers
    to later ones are whole. `http` is the version that the server is asked in: an answer to 1.1 is chunked and its
    client knows that it was torn; to 1.0 it just ends.
    """

    def __init__(self, url: str, cuts: Sequence[int], http: str) -> None:
        self.url = url
        self.http = http
        self.visits: list[Visit] = []
        self._cuts = cuts
        self._news = asyncio.Event()

    def visit(self, head: bytes) -> tuple[Visit, int | None]:
        """Note a request; where its answer is cut."""
        found = re.search(rb"\r\nlast-event-id: *([^\r]*)", head, re.IGNORECASE)
        visit = Visit(found[1].decode() if found else "", monotonic())
        self.visits.append(visit)
        self._news.set()
        n = len(self.visits) - 1
        return visit, self._cuts[n] if n < len(self._cuts) else None

    async def visited(self, times: int) -> None:
        """Return once so many requests have come."""
        async with asyncio.timeout(20):
            while len(self.visits) < times:
                self._news.clear()
                await self._news.wait()


class Proxy:
    """Listens on a port of its own; `port` is the server's, and may change while the proxy runs."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, Callable[[bytes], bytes]] = {}
        """What the proxy answers itself: of a request's body, an HTML page."""
        self._hops: dict[str, Hop] = {}
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def origin(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, backlog=1024)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def hop(self, path: str, *cuts: int, http: str = "1.1") -> Hop:
        """A way to that path of the server's, for one client."""
        name = f"/{len(self._hops)}"
        hop = self._hops[name] = Hop(self.origin + name + path, cuts, http)
        return hop

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        request_line, _, fields = head.partition(b"\r\n")
        method, target, _ = request_line.decode().split()
        if page := self.pages.get(target):
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            body = page(await reader.readexactly(int(length[1]) if length else 0))
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body)
            return
        name, slash, path = target[1:].partition("/")
        hop = self._hops.get(f"/{name}")
        if hop is None:
            writer.write(b"HTTP/1.0 404 Not Found\r\n\r\n")
            return
        visit, cut = hop.visit(head)
        fields = re.sub(rb"(?i)^connection:.*\r\n", b"", fields, flags=re.MULTILINE)
        head = f"{method} {slash}{path} HTTP/{hop.http}\r\nConnection: close\r\n".encode() + fields
        try:
            await self._relay(head, cut, reader, writer)
        finally:
            visit.over = monotonic()

    async def _relay(
        self, head: bytes, cut: int | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answer, request = await asyncio.open_connection("127.0.0.1", self.port)
        request.write(head)
        down = asyncio.create_task(_pour(answer, writer, cut))
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait([down, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            down.cancel()
            gone.cancel()
            await asyncio.gather(down, gone, return_exceptions=True)
            request.close()


async def _pour(answer: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: int | None) -> None:
    head = await answer.readuntil(b"\r\n\r\n")
    if cut == IN_HEAD:
        writer.write(head[: len(head) // 2])
        return
    writer.write(head)
    left = cut
    while left is None or left > 0:
        piece = await answer.read(64 * 1024 if left is None else min(left, 64 * 1024))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        writer.write(piece)
        await writer.drain()
