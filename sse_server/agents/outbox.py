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
        *("_bytes", "_closed", "_drafts", "_lock", "_loop", "_loop_thread", "_room", "_settled", "_taken"),
        *("_taken_bytes", "_waiting", "_wake"),
    )

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._loop_thread = get_ident()
        self._drafts: list[Draft] = []
        self._bytes = 0
        self._taken = self._taken_bytes = 0
        self._settled = 0
        """How many events were stored while somebody waited for that: only differences count."""
        self._lock = Lock()
        self._room: Condition | None = None
        self._closed: str | None = None
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def closed(self) -> bool:
        """Whether it refuses more."""
        return self._closed is not None

    def put(self, draft: Draft) -> None:
        """Emit. Raises `JobCancelled` once closed; `OutboxFull` on the loop."""
        lock = self._lock
        lock.acquire()  # each event comes here, and a `with` costs twice as much
        try:
            drafts = self._drafts
            if (
                self._closed is not None
                or len(drafts) + self._taken >= MAX_EVENTS
                or self._bytes + self._taken_bytes >= MAX_BYTES
            ):
                self._wait_for_room()
                drafts = self._drafts
            is_first = not drafts
            drafts.append(draft)
            self._bytes += len(draft.body)
        finally:
            lock.release()
        if is_first:
            self._notify()

    def put_in_turn(self, draft: Callable[[], Draft]) -> None:
        """Emit what `draft` makes once its place in the order is known; raises as `put` does, and what it raises."""
        with self._lock:
            self._wait_for_room()
            is_first = self._add(draft())
        if is_first:
            self._notify()

    def finish(self, draft: Draft) -> None:
        """The runner's last word behind all that was emitted; closes the outbox. On the loop only."""
        with self._lock:
            self._close("the job is over")
            is_first = self._add(draft)
        if is_first:
            self._notify()

    def close(self, why: str) -> None:
        """Refuse what comes from now on; what is in it is still stored. On the loop or any thread."""
        with self._lock:
            self._close(why)

    def retire(self) -> None:
        """Nobody takes from it any more: it refuses what comes, and wakes nobody. On the loop only."""
        self.close("the job is over")
        self._wake = _nobody

    def take(self, limit: int) -> list[Draft]:
        """The next drafts, `limit` of them or all that there are; they count until `settle`. On the loop only."""
        lock = self._lock
        lock.acquire()
        try:
            drafts = self._drafts
            count = len(drafts)
            if count <= limit:
                self._taken_bytes, self._bytes, self._drafts = self._bytes, 0, []
            else:
                count = limit
                drafts, self._drafts = drafts[:limit], drafts[limit:]
                self._taken_bytes = sum(len(draft.body) for draft in drafts)
                self._bytes -= self._taken_bytes
            self._taken = count
        finally:
            lock.release()
        return drafts

    def settle(self) -> None:
        """What was taken is stored.

        Without the lock: the loop alone counts what is taken, and a thread makes `_room` before it looks at the counts.
        """
        if self._waiting:
            self._settled += self._taken
            self._release()
        self._taken = self._taken_bytes = 0
        if self._room:
            with self._lock:
                self._room.notify_all()

    def discard(self) -> None:
        """The lease is lost: nothing of this can be stored any more."""
        with self._lock:
            self._closed = "the job was taken over or has ended"
            self._settled += self._unsettled
            self._drafts, self._bytes = [], 0
            self._taken = self._taken_bytes = 0
            if self._room:
                self._room.notify_all()
        self._release()

    async def flushed(self) -> None:
        """Until all that was emitted so far is stored; also from a loop that an agent runs in its own thread."""
        if asyncio.get_running_loop() is not self._loop:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.flushed(), self._loop))
        elif self._unsettled:
            future = self._loop.create_future()
            self._waiting.append((self._settled + self._unsettled, future))
            await future

    async def patiently(self, emit: Callable[[], None]) -> None:
        """Emit as soon as there is room, where others only can say that there is none."""
        while True:
            try:
                return emit()
            except OutboxFull:
                await self.flushed()

    @property
    def _unsettled(self) -> int:
        return len(self._drafts) + self._taken

    @property
    def _full(self) -> bool:
        return self._unsettled >= MAX_EVENTS or self._bytes + self._taken_bytes >= MAX_BYTES

    def _add(self, draft: Draft) -> bool:
        """Whether it is the first one: `wake` was called for those before."""
        self._drafts.append(draft)
        self._bytes += len(draft.body)
        return len(self._drafts) == 1

    def _close(self, why: str) -> None:
        self._closed = self._closed or why
        if self._room:
            self._room.notify_all()

    def _wait_for_room(self) -> None:
        """With the lock held. The condition is made by the first thread that waits: few outboxes are ever full."""
        if self._closed is None and self._full:
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


def _nobody() -> None:
    """Who is woken once nobody takes."""
