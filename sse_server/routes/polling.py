"""The polling fallback: the same events, fields and cursors as a stream, a page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from aiohttp import web
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from sse_server.eventlog import Head, LogKey, Page, Record
from sse_server.events import START, Event, EventId, timestamp
from sse_server.hub import Cursor, Gap, judge
from sse_server.routes.answers import EventPage, PublishedEvent, Snapshot, SnapshotJob, reply
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.owned import owned_job, path_session, type_filter
from sse_server.routes.session_stream import behind, kept

POLL_AFTER: Final = 1000
"""Milliseconds after which a client that has all there is may ask again."""


class PollQuery(Struct, frozen=True):
    """Which events."""

    after: Annotated[str, Meta(description="An event id: what follows it is answered. `0`: from the start.")] | None = (
        None
    )
    limit: Annotated[int, Meta(ge=1, le=1000, description="Events in a page, at most.")] = 500
    wait: Annotated[float, Meta(ge=0, le=25, description="Seconds to wait for a first event.")] = 0.0
    types: Annotated[str, Meta(description="Only these types, separated by commas; `done` always passes.")] | None = (
        None
    )


class _Reading(Struct):
    """What one poll has found so far: a page, and a gap before it."""

    cursor: Cursor
    page: Page
    gap: Gap | None = None


async def poll_job(request: web.Request, query: PollQuery, _: None) -> web.StreamResponse:
    """A page of a job's events."""
    record = await owned_job(request)
    job_id, key = record.spec.id, LogKey(record.spec.user, record.spec.session)
    cursor = Cursor.of(query.after) if query.after else Cursor.unsent(record.begin)
    snapshot: Snapshot | None = None

    async def pass_gap(_: Gap) -> EventId:
        nonlocal snapshot, record
        record = await owned_job(request, work=True)
        snapshot = Snapshot(str(record.standpoint), SnapshotJob.of(record))
        if record.done_is_gone:
            return record.head.id if record.head else START
        return record.standpoint

    if query.after and record.is_past_done(cursor.id):
        return reply(_page([], str(cursor.id), done=True, record=record))
    if record.done_is_gone:
        query = replace(query, wait=0.0)  # nothing more of this job will come
    reading = await _read(request, key, cursor, query, job_id=job_id, pass_gap=pass_gap)
    record = await owned_job(request)
    events = [Raw(event.json(key.session)) for event in reading.page.events]
    ended = bool(reading.page.events) and reading.page.events[-1].type == "done"
    done = record.state.done
    next_id = _next(reading)
    if done and not ended and record.done_is_gone:
        # The log has let go of it; the job keeps its `done`.
        events.append(Raw(done.event.json(key.session)))
        ended, next_id = True, str(EventId(record.epoch, done.event.seq))
    return reply(_page(events, next_id, done=ended, record=record, reading=reading, snapshot=snapshot))


async def poll_session(request: web.Request, query: PollQuery, _: None) -> web.StreamResponse:
    """A page of a session's events; an unknown session is an empty page."""
    key = LogKey(user(request), path_session(request))
    store = house(request).store
    head = await store.head(key)
    cursor = Cursor.of(query.after) if query.after else Cursor.unsent(kept(head))
    reading = await _read(request, key, cursor, query, job_id=None, pass_gap=_keep_all(request, key, cursor))
    events = [_shown(event, key.session, reading.page.head) for event in reading.page.events]
    return reply(
        EventPage(events=events, next=_next(reading), done=False, poll_after_ms=_pause(reading, query), gap=reading.gap)
    )


def _keep_all(request: web.Request, key: LogKey, cursor: Cursor) -> Callable[[Gap], Awaitable[EventId]]:
    async def pass_gap(gap: Gap) -> EventId:
        return behind(gap, cursor.id.seq if cursor.id else 0, await house(request).store.head(key))

    return pass_gap


def _shown(event: Event, session: str, head: Head | None) -> Raw | PublishedEvent:
    """A job's event as everywhere; a published one with what its frame has beside its data."""
    if event.job_id or head is None:
        return Raw(event.json(session))
    event_id = str(EventId(head.epoch, event.seq))
    return PublishedEvent(event_id, event.seq, event.type, Raw(event.body), timestamp(event.time))


async def _read(
    request: web.Request,
    key: LogKey,
    cursor: Cursor,
    query: PollQuery,
    *,
    job_id: str | None,
    pass_gap: Callable[[Gap], Awaitable[EventId]],
) -> _Reading:
    """The page behind the cursor; waits for a first event until `wait` is over."""
    parts, types = house(request), type_filter(query.types)
    deadline = asyncio.get_running_loop().time() + query.wait
    gap: Gap | None = None
    with parts.runner.presence.polling(key, job_id), parts.hub.tail(key) as tail:
        while True:
            seq = cursor.id.seq if cursor.id else 0
            page = await parts.store.read(key, seq, query.limit, job_id=job_id, types=types)
            missed = page.head.evicted if page.head and job_id is None and query.after and not gap else 0
            if found := judge(cursor, page.head, missed=missed):
                gap, cursor = gap or found, Cursor.at(await pass_gap(found))
                continue
            left = deadline - asyncio.get_running_loop().time()
            if page.events or gap or left <= 0 or parts.runner.draining:
                return _Reading(cursor, page, gap)
            if page.head and page.passed > seq:
                cursor = Cursor.at(EventId(page.head.epoch, page.passed))
            tail.learn(page.head)
            await tail.grown(page.passed, left)


def _page(
    events: list[Raw],
    next_id: str,
    *,
    done: bool,
    record: Record,
    reading: _Reading | None = None,
    snapshot: Snapshot | None = None,
) -> EventPage:
    full = reading is not None and reading.page.head is not None and reading.page.passed < reading.page.head.last
    return EventPage(
        events=events,
        next=next_id,
        done=done,
        status=record.state.status,
        poll_after_ms=0 if full or done else POLL_AFTER,
        gap=reading.gap if reading else None,
        snapshot=snapshot,
    )


def _next(reading: _Reading) -> str:
    """The cursor behind the page; an empty one repeats what was asked with."""
    page, sent = reading.page, reading.cursor
    if page.head is None or (sent.id and page.passed <= sent.id.seq):
        return str(sent.id or "0")
    return str(EventId(page.head.epoch, page.passed))


def _pause(reading: _Reading, query: PollQuery) -> int:
    head = reading.page.head
    return 0 if query.wait or (head and reading.page.passed < head.last) else POLL_AFTER
