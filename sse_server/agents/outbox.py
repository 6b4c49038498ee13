"""What an attempt has emitted and the log has not stored yet: bounded, from any thread, in each thread's order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from threading import Condition, get_ident
from typing import Final

from sse_server.errors import JobCancelled, OutboxFull
from sse_server.events import Draft

MAX_EVENTS: Final = 10_000
MAX_BYTES: Final = 16 * 1024 * 1024


class Outbox:
    """`wake` is called on the loop, once for each time that the outbox stops being empty.

    In a thread, a full outbox blocks who emits; on the loop nothing may block, so there it raises `OutboxFull`. A
    closed outbox takes nothing more: its job is cancelled, ended, or another attempt's.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._loop_thread = get_ident()
        self._drafts: deque[Draft] = deque()
        self._bytes = 0
        self._in_flight = 0
        self._put = self._settled = 0
        self._room = Condition()
        self._awake = False
        self._closed: str | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def closed(self) -> bool:
        """Whether it refuses more."""
        return self._closed is not None

    def put(self, draft: Callable[[], Draft]) -> None:
        """Emit what `draft` makes once its place in the order is known.

        Raises `JobCancelled` once closed; `OutboxFull` on the loop.
        """
        on_loop = get_ident() == self._loop_thread
        with self._room:
            if on_loop and self._full and not self.closed:
                raise OutboxFull("more is emitted than the store takes: `await job.flush()` now and then")
            self._room.wait_for(lambda: self.closed or not self._full)
            if self._closed is not None:
                raise JobCancelled(self._closed)
            self._add(draft())
        self._notify(on_loop=on_loop)

    def finish(self, draft: Draft) -> None:
        """The runner's last word behind all that was emitted; closes the outbox. On the loop only."""
        with self._room:
            self._closed = self._closed or "the job is over"
            self._add(draft)
            self._room.notify_all()
        self._notify(on_loop=True)

    def close(self, why: str) -> None:
        """Refuse what comes from now on; what is in it is still stored. On the loop or any thread."""
        with self._room:
            self._closed = self._closed or why
            self._room.notify_all()

    def take(self, limit: int) -> list[Draft]:
        """The next drafts; they stay until `settle`. On the loop only."""
        with self._room:
            drafts = list(islice(self._drafts, limit))
            self._in_flight = len(drafts)
            self._awake = bool(drafts)
        return drafts

    def settle(self) -> None:
        """What was taken is stored."""
        with self._room:
            for _ in range(self._in_flight):
                self._bytes -= len(self._drafts.popleft().body)
            self._settled += self._in_flight
            self._in_flight = 0
            self._room.notify_all()
        self._release()

    def discard(self) -> None:
        """The lease is lost: nothing of this can be stored any more."""
        with self._room:
            self._closed = "the job was taken over or has ended"
            self._drafts.clear()
            self._bytes = self._in_flight = 0
            self._settled = self._put
            self._room.notify_all()
        self._release()

    async def flushed(self) -> None:
        """Until all that was emitted so far is stored; also from a loop that an agent runs in its own thread."""
        if asyncio.get_running_loop() is not self._loop:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.flushed(), self._loop))
        elif self._settled < self._put:
            future = self._loop.create_future()
            self._waiting.append((self._put, future))
            await future

    async def patiently(self, emit: Callable[[], None]) -> None:
        """Emit as soon as there is room, where others only can say that there is none."""
        while True:
            try:
                return emit()
            except OutboxFull:
                await self.flushed()

    @property
    def _full(self) -> bool:
        return len(self._drafts) >= MAX_EVENTS or self._bytes >= MAX_BYTES

    def _add(self, draft: Draft) -> None:
        self._drafts.append(draft)
        self._put += 1
        self._bytes += len(draft.body)

    def _notify(self, *, on_loop: bool) -> None:
        if self._awake:
            return
        self._awake = True
        if on_loop:
            self._wake()
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def _release(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._settled:
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_result(None)
