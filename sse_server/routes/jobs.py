"""`/api/jobs`: start, list, look at, cancel and erase jobs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from sse_server.eventlog import JobFilter, LogKey
from sse_server.events import Status
from sse_server.routes.answers import CancelledJob, JobDetail, JobList, JobSummary, StartedJob, reply
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.middleware import EVENT_STREAM
from sse_server.routes.owned import owned_job
from sse_server.routes.starting import StartJob, new_spec, submit
from sse_server.routes.streams import start_and_stream
from sse_server.routes.surface import JobSurface


class ListQuery(Struct, frozen=True):
    """Which jobs."""

    status: Status | None = None
    agent: str | None = None
    session_id: str | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: str | None = None


class CancelQuery(Struct, frozen=True):
    """How long to wait for the job to have really stopped."""

    wait: Annotated[float, Meta(ge=0, le=25, description="Seconds.")] = 0.0


async def start_job(request: web.Request, _: object, body: StartJob) -> web.StreamResponse:
    """Start a job: 202 at once, or its stream for a client that accepts one."""
    if EVENT_STREAM in request.headers.get("Accept", "").lower():
        return await start_and_stream(request, body, lambda _: JobSurface())
    record, headers = await submit(request, new_spec(request, body))
    return reply(StartedJob.of(record), status=202, headers={"Location": f"/api/jobs/{record.spec.id}"} | headers)


async def list_jobs(request: web.Request, query: ListQuery, _: None) -> web.StreamResponse:
    """My jobs, newest first."""
    which = JobFilter(
        user(request), query.status, query.agent, query.session_id, before=query.cursor, limit=query.limit + 1
    )
    records = await house(request).store.jobs(which)
    page = records[: query.limit]
    more = len(records) > query.limit
    return reply(JobList([JobSummary.of(record) for record in page], page[-1].spec.id if more else None))


async def show_job(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """A job with all that is known of it."""
    return reply(JobDetail.of(await owned_job(request, work=True)))


async def cancel_job(request: web.Request, query: CancelQuery, _: None) -> web.StreamResponse:
    """Ask a job to stop; 200 whatever its state. An ended job keeps its status."""
    record = await owned_job(request)
    cancellation = await house(request).runner.cancel(record, wait=query.wait)
    after = await owned_job(request, work=True)
    fields = msgspec.structs.asdict(JobDetail.of(after))
    return reply(CancelledJob(**fields, cancellation=cancellation.state, cancellation_ms=cancellation.ms))


async def erase_job(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """Erase an ended job and its events."""
    parts, spec = house(request), (await owned_job(request)).spec
    await parts.store.erase(spec.id)
    parts.hub.erased(LogKey(spec.user, spec.session), spec.id)
    return web.Response(status=204)
