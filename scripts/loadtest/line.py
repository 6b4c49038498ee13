"""A line: one HTTP/1.1 connection, straight on the transport, with as little work for each read as can be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import time
from typing import Final, cast

from msgspec import Struct

from loadtest.address import Address
from loadtest.chunks import Chunks
from loadtest.trouble import Trouble

CONNECT: Final = 10.0
"""Seconds that a connection may take to open."""
SMALL: Final = 4096
"""Bytes that the kernel may hold for a reader that is slow on purpose."""

Take = Callable[[bytes], None]


class Head(Struct, frozen=True):
    """The beginning of an answer; `at` is the Unix time of its first byte."""

    status: int
    headers: dict[str, str]
    at: float

    @property
    def streams(self) -> bool:
        return self.status == 200 and self.headers.get("content-type", "").startswith("text/event-stream")


class Line(asyncio.Protocol):
    """`heard` is when the last bytes came (Unix seconds), `received` how many since it was asked for last."""

    def __init__(self, address: Address, *, slow_rate: float = 0.0) -> None:
        self.heard = 0.0
        self.received = 0
        self._address = address
        self._slow_rate = slow_rate
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._why = "reset"
        self._first = 0.0
        self._gathered = b""
        self._feed: Take = self._read_head
        self._take: Take | None = None
        self._chunks = Chunks(self._gather)
        self._left = 0
        self._keep = False
        self._head: asyncio.Future[Head] | None = None
        self._end: asyncio.Future[None] | None = None

    # ---------------------------------------------------------------- asking

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def waits(self) -> bool:
        """Whether an answer, or its end, is still to come."""
        return self.open and self._end is not None and not self._end.done()

    async def connect(self) -> None:
        """Open the connection. Raises `Trouble`."""
        self.close()
        self._why = "reset"
        try:
            async with asyncio.timeout(CONNECT):
                await self._address.connect(self, self._slow_socket() if self._slow_rate else None)
        except TimeoutError:
            raise Trouble("connect_timeout") from None
        except OSError as error:
            raise Trouble("refused" if isinstance(error, ConnectionRefusedError) else "connect") from None

    async def ask(self, request: bytes, take: Take | None = None) -> Head:
        """Send a request; returns with the answer's head. The body of a stream goes to `take`. Raises `Trouble`."""
        if self._transport is None or self._transport.is_closing():
            raise Trouble(self._why)
        self._feed, self._take, self._gathered, self._first, self.received = self._read_head, take, b"", 0.0, 0
        self._head, self._end = self._loop.create_future(), self._loop.create_future()
        self.heard = time()
        self._transport.write(request)
        return await self._head

    async def rest(self) -> bytes:
        """Wait for the end of the answer; its body, where nobody took it. Raises `Trouble` where it is torn."""
        assert self._end is not None
        await self._end
        if not self._keep:
            self.close()
        return self._gathered

    def cut(self, why: str) -> None:
        """Break the connection, as a network does."""
        self._why = why
        if self._transport:
            self._transport.abort()

    def close(self) -> None:
        """End the connection at once: a farewell of TLS could outlast the beginning of the next one."""
        transport, self._transport = self._transport, None
        if transport:
            transport.abort()

    # ---------------------------------------------------------------- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self.heard = time()
        self.received += len(data)
        try:
            self._feed(data)
        except Trouble as trouble:
            self.cut(trouble.code)
        except ValueError:  # no HTTP, no chunk, or no JSON where an event should be
            self.cut("unreadable")
        if self._slow_rate and self._transport and not self._transport.is_closing():
            self._transport.pause_reading()
            self._loop.call_later(len(data) / self._slow_rate, self._resume)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._feed == self._until_closed and exc is None:
            self._complete()
        why = self._why if exc is not None or self._why != "reset" else "eof"
        for future in (self._head, self._end):
            if future and not future.done():
                future.set_exception(Trouble(why))
                future.exception()  # seen: nobody may be waiting for it
        self._transport = None

    def _resume(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.resume_reading()

    # ---------------------------------------------------------------- the answer

    def _read_head(self, data: bytes) -> None:
        self._first = self._first or self.heard
        data = self._gathered + data
        head, found, body = data.partition(b"\r\n\r\n")
        self._gathered = b"" if found else data
        if not found:
            return
        line, *lines = head.decode("latin-1").split("\r\n")
        if not line.startswith("HTTP/1."):
            raise Trouble("unreadable")
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        status = int(line[9:12])
        if status < 200:
            self._read_head(body)
            return
        answer = Head(status, headers, self._first)
        self._keep = line.startswith("HTTP/1.1") and headers.get("connection", "").lower() != "close"
        self._begin_body(answer)
        if self._head and not self._head.done():
            self._head.set_result(answer)
        if self._feed == self._sized or body:
            self._feed(body)

    def _begin_body(self, head: Head) -> None:
        take = self._take if head.streams and self._take else self._gather
        if head.headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunks = Chunks(take)
            self._feed = self._chunked
        elif head.status in {204, 304} or "content-length" in head.headers:
            self._left = 0 if head.status in {204, 304} else int(head.headers["content-length"])
            self._feed = self._sized
        else:
            self._keep = False
            self._feed = self._until_closed
        self._take = take

    def _chunked(self, data: bytes) -> None:
        self._chunks.feed(data)
        if self._chunks.ended:
            self._complete()

    def _sized(self, data: bytes) -> None:
        assert self._take is not None
        self._left -= len(data)
        if data:
            self._take(data)
        if self._left <= 0:
            self._complete()

    def _until_closed(self, data: bytes) -> None:
        assert self._take is not None
        self._take(data)

    def _gather(self, data: bytes) -> None:
        self._gathered += data

    def _complete(self) -> None:
        self._feed = self._unasked
        if self._end and not self._end.done():
            self._end.set_result(None)

    def _unasked(self, data: bytes) -> None:
        raise Trouble("unreadable")

    def _slow_socket(self) -> socket.socket:
        peer = socket.socket(self._address.family, socket.SOCK_STREAM)
        peer.setblocking(False)  # noqa: FBT003  (its only form)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        return peer
