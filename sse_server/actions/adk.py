"""`GET /apps/{app_name}/users/{user_id}/sessions/{session_id}/run?query=`: run an agent as an ADK client does."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Raw, Struct

from sse_server.actions.adk_surface import AdkSurface
from sse_server.actions.regenerate import MAX_QUERY
from sse_server.actions.teller import message_of
from sse_server.actions.telling import Telling
from sse_server.agents import Agent
from sse_server.errors import FieldError, InvalidInput, NotFound, StoreUnavailable
from sse_server.eventlog import LogKey
from sse_server.eventlog.order import now
from sse_server.events import EventId
from sse_server.jobs import JobSpec, new_job_id
from sse_server.routes.attaching import start_or_attach
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.owned import owned, path_session
from sse_server.routes.starting import StartJob

ROUTE: Final = "adk"
SPEAKING: Final = "regenerate"
"""The agent that tells of its work in this door's words itself."""
PAGE: Final = 1000
"""Events that are read from the log at once."""

_ID: Final = re.compile(r"(job_[0-9a-f]+)\.(.+)", re.DOTALL)


class RunQuery(Struct, frozen=True):
    """The question."""

    query: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY, description="What the app is asked.")]


async def run(request: web.Request, asked: RunQuery, _: None) -> web.StreamResponse:
    """Run an app on a query in a session, or go on with the run that `Last-Event-ID` names."""
    parts, session = house(request), path_session(request)
    app, owner = request.match_info["app_name"], request.match_info["user_id"]
    if parts.settings.auth.checks_tokens and owner != user(request):
        raise NotFound("no such user")
    if app not in parts.runner.registry:
        raise NotFound("no such app")
    start = StartJob(app, _input(parts.runner.registry.get(app), asked.query), session)
    telling = await _told_before(request)

    def surface(spec: JobSpec) -> AdkSurface:
        return AdkSurface(
            session=spec.session,
            user=spec.user,
            attached=spec.id,
            query=asked.query,
            telling=telling,
            speaks=spec.agent == SPEAKING,
            again="Last-Event-ID" in request.headers,
        )

    return await start_or_attach(request, start, surface, route=ROUTE, asked=asked.query)


def _input(agent: Agent, query: str) -> Raw:
    """The query in the first shape that the agent takes. Raises `InvalidInput` where it takes none."""
    shapes: list[Any] = [
        {"query": query},
        {"query": query, "messageId": message_of(new_job_id(now()))},
        {"message": query},
        query,
    ]
    for shape in shapes:
        written = Raw(msgspec.json.encode(shape))
        with suppress(InvalidInput):
            agent.read_input(written)
            return written
    raise InvalidInput("this app takes no query", errors=[FieldError("?query", "Expected an app that takes a query")])


async def _told_before(request: web.Request) -> Telling:
    """What a stream has told that goes on at the request's cursor."""
    telling = Telling()
    match = _ID.fullmatch(request.headers.get("Last-Event-ID", ""))
    place = EventId.parse(match[2]) if match else None
    if match and place and place.seq:
        with suppress(StoreUnavailable):  # whoever opens the stream will meet that too, and knows what to say
            await _read(request, match[1], place, telling)
    return telling


async def _read(request: web.Request, job_id: str, place: EventId, telling: Telling) -> None:
    record = await owned(request, job_id)
    key, after = LogKey(record.spec.user, record.spec.session), record.begin.seq
    while record.epoch == place.epoch and after < place.seq:
        page = await house(request).store.read(key, after, PAGE, job_id=job_id, types={"token", "attempt_reset"})
        for event in page.events:
            if event.seq <= place.seq:
                telling.hear(event)
        if page.passed <= after:
            return
        after = page.passed
