"""How every door starts a job: the limits, the checks and the Idempotency-Key are the same behind each."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Annotated, Any, Final

from aiohttp import web
from msgspec import Meta, Raw, Struct

from sse_server.encoding import MAX_DEPTH, encode_fields
from sse_server.errors import FieldError, InvalidEvent, InvalidInput
from sse_server.eventlog import IdempotencyKey, Record
from sse_server.eventlog.order import now
from sse_server.jobs import JobSpec, OnDisconnect, new_job_id
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.middleware import REQUEST_ID
from sse_server.routes.owned import session_name

MAX_KEY: Final = 255
"""Characters of an Idempotency-Key."""
MAX_METADATA: Final = 16 * 1024
"""Bytes of a job's metadata as JSON."""


class StartJob(Struct, frozen=True, forbid_unknown_fields=True):
    """What a start asks for. `timeout` is in seconds."""

    agent: Annotated[str, Meta(min_length=1, max_length=128)]
    input: Raw
    session_id: str | None = None
    on_disconnect: OnDisconnect = "continue"
    timeout: Annotated[float, Meta(gt=0)] | None = None
    metadata: dict[str, Any] = {}


async def submit(request: web.Request, spec: JobSpec) -> tuple[Record, dict[str, str]]:
    """The job, new or replayed, and the header that says so."""
    submitted = await house(request).runner.submit(spec, await _once(request))
    return submitted.record, {} if submitted.receipt else {"Idempotent-Replayed": "true"}


def new_spec(request: web.Request, start: StartJob) -> JobSpec:
    """The job that a client asks for; it counts as one of its starts."""
    parts, at = house(request), now()
    parts.guard.starts.take(user(request))
    job_id = new_job_id(at)
    rules = parts.settings.jobs
    agent = parts.runner.registry.get(start.agent)
    if start.timeout is not None and start.timeout > rules.max_timeout:
        said = f"Expected `float` <= {rules.max_timeout}"
        raise InvalidInput("the timeout is too long", errors=[FieldError("$.timeout", said)])
    named = start.session_id if start.session_id is not None else request.headers.get("X-Session-Id")
    where = "$.session_id" if start.session_id is not None else "X-Session-Id"
    return JobSpec(
        id=job_id,
        user=user(request),
        session=session_name(named, where) if named is not None else job_id,
        agent=start.agent,
        input=start.input,
        created=at,
        timeout=start.timeout or agent.timeout or rules.timeout,
        on_disconnect=start.on_disconnect,
        metadata=_small(start.metadata) if start.metadata else {},
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
