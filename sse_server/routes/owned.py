"""A job of the caller's: what is another's is as if it did not exist."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from msgspec import Raw
from msgspec.structs import replace

from sse_server.errors import FieldError, InvalidInput, NotFound
from sse_server.eventlog import Record
from sse_server.events import SESSION_PATTERN
from sse_server.published import TYPE
from sse_server.routes.guard import identity
from sse_server.routes.house import house

MAX_TYPES: Final = 64


async def owned_job(request: web.Request, *, work: bool = False) -> Record:
    """The job that the path names. Raises `NotFound` where it is not the caller's."""
    return await owned(request, request.match_info["job_id"], work=work)


async def owned(request: web.Request, job_id: str, *, work: bool = False) -> Record:
    """A job of the caller's, or anybody's for an admin, without its input: a stream holds it as long as it is open.

    Raises `NotFound`: what is another's does not exist.
    """
    caller = identity(request)
    record = await house(request).store.load(job_id, work=work)
    if record is None or (record.spec.user != caller.user and "admin" not in caller.scopes):
        raise NotFound("no such job")
    return replace(record, spec=replace(record.spec, input=Raw()))


def session_name(name: str, path: str) -> str:
    """A session's name as it was given at `path`. Raises `InvalidInput`."""
    if not SESSION_PATTERN.fullmatch(name):
        said = "a session is named by 1 to 128 letters, digits and . _ : -"
        raise InvalidInput("the session's name is not valid", errors=[FieldError(path, said)])
    return name


def path_session(request: web.Request) -> str:
    """The session that the path names. Raises `InvalidInput`, also where `X-Session-Id` names another one."""
    name = session_name(request.match_info["session_id"], "session_id")
    if request.headers.get("X-Session-Id", name) != name:
        said = FieldError("X-Session-Id", "Expected the session that the path names, or nothing")
        raise InvalidInput("the request names two sessions", errors=[said])
    return name


def type_filter(types: str | None) -> frozenset[str] | None:
    """The event types of `?types=a,b`. Raises `InvalidInput`."""
    if types is None:
        return None
    names = frozenset(name for name in types.split(",") if name)
    if not names or len(names) > MAX_TYPES or not all(TYPE.fullmatch(name) for name in names):
        raise InvalidInput("a query parameter is not valid", errors=[FieldError("?types", "Expected event types")])
    return names
