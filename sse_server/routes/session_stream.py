"""`GET /sse/{session_id}` and its aliases: a session's stream, which no job's end ends."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from sse_server.errors import FieldError, InvalidInput, StoreUnavailable
from sse_server.eventlog import Head, LogKey
from sse_server.events import START, EventId
from sse_server.hub import Cursor, Gap, View
from sse_server.routes.guard import identity, user
from sse_server.routes.house import House, house
from sse_server.routes.owned import path_session, type_filter
from sse_server.routes.session_surface import SessionSurface
from sse_server.routes.stream import LogStream, Reader, refuse
from sse_server.routes.streams import padding, passing, sent_cursor
from sse_server.routes.wire import Wire


class SessionQuery(Struct, frozen=True):
    """How to read a session's stream."""

    after: Annotated[str, Meta(description="An event id: what follows it is sent. `Last-Event-ID` wins.")] | None = None
    replay: Annotated[
        Literal["all", "none"], Meta(description="Without a cursor: every event kept, or nothing of the past.")
    ] = "all"
    types: (
        Annotated[str, Meta(description="Only these types, separated by commas; `done` and control events pass.")]
        | None
    ) = None
    padding: Annotated[int, Meta(ge=0, description="Follow every flush with a comment of so many bytes.")] | None = None
    conflate: Annotated[bool, Meta(description="Only a job's stream can: here it is refused.")] = False


async def stream_session(request: web.Request, query: SessionQuery, _: None) -> web.StreamResponse:
    """Stream a session's events from a cursor on."""
    if query.conflate:
        said = FieldError("?conflate", "Expected a job's stream: a session has no snapshot")
        raise InvalidInput("a query parameter is not valid", errors=[said])
    parts, key = house(request), LogKey(user(request), path_session(request))
    reader = Reader(
        surface=SessionSurface(session=key.session, user=key.user),
        types=type_filter(query.types),
        padding=padding(parts, query.padding),
        expires=identity(request).expires,
    )
    cursor = sent_cursor(request, query.after)
    try:
        head = await parts.store.head(key)
    except StoreUnavailable:
        return await refuse(request, "overloaded", parts.settings.stream.retry_ms, reader.surface)
    if reason := passing(request):
        return await refuse(request, reason, parts.settings.stream.retry_ms, reader.surface)
    wire = Wire(request)
    with parts.seats.take(user(request)) as seat:
        response = await wire.open(request)
        from_here = kept(head) if query.replay == "all" else end(head)
        stream = SessionStream(parts, key, wire, reader)
        await wire.carry(request, stream.follow(cursor or Cursor.unsent(from_here)), seat)
        return response


class SessionStream(LogStream):
    """Every event of the log, whoever wrote it."""

    __slots__ = ()

    def __init__(self, house: House, key: LogKey, wire: Wire, reader: Reader) -> None:
        view = View(reader.surface, key.session, types=reader.types, padding=reader.padding, chunked=wire.chunked)
        super().__init__(house, key, view, wire, reader)

    async def begin(self) -> None:
        """Its opening has said it all."""

    async def on_gap(self, gap: Gap) -> None:
        self._subscriber.send(self._surface.gap(gap))
        head = await self._house.store.head(self._key)
        self._subscriber.move(behind(gap, self._subscriber.position, head))


def behind(gap: Gap, seq: int, head: Head | None) -> EventId:
    """Where a reader of a whole session at `seq` goes on: nothing that is kept is passed over."""
    start = kept(head)
    return EventId(start.epoch, max(seq, start.seq)) if gap.reason == "trimmed" else start


def kept(head: Head | None) -> EventId:
    """The cursor before every event kept."""
    return EventId(head.epoch, head.trimmed) if head else START


def end(head: Head | None) -> EventId:
    """The cursor behind all that is there."""
    return head.id if head else START
