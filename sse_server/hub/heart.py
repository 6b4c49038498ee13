"""The hub: who in this process follows which log, and how what is stored reaches them.

What is due goes out once a loop turn: the frames of a run of events are rendered once for each view, joined, and
written to every live subscriber in one write. A large fan-out takes a turn for each cohort: the loop stays free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from sse_server.eventlog import EventLog, LogKey, Page, Receipt, Write, events_of
from sse_server.eventlog.order import now
from sse_server.events import Draft
from sse_server.hub.cohort import Cohort, Sink
from sse_server.hub.committer import Committer
from sse_server.hub.resume import Cursor
from sse_server.hub.subscriber import Ending, Subscriber
from sse_server.hub.tail import Tail
from sse_server.hub.view import Made, View
from sse_server.metrics import Tally

TURN: Final = 256
"""Subscribers after which the next one has to wait for the next loop turn."""
PAGE: Final = 500
"""Events that a subscriber who catches up reads at once."""


class Audience(Protocol):
    """Wants to know who watches: jobs that end when nobody does."""

    def came(self, key: LogKey, job_id: str | None) -> None:
        """A stream opened, on a job or (None) on its whole session."""

    def left(self, key: LogKey, job_id: str | None, ending: Ending) -> None:
        """It is over."""


_Run = tuple[Cohort, bytes, int, bool]
"""Events on their way to a cohort: their frames, the seq of the last one, and whether their streams end with them."""


class Hub:
    """`heartbeat` is in seconds without a frame."""

    def __init__(self, eventlog: EventLog, *, heartbeat: float) -> None:
        self.eventlog = eventlog
        self.audience: Audience | None = None
        self.subscribers: set[Subscriber] = set()
        self.tally = Tally()
        self._heartbeat = heartbeat
        self._tails: dict[LogKey, Tail] = {}
        self._committer = Committer(eventlog, self.stored)
        self.mark = self._committer.mark
        """Says that a source has events to store."""
        self._due: deque[Tail] = deque()
        self._runs: deque[_Run] = deque()
        self._flushing = False
        self._beats: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to commit and to beat; needs a running loop."""
        self._committer.start()
        self._beats = asyncio.create_task(self._beat(), name="heartbeats")

    async def close(self) -> None:
        """Store and deliver what was marked before; nobody waits any longer."""
        await self._committer.close()
        for tail in self._tails.values():
            tail.wake()
        if self._beats:
            self._beats.cancel()

    @property
    def watched(self) -> dict[LogKey, int]:
        """The logs that somebody here follows, and how many do."""
        return {key: tail.followers for key, tail in self._tails.items()}

    async def publish(self, key: LogKey, drafts: Sequence[Draft]) -> Receipt:
        """Append events that are no job's to a session, and deliver them."""
        write = Write(key, drafts)
        (receipt,) = await self.eventlog.append([write])
        assert receipt is not None, "no lease can be missing where no job is"
        self.stored(write, receipt)
        return receipt

    def stored(self, write: Write, receipt: Receipt) -> None:
        """The log has taken a write: deliver it to whoever follows that log here."""
        self.tally.count(write.drafts)
        tail = self._tails.get(write.key)
        if tail is None:
            return
        tail.push(receipt.events or events_of(write, receipt.first), receipt.epoch)
        if tail.cohorts and not tail.due:
            tail.due = True
            self._due.append(tail)
            if not self._flushing:
                self._schedule()

    def changed(self, key: LogKey) -> None:
        """Another process changed that log."""
        if tail := self._tails.get(key):
            tail.forget()

    def erased(self, key: LogKey, job_id: str) -> None:
        """The job and its events are gone: whoever still reads them has nothing to wait for."""
        self.changed(key)
        for subscriber in self.subscribers:
            if subscriber.tail.key == key and subscriber.view.job_id == job_id:
                subscriber.end("gone")

    def tail(self, key: LogKey) -> Tail:
        """The log's tail, for a `with`: it is kept as long as somebody is within one.

        Take it before the first read: what is stored in between is then in the tail, and no event can fall between the
        read and the wait.
        """
        return self._tails.get(key) or self._tails.setdefault(key, Tail(key, self._tails))

    def subscribe(self, key: LogKey, view: View, sink: Sink, cursor: Cursor) -> Subscriber:
        """A stream on the log behind `cursor`, for a `with` in which its caller runs `follow`."""
        return Subscriber(self, self.tail(key), view, sink, cursor)

    def came(self, subscriber: Subscriber) -> None:
        """A stream opened."""
        self.subscribers.add(subscriber)
        if self.audience:
            self.audience.came(subscriber.tail.key, subscriber.view.job_id)

    def left(self, subscriber: Subscriber) -> None:
        """It is over."""
        self.subscribers.discard(subscriber)
        if self.audience:
            self.audience.left(subscriber.tail.key, subscriber.view.job_id, subscriber.ending or "gone")

    async def read(self, subscriber: Subscriber) -> Page:
        """What a stream that is behind needs next, from the tail where it can be."""
        tail, view = subscriber.tail, subscriber.view
        # Only a reader of the whole log needs the log's own head: it may lack what went from between jobs' events.
        if subscriber.epoch == tail.epoch and (subscriber.cursor is None or view.job_id is not None):
            page = tail.after(subscriber.position)
            if page is not None:
                await asyncio.sleep(0)
                return page
        page = await self.eventlog.read(tail.key, subscriber.position, PAGE, job_id=view.job_id, types=view.types)
        tail.learn(page.head)
        return page

    def _schedule(self) -> None:
        self._flushing = True
        asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """A turn's part of what is due; what stays for the next one gathers there what comes meanwhile."""
        self._flushing = False
        if not self._runs:
            self._render()
        runs, left, at = self._runs, TURN, asyncio.get_running_loop().time()
        while runs and left > 0:
            cohort, data, last, complete = runs.popleft()
            left -= len(cohort.members)
            if complete:
                cohort.complete(data, last)
            else:
                cohort.deliver(data, last, at)
        if runs or self._due:
            self._schedule()

    def _render(self) -> None:
        """A turn's part of it, but whole tails; all before the first write, since the kernel empties the caches."""
        while self._due and len(self._runs) < TURN:
            self._runs.extend(_runs(self._due.popleft()))

    async def _beat(self) -> None:
        """One timer for all: heartbeats of idle streams, and the ends of those whose time is up."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, self._heartbeat / 4))
            time, heard = now(), 0
            for subscriber in list(self.subscribers):
                at = loop.time()
                if subscriber.deadline and subscriber.deadline[0] <= at:
                    subscriber.end(subscriber.deadline[1])
                heard += 1 + subscriber.beat(time, at, self._heartbeat)
                if heard >= TURN:
                    await asyncio.sleep(0)
                    heard = 0


def _runs(tail: Tail) -> list[_Run]:
    """What is due to the cohorts of a log."""
    tail.due = False
    runs: list[_Run] = []
    made = Made() if len(tail.cohorts) > 1 else None
    for cohort in tail.cohorts.copy():
        events = tail.behind(cohort.position)
        if events:
            view = cohort.view
            frames, end = view.render(events, tail.epoch, made)
            runs.append((cohort, view.flush(frames) if frames else b"", events[-1].seq, end > 0))
        elif events is None:
            cohort.part()  # more came in one turn than a tail holds: they read it from the log
    return runs
