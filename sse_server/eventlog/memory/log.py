"""One session's log in memory: its events in order, and which of them were published."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import deque
from itertools import count
from typing import Final

from msgspec import Struct, field

from sse_server.eventlog import Head
from sse_server.eventlog.history import is_over
from sse_server.events import Event

NEVER: Final = sys.maxsize
_arrivals: Final = count()


class Log(Struct):
    """`published` are the events of no job, each behind a number that rises over all logs, and `bytes` their size.

    None of them expires before `soonest`. `jobs` counts the session's jobs, `active` those that have not ended;
    `touched` is Unix microseconds.
    """

    epoch: str
    trimmed: int = 0
    last: int = 0
    evicted: int = 0
    cleared: str = ""
    touched: int = 0
    jobs: int = 0
    active: int = 0
    bytes: int = 0
    soonest: int = NEVER
    events: list[Event] = field(default_factory=list)
    published: deque[tuple[int, Event]] = field(default_factory=deque)

    @property
    def head(self) -> Head:
        """Where it stands."""
        return Head(self.epoch, self.trimmed, self.last, self.evicted, self.cleared)

    @property
    def is_known(self) -> bool:
        """Whether there is a session, and not only the memory of one that was cleared."""
        return bool(self.last or self.jobs)

    def after(self, seq: int) -> int:
        """The index of the first event with a higher seq."""
        return bisect_right(self.events, seq, key=_seq)

    def add(self, events: list[Event], at: int) -> None:
        """Put events behind all others, at that time."""
        self.events += events
        self.last, self.touched = events[-1].seq, at

    def publish(self, events: list[Event], at: int) -> None:
        """The same with events of no job."""
        self.add(events, at)
        for event in events:
            self.published.append((next(_arrivals), event))
            self.bytes += len(event.body)
            self.soonest = min(self.soonest, event.expires or NEVER)

    def evict(self, n: int, at: int) -> None:
        """Remove the `n` oldest published events, for which history has no room."""
        for _ in range(n):
            event = self._shift()
            del self.events[self.after(event.seq) - 1]
            if not is_over(event.expires, at):
                self.evicted = event.seq
        if not self.events or self.events[0].seq > self.evicted:
            self.trimmed = max(self.trimmed, self.evicted)

    def expire(self, at: int) -> None:
        """Remove the published events that are past their time."""
        if at < self.soonest:
            return
        self.events = [event for event in self.events if not is_over(event.expires, at)]
        self.published = deque((n, event) for n, event in self.published if not is_over(event.expires, at))
        self.bytes = sum(len(event.body) for _, event in self.published)
        self.soonest = min((event.expires or NEVER for _, event in self.published), default=NEVER)

    def trim(self, seq: int) -> list[Event]:
        """Remove the prefix up to `seq`; what went."""
        self.trimmed = seq
        end = self.after(seq)
        gone = self.events[:end]
        del self.events[:end]
        while self.published and self.published[0][1].seq <= seq:
            self._shift()
        return gone

    def _shift(self) -> Event:
        _, event = self.published.popleft()
        self.bytes -= len(event.body)
        return event


def _seq(event: Event) -> int:
    return event.seq
