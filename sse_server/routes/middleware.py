"""What every request meets: its id, and errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
import math
import os
import re
from typing import Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from sse_server.errors import Draining, InvalidInput, NotFound, Problem, ServerError, TooLarge

REQUEST_ID: Final = "X-Request-Id"
PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Answers are a user's own: not to be kept by a cache, nor to be run or framed as a page."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")

logger = logging.getLogger(__name__)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and turn what goes wrong into an answer that gives nothing away."""
    sent = request.headers.get(REQUEST_ID, "")
    request_id = request["request_id"] = sent if _WELL_FORMED.fullmatch(sent) else f"req_{os.urandom(8).hex()}"
    try:
        return await handler(request)
    except ServerError as error:
        if error.status >= 500 and not isinstance(error, Draining):  # noqa: PLR2004
            logger.warning("%s: %s", error.code, error.detail, extra={"request_id": request_id})
        return problem(error, request_id)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004
            raise
        return _of_aiohttp(error, request_id)
    except ConnectionError:
        raise  # the client has gone: there is nobody to answer
    except Exception:
        logger.exception("a handler failed", extra={"request_id": request_id, "path": request.path})
        return problem(ServerError("something went wrong here; it was logged under this request_id"), request_id)


def problem(error: ServerError, request_id: str) -> web.Response:
    """The answer that an error makes."""
    status, title, code = error.status, error.title, error.code
    return _answer(
        Problem(title, status, error.detail, code, request_id, error.errors or msgspec.UNSET), error.retry_after
    )


def _of_aiohttp(error: web.HTTPException, request_id: str) -> web.Response:
    """Errors that aiohttp raises itself, in our words; its own may hold a path or what the client sent."""
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            said = Problem("Method Not Allowed", 405, f"this address takes {allowed}", "method_not_allowed", request_id)
            answer = _answer(said, None)
            answer.headers["Allow"] = allowed
            return answer
        case web.HTTPNotFound():
            return problem(NotFound("there is nothing at this address"), request_id)
        case web.HTTPRequestEntityTooLarge():
            return problem(TooLarge("the body is larger than server.max_body_bytes"), request_id)
        case _ if error.status == 400:  # noqa: PLR2004
            return problem(InvalidInput("the request can't be read"), request_id)
        case _:
            code = re.sub(r"\W+", "_", error.reason.lower())
            return _answer(Problem(error.reason, error.status, error.reason, code, request_id), None)


def _answer(said: Problem, retry_after: float | None) -> web.Response:
    answer = web.Response(body=msgspec.json.encode(said), status=said.status, content_type="application/problem+json")
    if retry_after is not None:
        answer.headers["Retry-After"] = str(math.ceil(retry_after))
    if said.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, streams too: a middleware would add them too late."""
    response.headers[REQUEST_ID] = request.get("request_id", "")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "sse-server"
    if response.content_type != "text/event-stream":
        for name, value in PRIVATE.items():
            response.headers.setdefault(name, value)
