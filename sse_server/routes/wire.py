"""The bytes of one stream: its headers, writes that never wait, and the one place that waits for a slow client.

Writes go straight to the transport: `StreamResponse.write` costs half as much again for each event, and two of them
must never run at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from aiohttp import HttpVersion11, hdrs, web
from multidict import CIMultiDict, istr

from sse_server.routes.connection import Connection, Entrance
from sse_server.routes.middleware import ALWAYS, EVENT_STREAM, REQUEST_ID
from sse_server.routes.seats import Seat

HIGH_WATER: Final = 64 * 1024
"""Bytes that may wait for a client here; more, and it does not keep up."""
LINGER: Final = 2.0
"""Seconds that a client which reads nothing has for the end of its stream."""
MOST_EARLY: Final = 16 * 1024
"""Bytes that a client may send behind its request before the stream is over."""

HEADERS: Final = CIMultiDict(
    {
        **ALWAYS,
        hdrs.CONTENT_TYPE: EVENT_STREAM,
        hdrs.CACHE_CONTROL: "no-cache, no-store, must-revalidate, no-transform",
        istr("X-Accel-Buffering"): "no",  # as an `istr` a name is prepared once, and not kept by every stream
        istr("Proxy-Buffering"): "off",
    }
)

logger = logging.getLogger(__name__)


class Wire(asyncio.Protocol):
    """One response that streams: aiohttp sends its head; what follows goes out on a connection that is its own.

    A stream may be silent for hours. So nothing of its request, and none of the tasks, parsers and frames by which it
    came, waits with it: `carry` takes the connection from aiohttp. `chunked` is the transfer coding of HTTP/1.1;
    HTTP/1.0 ends with the connection.
    """

    __slots__ = (
        "_beginning",
        "_behind",
        "_early",
        "_entrance",
        "_finished",
        "_paused",
        "_request_id",
        "_resumed",
        "_seat",
        "_stream",
        "_transport",
        "_usable",
        "chunked",
    )

    def __init__(self, request: web.Request) -> None:
        self.chunked = request.version >= HttpVersion11
        self._entrance: Entrance
        self._request_id = request[REQUEST_ID]
        self._transport: asyncio.Transport
        self._beginning: Beginning | None = None
        self._seat: Seat
        self._stream: asyncio.Task[None]
        self._usable = self.chunked and request.keep_alive and request.content.is_eof()
        self._behind: Connection | None = None
        self._finished = False
        self._early = b""
        self._paused = False
        self._resumed: asyncio.Future[None] | None = None

    async def open(self, request: web.Request, headers: dict[str, str] | None = None) -> web.StreamResponse:
        """Write the head; it goes out with what the stream says first."""
        connection, transport = request.protocol, request.transport
        assert isinstance(connection, Connection)
        if transport is None:
            raise ConnectionResetError("the client has gone")
        response = _Head(headers=HEADERS)
        if headers:
            response.headers.update(headers)
        self._transport = self._beginning = connection.transport = Beginning(transport)
        try:
            await _begin(request, response)
        finally:
            connection.transport = transport
        return response

    async def carry(self, request: web.Request, stream: Coroutine[Any, Any, None], seat: Seat) -> None:
        """Take the connection, and let a task of its own write the stream on it; the handler has to return then.

        Where the client has sent further requests ahead, aiohttp keeps them, and the handler waits for the stream.
        """
        connection, transport = request.protocol, request.transport
        assert isinstance(connection, Connection)
        assert transport is not None
        self._entrance = connection.entrance
        self._seat = seat
        loop = asyncio.get_running_loop()
        self._stream = loop.create_task(stream)
        self._stream.add_done_callback(self._over)
        loop.call_soon(loop.call_soon, self._begin)  # the stream may give others a turn before it reads
        seat.give(self._stream)
        self._paused = transport.get_write_buffer_size() > HIGH_WATER
        transport.set_write_buffer_limits(high=HIGH_WATER)
        transport.set_protocol(self)
        # What is left unread of a body ends the connection with the stream: then nothing can come behind it.
        if not request.content.at_eof() or connection.is_quiet(await request.read() if request.body_exists else b""):
            connection.let_go(self._stream)
        else:
            self._behind = connection
            await asyncio.wait([self._stream])

    def write(self, data: bytes) -> bool:
        """Send now; False when the client does not keep up, or is gone."""
        transport = self._transport
        if transport.is_closing():
            return False
        transport.write(data)
        return not self._paused

    def finish(self, data: bytes) -> None:
        """Send what is last, and the end of the response with it."""
        self._finished = True
        self.write(data + b"0\r\n\r\n" if self.chunked else data)

    def waiting(self) -> int:
        """Bytes that the client has still to take. Raises ConnectionError when it is gone."""
        self._begin()
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        return self._transport.get_write_buffer_size()

    async def drain(self) -> None:
        """Wait until the client has taken most of it. Raises ConnectionError when it is gone."""
        if self.waiting() and self._paused:
            self._resumed = asyncio.get_running_loop().create_future()
            await self._resumed

    async def close(self) -> None:
        """End the response. A client that reads nothing is cut off: it has what it took, and its cursor."""
        if not self._finished:
            self.finish(b"")
        self._begin()
        transport = self._transport
        if self._paused:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(LINGER):
                    await self.drain()
        if self._paused or transport.is_closing():
            transport.abort()
        elif self._behind:
            transport.set_protocol(self._behind)
        elif self._usable:
            self._entrance.back(transport, self._early)
        else:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone, and with it the stream."""
        self._stream.cancel()
        if self._behind:
            self._behind.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What comes during the stream is for behind it; most of it waits in the socket."""
        if self._behind:
            self._behind.data_received(data)
            return
        self._early += data
        if len(self._early) > MOST_EARLY:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._resumed and not self._resumed.done():
            self._resumed.set_result(None)

    def _begin(self) -> None:
        """Send what was gathered."""
        if self._beginning is not None:
            self._transport, self._beginning = self._beginning.end(), None

    def _over(self, stream: asyncio.Task[None]) -> None:
        """Whatever became of the stream, its connection does not outlive it, and a fault of ours is told."""
        self._seat.leave(stream)
        self._begin()
        error = None if stream.cancelled() else stream.exception()
        if error and not isinstance(error, ConnectionError):
            logger.error("a stream failed", exc_info=error, extra={"request_id": self._request_id})
        if self._transport.get_protocol() is self and not self._transport.is_closing():
            self._transport.abort()


class Beginning(asyncio.Transport):
    """In a transport's place while a stream begins: its head, and what it says at once, are one send."""

    __slots__ = ("_said", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._said: list[bytes] = []
        self._transport = transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._said.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        """No client is late with what was not sent."""
        return 0

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def end(self) -> asyncio.Transport:
        """Send it all; the transport that the rest goes out by."""
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._said))
        return self._transport


class _Head(web.StreamResponse):
    """All that aiohttp says of a stream."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Its end is not aiohttp's to write."""


async def whole(request: web.Request, frames: bytes) -> web.StreamResponse:
    """A stream that is over with its first frames: aiohttp writes it all."""
    response = web.StreamResponse(headers=HEADERS)
    await _begin(request, response)
    await response.write(frames)
    return response


async def _begin(request: web.Request, response: web.StreamResponse) -> None:
    if request.version >= HttpVersion11:
        response.headers[hdrs.CONNECTION] = "keep-alive" if request.keep_alive else "close"
        response.enable_chunked_encoding()
    else:
        response.force_close()
    await response.prepare(request)
