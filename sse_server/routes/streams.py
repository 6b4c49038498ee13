"""`GET /api/jobs/{job_id}/stream`, and the streams that a POST begins."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import Record
from sse_server.hub import Cursor
from sse_server.routes.guard import identity, user
from sse_server.routes.house import House, house
from sse_server.routes.owned import owned_job, type_filter
from sse_server.routes.stream import JobStream, Replay, refuse
from sse_server.routes.wire import Wire


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
    parts, types = house(request), type_filter(query.types)
    cursor = _cursor(request, query.after)
    try:
        record = await owned_job(request)
    except StoreUnavailable:
        return await refuse(request, "overloaded", parts.settings.stream.retry_ms, named=query.named)
    if cursor and record.is_past_done(cursor.id):
        return web.Response(status=204)
    if parts.runner.draining:
        return await refuse(request, "draining", parts.settings.stream.retry_ms, named=query.named)
    if parts.seats.refusal(user(request)):
        return await refuse(request, "overloaded", parts.settings.stream.retry_ms, named=query.named)
    wire = Wire(request)
    stream = JobStream(
        parts,
        record.spec,
        wire,
        named=query.named,
        types=types,
        padding=_padding(parts, query.padding),
        conflate=query.conflate,
        expires=identity(request).expires,
    )
    with parts.seats.take(user(request)):
        await wire.open(stall=parts.settings.stream.write_timeout)
        await stream.run(record, cursor, query.replay)
        return await wire.close()


async def stream_started(request: web.Request, record: Record, headers: dict[str, str]) -> web.StreamResponse:
    """Answer a start with the job's stream, from its first event; the headers say where a GET goes on."""
    parts = house(request)
    here = f"/api/jobs/{record.spec.id}/stream"
    wire = Wire(request)
    stream = JobStream(
        parts,
        record.spec,
        wire,
        padding=parts.settings.stream.padding_bytes,
        began_here=True,
        expires=identity(request).expires,
    )
    await wire.open(
        headers={"Location": here, "Content-Location": here} | headers, stall=parts.settings.stream.write_timeout
    )
    await stream.run(record, None, "all")
    return await wire.close()


def _cursor(request: web.Request, after: str | None) -> Cursor | None:
    """`Last-Event-ID` wins, also where `after` is bad: a browser reconnects to its first address with both."""
    sent = request.headers.get("Last-Event-ID") or after
    return Cursor.of(sent) if sent else None


def _padding(parts: House, asked: int | None) -> int:
    stream = parts.settings.stream
    return stream.padding_bytes if asked is None else min(asked, stream.max_padding_bytes)
