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


class Entry(Struct):
    """An event on its way, with the frames that were made of it, one a surface."""

    event: Event
    frames: dict[Surface, bytes]


class View(Struct, frozen=True):
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

    def ends_with(self, event: Event) -> bool:
        """Whether the stream is complete with this event."""
        return self.ends and event.type == "done" and event.job_id == self.job_id

    def render(self, entries: Iterable[Entry], epoch: str) -> bytes:
        """The frames of what passes, in one run; empty when nothing does."""
        frames = []
        for entry in entries:
            if self.shows(entry.event):
                frame = entry.frames.get(self.surface)
                if frame is None:
                    frame = entry.frames[self.surface] = self.surface.frame(entry.event, self.session, epoch)
                frames.append(frame)
        return b"".join(frames)

    def flush(self, frames: bytes) -> bytes:
        """What goes out in one write: padded, and framed for the connection."""
        if self.padding:
            # Behind the frames, and always whole: a hop that holds back blocks holds back the end of what it got.
            frames += sse.padding(self.padding)
        return b"%x\r\n%b\r\n" % (len(frames), frames) if self.chunked else frames
