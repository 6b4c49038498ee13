"""Server-Sent Events without I/O: making frames, and reading a stream of bytes (WHATWG HTML, section 9.2).

A frame is `event:`, `data:` and, as its last line, `id:`, then a blank line: some clients take over the id of an event
that was torn, and with the id last none of them loses one. A comment is one line, never a block of its own: some
clients make an empty event of a block that holds a comment alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct


def frame(body: bytes, event: bytes = b"", event_id: bytes = b"", *, retry: int | None = None) -> bytes:
    """One event on the wire. `body` is one line of JSON; `event` and `event_id` hold no line end; `retry` is in ms."""
    if event_id and not event and retry is None:
        return b"data: %b\nid: %b\n\n" % (body, event_id)  # most frames
    return b"%b%bdata: %b\n%b\n" % (
        b"retry: %d\n" % retry if retry is not None else b"",
        b"event: %b\n" % event if event else b"",
        body,
        b"id: %b\n" % event_id if event_id else b"",
    )


def comment(text: str) -> bytes:
    """A line that clients pass over; what would end it early becomes a space."""
    return b": %b\n" % re.sub(r"[\r\n\0]", " ", text).encode(errors="replace")


def padding(size: int) -> bytes:
    """A comment of exactly `size` bytes (at least 2), for hops that hold back a block until it is full."""
    return b":" + b" " * (size - 2) + b"\n" if size > 1 else b""


class ServerSentEvent(Struct, frozen=True):
    """One dispatched event: `id` is the last event id as it stood then, `type` is `message` where none was named."""

    data: str
    type: str = "message"
    id: str = ""


_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"
_RETRY: Final = re.compile(r"[0-9]{1,15}")


class Parser:
    """Bytes in, events out, wherever the bytes were cut. `last_event_id` and `retry` (ms) are what a reconnect needs.

    An event that the end of the stream tore is never dispatched, and its id is not taken over.
    """

    def __init__(self, *, last_event_id: str = "", max_line: int = 16 * 1024 * 1024) -> None:
        self.last_event_id = last_event_id
        self.retry: int | None = None
        self.comments = 0
        self._max_line = max_line
        self._rest = b""
        self._at_start = True
        self._after_cr = False
        self._clear()

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that `chunk` completes; to be taken to the end before the next chunk.

        Raises ValueError for a line, or the data of one event, longer than `max_line` bytes.
        """
        if not chunk:
            return
        buffer = self._rest + chunk
        if self._after_cr and buffer.startswith(b"\n"):
            buffer = buffer[1:]
        if self._at_start:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                self._rest = buffer
                return
            buffer, self._at_start = buffer.removeprefix(_BOM), False
        start = 0
        for end in _LINE_END.finditer(buffer):
            event = self._line(buffer[start : end.start()])
            start = end.end()
            if event:
                yield event
        self._after_cr = start == len(buffer) and buffer.endswith(b"\r")
        self._rest = buffer[start:]
        self._bound(len(self._rest))

    def _clear(self) -> None:
        self._event = ""
        self._lines: list[str] = []
        self._size = 0
        self._id: str | None = None

    def _line(self, raw: bytes) -> ServerSentEvent | None:
        if not raw:
            return self._dispatch()
        if raw.startswith(b":"):
            self.comments += 1
            return None
        name, _, value = raw.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._lines.append(value)
                self._size += len(raw)
                self._bound(self._size)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if _RETRY.fullmatch(value):
                self.retry = int(value)
            case _:
                pass
        return None

    def _bound(self, size: int) -> None:
        if size > self._max_line:
            raise ValueError(f"a line or an event of the stream is longer than {self._max_line} bytes")

    def _dispatch(self) -> ServerSentEvent | None:
        if self._id is not None:
            self.last_event_id = self._id
        event = None
        if self._lines:
            event = ServerSentEvent("\n".join(self._lines), self._event or "message", self.last_event_id)
        self._clear()
        return event
