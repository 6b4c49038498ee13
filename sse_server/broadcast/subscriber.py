"""One reader of a session in this process: a cursor on the log, and the page that it reads just now.

Nobody puts anything into it. It looks at the log when it is asked for the next frame, so there is nothing that could
run full, and one that is never asked costs nobody anything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import ExitStack
from typing import Final

import msgspec
from msgspec import Struct

from sse_server import sse
from sse_server.broadcast.event import shown
from sse_server.eventlog import Head, LogKey
from sse_server.eventlog.order import now
from sse_server.events import START, Event, EventId
from sse_server.hub import Cursor, Gap, Hub, judge

PAGE: Final = 500
"""Events that it reads from the log at once."""
PATIENCE: Final = 60.0
"""Seconds after which it looks by itself: another process may have appended unheard."""


class Unsubscribed(Exception):
    """The subscriber was removed: on purpose, because it was idle, or because its broadcaster has shut down."""


class _Hole(Struct, frozen=True):
    """A gap in the page, and the cursor behind it."""

    gap: Gap
    to: EventId


class Subscriber:
    """`get` gives every event after the cursor once and in order, or a `gap` frame where some are gone."""

    def __init__(self, hub: Hub, key: LogKey) -> None:
        self.key = key
        self.closed = False
        self._eventlog = hub.eventlog
        self._holding = ExitStack()
        self._tail = self._holding.enter_context(hub.tail(key))
        if audience := hub.audience:  # a job that ends when nobody watches is watched
            audience.came(key, None)
            self._holding.callback(audience.left, key, None, "gone")
        self._cursor = START
        self._page: deque[Event | _Hole] = deque()
        self._read_to = START
        self._evicted = 0
        self._getting = 0
        self._asked_at = asyncio.get_running_loop().time()

    async def open(self) -> None:
        """Stand before the oldest event kept, and see what follows."""
        if head := await self._eventlog.head(self.key):
            self._cursor = self._read_to = EventId(head.epoch, head.trimmed)
            self._evicted = head.evicted
        await self._look()

    async def get(self, timeout: float | None = None) -> str:  # noqa: ASYNC109  (as it is documented)
        """The next event as a ready frame; waits for it, at most `timeout` seconds.

        Raises TimeoutError, and `Unsubscribed`. Whoever is cancelled meanwhile has missed nothing.
        """
        self._getting += 1
        try:
            async with asyncio.timeout(timeout):
                return await self._next()
        finally:
            self._getting -= 1
            self._asked_at = asyncio.get_running_loop().time()

    def qsize(self) -> int:
        """How many frames `get` has at once, history included; it is never above 0 where `get` would wait."""
        tail = self._tail
        if self.closed or tail.last is None:
            return 0  # the log was changed: only a look can tell what is there now
        lost = self._cursor.epoch not in {"", tail.epoch}
        after = 0 if lost else self._read_to.seq
        here = 1 if lost else sum(map(_lives, self._page))
        behind = tail.behind(after)
        sure = here + sum(map(_lives, tail.events if behind is None else behind))
        unseen = (tail.events[0].seq - 1 if tail.events else tail.last) - after
        return sure + max(0, unseen) if sure else 0

    def idle_for(self) -> float:
        """Seconds since anybody waited for an event of it."""
        return 0.0 if self._getting else asyncio.get_running_loop().time() - self._asked_at

    def close(self) -> None:
        """Let go of the log; whoever waits hears of it."""
        self.closed = True
        self._tail.wake()
        self._holding.close()

    async def _next(self) -> str:
        while True:
            moved = self._is_short() and await self._look()
            if self.closed:
                raise Unsubscribed("this subscriber was removed")
            if frame := self._take():
                return frame
            if not moved:
                await self._tail.grown(self._read_to.seq, PATIENCE)

    def _take(self) -> str | None:
        """The next frame of the page. Nothing is awaited between this and the end of `get`."""
        while self._page:
            item = self._page.popleft()
            if isinstance(item, _Hole):
                self._cursor = item.to
                return sse.frame(msgspec.json.encode(item.gap), event=b"gap").decode()
            self._cursor = EventId(self._read_to.epoch, item.seq)
            if _lives(item):
                body = shown(item, self.key.session)
                return sse.frame(body, event=item.type.encode(), event_id=str(self._cursor).encode()).decode()
        return None

    def _is_short(self) -> bool:
        """Whether to read on: already before the last event is given, so that `qsize` does not end too early."""
        tail = self._tail
        return self._is_stale() or (len(self._page) <= 1 and self._read_to.seq < (tail.last or 0))

    def _is_stale(self) -> bool:
        return self._tail.last is None or self._tail.epoch != self._read_to.epoch

    async def _look(self) -> bool:
        """Read on from the tail or the log; whether that led anywhere."""
        if self._is_stale():
            self._page.clear()
            self._read_to = self._cursor
        before = self._read_to
        page = None if self._is_stale() else self._tail.after(before.seq)
        if page is None:
            page = await self._eventlog.read(self.key, before.seq, PAGE)
            if self._read_to != before:
                return True  # somebody else, who waits too, has read on
            self._tail.learn(page.head)
            missed = self._missed(page.head)
            if gap := judge(Cursor.at(before), page.head, missed=missed) or _never_seen(before, page.head):
                self._read_to = _behind(gap, before, page.head)
                if self._read_to.epoch != before.epoch:
                    self._page.clear()  # of a log that is no more
                self._page.append(_Hole(gap, self._read_to))
                return True
        self._page.extend(page.events)
        self._read_to = EventId(page.head.epoch, page.passed) if page.head else START
        return self._read_to != before

    def _missed(self, head: Head | None) -> int:
        """Up to where a history limit has taken events from between others since the last look."""
        before, self._evicted = self._evicted, head.evicted if head else 0
        return self._evicted if self._evicted > before else 0


def _never_seen(cursor: EventId, head: Head | None) -> Gap | None:
    """A log that came after this reader, and was cleared before the reader looked."""
    if cursor != START or head is None or not head.cleared:
        return None
    return Gap(str(START), str(EventId(head.epoch, head.trimmed + 1)) if head.trimmed < head.last else None, "cleared")


def _behind(gap: Gap, cursor: EventId, head: Head | None) -> EventId:
    """Where a reader goes on who was told of the gap: with every event kept that it has not had."""
    if head is None:
        return START
    return EventId(head.epoch, max(head.trimmed, cursor.seq if gap.reason == "trimmed" else 0))


def _lives(item: Event | _Hole) -> bool:
    return isinstance(item, _Hole) or not item.expires or item.expires > now()
