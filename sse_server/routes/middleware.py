"""What every request meets: its id, and errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import logging
import math
import re
from typing import Final

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestPayloadError
from multidict import istr

from sse_server.entropy import new_word
from sse_server.errors import Draining, InvalidInput, NotFound, Problem, ServerError, TooLarge

EVENT_STREAM: Final = "text/event-stream"
HEADER: Final = istr("X-Request-Id")  # as an `istr` a name is prepared once, not for each answer
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
ALWAYS: Final = {hdrs.SERVER: "sse-server", hdrs.VARY: "Origin", istr("X-Content-Type-Options"): "nosniff"}
"""No version: that is for whoever runs the server to know. And no cache may hand one origin's answer to another."""
PRIVATE: Final = {
    hdrs.CACHE_CONTROL: "no-store",
    istr("Content-Security-Policy"): "default-src 'none'; frame-ancestors 'none'",
    istr("Referrer-Policy"): "no-referrer",
}
"""Answers are a user's own: not to be kept by a cache, nor to be run or framed as a page."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")

logger = logging.getLogger(__name__)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, and turn what goes wrong into an answer that gives nothing away."""
    sent = request.headers.get(HEADER, "")
    request_id = request[REQUEST_ID] = sent if _WELL_FORMED.fullmatch(sent) else new_request_id()
    try:
        return await handler(request)
    except ConnectionError:
        raise  # the client has gone: there is nobody to answer
    except Exception as error:
        answer = _answer_to(error, request, request_id)
        if request.writer.output_size:
            raise ConnectionResetError("an answer has begun: a second one inside it would be garbage") from error
        return answer


def _answer_to(error: Exception, request: web.Request, request_id: str) -> web.StreamResponse:
    match error:
        case ServerError():
            if error.status >= 500 and not isinstance(error, Draining):
                logger.warning("%s: %s", error.code, error.detail, extra={"request_id": request_id})
            return problem(error, request_id)
        case web.HTTPException():
            return _of_aiohttp(error, request_id)
        case RequestPayloadError():
            return problem(InvalidInput("the body can't be read"), request_id)
        case _:
            logger.error("a handler failed", exc_info=error, extra={"request_id": request_id, "path": request.path})
            return problem(ServerError("something went wrong here; it was logged under this request_id"), request_id)


def new_request_id() -> str:
    """For a request that brought no usable one."""
    return f"req_{new_word()}"


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
            allowed = ", ".join(sorted(error.allowed_methods - {"OPTIONS"}))  # preflights are no use of the address
            said = Problem("Method Not Allowed", 405, f"this address takes {allowed}", "method_not_allowed", request_id)
            answer = _answer(said, None)
            answer.headers["Allow"] = allowed
            return answer
        case web.HTTPNotFound():
            return problem(NotFound("there is nothing at this address"), request_id)
        case web.HTTPRequestEntityTooLarge():
            return problem(TooLarge("the body is larger than server.max_body_bytes"), request_id)
        case _ if error.status == 400:
            return problem(InvalidInput("the request can't be read"), request_id)
        case _:
            code = re.sub(r"\W+", "_", error.reason.lower())
            return _answer(Problem(error.reason, error.status, error.reason, code, request_id), None)


def _answer(said: Problem, retry_after: float | None) -> web.Response:
    answer = web.Response(body=msgspec.json.encode(said), status=said.status, content_type="application/problem+json")
    answer.headers.update({HEADER: said.request_id, **ALWAYS, **PRIVATE})  # also where no hook prepares it
    if retry_after is not None:
        answer.headers["Retry-After"] = str(math.ceil(retry_after))
    if said.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, streams too: a middleware would add them too late."""
    headers = response.headers
    headers.setdefault(HEADER, request.get(REQUEST_ID) or new_request_id())
    if headers.get(hdrs.CONTENT_TYPE) != EVENT_STREAM:  # a stream's own are prepared
        headers.update(ALWAYS)
        for name, value in PRIVATE.items():
            headers.setdefault(name, value)
