"""How events look on the wire of each door, and the control events beside them."""

from __future__ import annotations

import random
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from sse_server import sse
from sse_server.events import Event, timestamp
from sse_server.hub import Gap, Surface
from sse_server.routes.answers import Heartbeat, Reconnect, Snapshot, encode


class StreamSurface(Surface, Protocol):
    """A surface with the words of a whole stream."""

    def gap(self, gap: Gap) -> bytes:
        """What is missing."""

    def snapshot(self, snapshot: Snapshot) -> bytes:
        """What a job's events add up to."""

    def reconnect(self, reconnect: Reconnect, time: int) -> bytes:
        """The stream's end, to be resumed; `time` is Unix microseconds."""


class JobSurface(Struct, frozen=True):
    """A job's own events. Unnamed, they all arrive at a browser's `onmessage`; `named` is for `addEventListener`."""

    steady: ClassVar[bool] = False
    named: bool = False

    def opening(self, retry_ms: int, time: int) -> bytes:
        """A comment; the first event's block carries the `retry`."""
        return b": stream\nretry: %d\n" % retry_ms

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        """One event; its id stands last."""
        if self.named:
            return sse.frame(event.json(session), event.type.encode(), self.event_id(epoch, event.seq))
        # Most frames: what `sse.frame` would make, without joining it three times.
        return f"data: {event.envelope(session)}".encode() + event.body[1:] + f"\nid: {epoch}-{event.seq}\n\n".encode()

    def event_id(self, epoch: str, seq: int) -> bytes:
        """The cursor behind an event."""
        return b"%b-%d" % (epoch.encode(), seq)

    def heartbeat(self, time: int, last_seq: int) -> bytes:
        """What keeps an idle stream open."""
        return self._control(Heartbeat(timestamp(time), last_seq))

    def gap(self, gap: Gap) -> bytes:
        return self._control(gap)

    def snapshot(self, snapshot: Snapshot) -> bytes:
        """The only control event with an id: a client that saw it goes on behind it."""
        return self._control(snapshot, snapshot.last_event_id)

    def reconnect(self, reconnect: Reconnect, time: int) -> bytes:
        return self._control(reconnect, retry=reconnect.retry_ms)

    def _control(self, event: Struct, event_id: str = "", retry: int | None = None) -> bytes:
        name = str(event.__struct_config__.tag).encode() if self.named else b""
        return sse.frame(encode(event), event=name, event_id=event_id.encode(), retry=retry)


class NamedSurface(JobSurface, frozen=True):
    """The base of the doors that name their events in words of their own: they override what they say otherwise.

    `attached` is the job's id where a stream is found again by its cursor alone: then every id begins with it.
    """

    named: bool = True
    attached: str = ""

    def event_id(self, epoch: str, seq: int) -> bytes:
        own = super().event_id(epoch, seq)
        return b"%b.%b" % (self.attached.encode(), own) if self.attached else own

    def snapshot(self, snapshot: Snapshot) -> bytes:
        own = snapshot.last_event_id
        return self._control(snapshot, f"{self.attached}.{own}" if self.attached else own)

    def first_id(self) -> bytes:
        """The id of the opening event of an attached stream: who saw nothing else comes back to the same job."""
        return b"%b.0" % self.attached.encode() if self.attached else b""


def named(name: str, said: Any, event_id: bytes = b"", retry: int | None = None) -> bytes:
    """A frame of `event: name` whose data is `said` as JSON."""
    return sse.frame(encode(said), event=name.encode(), event_id=event_id, retry=retry)


def beat(time: int) -> bytes:
    """The heartbeat of chats: a comment, which no client of theirs takes for something said. Unix microseconds."""
    return b": heartbeat %d\n" % (time // 1000)


def spread(retry_ms: int) -> int:
    """A retry with jitter, in ms: clients that are sent away together shall not come back together."""
    return round(retry_ms * random.uniform(1.0, 2.0))  # noqa: S311  (spread, no secret)
