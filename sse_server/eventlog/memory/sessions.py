"""What is known of the sessions in memory, and what may stay of what was published to them."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from typing import TypeAlias

from sse_server.eventlog import Figures, LogKey, Retention, Sessions
from sse_server.eventlog.history import is_too_much
from sse_server.eventlog.memory.log import Log

Logs: TypeAlias = dict[LogKey, Log]


def figures(key: LogKey, eventlog: Log) -> Figures:
    """One session's."""
    return Figures(key, len(eventlog.events), eventlog.bytes, eventlog.last, eventlog.jobs, eventlog.touched)


def everybody(logs: Logs, limit: int) -> Sessions:
    """All known sessions added up, and the `limit` latest touched ones."""
    known = [figures(key, eventlog) for key, eventlog in logs.items() if eventlog.is_known]
    latest = heapq.nlargest(limit, known, key=lambda one: one.touched)
    return Sessions(len(known), sum(one.events for one in known), sum(one.bytes for one in known), latest)


def trim(logs: Logs, read: Collection[LogKey], retention: Retention, at: int) -> None:
    """Remove the published events and the sessions that may not stay; somebody reads the logs `read`."""
    for key in read:
        if eventlog := logs.get(key):
            eventlog.touched = at
    for eventlog in logs.values():
        eventlog.expire(at)
    _thin_out(logs, retention, at)
    _forget(logs, at - int(retention.session_ttl * 1e6), at)


def _thin_out(logs: Logs, retention: Retention, at: int) -> None:
    """Once there is too much, the published events that came first go, of whichever session."""
    size = sum(eventlog.bytes for eventlog in logs.values())
    if not is_too_much(size, retention):
        return
    first = [(eventlog.published[0][0], eventlog) for eventlog in logs.values() if eventlog.published]
    heapq.heapify(first)
    while first and size > retention.history_warning:
        _, eventlog = heapq.heappop(first)
        size -= len(eventlog.published[0][1].body)
        eventlog.evict(1, at)
        if eventlog.published:
            heapq.heappush(first, (eventlog.published[0][0], eventlog))


def _forget(logs: Logs, before: int, at: int) -> None:
    """Remove the sessions that nobody touched since; of those that have ended jobs, what was published."""
    for key, eventlog in list(logs.items()):
        if eventlog.active or eventlog.touched >= before:
            continue
        if not eventlog.jobs:
            del logs[key]
        elif eventlog.published:
            eventlog.evict(len(eventlog.published), at)
