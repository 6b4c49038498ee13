"""A published event as its author and its reader hold it."""

from __future__ import annotations

import re
from typing import Any, Final, Self

import msgspec
from msgspec import Struct, field

from sse_server import sse
from sse_server.encoding import encode_fields
from sse_server.errors import InvalidEvent
from sse_server.eventlog.order import now
from sse_server.events import Event, EventId, timestamp
from sse_server.published import TYPE

FIELDS: Final = frozenset({"type", "data", "ttl"})
_LINE_END: Final = re.compile(r"[\r\n\0]")


class SSEEvent(Struct, frozen=True):
    """`ttl` in seconds (None: the broadcaster's `event_ttl`), `created_at` RFC 3339; `id` once the log has it.

    Raises `InvalidEvent` for what no frame can hold.
    """

    type: str
    data: dict[str, Any]
    id: str | None = None
    ttl: float | None = None
    created_at: str = field(default_factory=lambda: timestamp(now()))

    def __post_init__(self) -> None:
        _check(self.type, self.data, self.id, self.ttl)

    @classmethod
    def of(cls, event: object) -> SSEEvent:
        """What was given to be published: such an event, or a dict of `type`, `data` and perhaps `ttl`."""
        if isinstance(event, SSEEvent):
            return event
        if not isinstance(event, dict):
            raise InvalidEvent("an event is a dict of type and data, or an SSEEvent")
        if missing := {"type", "data"} - event.keys():
            raise InvalidEvent(f"an event has a {' and '.join(sorted(missing))}")
        if unknown := event.keys() - FIELDS:
            raise InvalidEvent(f"an event has type, data and ttl, and no {', '.join(sorted(map(repr, unknown)))}")
        return cls(event["type"], event["data"], ttl=event.get("ttl"))

    @classmethod
    def stored(cls, event: Event, session: str, epoch: str) -> Self:
        """An event of the log, a job's too, as a stream of its session shows it."""
        data = msgspec.json.decode(shown(event, session))
        return cls(event.type, data, str(EventId(epoch, event.seq)), created_at=timestamp(event.time))

    def to_sse_format(self) -> str:
        """The frame of it: `event:`, `data:` on one line, `id:` where it has one, and a blank line."""
        event_id = self.id.encode(errors="replace") if self.id else b""
        return sse.frame(encode_fields(self.data), event=self.type.encode(), event_id=event_id).decode()


def shown(event: Event, session: str) -> bytes:
    """The JSON object that readers of a session get: a job's event with its envelope, a published one as it is."""
    return event.json(session) if event.job_id else event.body


def _check(type: object, data: object, event_id: object, ttl: object) -> None:
    if not isinstance(type, str) or not TYPE.fullmatch(type):
        raise InvalidEvent("an event's type is a letter and up to 63 letters, digits and _ . : -")
    if not isinstance(data, dict):
        raise InvalidEvent("an event's data is a dict: it becomes a JSON object")
    if event_id is not None and (not isinstance(event_id, str) or _LINE_END.search(event_id)):
        raise InvalidEvent("an event's id is a text on one line")
    if ttl is not None and (not isinstance(ttl, int | float) or isinstance(ttl, bool)):
        raise InvalidEvent("a ttl is a number of seconds")
