"""The latest events of one log, as long as somebody in this process follows it, and those who do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Self

from sse_server.eventlog import Head, LogKey, Page
from sse_server.events import Event
from sse_server.hub.cohort import Cohort, Member, Sink
from sse_server.hub.view import View

MAX_EVENTS: Final = 512
MAX_BYTES: Final = 256 * 1024
MOST_EVENTS: Final = MAX_EVENTS * 5 // 4
MOST_BYTES: Final = MAX_BYTES * 5 // 4
"""How far it grows before it is cut: cut at each event, a full tail would be moved in memory for each."""


class Tail:
    """`events` are dense and end at `last`; a reader who needs what is older reads the log.

    `last` is None until somebody has read the log or it has grown: the tail does not know yet where the log stands.
    `cohorts` are those who are served from it, `due` says that there is something for them. It is `kept` as long as
    somebody holds it.
    """

    __slots__ = ("_bytes", "_kept", "_waiting", "cohorts", "due", "epoch", "events", "followers", "key", "last")

    def __init__(self, key: LogKey, kept: dict[LogKey, Tail]) -> None:
        self.key = key
        self._kept = kept
        self.epoch = ""
        self.last: int | None = None
        self.due = False
        self.events: list[Event] = []
        self.cohorts: list[Cohort] = []
        self.followers = 0
        self._bytes = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def __enter__(self) -> Self:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def hold(self) -> None:
        """Somebody follows the log, until `release`."""
        self.followers += 1

    def release(self) -> None:
        """One follower less; without any it is not kept."""
        self.followers -= 1
        if not self.followers:
            del self._kept[self.key]

    def push(self, events: Sequence[Event], epoch: str) -> None:
        """Take what the log has stored. What was seen already is passed over; a hole forgets what stands before it."""
        first, last = events[0].seq, self.last
        if last is None or first > last + 1 or epoch != self.epoch:
            self._restart(epoch, first - 1)
        elif first <= last:
            events = events[last + 1 - first :]
        for event in events:
            self.events.append(event)
            self._bytes += len(event.body)
            self.last = event.seq
        if self._bytes > MOST_BYTES or len(self.events) > MOST_EVENTS:
            self._shorten()
        if self._waiting:
            self.wake()

    def learn(self, head: Head | None) -> None:
        """A reader saw where the log stands: news to a tail that knew nothing, or of a log that is gone."""
        epoch, last = (head.epoch, head.last) if head else ("", 0)
        if self.last is None:
            self._restart(epoch, last)
        elif epoch != self.epoch:
            self.forget()  # one of both is out of date, and nobody can say which

    def forget(self) -> None:
        """The log was changed elsewhere, or erased: everybody has to look for themselves."""
        self.part()
        self.last = None
        self.events.clear()
        self.wake()

    def after(self, seq: int) -> Page | None:
        """What follows `seq`, where the tail has all of it; `limit` is what the tail holds."""
        if self.last is None or not self.events or seq > self.last:
            return None
        events = self.behind(seq)
        return None if events is None else Page(Head(self.epoch, 0, self.last), events, self.last)

    def behind(self, after: int) -> list[Event] | None:
        """The events behind `after`, found from the end: most often it is the last one. None: some of them went."""
        count = (self.last or 0) - after
        if count > len(self.events):
            return None
        return self.events[-count:] if count > 0 else []

    async def grown(self, after: int, within: float) -> None:
        """Return once there may be more than `after`, or after `within` seconds."""
        if self.last is None or self.last > after:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=within)
        finally:
            self._waiting.discard(future)

    def _shorten(self) -> None:
        gone = 0
        while len(self.events) - gone > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self.events) - gone > 1):
            self._bytes -= len(self.events[gone].body)
            gone += 1
        del self.events[:gone]

    def _restart(self, epoch: str, last: int) -> None:
        self.part()
        self.epoch, self.last = epoch, last
        self.events.clear()
        self._bytes = 0

    def join(self, sink: Sink, member: Member, view: View, position: int, beat_at: float) -> Cohort:
        """Serve a subscriber who has passed all that is there, and was last written to at `beat_at`."""
        for cohort in self.cohorts:
            if cohort.takes(view, position):
                cohort.beat_at = min(cohort.beat_at, beat_at)
                break
        else:
            cohort = Cohort(view, position, beat_at)
            self.cohorts.append(cohort)
        cohort.members[sink] = member
        return cohort

    def leave(self, sink: Sink, cohort: Cohort) -> None:
        """Serve it no longer."""
        del cohort.members[sink]
        if not cohort.members:
            self.cohorts.remove(cohort)

    def part(self) -> None:
        """All live subscribers go back to reading the log: what they need next is not here."""
        for cohort in list(self.cohorts):
            cohort.part()

    def wake(self) -> None:
        """Everybody who waits looks again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
