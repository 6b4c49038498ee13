"""What a broadcaster stands on: a store in memory of its own, or the log of the server in this process."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final, Self, TypeVar

from msgspec import Struct

from sse_server.broadcast.config import MAX_TTL, BroadcasterConfig
from sse_server.config import Sessions as SessionSettings
from sse_server.eventlog import Sessions, Store
from sse_server.eventlog.memory import MemoryStore
from sse_server.hub import Hub

T = TypeVar("T")

NEVER: Final = 3600.0
"""Seconds between heartbeats that nobody gets: a hub that is not started has none."""


class Ground(Struct, frozen=True, eq=False):
    """`max_ttl` (seconds) is the longest that an event may ask for."""

    config: BroadcasterConfig
    store: Store
    hub: Hub
    max_ttl: float

    @classmethod
    def own(cls, config: BroadcasterConfig) -> Self:
        """A log of the broadcaster's own. Publishing and following need no task, so its hub is never started."""
        store = MemoryStore(config.retention)
        return cls(config, store, Hub(store, heartbeat=NEVER), MAX_TTL)

    @classmethod
    def served(cls, store: Store, hub: Hub, sessions: SessionSettings) -> Self:
        """A server's log; what is kept there, the server's settings say."""
        return cls(BroadcasterConfig.of(sessions), store, hub, min(sessions.max_event_ttl, MAX_TTL))

    def sessions_now(self, limit: int) -> Sessions | None:
        """What the sessions hold, also outside a loop; None where the store has to be asked and awaited."""
        return _at_once(self.store.sessions(limit)) if isinstance(self.store, MemoryStore) else None


def _at_once(figures: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: those of the store in memory do not."""
    try:
        figures.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    figures.close()
    raise AssertionError("it waits after all")
