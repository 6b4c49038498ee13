"""How many streams are open, for each user and in all."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from sse_server.config import Limits
from sse_server.errors import Overloaded, ServerError, TooManyStreams


class Seats:
    """Counts open streams against the settings' `limits`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken: Counter[str] = Counter()
        self.total = 0

    def refusal(self, user: str) -> ServerError | None:
        """Why this user gets no further stream now; None when there is room."""
        if self.total >= self._limits.streams:
            return Overloaded("the server has as many streams open as it may", retry_after=5)
        if self._taken[user] >= self._limits.streams_per_user:
            return TooManyStreams("you have as many streams open as you may", retry_after=5)
        return None

    @contextlib.contextmanager
    def take(self, user: str) -> Iterator[None]:
        """Hold a seat. Raises `Overloaded`, `TooManyStreams`."""
        if refusal := self.refusal(user):
            raise refusal
        self.total += 1
        self._taken[user] += 1
        try:
            yield
        finally:
            self.total -= 1
            self._taken[user] -= 1
            if not self._taken[user]:
                del self._taken[user]
