"""Following a job: its events once each and in order, through every loss of the line, to its `done`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, Literal

from sse_server.client.caller import Caller
from sse_server.client.errors import ClientError, LineLost, Refused, StreamUnusable, Unreachable
from sse_server.client.event import Event
from sse_server.client.line import Line
from sse_server.client.patience import Backoff
from sse_server.client.position import Position
from sse_server.client.source import Source
from sse_server.client.status import LineStatus

OnStatus = Callable[[LineStatus], None]

FRUITLESS: Final = 3
"""Tries in a row that bring nothing from a server that is alive; then streams don't get through."""


class Follower:
    """Streams while streams get through, else polls: both go on from the same cursor."""

    def __init__(self, caller: Caller, source: Source, *, after: str | None, on_status: OnStatus | None) -> None:
        self._caller = caller
        self._source = source
        self._say = on_status or (lambda _: None)
        self._patience = caller.patience
        self._backoff = Backoff(caller.patience)
        self._position = Position(after)
        self._time = asyncio.get_running_loop().time
        self._heard_at = self._time()
        self._fruitless = 0
        self._way: Literal["", "connected", "polling"] = ""
        self._lost = False
        self._why_polling = ""
        self._stream_from = self._heard_at
        self._over = False

    async def events(self) -> AsyncGenerator[Event, None]:
        """All behind the cursor, up to `done`. Raises `Refused`, `BadAnswer`, and `Unreachable` when it gives up."""
        while not self._over:
            way = self._stream() if self._time() >= self._stream_from else self._poll()
            try:
                async with aclosing(way) as events:
                    async for event in events:
                        if self._position.passes(event):
                            self._over = event.type == "done"
                            yield event
                        if self._over:
                            return
            except ClientError as error:
                await self._bear(error)

    async def _stream(self) -> AsyncGenerator[Event, None]:
        line = Line(self._source, self._position.cursor, self._patience)
        try:
            async with aclosing(line.events()) as events:
                async for event in events:
                    self._came_through("connected", missed=event.type == "gap")
                    yield event
            self._over = True
        finally:
            if line.retry is not None:
                self._backoff.retry = line.retry

    async def _poll(self) -> AsyncGenerator[Event, None]:
        while self._time() < self._stream_from and not self._over:
            page = await self._source.page(self._position.cursor, wait=self._patience.long_poll)
            self._came_through("polling", missed=any(event.type == "gap" for event in page.events))
            for event in page.events:
                yield event
            self._position.cursor, self._over = page.next, page.done
            if not page.events and not page.done:
                await asyncio.sleep(page.poll_after_ms / 1000)

    def _came_through(self, way: Literal["connected", "polling"], *, missed: bool) -> None:
        if way != self._way:
            self._say(LineStatus(way, reason=self._why_polling if way == "polling" else ""))
        elif self._lost:
            self._say(LineStatus("resumed", missed=missed))
        self._way, self._lost = way, False
        self._heard_at = self._time()
        self._fruitless = self._backoff.failures = 0

    async def _bear(self, error: ClientError) -> None:
        """Get over a loss: wait and try again, the other way if this one does not get through; or raise it."""
        if not error.passing or (isinstance(error, Refused) and self._source.job_id is None):
            raise error
        if isinstance(error, LineLost) and error.back_in is not None:
            await self._wait(error.back_in, error)  # the server has spread its readers already
            return
        self._fruitless += 1
        if self._time() >= self._stream_from and await self._streams_are_useless(error):
            self._why_polling = str(error)
            self._stream_from = self._time() + self._patience.polling
        else:
            await self._wait(self._backoff.pause(error.retry_after), error)

    async def _wait(self, delay: float, error: ClientError) -> None:
        if self._time() + delay - self._heard_at > self._patience.give_up:
            raise Unreachable(f"nothing came through for {self._patience.give_up:g} s: {error}") from error
        self._lost = True
        self._say(LineStatus("reconnecting", reason=str(error), delay=delay))
        await asyncio.sleep(delay)

    async def _streams_are_useless(self, error: ClientError) -> bool:
        suspected = isinstance(error, StreamUnusable) or self._fruitless >= FRUITLESS
        return suspected and await self._caller.alive()
