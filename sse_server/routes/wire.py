"""The bytes of one stream: its headers, writes that never wait, and the one place that waits for a slow client.

Writes go straight to the transport: `StreamResponse.write` costs half as much again for each event, and two of them
must never run at once. So nothing here uses it once the response is prepared.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from aiohttp import HttpVersion11, hdrs, web
from multidict import istr

HIGH_WATER: Final = 64 * 1024
"""Bytes that may wait for a client here; more, and it does not keep up."""
LONGEST: Final = 2**31 - 1
"""Milliseconds that the kernel can wait for."""
LINGER: Final = 2.0
"""Seconds that a client which reads nothing has for the end of its stream."""

HEADERS: Final = {
    hdrs.CONTENT_TYPE: "text/event-stream",
    hdrs.CACHE_CONTROL: "no-cache, no-store, must-revalidate, no-transform",
    istr("X-Accel-Buffering"): "no",  # as an `istr` a name is prepared once, and not kept by every stream
    istr("Proxy-Buffering"): "off",
}


class Wire:
    """One response that streams. `chunked` is the transfer coding of HTTP/1.1; HTTP/1.0 ends with the connection."""

    __slots__ = ("_request", "_response", "_transport", "_writer", "chunked")

    def __init__(self, request: web.Request) -> None:
        self.chunked = request.version >= HttpVersion11
        self._request = request
        self._transport: asyncio.WriteTransport

    async def open(self, *, status: int = 200, headers: dict[str, str] | None = None, stall: float = 30.0) -> None:
        """Send the headers. `stall`: seconds after which the kernel gives up on a peer that acknowledges nothing."""
        response = self._response = web.StreamResponse(status=status, headers=HEADERS | (headers or {}))
        if self.chunked:
            response.headers[hdrs.CONNECTION] = "keep-alive" if self._request.keep_alive else "close"
            response.enable_chunked_encoding()
        else:
            response.force_close()
        writer, transport = await response.prepare(self._request), self._request.transport
        if writer is None or transport is None:
            raise ConnectionResetError("the client has gone")
        self._writer, self._transport = writer, transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        _tune(transport.get_extra_info("socket"), stall)

    def write(self, data: bytes) -> bool:
        """Send now; False when the client does not keep up, or is gone."""
        transport = self._transport
        if transport.is_closing():
            return False
        transport.write(data)
        return transport.get_write_buffer_size() < HIGH_WATER

    def waiting(self) -> int:
        """Bytes that the client has still to take."""
        return self._transport.get_write_buffer_size()

    async def drain(self) -> None:
        """Wait until the client has taken most of it. Raises ConnectionError when it is gone."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        await self._writer.drain()

    async def close(self) -> web.StreamResponse:
        """End the response. A client that reads nothing is cut off: it has what it took, and its cursor."""
        try:
            async with asyncio.timeout(LINGER):
                await self._response.write_eof()
        except (TimeoutError, ConnectionError):
            self._transport.abort()
        return self._response


def _tune(peer: socket.socket | None, stall: float) -> None:
    """Keep little in the kernel for a client that reads nothing, and notice when it is gone."""
    if peer is None or peer.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    options = {"TCP_NODELAY": 1, "TCP_NOTSENT_LOWAT": 16 * 1024, "TCP_USER_TIMEOUT": min(round(stall * 1000), LONGEST)}
    for name, value in options.items():
        if option := getattr(socket, name, None):  # not every system has them
            peer.setsockopt(socket.IPPROTO_TCP, option, value)
