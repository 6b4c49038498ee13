"""Sessions that somebody made before anything was published to them: the log knows of none without events."""

from __future__ import annotations

import time

from sse_server.errors import InvalidInput
from sse_server.eventlog import LogKey
from sse_server.events import SESSION_PATTERN


class MadeSessions:
    """They are shown in the figures until they are cleared, or `ttl` seconds have passed."""

    def __init__(self) -> None:
        self.keys: dict[LogKey, float] = {}

    async def create_session(self, session_id: str, user: str = "anonymous") -> None:
        """Make the session known. Publishing to it or following it does so too. Raises `InvalidInput`."""
        self.keys[log_key(session_id, user)] = time.monotonic()

    def forget(self, ttl: float) -> None:
        """Let go of those that were made longer ago."""
        oldest = time.monotonic() - ttl
        self.keys = {key: made for key, made in self.keys.items() if made >= oldest}


def log_key(session_id: str, user: str) -> LogKey:
    """The log of that session. Raises `InvalidInput` for what can't be a name."""
    if not _is_name(session_id):
        raise InvalidInput("a session is named by 1 to 128 letters, digits and . _ : -")
    return LogKey(user, session_id)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and SESSION_PATTERN.fullmatch(value) is not None
