"""The broadcaster: publish to a session, follow it, look back, and see what all of them hold."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from sse_server.broadcast.config import BroadcasterConfig
from sse_server.broadcast.event import SSEEvent
from sse_server.broadcast.ground import Ground
from sse_server.broadcast.history import latest
from sse_server.broadcast.made import MadeSessions, log_key
from sse_server.broadcast.stats import Stats, figures_of
from sse_server.broadcast.subscriber import Subscriber
from sse_server.errors import InvalidEvent, NotFound
from sse_server.eventlog import Sessions
from sse_server.eventlog.order import now
from sse_server.events import EventId
from sse_server.published import published

ANYBODY: Final = "anonymous"
"""Whose sessions are meant where nobody is named: those of a server without authentication."""
LISTED: Final = 100_000
"""Sessions that the figures list, those of the latest events; their sums count all."""

logger = logging.getLogger(__name__)


class EnhancedSSEBroadcaster:
    """On a log in memory of its own, or (`get_sse_broadcaster`) on that of the server in this process.

    A user's sessions are the user's own: two users may have one of the same name. It is used on one event loop at a
    time. Nothing in it is a queue: what is published is in the log, and a subscriber is a cursor there.
    """

    def __init__(self, config: BroadcasterConfig | None = None, *, ground: Ground | None = None) -> None:
        self.closed = False
        self._ground = ground or Ground.own(config or BroadcasterConfig())
        self._subscribers: set[Subscriber] = set()
        self._session_manager = MadeSessions()
        self._sessions = Sessions(0, 0, 0, [])
        self._unswept = 0
        self._cleaning: asyncio.Task[None] | None = None

    @property
    def config(self) -> BroadcasterConfig:
        """What it keeps, and for how long."""
        return self._ground.config

    @asynccontextmanager
    async def subscribe(self, session_id: str, user: str = ANYBODY) -> AsyncIterator[Subscriber]:
        """A subscriber as long as the block runs."""
        subscriber = await self.add_subscriber(session_id, user)
        try:
            yield subscriber
        finally:
            await self.remove_subscriber(session_id, subscriber, user)

    async def add_subscriber(self, session_id: str, user: str = ANYBODY) -> Subscriber:
        """A subscriber that begins with the history; remove it, or it goes once nobody has asked it for long."""
        self._tend()
        subscriber = Subscriber(self._ground.hub, log_key(session_id, user))
        self._subscribers.add(subscriber)
        try:
            await subscriber.open()
        except BaseException:
            self._remove(subscriber)
            raise
        return subscriber

    async def remove_subscriber(self, session_id: str, subscriber: Subscriber, user: str = ANYBODY) -> None:
        """Let it go; no matter if it has gone before."""
        self._remove(subscriber)

    async def broadcast_event(self, session_id: str, event: SSEEvent | dict[str, Any], user: str = ANYBODY) -> str:
        """Publish `{type, data, ttl?}` or a built event; its event id. It is stored when this returns.

        Raises `InvalidEvent` for what can't be published, `InvalidInput` for a name that no session can have.
        """
        self._tend()
        key, built = log_key(session_id, user), SSEEvent.of(event)
        ttl = self.config.event_ttl if built.ttl is None else built.ttl
        if ttl > self._ground.max_ttl:
            raise InvalidEvent(f"a ttl is at most {self._ground.max_ttl:.0f} seconds")
        draft = published(built.type, built.data, now=now(), ttl=ttl)
        receipt = await self._ground.hub.publish(key, [draft])
        self._unswept += len(draft.body)
        if self._unswept > self.config.retention.history_critical:
            await self._perform_cleanup()  # a flood does not wait for its interval
        return str(EventId(receipt.epoch, receipt.first))

    async def get_event_history(self, session_id: str, limit: int = 50, user: str = ANYBODY) -> list[SSEEvent]:
        """The latest events that are kept, at most `limit`, oldest first."""
        key = log_key(session_id, user)
        return await latest(self._ground.store, key, limit) if limit > 0 else []

    async def clear_session(self, session_id: str, user: str = ANYBODY) -> None:
        """Remove all that the session holds; an unknown one is clear. Raises `Conflict` while a job of it is active."""
        key = log_key(session_id, user)
        self._session_manager.keys.pop(key, None)
        with contextlib.suppress(NotFound):
            await self._ground.store.clear(key)
        self._ground.hub.changed(key)

    def get_stats(self) -> Stats:
        """The figures of all sessions; `await` them or not.

        On a store that has to be asked, what is had at once is exact about subscribers, and otherwise as it was at the
        latest await or cleanup.
        """
        return Stats(self._figures(self._ground.sessions_now(LISTED) or self._sessions), self._anew)

    async def shutdown(self) -> None:
        """End every subscriber and the cleaning; a log of its own is gone. Nothing can be published any more."""
        self.closed = True
        await self._leave()
        self._ground = Ground.own(self.config)

    async def stand_on(self, ground: Ground) -> None:
        """Move to another log. Subscribers of the old one are removed."""
        await self._leave()
        self._ground = ground

    async def _leave(self) -> None:
        for subscriber in list(self._subscribers):
            self._remove(subscriber)
        self._session_manager.keys.clear()
        self._sessions = Sessions(0, 0, 0, [])
        cleaning, self._cleaning = self._cleaning, None
        if cleaning and cleaning.get_loop() is asyncio.get_running_loop():
            cleaning.cancel()
            await asyncio.wait([cleaning])

    def _remove(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)
        subscriber.close()

    async def _perform_cleanup(self) -> None:
        """Do now what is done every `cleanup_interval`: idle subscribers go, and whatever may not stay."""
        store, hub = self._ground.store, self._ground.hub
        self._unswept = 0
        for subscriber in list(self._subscribers):
            if subscriber.idle_for() > self.config.max_subscriber_idle_time:
                self._remove(subscriber)
        for key, job_id in await store.trim(hub.watched):
            hub.erased(key, job_id)
        self._session_manager.forget(self.config.session_ttl)
        self._sessions = await store.sessions(LISTED)

    def _tend(self) -> None:
        """Clean in the background from the first use on, on the loop that it is used on."""
        if self.closed:
            raise RuntimeError("this broadcaster has shut down")
        if self._cleaning is None or self._cleaning.get_loop() is not asyncio.get_running_loop():
            self._cleaning = asyncio.create_task(self._keep_clean(), name="broadcaster's cleaning")

    async def _keep_clean(self) -> None:
        while True:
            await asyncio.sleep(self.config.cleanup_interval)
            try:
                await self._perform_cleanup()
            except Exception:
                logger.exception("sessions could not be cleaned up")

    async def _anew(self) -> Mapping[str, Any]:
        self._sessions = await self._ground.store.sessions(LISTED)
        return self._figures(self._sessions)

    def _figures(self, sessions: Sessions) -> dict[str, Any]:
        hub = self._ground.hub
        metrics = (
            {
                "eventsBroadcast": hub.tally.events.total(),
                "eventsByType": dict(hub.tally.events),
                "activeConnections": len(hub.subscribers),
            }
            if self.config.enable_metrics
            else {}
        )
        return figures_of(sessions, hub.watched, self._session_manager.keys, metrics)


Broadcaster = EnhancedSSEBroadcaster
