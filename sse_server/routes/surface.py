"""How a job's events look on the wire, and the control events beside them."""

from __future__ import annotations

import random

from msgspec import Struct

from sse_server import sse
from sse_server.events import Event, timestamp
from sse_server.hub import Gap
from sse_server.routes.answers import Heartbeat, Reconnect, Snapshot, encode


class JobSurface(Struct, frozen=True):
    """Unnamed, all frames arrive at a browser's `onmessage`; `named` adds `event:` for `addEventListener`."""

    named: bool = False

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        """One event; its id stands last."""
        name = event.type.encode() if self.named else b""
        return sse.frame(event.json(session), event=name, event_id=b"%b-%d" % (epoch.encode(), event.seq))

    def heartbeat(self, time: int, last_seq: int) -> bytes:
        """What keeps an idle stream open."""
        return self._control(Heartbeat(timestamp(time), last_seq))

    def gap(self, gap: Gap) -> bytes:
        """What is missing."""
        return self._control(gap)

    def snapshot(self, snapshot: Snapshot) -> bytes:
        """The only control event with an id: a client that saw it goes on behind it."""
        return self._control(snapshot, snapshot.last_event_id)

    def reconnect(self, reconnect: Reconnect) -> bytes:
        """The stream's end, to be resumed."""
        return self._control(reconnect, retry=reconnect.retry_ms)

    def _control(self, event: Struct, event_id: str = "", retry: int | None = None) -> bytes:
        name = str(event.__struct_config__.tag).encode() if self.named else b""
        return sse.frame(encode(event), event=name, event_id=event_id.encode(), retry=retry)


def opening(retry_ms: int) -> bytes:
    """The first bytes of every stream: a comment, and the `retry` that the first event's block then carries."""
    return b": stream\nretry: %d\n" % retry_ms


def spread(retry_ms: int) -> int:
    """A retry with jitter, in ms: clients that are sent away together shall not come back together."""
    return round(retry_ms * random.uniform(1.0, 2.0))  # noqa: S311  (spread, no secret)
