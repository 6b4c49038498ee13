"""How one door shows a log: a surface that makes the frames, and what of the log passes.

Views are values: subscribers with equal views are served with the same bytes, rendered once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from sse_server import sse
from sse_server.eventlog.order import now
from sse_server.events import Event


class Surface(Protocol):
    """The wire shape of one door. Equal surfaces hash alike."""

    @property
    def steady(self) -> bool:
        """Whether heartbeats come every interval; else only where nothing else did."""

    def opening(self, retry_ms: int, time: int) -> bytes:
        """The first bytes: a comment, and a `retry` in the block of the first frame, which may be part of it."""

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        """The event on the wire, its id last; empty for what this door does not show."""

    def heartbeat(self, time: int, last_seq: int) -> bytes:
        """What keeps an idle stream open; `time` is Unix microseconds."""


Made = dict[tuple[Surface, int], bytes]
"""The frames of a log's events, by surface and seq."""


class View(Struct, frozen=True, cache_hash=True):
    """`job_id` and `types` filter (`done` always passes); `ends` closes behind that job's `done`.

    `padding` sends so many bytes behind every flush; `chunked` is the transfer coding of HTTP/1.1.
    """

    surface: Surface
    session: str
    job_id: str | None = None
    types: frozenset[str] | None = None
    ends: bool = False
    padding: int = 0
    chunked: bool = True

    def shows(self, event: Event) -> bool:
        """Whether the event passes the filter, and is not past its time."""
        if self.job_id is not None and event.job_id != self.job_id:
            return False
        if event.expires and event.expires <= now():
            return False
        return self.types is None or event.type in self.types or event.type == "done"

    def end_in(self, events: Iterable[Event]) -> int:
        """How many of the events come up to the one that the stream is complete with; 0: it goes on."""
        if self.ends:
            for count, event in enumerate(events, 1):
                if event.type == "done" and event.job_id == self.job_id:
                    return count
        return 0

    def render(self, events: Iterable[Event], epoch: str, made: Made | None = None) -> bytes:
        """The frames of what passes, in one run; empty when nothing does. Several views share what is `made`."""
        surface, frames = self.surface, []
        for event in events:
            if self.shows(event):
                frame = made.get((surface, event.seq)) if made else None
                if frame is None:
                    frame = surface.frame(event, self.session, epoch)
                    if made is not None:
                        made[surface, event.seq] = frame
                frames.append(frame)
        return b"".join(frames)

    def flush(self, frames: bytes) -> bytes:
        """What goes out in one write: padded, and framed for the connection."""
        if self.padding:
            # Behind the frames, and always whole: a hop that holds back blocks holds back the end of what it got.
            frames += sse.padding(self.padding)
        return b"%x\r\n%b\r\n" % (len(frames), frames) if self.chunked else frames
