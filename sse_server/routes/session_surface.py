"""How a session looks on the wire: every event named, what was published as it was published."""

from __future__ import annotations

from msgspec import Struct

from sse_server import sse
from sse_server.events import Event, timestamp
from sse_server.routes.answers import Reconnect
from sse_server.routes.surface import NamedSurface, named


class Connected(Struct, frozen=True, rename="camel", tag_field="status", tag="connected"):
    """The first event of a session's stream."""

    session_id: str
    user_id: str
    timestamp: str


class Disconnected(Struct, frozen=True, rename="camel", tag_field="status", tag="disconnected"):
    """The server ends the stream; `reconnect` follows."""

    session_id: str
    timestamp: str


class Keepalive(Struct, frozen=True):
    """Keeps an idle stream open."""

    timestamp: str


class SessionSurface(NamedSurface, frozen=True, kw_only=True):
    """The words of the session broadcaster's document; jobs' events keep their own shape."""

    session: str
    user: str

    def opening(self, retry_ms: int, time: int) -> bytes:
        """A comment, and the whole first event."""
        said = Connected(self.session, self.user, timestamp(time))
        return b": stream\n" + named("connection", said, retry=retry_ms)

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        if event.job_id:
            return super().frame(event, session, epoch)
        return sse.frame(event.body, event=event.type.encode(), event_id=self.event_id(epoch, event.seq))

    def heartbeat(self, time: int, last_seq: int) -> bytes:
        return named("keepalive", Keepalive(timestamp(time)))

    def reconnect(self, reconnect: Reconnect, time: int) -> bytes:
        gone = named("connection", Disconnected(self.session, timestamp(time)))
        return gone + super().reconnect(reconnect, time)
