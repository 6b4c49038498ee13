"""The server's clock against ours: delivery is timed from the moment of emission, which is told by the server's."""

from __future__ import annotations

import math


class Clock:
    """`offset` is what to add to a server's time to get ours: 0 on this machine, else estimated.

    A job is queued after its start was sent and before its first event came, so each start bounds the difference from
    both sides. The bounds of all starts together are at most half of the quickest round trip away from the truth.
    """

    def __init__(self, *, same: bool) -> None:
        self.same = same
        self.offset = 0.0
        self._least, self._most = -math.inf, math.inf

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Between which seconds the offset lies; None where it is known, or nothing is."""
        return None if self.same or math.isinf(self._most) else (self._least, self._most)

    def queued(self, sent: float, told: float, came: float) -> None:
        """A job was queued at `told` by the server's clock, between two of ours."""
        if self.same:
            return
        self._least, self._most = max(self._least, sent - told), min(self._most, came - told)
        if self._most < self._least:  # a clock was set meanwhile
            self._least, self._most = sent - told, came - told
        self.offset = (self._least + self._most) / 2
