"""A log of the model: what is kept of it, and all that it ever had."""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import Struct, field

from sse_server.eventlog import Head
from sse_server.events import Event


def micros() -> int:
    return time.time_ns() // 1000


def is_over(event: Event) -> bool:
    return 0 < event.expires < micros()


class Log(Struct):
    """`events` are those that are kept, `ever` all of this epoch but an erased job's, `arrived` when each one came.

    `touched` is a moment before the store touched it.
    """

    epoch: str
    last: int = 0
    trimmed: int = 0
    evicted: int = 0
    cleared: str = ""
    touched: int = 0
    events: dict[int, Event] = field(default_factory=dict)
    ever: dict[int, Event] = field(default_factory=dict)
    arrived: dict[int, int] = field(default_factory=dict)

    @property
    def head(self) -> Head:
        return Head(self.epoch, self.trimmed, self.last, self.evicted, self.cleared)

    @property
    def published(self) -> list[Event]:
        return [event for _, event in sorted(self.events.items()) if not event.job_id]

    @property
    def bytes(self) -> int:
        return sum(len(event.body) for event in self.published)

    def evict(self, gone: Sequence[Event]) -> None:
        """Published events that history has no room for; nobody misses those that are past their time."""
        for event in gone:
            del self.events[event.seq]
            if not is_over(event):
                self.evicted = event.seq
        if gone and all(seq > self.evicted for seq in self.events):
            self.trimmed = max(self.trimmed, self.evicted)
