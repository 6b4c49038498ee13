"""What an attempt has emitted and the log has not stored yet: bounded, from any thread, in each thread's order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from threading import Condition, Lock, get_ident
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

    __slots__ = (
        *("_awake", "_bytes", "_closed", "_drafts", "_lock", "_loop", "_loop_thread", "_put", "_room", "_settled"),
        *("_taken", "_taken_bytes", "_waiting", "_wake"),
    )

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._loop_thread = get_ident()
        self._drafts: list[Draft] = []
        self._taken: list[Draft] = []
        self._bytes = self._taken_bytes = 0
        self._put = self._settled = 0
        self._lock = Lock()
        self._room: Condition | None = None
        self._awake = False
        self._closed: str | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def closed(self) -> bool:
        """Whether it refuses more."""
        return self._closed is not None

    def put(self, draft: Draft) -> None:
        """Emit. Raises `JobCancelled` once closed; `OutboxFull` on the loop."""
        with self._lock:
            if self._closed is not None or self._full:
                self._wait_for_room()
            was_awake = self._add(draft)
        if not was_awake:
            self._notify()

    def put_in_turn(self, draft: Callable[[], Draft]) -> None:
        """Emit what `draft` makes once its place in the order is known; raises as `put` does, and what it raises."""
        with self._lock:
            if self._closed is not None or self._full:
                self._wait_for_room()
            was_awake = self._add(draft())
        if not was_awake:
            self._notify()

    def finish(self, draft: Draft) -> None:
        """The runner's last word behind all that was emitted; closes the outbox. On the loop only."""
        with self._lock:
            self._close("the job is over")
            was_awake = self._add(draft)
        if not was_awake:
            self._notify()

    def close(self, why: str) -> None:
        """Refuse what comes from now on; what is in it is still stored. On the loop or any thread."""
        with self._lock:
            self._close(why)

    def take(self, limit: int) -> list[Draft]:
        """The next drafts, `limit` of them or all that there are; they count until `settle`. On the loop only."""
        with self._lock:
            if len(self._drafts) < limit:
                self._taken, self._drafts = self._drafts, []
                self._taken_bytes = self._bytes
                self._awake = False
            else:
                self._taken, self._drafts = self._drafts[:limit], self._drafts[limit:]
                self._taken_bytes = sum(len(draft.body) for draft in self._taken)
            return self._taken

    def settle(self) -> None:
        """What was taken is stored."""
        with self._lock:
            self._bytes -= self._taken_bytes
            self._settled += len(self._taken)
            self._taken, self._taken_bytes = [], 0
            if self._room:
                self._room.notify_all()
        if self._waiting:
            self._release()

    def discard(self) -> None:
        """The lease is lost: nothing of this can be stored any more."""
        with self._lock:
            self._closed = "the job was taken over or has ended"
            self._drafts, self._taken = [], []
            self._bytes = self._taken_bytes = 0
            self._settled = self._put
            if self._room:
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
        return self._put - self._settled >= MAX_EVENTS or self._bytes >= MAX_BYTES

    def _add(self, draft: Draft) -> bool:
        """Whether `wake` was called for what is in it already."""
        self._drafts.append(draft)
        self._put += 1
        self._bytes += len(draft.body)
        was_awake, self._awake = self._awake, True
        return was_awake

    def _close(self, why: str) -> None:
        self._closed = self._closed or why
        if self._room:
            self._room.notify_all()

    def _wait_for_room(self) -> None:
        """With the lock held. The condition is made by the first thread that waits: few outboxes are ever full."""
        if self._closed is None:
            if get_ident() == self._loop_thread:
                raise OutboxFull("more is emitted than the store takes: `await job.flush()` now and then")
            self._room = self._room or Condition(self._lock)
            self._room.wait_for(lambda: self.closed or not self._full)
        if self._closed is not None:
            raise JobCancelled(self._closed)

    def _notify(self) -> None:
        if get_ident() == self._loop_thread:
            self._wake()
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def _release(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._settled:
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_result(None)
