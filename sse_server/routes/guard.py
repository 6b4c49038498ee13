"""Who may use a route: decided here, for every route, before its handler runs."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import hdrs, web
from msgspec import Struct

from sse_server.auth import CSRF_COOKIE, Callers, Csrf, Identity, Rate, Tickets

Access = Literal["public", "own", "job", "session", "stats", "metrics"]
"""`public`: anybody. `own`: a caller, for what is theirs. `job`, `session`: also a ticket to read just that one.

`stats`, `metrics`: a caller who has that scope.
"""
SCOPED: Final = frozenset({"stats", "metrics"})

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
IDENTITY: web.RequestKey[Identity] = web.RequestKey("identity", Identity)


class Guard(Struct, frozen=True):
    """What it takes to know a caller, and to stop one."""

    callers: Callers
    tickets: Tickets
    csrf: Csrf
    starts: Rate
    publishes: Rate
    public_metrics: bool = False

    async def admit(self, request: web.Request, access: Access) -> None:
        """Let the request through, as somebody. Raises `Unauthenticated`, `Forbidden`, `NotFound`."""
        if access == "public" or (access == "metrics" and self.public_metrics):
            return
        headers = request.headers
        cookies = request.cookies if hdrs.COOKIE in headers else {}  # else each open stream keeps an empty one
        match access:
            case "job" | "session" if request.query_string:  # where a ticket stands
                ticket, name = request.query.get("ticket"), request.match_info[f"{access}_id"]
                caller = await self.callers.identify_reader(headers, cookies, ticket, access, name)
            case "stats" | "metrics":
                caller = await self.callers.identify(headers, cookies)
                caller.require(access)
            case _:
                caller = await self.callers.identify(headers, cookies)
        if request.method not in SAFE:
            self.csrf.allow_write(caller, headers, request.scheme, cookies.get(CSRF_COOKIE, ""))
        request[IDENTITY] = caller


def refusals(method: str, access: Access) -> frozenset[int]:
    """The statuses of the problems that `admit` may answer with."""
    if access == "public":
        return frozenset()
    statuses = {401, 503}  # 503: tokens can't be checked while their issuer does not answer
    if method not in SAFE or access in SCOPED:
        statuses.add(403)
    if access in {"job", "session"}:
        statuses.add(404)
    return frozenset(statuses)


def identity(request: web.Request) -> Identity:
    """Who asks. Only on a route that is not public."""
    return request[IDENTITY]


def user(request: web.Request) -> str:
    """The name of who asks: jobs, sessions and keys belong to it."""
    return request[IDENTITY].user
