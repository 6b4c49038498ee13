"""The pace of a panel: how long somebody who watches has to follow it."""

from __future__ import annotations

from msgspec import Struct


class Pace(Struct, frozen=True):
    """Seconds that somebody who watches is given: before each task, and after every two words."""

    task: float = 0.15
    words: float = 0.02
