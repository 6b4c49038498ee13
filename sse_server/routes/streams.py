"""`GET /api/jobs/{job_id}/stream`, and the streams that a start begins, whatever door it came by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Final, Literal

from aiohttp import web
from msgspec import Meta, Struct

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import LogKey, Record
from sse_server.hub import Cursor
from sse_server.jobs import JobSpec
from sse_server.routes.guard import identity, user
from sse_server.routes.house import House, house
from sse_server.routes.job_stream import JobStream, Replay
from sse_server.routes.owned import owned_job, type_filter
from sse_server.routes.starting import StartJob, new_spec, submit
from sse_server.routes.stream import Reader, refuse
from sse_server.routes.surface import JobSurface, StreamSurface
from sse_server.routes.wire import Wire

FIRST_TURNS: Final = 5
"""Turns of the loop that a new job has before its stream reads: what is said at once, even all of it, is one send."""


class StreamQuery(Struct, frozen=True):
    """How to read a job's stream."""

    after: Annotated[str, Meta(description="An event id: what follows it is sent. `Last-Event-ID` wins.")] | None = None
    replay: Annotated[
        Replay, Meta(description="Without a cursor: every event kept, a snapshot, or nothing of the past.")
    ] = "all"
    types: (
        Annotated[str, Meta(description="Only these types, separated by commas; `done` and control events pass.")]
        | None
    ) = None
    named: Annotated[bool, Meta(description="Name each frame's event, for `addEventListener`.")] = False
    padding: Annotated[int, Meta(ge=0, description="Follow every flush with a comment of so many bytes.")] | None = None
    conflate: Annotated[
        bool, Meta(description="When lagging far behind, get a snapshot in place of what was missed.")
    ] = False


async def stream_job(request: web.Request, query: StreamQuery, _: None) -> web.StreamResponse:
    """Stream a job's events from a cursor on."""
    parts = house(request)
    types, surface = type_filter(query.types), JobSurface(query.named)
    cursor = sent_cursor(request, query.after)
    try:
        record = await owned_job(request)
    except StoreUnavailable:
        return await refuse(request, "overloaded", parts.settings.stream.retry_ms, surface)
    reader = Reader(
        surface=surface,
        types=types,
        padding=padding(parts, query.padding),
        conflate=query.conflate,
        expires=identity(request).expires,
    )
    return await stream_record(request, record, reader, cursor, query.replay)


async def stream_record(
    request: web.Request, record: Record, reader: Reader, cursor: Cursor | None, replay: Replay = "all"
) -> web.StreamResponse:
    """Answer a GET with a job's stream; 204 where its reader has seen the end."""
    parts = house(request)
    if cursor and record.is_past_done(cursor.id):
        return web.Response(status=204)
    if reason := passing(request):
        return await refuse(request, reason, parts.settings.stream.retry_ms, reader.surface)
    wire = Wire(request)
    with parts.seats.take(user(request)) as seat:
        response = await wire.open(request)
        await wire.carry(request, JobStream(parts, record.spec, wire, reader).run(record, cursor, replay), seat)
        return response


async def start_and_stream(
    request: web.Request, start: StartJob, surface: Callable[[JobSpec], StreamSurface]
) -> web.StreamResponse:
    """Start a job and answer with its stream, from its first event; the headers say where a GET goes on."""
    parts = house(request)
    with parts.seats.take(user(request)) as seat:
        spec = new_spec(request, start)
        with parts.hub.tail(LogKey(spec.user, spec.session)) as tail:  # where the stream finds what it begins with
            record, headers = await submit(request, spec)
            for _ in range(FIRST_TURNS):
                await asyncio.sleep(0)
            here = f"/api/jobs/{record.spec.id}/stream"
            reader = Reader(
                surface=surface(record.spec),
                padding=padding(parts, None),
                began_here=True,
                expires=identity(request).expires,
            )
            wire = Wire(request)
            response = await wire.open(request, {"Location": here, "Content-Location": here} | headers)
            await wire.carry(request, JobStream(parts, record.spec, wire, reader).run(record, None), seat)
            tail.hold()  # until the stream's first step, in which it follows the log itself
            asyncio.get_running_loop().call_soon(tail.release)
            return response


def passing(request: web.Request) -> Literal["draining", "overloaded"] | None:
    """Why no stream can be served just now; a GET is told so in its stream, since a browser gives up on a 503."""
    parts = house(request)
    if parts.runner.draining:
        return "draining"
    return "overloaded" if parts.seats.refusal(user(request)) else None


def sent_cursor(request: web.Request, after: str | None) -> Cursor | None:
    """`Last-Event-ID` wins, also where `after` is bad: a browser reconnects to its first address with both."""
    sent = request.headers.get("Last-Event-ID") or after
    return Cursor.of(sent) if sent else None


def padding(parts: House, asked: int | None) -> int:
    """Bytes behind each flush: what the settings say, or what the client asks for and may."""
    stream = parts.settings.stream
    return stream.padding_bytes if asked is None else min(asked, stream.max_padding_bytes)
