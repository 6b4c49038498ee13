"""Sessions: publish, look at one, clear it, and the figures of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from sse_server.errors import FieldError, InvalidEvent, InvalidInput, NotFound
from sse_server.eventlog import Figures, LogKey
from sse_server.eventlog.order import now
from sse_server.events import EventId, timestamp
from sse_server.metrics import Reading
from sse_server.published import RESERVED, TYPE, published
from sse_server.routes.answers import reply
from sse_server.routes.guard import user
from sse_server.routes.house import House, house
from sse_server.routes.owned import path_session

LISTED: Final = 1000
"""Sessions that `/sse/stats` lists, those of the latest events; its sums count all."""


class Publish(Struct, frozen=True, forbid_unknown_fields=True):
    """An event to publish; `ttl` in seconds."""

    type: Annotated[str, Meta(description=f"{TYPE.pattern}, and none of {', '.join(sorted(RESERVED))}.")]
    data: dict[str, Any]
    ttl: Annotated[float, Meta(gt=0)] | None = None


class Published(Struct, frozen=True):
    """The event id that a reader resumes from, and the event's place in the log."""

    id: str
    seq: int


class SessionFigures(Struct, frozen=True, rename="camel"):
    """One session. `history_size` counts the events kept, `memory_bytes` what the published ones among them hold."""

    subscribers: int
    history_size: int
    memory_bytes: int
    jobs: int
    last_seq: int
    last_activity: str

    @classmethod
    def of(cls, figures: Figures, watched: Mapping[LogKey, int]) -> SessionFigures:
        return cls(
            watched.get(figures.key, 0),
            figures.events,
            figures.bytes,
            figures.jobs,
            figures.last,
            timestamp(figures.touched),
        )


class SessionMetrics(Struct, frozen=True, rename="camel"):
    """What this process has done: events stored by type, streams open, jobs running."""

    events_broadcast: int
    events_by_type: Mapping[str, int]
    active_connections: int
    running_jobs: int


class SessionStats(Struct, frozen=True):
    """All sessions; the names are the document's."""

    total_sessions: int = msgspec.field(name="totalSessions")
    total_events: int = msgspec.field(name="totalEvents")
    total_subscribers: int = msgspec.field(name="totalSubscribers")
    memory_usage_mb: float = msgspec.field(name="memoryUsageMB")
    session_stats: dict[str, SessionFigures] = msgspec.field(name="sessionStats")
    metrics: SessionMetrics


async def publish(request: web.Request, _: object, body: Publish) -> web.StreamResponse:
    """Publish an event to a session."""
    parts, rules = house(request), house(request).settings.sessions
    key = LogKey(user(request), path_session(request))
    ttl = rules.event_ttl if body.ttl is None else body.ttl
    if ttl > rules.max_event_ttl:
        raise _invalid("$.ttl", f"Expected `float` <= {rules.max_event_ttl}")
    try:
        draft = published(body.type, body.data, now=now(), ttl=ttl)
    except InvalidEvent as error:
        raise _invalid("$", str(error)) from None
    parts.guard.publishes.take(key.user)
    receipt = await parts.hub.publish(key, [draft])
    return reply(Published(str(EventId(receipt.epoch, receipt.first)), receipt.first), status=201)


def _invalid(path: str, said: str) -> InvalidInput:
    return InvalidInput("the event can't be published", errors=[FieldError(path, said)])


async def show_session(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """A session's figures."""
    parts, key = house(request), LogKey(user(request), path_session(request))
    figures = await parts.store.figures(key)
    if figures is None:
        raise NotFound("no such session")
    return reply(SessionFigures.of(figures, parts.hub.watched))


async def clear_session(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """Remove a session's events; its ended jobs keep their results."""
    parts, key = house(request), LogKey(user(request), path_session(request))
    await parts.store.clear(key)
    parts.hub.changed(key)
    return web.Response(status=204)


async def show_stats(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """The figures of all sessions."""
    parts = house(request)
    sessions, watched = await parts.store.sessions(LISTED), parts.hub.watched
    owners: dict[str, set[str]] = {}
    for figures in sessions.latest:
        owners.setdefault(figures.key.session, set()).add(figures.key.user)
    at = reading(parts)
    return reply(
        SessionStats(
            sessions.total,
            sessions.events,
            sum(watched.values()),
            round(sessions.bytes / 2**20, 6),
            {
                f.key.session if len(owners[f.key.session]) == 1 else f"{f.key.user}/{f.key.session}": (
                    SessionFigures.of(f, watched)
                )
                for f in sessions.latest
            },
            SessionMetrics(sum(at.events.values()), at.events, at.connections, at.running),
        )
    )


async def show_metrics(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """The server's figures for Prometheus."""
    text, content_type = reading(house(request)).exposition()
    return web.Response(body=text, headers={"Content-Type": content_type})


def reading(parts: House) -> Reading:
    """The figures of this moment."""
    return Reading(len(parts.hub.subscribers), parts.runner.running, parts.hub.tally.events)
