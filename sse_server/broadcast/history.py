"""Looking back: the latest events of a session."""

from __future__ import annotations

from collections import deque

from sse_server.broadcast.event import SSEEvent
from sse_server.eventlog import EventLog, LogKey

PAGE = 500
"""Events that are read from the log at once."""


async def latest(eventlog: EventLog, key: LogKey, limit: int) -> list[SSEEvent]:
    """Up to `limit` events (at least 1), oldest first."""
    head = await eventlog.head(key)
    if head is None:
        return []
    span = limit
    while True:
        # Numbers may be unused, so that so many events need not lie so many numbers back.
        after = max(head.trimmed, head.last - span)
        events = await _behind(eventlog, key, after, limit)
        if len(events) == limit or after == head.trimmed:
            return events
        span *= 4


async def _behind(eventlog: EventLog, key: LogKey, after: int, limit: int) -> list[SSEEvent]:
    """The last `limit` of the events behind `after`."""
    found: deque[SSEEvent] = deque(maxlen=limit)
    while True:
        page = await eventlog.read(key, after, PAGE)
        if page.head is None:
            return []
        found.extend(SSEEvent.stored(event, key.session, page.head.epoch) for event in page.events)
        if page.passed >= page.head.last:
            return list(found)
        after = page.passed
