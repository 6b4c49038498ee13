"""Where a reader is in a log: the cursor to go on from, and what it has had already."""

from __future__ import annotations

from sse_server.client.event import Event
from sse_server.events import EventId


class Position:
    """`cursor` is empty before the first event."""

    def __init__(self, after: str | None) -> None:
        self.cursor = after or ""
        self._in_gap = False

    def passes(self, event: Event) -> bool:
        """Move on with an event; False for one that its reader has had, or that is about the line alone."""
        match event.type:
            case "heartbeat":
                return False
            case "gap":
                told, self._in_gap = self._in_gap, True
                return not told
            case _ if self._had(event):
                return False
            case _:
                self.cursor, self._in_gap = event.id or self.cursor, False
                return True

    def _had(self, event: Event) -> bool:
        """A cache between may replay. Behind a gap anything is new: the cursor was of no use there."""
        last, this = EventId.parse(self.cursor), EventId.parse(event.id)
        if last is None or this is None or self._in_gap:
            return False
        return this.epoch == last.epoch and this.seq <= last.seq
