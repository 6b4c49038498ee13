"""Sessions that were opened and left leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Final

import pytest

from sse_server.config import Limits, Sessions

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened

SESSIONS: Final = 10_000
PIPELINED: Final = 250
WATCHED: Final = 300


async def publish_to_each(house: House, count: int) -> None:
    """One event to each of so many sessions: many requests at a time on each of several connections."""
    await asyncio.gather(*(publish_to_some(house, first) for first in range(0, count, PIPELINED)))


async def publish_to_some(house: House, first: int) -> None:
    body = b'{"type":"note","data":{}}'
    line = await house.line()
    asked = [
        b"POST /api/sessions/s%d/events HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%b" % (n, len(body), body)
        for n in range(first, first + PIPELINED)
    ]
    await line.send(b"".join(asked))
    for _ in asked:
        assert (await line.answer()).status == 201
    await line.close()


async def open_and_leave(house: House, count: int) -> None:
    """A stream on each of so many sessions, all at once, and a poll."""
    streams = [await house.session(f"s{n}") for n in range(count)]
    assert len(house.server.hub.subscribers) == count
    for n, stream in enumerate(streams):
        assert (await stream.next()).type == "note"
        await stream.close()
        await house.get(f"/api/sessions/s{n}/events")


async def objects_left(house: House) -> int:
    await house.hang_up()
    while not house.idle():  # noqa: ASYNC110  (the server hears of it by itself)
        await asyncio.sleep(0.001)
    await house.server.store.trim(house.server.hub.watched)
    gc.collect()
    return len(gc.get_objects())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_ten_thousand_sessions_opened_and_left_leave_no_memory_behind(opened: Opened, kind: str) -> None:
    limits, sessions = Limits(publishes_per_minute=0), Sessions(ttl=1e-6, event_ttl=60.0)
    async with opened(kind, limits=limits, sessions=sessions) as house:
        await publish_to_each(house, PIPELINED)
        await open_and_leave(house, 10)
        before = await objects_left(house)
        await publish_to_each(house, SESSIONS)
        await open_and_leave(house, WATCHED)
        assert (await house.server.store.sessions(0)).total == SESSIONS
        after = await objects_left(house)
        assert (await house.server.store.sessions(0)).total == 0
        assert after - before < SESSIONS / 20, "something of each session is left"
