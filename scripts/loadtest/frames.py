"""Frames: the events in a stream's bytes, found with as little work for each as Python allows.

It reads what a server of this kind writes (docs/protocol.md): LF line ends, one `data:` line, the `id:` last. What is
read here is what is counted, so nothing is decoded that the counts don't need.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from time import time
from typing import Final

import msgspec
from msgspec import Struct

EVENT: Final = re.compile(
    rb'data: \{"type":"([^"]*)","job_id":"[^"]*","session_id":"[^"]*",'
    rb'"seq":(\d+),"attempt":\d+,"timestamp":"([^".]{19})\.(\d{6})Z"'
)
ABOUT_STREAM: Final = re.compile(rb"(?::[^\n]*\n|retry:[^\n]*\n|event:[^\n]*\n)+")
RETRY: Final = re.compile(rb"^retry: ?(\d+)", re.MULTILINE)
Saw = Callable[[bytes, int, float, float, bytes], None]


class Anything(Struct):
    """The envelope of an event in any order, or of a control event."""

    type: str = ""
    seq: int = 0
    timestamp: str = ""
    reason: str = ""
    status: str = ""


class Frames:
    """Calls `saw(type, seq, emitted, now, block)` for each event, `control` for each that is about the stream.

    Times are Unix seconds.
    `retry` is what the stream said last, in seconds. `misnumbered` counts events whose id does not end with their seq.
    """

    __slots__ = ("_control", "_last", "_rest", "_saw", "misnumbered", "retry")

    def __init__(self, saw: Saw, control: Callable[[Anything], None]) -> None:
        self._saw = saw
        self._control = control
        self._rest = b""
        self._last = b""
        self.misnumbered = 0
        self.retry: float | None = None

    @property
    def cursor(self) -> str:
        """The id of the last event that came whole, for `Last-Event-ID`; empty before the first."""
        return self._last.rpartition(b"\nid: ")[2].decode("latin-1")

    def reopen(self) -> None:
        """Another stream follows: what the end of the last one tore never came."""
        self._rest = b""

    def feed(self, body: bytes) -> None:
        """Take the next bytes of the stream. Raises ValueError for data that is no JSON."""
        now = time()
        if self._rest:
            body = self._rest + body
        blocks = body.split(b"\n\n")
        self._rest = blocks.pop()
        for block in blocks:
            found = EVENT.match(block) or EVENT.match(self._bare(block))
            if found is None:
                self._other(self._bare(block), now)
                continue
            kind, seq, second, micros = found.groups()
            self._last = block
            if not block.endswith(b"-" + seq):
                self.misnumbered += 1
            self._saw(kind, int(seq), unix(second) + int(micros) * 1e-6, now, block)

    def _bare(self, block: bytes) -> bytes:
        """A block without the lines that stand before its data: comments, `retry:`, `event:`."""
        lines = ABOUT_STREAM.match(block)
        if not lines:
            return block
        if retry := RETRY.search(lines[0]):
            self.retry = int(retry[1]) / 1000
        return block[lines.end() :]

    def _other(self, block: bytes, now: float) -> None:
        """An event about the stream, or one of a server that writes the envelope in an order of its own."""
        data, _, event_id = block.removeprefix(b"data: ").partition(b"\nid: ")
        if not data:
            return
        event = msgspec.json.decode(data, type=Anything)
        if event_id:
            self._last = block
        if event.seq:
            self.misnumbered += not event_id.endswith(b"-%d" % event.seq)
            self._saw(event.type.encode(), event.seq, moment(event.timestamp), now, data)
        else:
            self._control(event)


@lru_cache(maxsize=256)
def unix(second: bytes) -> float:
    """Unix seconds of a time without its fraction."""
    return datetime.fromisoformat(f"{second.decode()}+00:00").timestamp()


def moment(text: str) -> float:
    """Unix seconds of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp()
