"""An identity: who asks, what they may, and until when."""

from __future__ import annotations

import math
from typing import Final, Literal

from msgspec import Struct

from sse_server.errors import Forbidden

How = Literal["bearer", "header", "cookie", "ticket", "none"]
Scope = Literal["stats", "metrics", "admin"]


class Identity(Struct, frozen=True):
    """`user` owns jobs and sessions; `scopes` are what the token says, known to us or not.

    From `expires` on (Unix seconds) it is good no more: a stream ends there. `how` is where the proof stood; a browser
    sends a cookie unasked, so a cookie alone starts nothing.
    """

    user: str
    scopes: frozenset[str]
    expires: float
    how: How

    def require(self, scope: Scope) -> None:
        """Raise `Forbidden` without that scope."""
        if scope not in self.scopes:
            raise Forbidden(f"this needs the scope {scope}")


ANONYMOUS: Final = Identity("anonymous", frozenset({"stats", "metrics", "admin"}), math.inf, "none")
"""Everybody, where nobody has to say who they are."""
