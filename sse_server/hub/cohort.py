"""Live subscribers who stand at the same event and see it the same way: what is due to one of them is due to all."""

from __future__ import annotations

from typing import Final, Protocol

from sse_server.hub.view import View

MOST: Final = 256
"""Members of one cohort: they are written to in one loop turn."""


class Sink(Protocol):
    """Where a stream's bytes go."""

    def write(self, data: bytes) -> bool:
        """Send; False when the client does not keep up, or is gone."""

    def finish(self, data: bytes) -> None:
        """Send what is last, and with it the end of the stream; nothing may be written behind it."""

    async def drain(self) -> None:
        """Wait until the client has taken most of it. Raises ConnectionError when it is gone."""

    def waiting(self) -> int:
        """Bytes that the client has still to take. Raises ConnectionError when it is gone."""


class Member(Protocol):
    """A subscriber that is live."""

    def part(self) -> None:
        """Back to reading the log."""

    def complete(self) -> None:
        """Its stream has ended, as it should."""


class Cohort:
    """`position` is the seq of the last event that its members have passed; their heartbeat counts from `beat_at`."""

    __slots__ = ("_steady", "beat_at", "members", "position", "view")

    def __init__(self, view: View, position: int, beat_at: float) -> None:
        self.view = view
        self.position = position
        self.beat_at = beat_at
        self.members: dict[Sink, Member] = {}
        self._steady = view.surface.steady

    def takes(self, view: View, position: int) -> bool:
        """Whether a subscriber who stands there may join."""
        return self.position == position and len(self.members) < MOST and self.view == view

    def deliver(self, data: bytes, last: int, at: float) -> None:
        """Write a run of events up to `last`, of which nothing may be shown; `at` is the loop's time."""
        self.position = last
        if data:
            if not self._steady:
                self.beat_at = at
            self._write(data)

    def complete(self, data: bytes, last: int) -> None:
        """The same, where their streams end with it."""
        self.position = last
        for sink, member in list(self.members.items()):
            sink.finish(data)
            member.complete()

    def beat(self, time: int, at: float) -> None:
        """Write a heartbeat; `time` is Unix microseconds, `at` the loop's time."""
        self.beat_at = at
        self._write(self.view.flush(self.view.surface.heartbeat(time, self.position)))

    def part(self) -> None:
        """All of them go back to reading the log."""
        for member in list(self.members.values()):
            member.part()

    def _write(self, data: bytes) -> None:
        late: list[Sink] = []
        for sink in self.members:
            if not sink.write(data):
                late.append(sink)  # noqa: PERF401  (a comprehension is a call more, for each event)
        for sink in late:
            self.members[sink].part()
