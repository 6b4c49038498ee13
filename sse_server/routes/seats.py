"""How many streams are open, for each user and in all."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Self

from sse_server.config import Limits
from sse_server.errors import Overloaded, ServerError, TooManyStreams


class Seats:
    """Counts open streams against the settings' `limits`; `streams` are those that go on without their request."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self.total = 0
        self.streams: set[asyncio.Task[None]] = set()

    def refusal(self, user: str) -> ServerError | None:
        """Why this user gets no further stream now; None when there is room."""
        if self.total >= self._limits.streams:
            return Overloaded("the server has as many streams open as it may", retry_after=5)
        if self._taken[user] >= self._limits.streams_per_user:
            return TooManyStreams("you have as many streams open as you may", retry_after=5)
        return None

    def take(self, user: str) -> Seat:
        """Hold a seat. Raises `Overloaded`, `TooManyStreams`."""
        if refusal := self.refusal(user):
            raise refusal
        self.total += 1
        self._taken[user] += 1
        return Seat(self, user)

    def leave(self, user: str) -> None:
        """One of the user's seats is free again."""
        self.total -= 1
        self._taken[user] -= 1
        if not self._taken[user]:
            del self._taken[user]

    async def close(self, within: float) -> None:
        """Wait until all streams are over, so many seconds; then cut off those that are not."""
        if self.streams:
            await asyncio.wait(self.streams, timeout=within)
        for stream in self.streams:
            stream.cancel()
        if self.streams:
            await asyncio.wait(self.streams)


class Seat:
    """One stream's: left behind the `with` that took it, or, once it was given away, when its stream is over."""

    __slots__ = ("_given", "_seats", "_user")

    def __init__(self, seats: Seats, user: str) -> None:
        self._seats = seats
        self._user = user
        self._given = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._given:
            self._seats.leave(self._user)

    def give(self, stream: asyncio.Task[None]) -> None:
        """The stream goes on without its request, and leaves when it is over."""
        self._given = True
        self._seats.streams.add(stream)

    def leave(self, stream: asyncio.Task[None]) -> None:
        """The stream is over."""
        self._seats.streams.discard(stream)
        self._seats.leave(self._user)
