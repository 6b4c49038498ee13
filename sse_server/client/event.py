"""Events as a client reads them, one shape for streams and pages."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from sse_server.client.errors import StreamUnusable
from sse_server.events import CONTROL_TYPES, JOB_EVENTS, EventId, JobEvent, Status
from sse_server.sse import ServerSentEvent

WITHOUT_ID: Final = CONTROL_TYPES - {"snapshot"}


class Event(Struct, frozen=True):
    """An event, or one of the control events `gap` and `snapshot`.

    `data` is the JSON object as it came. `id` is the cursor to go on from behind this event; a `gap` has none.
    """

    type: str
    id: str
    data: dict[str, Any]

    def known(self) -> JobEvent | None:
        """The event as a struct of `sse_server.events`; None for control events and an agent's own types."""
        kind = JOB_EVENTS.get(self.type)
        try:
            return msgspec.convert(self.data, kind) if kind else None
        except msgspec.ValidationError:
            return None  # a later server's


class EventPage(Struct, frozen=True):
    """A page of events, its `gap` and `snapshot` first; `next` is the cursor of the next page, and of a stream."""

    events: list[Event]
    next: str
    done: bool
    status: Status | None
    poll_after_ms: int


class WirePage(Struct, frozen=True):
    """The body of a poll's answer."""

    events: list[dict[str, Any]]
    next: str
    done: bool
    poll_after_ms: int
    status: Status | None = None
    gap: dict[str, Any] | None = None
    snapshot: dict[str, Any] | None = None

    def page(self) -> EventPage:
        """The same with events as a stream has them."""
        end = EventId.parse(self.next)
        epoch = end.epoch if end else ""
        events = [Event("gap", "", self.gap)] if self.gap else []
        if self.snapshot:
            events.append(Event("snapshot", str(self.snapshot.get("last_event_id", "")), self.snapshot))
        events += [Event(str(data["type"]), str(EventId(epoch, data["seq"])), data) for data in self.events]
        return EventPage(events, self.next, self.done, self.status, self.poll_after_ms)


def read_event(sent: ServerSentEvent) -> Event:
    """One event of a stream. Raises `StreamUnusable` for what no server of this kind can have sent."""
    try:
        data = _decode(sent.data)
        kind = str(data["type"])
        return Event(kind, "" if kind in WITHOUT_ID else sent.id, data)
    except (msgspec.DecodeError, KeyError):
        raise StreamUnusable("what came on the stream is no event") from None


_decode = msgspec.json.Decoder(dict[str, Any]).decode
