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

    def render(self, events: Iterable[Event], epoch: str, made: Made | None = None) -> tuple[bytes, int]:
        """The frames of what passes the filter and is not past its time, in one run, up to the end of the stream.

        With them the seq of the event that the stream is complete with, or 0. Several views share what is `made`.
        """
        surface, job_id, types, frames = self.surface, self.job_id, self.types, []
        for event in events:
            kind = event.type
            if (
                (job_id is not None and event.job_id != job_id)
                or (types is not None and kind not in types and kind != "done")
                or (event.expires and event.expires <= now())
            ):
                continue
            frame = made.get((surface, event.seq)) if made else None
            if frame is None:
                frame = surface.frame(event, self.session, epoch)
                if made is not None:
                    made[surface, event.seq] = frame
            frames.append(frame)
            if kind == "done" and self.ends:
                return b"".join(frames), event.seq
        return b"".join(frames), 0

    def flush(self, frames: bytes) -> bytes:
        """What goes out in one write: padded, and framed for the connection."""
        if self.padding:
            # Behind the frames, and always whole: a hop that holds back blocks holds back the end of what it got.
            frames += sse.padding(self.padding)
        return b"%x\r\n%b\r\n" % (len(frames), frames) if self.chunked else frames
