"""One client's connection: how long it may take to ask, what an unreadable request is told, and the access log."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from sse_server.config import Server
from sse_server.errors import HeadTooLarge, InvalidInput, Overloaded, ServerError
from sse_server.routes.middleware import new_request_id, problem
from sse_server.routes.seats import Seats

UNSENT: Final = 16 * 1024
"""Bytes that the kernel keeps for a client that reads nothing."""
LONGEST: Final = 2**31 - 1
"""Milliseconds that it can wait for one."""
LINGER: Final = 1.0
"""Seconds that a client which was refused has to hang up."""
TOLD: Final = 256
"""Connections too many that hear why; more than these are cut off."""

SEEN: Final = 64
"""Bytes of what came last that tell whether it was a request's end."""

access = logging.getLogger("sse_server.access")


class AccessLog(AbstractAccessLogger):
    """One line a request, without its query: a ticket may stand there."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """`time` is in seconds."""
        request_id = response.headers.get("X-Request-Id", "")
        fields = {"request_id": request_id, "status": response.status, "ms": round(time * 1000)}
        session = request.headers.get("X-Session-Id")
        access.info("%s %s", request.method, request.path, extra=fields | ({"session": session} if session else {}))


def tune(listener: socket.socket, stall: float) -> None:
    """Keep little in the kernel for who reads nothing, and notice when it is gone; each connection inherits it.

    `stall`: seconds in which a client that has gone acknowledges nothing.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {"TCP_NOTSENT_LOWAT": UNSENT, "TCP_USER_TIMEOUT": min(round(stall * 1000), LONGEST)}.items():
        if option := getattr(socket, name, None):  # not every system has them
            listener.setsockopt(socket.IPPROTO_TCP, option, value)


class Entrance:
    """Where clients come in: makes their connections, of which `most` may be open in all."""

    def __init__(self, server: web.Server, settings: Server, most: int, seats: Seats) -> None:
        self.server = server
        self.settings = settings
        self.most = most
        self._seats = seats

    def __call__(self) -> Connection:
        """A new client's."""
        return Connection(self, self.settings.head_timeout)

    def back(self, transport: asyncio.Transport, said: bytes) -> None:
        """A stream is over, and its client may ask for something else; `said`: has done so."""
        connection = Connection(self, None)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if not transport.is_reading():
            transport.resume_reading()
        if said:
            connection.data_received(said)

    def too_many(self) -> int:
        """How many connections there are beyond the limit; a stream's is one that aiohttp knows nothing of any more."""
        known = len(self.server._connections)  # noqa: SLF001  (its public list is a copy of thousands)
        return known + len(self._seats.streams) - self.most


class _Line(BaseProtocol):
    """Stands below aiohttp's handler, without TCP_NODELAY: the loop has set it, and each time makes a socket object."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]


class Connection(RequestHandler, _Line):
    """aiohttp's, with a time limit for the first request's head: a client that sends a byte now and then is cut off.

    Later heads have the keep-alive's limit.
    """

    __slots__ = ("_head_timeout", "_head_timer", "_latest", "_stream", "entrance")

    def __init__(self, entrance: Entrance, head_timeout: float | None) -> None:
        """`head_timeout` in seconds; None for a client that has asked before."""
        settings = entrance.settings
        super().__init__(
            entrance.server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=settings.keepalive_timeout,
            tcp_keepalive=False,  # the listener's is inherited
            access_log_class=AccessLog,
            access_log=access if settings.access_log else None,  # type: ignore[arg-type]
            auto_decompress=False,  # a compressed body is no JSON; a small one may hide a large one
        )
        self.entrance = entrance
        self._head_timeout = head_timeout
        self._head_timer: asyncio.TimerHandle | None = None
        self._latest = b""
        self._stream: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._head_timeout is None:
            return
        too_many = self.entrance.too_many()
        if too_many > 0:
            self._refuse(Overloaded("the server has as many connections open as it may", retry_after=5))
        limit = self._head_timeout if too_many <= 0 else LINGER if too_many <= TOLD else 0.0
        self._head_timer = self._loop.call_later(limit, self._head_is_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head_timer:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if data:  # else aiohttp asks its own parser for what it has held back
            self._latest = data[-SEEN:]
        super().data_received(data)

    def is_quiet(self, body: bytes) -> bool:
        """Whether nothing has come behind the request that is being answered, which ends with `body`, or its head.

        Half a request stands in aiohttp's parser, which does not say so: what came last then ends with something else.
        """
        end = body[-len(self._latest) :] or b"\r\n\r\n"
        return not self._messages and self._latest.endswith(end[-len(self._latest) :])

    def let_go(self, stream: asyncio.Task[None]) -> None:
        """The socket is a stream's now: to aiohttp its client has gone, so it drops all that was the request's."""
        self._stream = stream
        self.transport = None  # or aiohttp would close it
        self.connection_lost(None)

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, time: float | None) -> None:
        """A stream's line comes when it is over."""
        log = super().log_access
        if self._stream and self.access_logger:
            self._stream.add_done_callback(lambda _: log(request, response, time))
        else:
            log(request, response, time)

    def _refuse(self, error: ServerError) -> None:
        """Answer before anything was asked, and hear nothing more.

        It is for the client to hang up: while its request is on the way, our doing so would take the answer from it.
        """
        answer = problem(error, new_request_id())
        assert isinstance(answer.body, bytes)
        answer.headers.update({"Connection": "close", "Content-Length": str(len(answer.body))})
        lines = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        assert self.transport is not None
        self.transport.write(f"HTTP/1.1 {answer.status} {answer.reason}\r\n{lines}\r\n".encode() + answer.body)
        self.transport.write_eof()
        self.close()

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._request_count and self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp could not read, in our words: its own repeat what the client sent."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        unreadable = status < 500
        error: ServerError
        if isinstance(exc, LineTooLong):
            error = HeadTooLarge("the address or a header is longer than 8190 bytes")
        elif unreadable:
            error = InvalidInput("the request is no valid HTTP")
        else:
            error = ServerError("something went wrong here")
        logging.getLogger(__name__).log(
            logging.DEBUG if unreadable else logging.ERROR, "a request failed outside of its handler", exc_info=exc
        )
        answer = problem(error, new_request_id())
        answer.force_close()
        return answer
