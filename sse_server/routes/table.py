"""A route: its method and path, what it takes, what it answers. The server and `/openapi.json` read the same table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import HttpVersion11, web
from msgspec import Struct

from sse_server.agents.definition import fault
from sse_server.errors import FieldError, InvalidInput, TooSlow, Unavailable
from sse_server.routes.guard import Access
from sse_server.routes.house import HOUSE, PARTS, house
from sse_server.routes.stream import refuse
from sse_server.routes.surface import JobSurface


class Nothing(Struct, frozen=True):
    """A route without query parameters."""


class Stream(Struct, frozen=True):
    """An answer that streams frames of these events."""

    events: Any


class Frames(Struct, frozen=True):
    """An answer that streams named frames: the type of each one's data by its name."""

    events: dict[str, Any]


class Route(Struct, frozen=True):
    """`handler` gets the request, the parsed query and the parsed body (None where `body` is).

    `access` says who may; `answers` are the types of good answers by status: a type, several, a `Stream`, `Frames`, the
    name of a text's type, or none for no body; `problems` are the statuses that its handler says no with, beside what
    stands before every handler. What the route does is the first line of its handler's docstring.
    """

    method: str
    path: str
    access: Access
    handler: Callable[..., Awaitable[web.StreamResponse]]
    answers: dict[int, tuple[Any, ...]]
    query: type[Struct] = Nothing
    body: type[Struct] | None = None
    tag: str = "jobs"
    problems: tuple[int, ...] = ()

    def add_to(self, app: web.Application) -> None:
        """Serve it where its house is. `add_get` would answer HEAD too, and write a stream's body."""
        parts, query_type, handler, access = app[HOUSE], self.query, self.handler, self.access
        unasked = _without_parameters(query_type)
        decoder = msgspec.json.Decoder(self.body) if self.body else None

        streams = self.method == "GET" and any(
            isinstance(k, Stream | Frames) for kinds in self.answers.values() for k in kinds
        )

        async def serve(request: web.Request) -> web.StreamResponse:
            request[PARTS] = parts
            try:
                await parts.guard.admit(request, access)
            except Unavailable:  # the issuer of tokens can't be asked now
                if not streams:
                    raise
                named = request.query.get("named") in {"1", "true"}
                return await refuse(request, "overloaded", parts.settings.stream.retry_ms, JobSurface(named))
            query = read_query(request, query_type) if request.query_string or not unasked else unasked
            body = read_body(await _whole(request), decoder) if decoder else None
            return await handler(request, query, body)

        app.router.add_route(self.method, self.path, serve, expect_handler=_expect)


async def _expect(request: web.Request) -> None:
    """`100-continue` is granted; other expectations are passed over, as RFC 9110 (section 10.1.1) allows."""
    if request.version >= HttpVersion11 and request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # no part of the answer: it may still be an error


async def _whole(request: web.Request) -> bytes:
    """The body; a client that dawdles with it is told so."""
    if request.content.is_eof():
        return await request.read()  # all of it has come: nothing is waited for, and most are small
    try:
        async with asyncio.timeout(house(request).settings.server.body_timeout):
            return await request.read()
    except TimeoutError:
        raise TooSlow("the body did not come in time") from None


def _without_parameters(query: type[Struct]) -> Struct | None:
    """What a request without any asks for; None where the route needs one."""
    try:
        return query()
    except TypeError:
        return None


def read_query(request: web.Request, query: type[Struct]) -> Any:
    """The query parameters that the route knows; others are passed over. Raises `InvalidInput`."""
    try:
        return msgspec.convert(dict(request.query), query, strict=False)
    except msgspec.ValidationError as error:
        where = fault(error, "?")
        path = where.path.replace("?.", "?", 1)
        raise InvalidInput("a query parameter is not valid", errors=[FieldError(path, where.message)]) from None


def read_body(raw: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The JSON body. Raises `InvalidInput` with the path of the fault."""
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        invalid = isinstance(error, msgspec.ValidationError)
        detail = "the body is not what this route takes" if invalid else "the body is no valid JSON"
        raise InvalidInput(detail, errors=[fault(error, "$")]) from None
