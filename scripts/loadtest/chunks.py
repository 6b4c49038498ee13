"""The chunked transfer coding (RFC 9112, section 7.1), taken off as the bytes come, wherever they were cut."""

from __future__ import annotations

from collections.abc import Callable

CRLF = b"\r\n"


class Chunks:
    """Hands what the chunks hold to `take`. `ended` once the last chunk and its trailers are through."""

    __slots__ = ("_in_trailers", "_left", "_rest", "_take", "ended")

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._left = 0  # of the chunk that is open, with the line end behind it
        self._rest = b""
        self._in_trailers = False
        self.ended = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises ValueError for what is no chunk."""
        if not (self._left or self._rest or self._in_trailers):
            end = data.find(CRLF)
            # One whole chunk at a time is what a server that flushes each event sends.
            if end > 0 and len(data) == end + 4 + int(data[:end].partition(b";")[0], 16) and data[0] != 48:
                self._take(data[end + 2 : -2])
                return
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data) and not self.ended:
            if self._left > 2:
                piece = data[at : at + self._left - 2]
                self._left -= len(piece)
                at += len(piece)
                self._take(piece)
            elif self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            else:
                end = data.find(CRLF, at)
                if end < 0:
                    self._rest = data[at:]
                    return
                self._line(data[at:end])
                at = end + 2

    def _line(self, line: bytes) -> None:
        if self._in_trailers:
            self.ended = not line
            return
        size = int(line.partition(b";")[0], 16)
        if size < 0:
            raise ValueError("a chunk has no size below 0")
        if size:
            self._left = size + 2
        else:
            self._in_trailers = True
