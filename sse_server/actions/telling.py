"""A job's text as one stream has told it so far, for a door that sends the whole of it each time.

Events may be rendered twice (a reader that was live reads the log again), and must then be told as before.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from sse_server.events import Event
from sse_server.jobs import MAX_TEXT

MAX_CONTENT: Final = 512 * 1024
"""Characters that are kept; beyond that the text is cut from the front."""
REMEMBERED: Final = 1024
"""Events that can be told again: more than a tail holds."""
GROWTH: Final = 16
"""The text is told again once it is a sixteenth longer, or after `PAUSE`: else a long one would cost its square."""
PAUSE: Final = 300_000
"""Microseconds."""


class _Token(Struct):
    text: str


_token = msgspec.json.Decoder(_Token).decode


class Telling:
    """`text` is what there is of the job's text, as far as this stream has come."""

    def __init__(self) -> None:
        self.text = ""
        self._cut = 0
        self._ends: dict[int, int] = {}
        self._passed = 0
        self._told, self._told_at = 0, 0

    def restart(self, text: str) -> None:
        """The text is another one from here on."""
        self.text = text
        self._cut = 0
        self._ends.clear()
        self._told, self._told_at = len(text), 0

    def hear(self, event: Event) -> str | None:
        """The text so far, cut from the front, if it is to be told at this event of the job; None if not."""
        if event.seq > self._passed:
            self._passed = event.seq
            if event.type == "attempt_reset":
                self.restart("")
            elif event.type == "token":
                self._grow(event.seq, _token(event.body).text, event.time)
        end = self._ends.get(event.seq)
        return None if end is None else self.text[: max(0, end - self._cut)][-MAX_TEXT:]

    def _grow(self, seq: int, piece: str, time: int) -> None:
        self.text += piece
        end = self._cut + len(self.text)
        self._cut = max(self._cut, end - MAX_CONTENT)
        self.text = self.text[-MAX_CONTENT:]
        grown = end - self._told
        if grown and (grown >= end / GROWTH or time - self._told_at >= PAUSE):
            self._told, self._told_at = end, time
            self._ends[seq] = end
            if len(self._ends) > REMEMBERED:
                del self._ends[next(iter(self._ends))]
