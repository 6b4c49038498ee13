"""One stream: how it opens, goes on and ends, whatever door it stands behind."""

from __future__ import annotations

import asyncio
import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web
from msgspec import Struct

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import LogKey
from sse_server.eventlog.order import now
from sse_server.hub import Cursor, Ending, Gap, Subscriber, View
from sse_server.routes.answers import Reconnect
from sse_server.routes.house import House
from sse_server.routes.surface import StreamSurface, spread
from sse_server.routes.wire import Wire, whole


class Reader(Struct, frozen=True, kw_only=True):
    """How a client reads. From `expires` on (Unix seconds) it may read no more.

    `began_here`: a POST began the stream, so it is neither rotated for its age nor ended before its job.
    """

    surface: StreamSurface
    types: frozenset[str] | None = None
    padding: int = 0
    conflate: bool = False
    began_here: bool = False
    expires: float = math.inf


class LogStream(ABC):
    """A stream on a log, through `view`, on an open wire."""

    __slots__ = ("_house", "_key", "_reader", "_settings", "_subscriber", "_surface", "_view", "_wire")

    def __init__(self, house: House, key: LogKey, view: View, wire: Wire, reader: Reader) -> None:
        self._house = house
        self._settings = house.settings.stream
        self._key = key
        self._surface = reader.surface
        self._view = view
        self._wire = wire
        self._reader = reader
        self._subscriber: Subscriber

    async def follow(self, start: Cursor, on_lag: Callable[[], Awaitable[None]] | None = None) -> None:
        """Write what comes behind `start` until the stream is over, and end it; `on_lag` as in `Subscriber.follow`."""
        with self._house.hub.subscribe(self._key, self._view, self._wire, start) as subscriber:
            self._subscriber = subscriber
            subscriber.patient = self._reader.began_here
            subscriber.open(self._settings.retry_ms)
            subscriber.deadline = self._deadline()
            try:
                await self.begin()
                await subscriber.follow(self._settings, self.on_gap, on_lag)
            except StoreUnavailable:
                subscriber.end("overloaded")  # the client keeps its place, and asks again
            self._say(subscriber.ending)
        await self._wire.close()

    @abstractmethod
    async def begin(self) -> None:
        """What stands before the log's events, or in their place."""

    @abstractmethod
    async def on_gap(self, gap: Gap) -> None:
        """Tell what is missing, and go on behind it."""

    def _deadline(self) -> tuple[float, Ending]:
        """When the stream must end, in the loop's time, and why: its token ends, or it is old."""
        left: float = self._reader.expires - time.time()
        why: Ending = "token_expired"
        oldest = self._settings.max_age * random.uniform(0.9, 1.0)  # noqa: S311  (spread, no secret)
        if oldest and oldest < left and not self._reader.began_here:
            left, why = oldest, "max_age"
        return asyncio.get_running_loop().time() + left, why

    def _say(self, ending: Ending | None) -> None:
        """The last frame of a stream that is to be resumed."""
        if ending not in {None, "done", "gone"}:
            retry = spread(self._settings.retry_ms)
            self._subscriber.send(self._surface.reconnect(Reconnect(ending, retry), now()))  # type: ignore[arg-type]


async def refuse(
    request: web.Request, reason: Literal["draining", "overloaded"], retry_ms: int, surface: StreamSurface
) -> web.StreamResponse:
    """A stream that can't be served now: a browser never comes back from a 503, so it is told to."""
    frames = b": stream\n" + surface.reconnect(Reconnect(reason, spread(retry_ms)), now())
    return await whole(request, frames)
