"""Who may use a route: decided here, for every route, before its handler runs."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from msgspec import Struct

from sse_server.auth import CSRF_COOKIE, Callers, Csrf, Identity, Starts, Tickets

Access = Literal["public", "own", "job", "session"]
"""`public`: anybody. `own`: a caller, for what is theirs. `job`, `session`: also a ticket to read just that one."""

IDENTITY: web.RequestKey[Identity] = web.RequestKey("identity", Identity)


class Guard(Struct, frozen=True):
    """What it takes to know a caller, and to stop one."""

    callers: Callers
    tickets: Tickets
    csrf: Csrf
    starts: Starts

    async def admit(self, request: web.Request, access: Access) -> None:
        """Let the request through, as somebody. Raises `Unauthenticated`, `Forbidden`, `NotFound`."""
        if access == "public":
            return
        ticket = self.callers.admit(request.headers, request.query) if access in {"job", "session"} else None
        if ticket:
            ticket.admit("job" if access == "job" else "session", request.match_info[f"{access}_id"])
            request[IDENTITY] = ticket.identity
            return
        caller = request[IDENTITY] = await self.callers.identify(request.headers, request.cookies)
        if request.method not in {"GET", "HEAD"}:
            twin = request.cookies.get(CSRF_COOKIE, "")
            self.csrf.allow_write(caller, request.headers, request.scheme, twin)


def identity(request: web.Request) -> Identity:
    """Who asks. Only on a route that is not public."""
    return request[IDENTITY]


def user(request: web.Request) -> str:
    """The name of who asks: jobs, sessions and keys belong to it."""
    return request[IDENTITY].user
