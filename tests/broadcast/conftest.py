"""Broadcasters on both stores, and how a frame is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from sse_server.broadcast import Broadcaster, BroadcasterConfig, Ground, Subscriber
from sse_server.config import Sessions
from sse_server.eventlog import LogKey, Store
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.hub import Hub
from sse_server.sse import Parser


class Frame(Struct, frozen=True):
    """A frame as an EventSource would dispatch it."""

    type: str
    data: Any
    id: str


def frame_of(text: str) -> Frame:
    """The one event that the string holds."""
    parser = Parser()
    (event,) = parser.feed(text.encode())
    return Frame(event.type, msgspec.json.decode(event.data), parser.last_event_id)


async def rest_of(subscriber: Subscriber) -> list[Frame]:
    """All that it says it has, as the document reads it."""
    frames = []
    while subscriber.qsize() > 0:
        frames.append(frame_of(await subscriber.get(timeout=5)))
    return frames


async def settled(condition: Callable[[], Any], *, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
    """Turn the loop until it is so."""
    async with asyncio.timeout(30):
        while not condition():
            if meanwhile:
                await meanwhile()
            await asyncio.sleep(0)


class _Nobody:
    """What a store that no other process has tells its listener: nothing."""

    def log_changed(self, key: LogKey) -> None: ...
    def work_arrived(self) -> None: ...
    def cancel_requested(self, job_id: str) -> None: ...


@asynccontextmanager
async def opened_sqlite(folder: Path, config: BroadcasterConfig) -> AsyncIterator[Broadcaster]:
    store = SqliteStore(folder / "events.db", retention=config.retention)
    await store.open(_Nobody())
    broadcaster = Broadcaster(ground=ground_on(store, config))
    try:
        yield broadcaster
    finally:
        await broadcaster.shutdown()
        await store.close()


def ground_on(store: Store, config: BroadcasterConfig) -> Ground:
    return Ground(config, store, Hub(store, heartbeat=60), Sessions().max_event_ttl)


@asynccontextmanager
async def opened_memory(_: Path, config: BroadcasterConfig) -> AsyncIterator[Broadcaster]:
    broadcaster = Broadcaster(config)
    try:
        yield broadcaster
    finally:
        await broadcaster.shutdown()


Opened = Callable[..., AbstractAsyncContextManager[Broadcaster]]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """`async with opened(max_history_per_session=3) as broadcaster`, on either store."""
    make = opened_memory if request.param == "memory" else opened_sqlite
    return lambda **fields: make(tmp_path, BroadcasterConfig(**fields))


@pytest.fixture
async def broadcaster(opened: Opened) -> AsyncIterator[Broadcaster]:
    async with opened() as broadcaster:
        yield broadcaster


@pytest.fixture(scope="session", name="opened_memory")
def _opened_memory() -> Opened:
    return opened_memory


@pytest.fixture(scope="session", name="opened_sqlite")
def _opened_sqlite() -> Opened:
    return opened_sqlite


@pytest.fixture(scope="session", name="frame_of")
def _frame_of() -> Callable[[str], Frame]:
    return frame_of


@pytest.fixture(scope="session", name="rest_of")
def _rest_of() -> Callable[[Subscriber], Awaitable[list[Frame]]]:
    return rest_of


@pytest.fixture(scope="session", name="settled")
def _settled() -> Callable[..., Awaitable[None]]:
    return settled
