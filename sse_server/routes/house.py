"""What the handlers reach for: one struct, which its route gives each request."""

from __future__ import annotations

from aiohttp import web
from msgspec import Struct

from sse_server.config import Settings
from sse_server.eventlog import Store
from sse_server.hub import Hub
from sse_server.routes.guard import Guard
from sse_server.routes.seats import Seats
from sse_server.runner import Runner


class House(Struct):
    """The parts that the doors lead to."""

    settings: Settings
    store: Store
    hub: Hub
    runner: Runner
    seats: Seats
    guard: Guard


HOUSE: web.AppKey[House] = web.AppKey("house", House)
PARTS: web.RequestKey[House] = web.RequestKey("parts", House)
"""The same: a request asks its application by way of all that may be mounted between them."""


def house(request: web.Request) -> House:
    """The parts behind this request."""
    return request[PARTS]
