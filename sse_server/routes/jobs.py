"""`/api/jobs`: start, list, look at, cancel and erase jobs."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta, Raw, Struct

from sse_server.errors import FieldError, InvalidEvent, InvalidInput
from sse_server.eventlog import IdempotencyKey, JobFilter, LogKey, Record
from sse_server.eventlog.order import now
from sse_server.events import MAX_DEPTH, Status, encode_fields
from sse_server.jobs import JobSpec, OnDisconnect, new_job_id
from sse_server.routes.answers import CancelledJob, JobDetail, JobList, JobSummary, StartedJob, reply
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.middleware import REQUEST_ID
from sse_server.routes.owned import owned_job, session_name
from sse_server.routes.streams import stream_started
from sse_server.routes.table import EVENT_STREAM

MAX_KEY = 255
"""Characters of an Idempotency-Key."""
MAX_METADATA = 16 * 1024
"""Bytes of a job's metadata as JSON."""


class StartJob(Struct, frozen=True, forbid_unknown_fields=True):
    """What a start asks for. `timeout` is in seconds."""

    agent: Annotated[str, Meta(min_length=1, max_length=128)]
    input: Raw
    session_id: str | None = None
    on_disconnect: OnDisconnect = "continue"
    timeout: Annotated[float, Meta(gt=0)] | None = None
    metadata: dict[str, Any] = {}


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
        with house(request).seats.take(user(request)):
            record, headers = await _submit(request, body)
            return await stream_started(request, record, headers)
    record, headers = await _submit(request, body)
    return reply(StartedJob.of(record), status=202, headers={"Location": f"/api/jobs/{record.spec.id}"} | headers)


async def _submit(request: web.Request, body: StartJob) -> tuple[Record, dict[str, str]]:
    """The job, new or replayed, and the header that says so."""
    parts = house(request)
    parts.guard.starts.take(user(request))
    submitted = await parts.runner.submit(_spec(request, body), await _once(request))
    return submitted.record, {} if submitted.receipt else {"Idempotent-Replayed": "true"}


def _spec(request: web.Request, body: StartJob) -> JobSpec:
    parts, at = house(request), now()
    job_id = new_job_id(at)
    rules = parts.settings.jobs
    agent = parts.runner.registry.get(body.agent)
    if body.timeout is not None and body.timeout > rules.max_timeout:
        said = f"Expected `float` <= {rules.max_timeout}"
        raise InvalidInput("the timeout is too long", errors=[FieldError("$.timeout", said)])
    named = body.session_id if body.session_id is not None else request.headers.get("X-Session-Id")
    where = "$.session_id" if body.session_id is not None else "X-Session-Id"
    return JobSpec(
        id=job_id,
        user=user(request),
        session=session_name(named, where) if named is not None else job_id,
        agent=body.agent,
        input=body.input,
        created=at,
        timeout=body.timeout or agent.timeout or rules.timeout,
        on_disconnect=body.on_disconnect,
        metadata=_small(body.metadata),
        request_id=request[REQUEST_ID],
    )


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata, which stands in every listing. Raises `InvalidInput` where it is too large for that."""
    with suppress(InvalidEvent):
        if len(encode_fields(metadata)) <= MAX_METADATA:
            return metadata
    said = f"Expected at most {MAX_METADATA} bytes, and {MAX_DEPTH} levels"
    raise InvalidInput("the metadata is too large", errors=[FieldError("$.metadata", said)])


async def _once(request: web.Request) -> IdempotencyKey | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        said = f"Expected 1 to {MAX_KEY} printable characters"
        raise InvalidInput("the Idempotency-Key is not valid", errors=[FieldError("Idempotency-Key", said)])
    digest = hashlib.sha256(await request.read()).digest()
    return IdempotencyKey(user(request), f"{request.method} {request.path}", key, digest)


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
