"""`/api/tickets` and `/api/csrf`: what a browser can show where it can send no header, or sends its cookies unasked."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from sse_server.auth import CSRF_COOKIE
from sse_server.errors import FieldError, InvalidInput
from sse_server.events import timestamp
from sse_server.routes.answers import reply
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.owned import owned, session_name


class TicketFor(Struct, frozen=True, forbid_unknown_fields=True):
    """One job or one session; `ttl` is in seconds."""

    job_id: str | None = None
    session_id: str | None = None
    ttl: float | None = None


class TicketAnswer(Struct, frozen=True):
    """Use it as `?ticket=`, for reading that one job or session, until it expires."""

    ticket: str
    expires_at: str


class CsrfAnswer(Struct, frozen=True):
    """Send it as `X-CSRF-Token` with every POST and DELETE that a cookie authenticates."""

    csrf_token: str


async def mint_ticket(request: web.Request, _: object, body: TicketFor) -> web.StreamResponse:
    """A ticket to read one job or session with an EventSource."""
    if (body.job_id is None) == (body.session_id is None):
        said = "Expected either `job_id` or `session_id`"
        raise InvalidInput("a ticket is for one job or one session", errors=[FieldError("$", said)])
    tickets = house(request).guard.tickets
    if body.job_id is not None:
        owner = (await owned(request, body.job_id)).spec.user
        ticket, expires = tickets.mint(owner, "job", body.job_id, body.ttl)
    else:
        name = session_name(body.session_id or "", "$.session_id")
        ticket, expires = tickets.mint(user(request), "session", name, body.ttl)
    return reply(TicketAnswer(ticket, timestamp(expires * 1_000_000)), status=201)


async def give_csrf(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """A token against forged requests, here and as a cookie."""
    parts = house(request)
    token = parts.guard.csrf.token(user(request), request.cookies.get(CSRF_COOKIE, ""))
    answer = reply(CsrfAnswer(token))
    rules = parts.settings.auth
    answer.set_cookie(
        CSRF_COOKIE, token, httponly=True, secure=rules.secure_cookies, samesite=rules.cookie_samesite.capitalize()
    )
    return answer
