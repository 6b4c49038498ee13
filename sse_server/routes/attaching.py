"""GETs that start a job, for a browser's EventSource, which can do nothing else; and that find it again.

An id on such a stream is `<job id>.<event id>`. A request that brings one is about that job and never starts another;
one that brings none joins the caller's active job that was asked for the same, or starts it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from aiohttp import web
from msgspec.structs import replace

from sse_server.errors import NotFound, ServerError
from sse_server.eventlog import JobFilter, Record
from sse_server.events import START, EventId
from sse_server.hub import Cursor
from sse_server.jobs import ACTIVE, CancelAfter, JobSpec
from sse_server.routes.guard import identity, user
from sse_server.routes.house import house
from sse_server.routes.owned import owned
from sse_server.routes.starting import StartJob, new_spec, submit
from sse_server.routes.stream import Reader, refuse
from sse_server.routes.streams import padding, passing, stream_record
from sse_server.routes.surface import JobSurface, StreamSurface

LEFT_ALONE: Final = CancelAfter(30)
"""What becomes of such a job once nobody watches it."""

_ID: Final = re.compile(r"(job_[0-9a-f]+)\.(.+)", re.DOTALL)
_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


async def start_or_attach(
    request: web.Request, start: StartJob, surface: Callable[[JobSpec], StreamSurface], *, route: str, asked: str
) -> web.StreamResponse:
    """Stream the job that the cursor names, or that was `asked` for in the same words, or a new one.

    `route` is the door's name, kept with the job: a cursor of one door opens no other.
    """
    parts = house(request)
    parts.guard.csrf.allow_start(identity(request), request.headers)
    sent = request.headers.get("Last-Event-ID")
    if not sent and (reason := passing(request)):
        return await refuse(request, reason, parts.settings.stream.retry_ms, JobSurface(named=True))
    try:
        if not sent:
            record, cursor = await _joined_or_started(request, start, _mark(start, route, asked)), None
        elif found := _read(sent):
            record, cursor = await _found(request, found[0], route), found[1]
        else:
            return web.Response(status=204)
    except ServerError as error:
        if error.status not in {429, 503}:
            raise
        # A passing reason: a browser gives up on a 503, so it is told in its stream to come back.
        return await refuse(request, "overloaded", parts.settings.stream.retry_ms, JobSurface(named=True))
    reader = Reader(surface=surface(record.spec), padding=padding(parts, None), expires=identity(request).expires)
    return await stream_record(request, record, reader, cursor)


def _mark(start: StartJob, route: str, asked: str) -> dict[str, str]:
    """What tells whether two requests ask for the same; a digest, since metadata stands in listings."""
    words = f"{start.agent}\n{start.session_id or ''}\n{asked}"
    return {"route": route, "asked": hashlib.sha256(words.encode(errors="surrogatepass")).hexdigest()[:32]}


async def _joined_or_started(request: web.Request, start: StartJob, mark: dict[str, str]) -> Record:
    """One request of a user at a time: two that come together share one job."""
    turn = _turns.setdefault(user(request), asyncio.Lock())
    async with turn:
        for status in sorted(ACTIVE):
            which = JobFilter(user(request), status, start.agent, limit=house(request).settings.limits.jobs_per_user)
            for record in await house(request).store.jobs(which):
                if record.spec.metadata == mark:
                    return record
        record, _ = await submit(request, new_spec(request, replace(start, metadata=mark, on_disconnect=LEFT_ALONE)))
        return record


async def _found(request: web.Request, job_id: str, route: str) -> Record:
    """The caller's job that this door began. Raises `NotFound`."""
    record = await owned(request, job_id)
    if record.spec.metadata.get("route") != route:
        raise NotFound("no such job")
    return record


def _read(sent: str) -> tuple[str, Cursor | None] | None:
    """The job and the place in it that a cursor names: no cursor for its begin; None where nobody can have sent it."""
    match = _ID.fullmatch(sent)
    event_id = EventId.parse(match[2]) if match else None
    if match is None or event_id is None:
        return None
    return match[1], None if event_id == START else Cursor(match[2], event_id)
