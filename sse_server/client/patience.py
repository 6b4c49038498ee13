"""How long a client waits: for an answer, for a silent line, and between two tries."""

from __future__ import annotations

import random

from msgspec import Struct


class Patience(Struct, frozen=True, kw_only=True):
    """All in seconds. `silence` is three heartbeats of a server at its defaults."""

    connect: float = 10.0
    """For a connection."""
    answer: float = 30.0
    """For an answer that is no stream."""
    first_bytes: float = 5.0
    """For a stream to begin; a server sends its first bytes at once."""
    silence: float = 30.0
    """Without a byte, then a stream's line is dead."""
    first_pause: float = 0.5
    """Before the second try, unless the server named a `retry`."""
    longest_pause: float = 15.0
    """That the pauses between tries grow to, however often it failed; jitter adds up to half of it."""
    long_poll: float = 20.0
    """That a poll waits for an event; a server takes up to 25."""
    polling: float = 60.0
    """Of polling, then a stream is tried again."""
    give_up: float = 300.0
    """In which nothing at all comes through, then following ends with `Unreachable`."""


class Backoff:
    """Pauses that double until something comes through; `retry` is what the server wants as the first, in seconds."""

    def __init__(self, patience: Patience) -> None:
        self._longest = patience.longest_pause
        self.retry = patience.first_pause
        self.failures = 0

    def pause(self, at_least: float | None = None) -> float:
        """Seconds to wait now, with jitter: those who lost their line together shall not come back together."""
        first = max(self.retry, 0.01)
        doubled = min(first * 2.0 ** min(self.failures, 16), max(self._longest, first))
        self.failures += 1
        return max(doubled * random.uniform(1.0, 1.5), at_least or 0.0)  # noqa: S311  (jitter is no secret)
