"""Cross-origin requests, by aiohttp-cors, and what it leaves out.

It knows nothing of answers that no route of its own gave (404, 405, errors), which a browser then hides from the page
that needs to read them; nor does it ever say `Vary: Origin`, which the middleware does.
"""

from __future__ import annotations

from typing import Final

import aiohttp_cors
from aiohttp import hdrs, web

from sse_server.config import Cors

ACCEPTED: Final = (
    "Authorization",
    "X-Auth-Token",
    "Last-Event-ID",
    "Content-Type",
    "Idempotency-Key",
    "X-CSRF-Token",
    "X-Request-Id",
    "X-Session-Id",
)
EXPOSED: Final = ("Location", "Content-Location", "Retry-After", "X-Request-Id", "Idempotent-Replayed")


def allow_origins(app: web.Application, rules: Cors) -> None:
    """Let pages of these origins use every route, with cookies. Call it once all routes are there."""
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        allow_credentials=True, expose_headers=EXPOSED, allow_headers=ACCEPTED, max_age=rules.max_age
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(rules.origins, options))
    for route in list(app.router.routes()):
        cors.add(route)
    origins = frozenset(rules.origins)
    answer = app.on_response_prepare.pop()  # aiohttp-cors's own

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return  # aiohttp-cors finds that out too, in twenty steps
        await answer(request, response)
        if origin in origins and hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in response.headers:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ",".join(EXPOSED)

    app.on_response_prepare.append(complete)
