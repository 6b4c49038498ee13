"""What a follower says about its line, for whoever shows it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class LineStatus(Struct, frozen=True):
    """`delay` is the seconds until the next try; `missed` says that a resumed line begins with a gap."""

    state: Literal["connected", "reconnecting", "resumed", "polling"]
    reason: str = ""
    delay: float = 0.0
    missed: bool = False

    def __str__(self) -> str:
        match self.state:
            case "reconnecting":
                return f"line lost ({self.reason}), resuming in {self.delay:.1f} s"
            case "resumed":
                return "resumed, but some events are no longer kept" if self.missed else "resumed, nothing missed"
            case "polling":
                return f"polling: {self.reason}"
            case "connected":
                return "connected"
