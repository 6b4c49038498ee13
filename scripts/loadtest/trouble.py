"""Trouble: why a request did not bring what was asked, and what follows from that."""

from __future__ import annotations

from typing import Final

BY_DESIGN: Final = frozenset({"cut", "token_expired", "max_age"})
"""Ends that we or the server's rules make on purpose: neither an error nor a retry."""
NO_ERROR: Final = BY_DESIGN | {"draining", "slow_consumer"}
"""Ends that the server announces, with nothing lost: a retry, but no error."""
OF_SLOWNESS: Final = frozenset({"slow_consumer", "eof", "reset"})
"""Ends that a reader who is slow on purpose brings upon itself: a server may cut off who reads nothing."""
PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Trouble(Exception):
    """`code` is a stable word; `pause` the seconds that the server asked for; a `final` one is not tried again."""

    def __init__(self, code: str, *, pause: float | None = None, final: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.pause = pause
        self.final = final
