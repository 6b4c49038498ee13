"""One open stream on a log: it holds a cursor, never a copy of events.

Caught up, it is live: the hub writes to it what is due. Behind, it reads the log itself, at the pace of its client, and
goes live again. It is one or the other, so there is one writer at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, Self

from sse_server.config import Stream
from sse_server.eventlog import Head, Page
from sse_server.eventlog.order import now
from sse_server.events import EventId
from sse_server.hub.cohort import Cohort, Sink
from sse_server.hub.resume import Cursor, Gap, judge
from sse_server.hub.tail import Tail
from sse_server.hub.view import View

Ending = Literal["done", "gone", "max_age", "draining", "token_expired", "slow_consumer", "overloaded"]
"""Why a stream is over: complete, its client went away, or a reason that `reconnect` names."""


class Keeper(Protocol):
    """The hub, as its subscribers know it."""

    def came(self, subscriber: Subscriber) -> None:
        """A stream opened."""

    def left(self, subscriber: Subscriber) -> None:
        """It is over."""

    async def read(self, subscriber: Subscriber) -> Page:
        """What it needs next."""


class Subscriber:
    """`position` is the seq of the last event that it has passed; while it is live, its cohort's counts."""

    __slots__ = (
        *("_backlog", "_beat_at", "_cohort", "_evicted", "_keeper", "_loop", "_parted", "_sink", "_spoken"),
        *("cursor", "deadline", "ending", "epoch", "patient", "position", "tail", "view"),
    )

    def __init__(self, keeper: Keeper, tail: Tail, view: View, sink: Sink, cursor: Cursor) -> None:
        self.tail = tail
        self.view = view
        self.cursor: Cursor | None = cursor
        self.epoch = cursor.id.epoch if cursor.id else ""
        self.position = cursor.id.seq if cursor.id else 0
        self.deadline: tuple[float, Ending] | None = None
        self.ending: Ending | None = None
        self.patient = False
        """A stream that is not sent away while its job runs: a POST began it."""
        self._spoken = False
        self._sink = sink
        self._keeper = keeper
        self._loop = asyncio.get_running_loop()
        self._beat_at = self._loop.time()
        self._parted: asyncio.Future[None] | None = None
        self._cohort: Cohort | None = None
        self._backlog = 0
        self._evicted = 0

    def __enter__(self) -> Self:
        self.tail.hold()
        self._keeper.came(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.end("gone")
        self._keeper.left(self)
        self.tail.release()

    async def follow(
        self,
        limits: Stream,
        on_gap: Callable[[Gap], Awaitable[None]],
        on_lag: Callable[[], Awaitable[None]] | None = None,
    ) -> Ending:
        """Deliver all that comes after the cursor until the stream is over; returns why.

        `on_gap` and `on_lag` (None: a reader that lags too far is sent away) say what is missing and `move` the cursor.
        """
        try:
            while self.ending is None:
                if self._may_live():
                    await self._live()
                else:
                    await self._catch_up(on_gap)
                if self._sink.waiting() and self.ending in {None, "done"}:
                    await self._wait_for_client(limits.write_timeout)
                if self._lag > limits.max_lag_events and self.ending is None:
                    if on_lag is None:
                        self.end("slow_consumer")
                    else:
                        await on_lag()
        except ConnectionError:
            self.end("gone")
        assert self.ending is not None
        return self.ending

    @property
    def live(self) -> bool:
        """Whether the hub writes to it."""
        return self._cohort is not None

    def beat(self, time: int, at: float, every: float) -> int:
        """Write a heartbeat where there was none for `every` seconds, to its whole cohort; how many got it.

        `time` is Unix microseconds, `at` the loop's time.
        """
        if cohort := self._cohort:
            if at - cohort.beat_at < every:
                return 0
            heard = len(cohort.members)
            cohort.beat(time, at)
            return heard
        # Who reads the log is written to all the time, and is steady all the same.
        if not self._steady or self.ending is not None or at - self._beat_at < every:
            return 0
        self._beat(time)
        return 1

    def end(self, why: Ending) -> None:
        """The stream is over; the first reason counts."""
        self.ending = self.ending or why
        self.part()

    def open(self, retry_ms: int) -> None:
        """Write the first lines; where they are no whole block, the first frame, whichever it is, completes it."""
        lines = self.view.surface.opening(retry_ms, now())
        self._spoken = lines.endswith(b"\n\n")
        self._sink.write(self.view.flush(lines))

    def send(self, frames: bytes) -> None:
        """Write frames of the stream's own: a gap, a snapshot."""
        self._write(frames)

    def move(self, to: EventId) -> None:
        """Go on behind another event than the next one; what lies between was told as a gap or a snapshot."""
        self.cursor, self.epoch, self.position = None, to.epoch, to.seq
        self._backlog = max(self._backlog, to.seq)

    def complete(self) -> None:
        """Its stream has ended, as it should."""
        self.end("done")

    def part(self) -> None:
        """Stop being live; the stream's own task goes on."""
        if cohort := self._cohort:
            self._cohort = None
            self.position, self._beat_at = cohort.position, cohort.beat_at
            self.tail.leave(self._sink, cohort)
        if self._parted and not self._parted.done():
            self._parted.set_result(None)

    @property
    def _steady(self) -> bool:
        return self.view.surface.steady

    def _beat(self, time: int) -> bool:
        self._beat_at = self._loop.time()
        return self._write(self.view.surface.heartbeat(time, self.position))

    def _write(self, frames: bytes) -> bool:
        self._spoken = True
        if not self._steady:
            self._beat_at = self._loop.time()
        return self._sink.write(self.view.flush(frames))

    def _may_live(self) -> bool:
        tail = self.tail
        behind = tail.last is None or self.position < tail.last
        return not behind and self.cursor is None and tail.epoch == self.epoch

    def _live(self) -> asyncio.Future[None]:
        """Join a cohort until it parts; a future and no coroutine, since thousands of streams wait here for hours."""
        parted = self._parted = self._loop.create_future()
        # With nothing to say yet, the opening would wait for its first event.
        if self._spoken or self._beat(now()):
            self._cohort = self.tail.join(self._sink, self, self.view, self.position, self._beat_at)
        else:
            self.part()
        return parted

    async def _catch_up(self, on_gap: Callable[[Gap], Awaitable[None]]) -> None:
        page = await self._keeper.read(self)
        cursor = self.cursor or Cursor.at(EventId(self.epoch, self.position))
        if gap := judge(cursor, page.head, missed=self._missed(cursor, page.head)):
            await on_gap(gap)
            return
        if self.cursor is not None:
            self.cursor = None
            self._backlog = page.head.last if page.head else 0
        self.epoch = page.head.epoch if page.head else ""
        self._show(page)
        if page.head and page.passed < page.head.last:
            await asyncio.sleep(0)  # not every store waits: a page a turn, and others get their events in between

    def _missed(self, cursor: Cursor, head: Head | None) -> int:
        """Up to where a history limit took published events from a reader of the whole session since it last looked."""
        if head is None or self.view.job_id is not None:
            return 0
        before, self._evicted = self._evicted, head.evicted
        return head.evicted if cursor.text is not None and head.evicted > before else 0

    def _show(self, page: Page) -> None:
        frames, end = self.view.render(page.events, self.epoch)
        self.position = end or page.passed
        if end:
            self._sink.finish(self.view.flush(frames) if frames else b"")
            self.end("done")
        elif frames:
            self._write(frames)

    @property
    def _lag(self) -> int:
        """Events that it is behind. Only what came since it began counts: who resumes far behind is no slow reader."""
        return (self.tail.last or 0) - max(self.position, self._backlog)

    async def _wait_for_client(self, patience: float) -> None:
        """Until the client has taken most of it. It is too slow once it has read nothing for `patience` seconds."""
        while True:
            waiting = self._sink.waiting()
            try:
                async with asyncio.timeout(patience):
                    return await self._sink.drain()
            except TimeoutError:
                if self._sink.waiting() >= waiting:
                    return self.end("slow_consumer")
