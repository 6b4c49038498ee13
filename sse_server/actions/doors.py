"""`/api/chat_actions`: write a message anew, edit it, delete it. Each is a job, and the session shows what it does."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web
from msgspec import Raw, Struct, field

from sse_server.actions.known import known_of
from sse_server.actions.marks import Content, DeleteInput, EditInput
from sse_server.actions.regenerate import MAX_ORIGINAL, MAX_QUERY, MessageId, Query, RegenerateInput
from sse_server.errors import FieldError, InvalidInput
from sse_server.eventlog import LogKey
from sse_server.routes.answers import reply
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.owned import session_name
from sse_server.routes.starting import StartJob, new_spec, submit

SESSION_HEADER: Final = "X-Session-Id"


class Place(Struct, frozen=True):
    """The message of a session that is meant."""

    session_id: str
    message_id: str


class Target(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which message; each name may be written in either way."""

    camel_session: str | None = field(default=None, name="sessionId")
    snake_session: str | None = field(default=None, name="session_id")
    camel_message: MessageId | None = field(default=None, name="messageId")
    snake_message: MessageId | None = field(default=None, name="message_id")

    def place(self, request: web.Request) -> Place:
        """What it comes to; `X-Session-Id` names the session where the body does not. Raises `InvalidInput`."""
        session = _same("sessionId", self.camel_session, self.snake_session)
        message = _same("messageId", self.camel_message, self.snake_message)
        where = "$.sessionId" if session is not None else SESSION_HEADER
        named = session if session is not None else request.headers.get(SESSION_HEADER)
        if named is None:
            raise _missing("sessionId")
        if message is None:
            raise _missing("messageId")
        return Place(session_name(named, where), message)


class Regenerate(Target, frozen=True, kw_only=True):
    """`query` is what the message answers; without it, what the session knows of the message is used."""

    query: Query | None = None


class Edit(Target, frozen=True, kw_only=True):
    """How the message shall read."""

    content: Content


class Delete(Target, frozen=True, kw_only=True):
    """Nothing but the message."""


class Started(Struct, frozen=True, rename="camel"):
    """The answer at once; the rest comes through the session."""

    success: bool
    message_id: str
    message: str


async def regenerate(request: web.Request, _: object, body: Regenerate) -> web.StreamResponse:
    """Write a message anew; the session's stream shows how it comes about."""
    place = body.place(request)
    query, original = body.query, None
    if query is None:
        known = await known_of(house(request).store, LogKey(user(request), place.session_id), place.message_id)
        query, original = known.query and known.query[:MAX_QUERY], known.content and known.content[:MAX_ORIGINAL]
    asked = RegenerateInput(query, place.message_id, original)
    return await _start(request, place, "regenerate", asked, "Regeneration started, listen for SSE events")


async def edit(request: web.Request, _: object, body: Edit) -> web.StreamResponse:
    """Edit a message; the session's stream shows `message_edited`."""
    place = body.place(request)
    asked = EditInput(place.message_id, body.content)
    return await _start(request, place, "edit_message", asked, "Edit started, listen for SSE events")


async def delete(request: web.Request, _: object, body: Delete) -> web.StreamResponse:
    """Delete a message; the session's stream shows `message_deleted`."""
    place = body.place(request)
    asked = DeleteInput(place.message_id)
    return await _start(request, place, "delete_message", asked, "Deletion started, listen for SSE events")


async def _start(request: web.Request, place: Place, agent: str, asked: Struct, said: str) -> web.Response:
    start = StartJob(agent, Raw(msgspec.json.encode(asked)), place.session_id)
    record, headers = await submit(request, new_spec(request, start))
    here = {"Location": f"/api/jobs/{record.spec.id}"}
    return reply(Started(success=True, message_id=place.message_id, message=said), headers=here | headers)


def _same(name: str, camel: str | None, snake: str | None) -> str | None:
    """A value that may come under two names. Raises `InvalidInput` where they differ."""
    if camel is not None and snake is not None and camel != snake:
        raise _invalid(name, "Expected one value, whichever way its name is written")
    return snake if camel is None else camel


def _missing(name: str) -> InvalidInput:
    return _invalid(name, f"Object missing required field `{name}`")


def _invalid(name: str, said: str) -> InvalidInput:
    return InvalidInput("the body is not what this route takes", errors=[FieldError(f"$.{name}", said)])
