"""The pace of the tailor: how long somebody who watches has to follow it."""

from __future__ import annotations

from msgspec import Struct


class Pace(Struct, frozen=True):
    """Seconds that somebody who watches is given, after each insight and after every two words."""

    insight: float = 0.3
    words: float = 0.035
