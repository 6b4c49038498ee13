"""The threads that read: callers that go away, faults, and who waits for whom."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import PAGE_BYTES, LogKey, Page
from sse_server.eventlog.sqlite import SqliteStore, pages
from sse_server.eventlog.sqlite.readers import THREADS

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


@pytest.fixture
async def store(tmp_path: Path, opened: Opened) -> AsyncIterator[SqliteStore]:
    async with opened("sqlite", path=tmp_path / "store.db") as store:
        assert isinstance(store, SqliteStore)
        yield store


@asynccontextmanager
async def held_up(store: SqliteStore, threads: int) -> AsyncIterator[None]:
    """Keep so many of the reading threads busy."""
    entered, gate = threading.Semaphore(0), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        entered.release()
        gate.wait()

    holding = [asyncio.create_task(store._read(hold)) for _ in range(threads)]
    for _ in holding:
        await asyncio.to_thread(entered.acquire)
    try:
        yield
    finally:
        gate.set()
        await asyncio.gather(*holding)


async def test_a_long_read_does_not_hold_up_a_short_one(store: SqliteStore, bench: Bench) -> None:
    await bench.publish(KEY, "a")
    async with held_up(store, THREADS - 1):
        assert await bench.seqs(KEY) == [1]


async def test_who_goes_away_while_he_waits_is_not_read_for_and_breaks_nothing(
    store: SqliteStore, bench: Bench
) -> None:
    await bench.publish(KEY, "a")
    ran = []
    async with held_up(store, THREADS):
        tasks = [asyncio.create_task(store._read(lambda _, n=n: ran.append(n))) for n in range(3)]  # type: ignore[misc]
        await asyncio.sleep(0)
        tasks[1].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    assert sorted(ran) == [0, 2]
    assert await bench.seqs(KEY) == [1]


async def test_who_goes_away_during_his_read_breaks_nothing(store: SqliteStore, bench: Bench) -> None:
    await bench.publish(KEY, "a")
    entered, gate = threading.Event(), threading.Event()

    def read(connection: sqlite3.Connection) -> None:
        entered.set()
        gate.wait()
        connection.execute("SELECT no such column")

    reading = asyncio.create_task(store._read(read))
    await asyncio.to_thread(entered.wait)
    reading.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    for _ in range(2 * THREADS):
        assert await bench.seqs(KEY) == [1]


async def test_a_fault_is_its_callers_alone_and_the_threads_read_on(store: SqliteStore, bench: Bench) -> None:
    await bench.publish(KEY, "a")

    def broken(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    def refused(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT * FROM nothing")

    for _ in range(2 * THREADS):
        with pytest.raises(ZeroDivisionError):
            await store._read(broken)
        with pytest.raises(StoreUnavailable, match="can't be read") as unavailable:
            await store._read(refused)
        assert unavailable.value.retry_after
    assert await bench.seqs(KEY) == [1]


async def test_closing_answers_who_reads_just_now(tmp_path: Path, opened: Opened, bench_of: type[Bench]) -> None:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened("sqlite", path=tmp_path / "closing.db"))
        assert isinstance(store, SqliteStore)
        await bench_of(store).publish(KEY, "a")
        async with held_up(store, THREADS):
            reads = [asyncio.create_task(store.read(KEY, 0, 1)) for _ in range(50)]
            await asyncio.sleep(0)
            closing = asyncio.create_task(store.close())
            await asyncio.sleep(0)
        await closing
        assert [len((await read).events) for read in reads] == [1] * 50


async def test_a_page_of_large_events_is_of_one_moment(store: SqliteStore, bench: Bench) -> None:
    """It takes several statements: a session that is cleared between two of them is still read whole."""
    texts = [letter * (PAGE_BYTES // 3) for letter in "abc"]
    await bench.publish(KEY, "small", *texts)
    loop = asyncio.get_running_loop()
    cleared: list[None] = []

    def read(connection: sqlite3.Connection) -> Page:
        def meanwhile(statement: str) -> None:
            if statement.startswith("SELECT body") and not cleared:
                cleared.append(asyncio.run_coroutine_threadsafe(store.clear(KEY), loop).result())

        connection.set_trace_callback(meanwhile)
        try:
            return pages.read(connection, KEY, 0, 10, job_id=None, types=None)
        finally:
            connection.set_trace_callback(None)

    page = await store._read(read)
    assert cleared
    assert [event.body[9:10] for event in page.events] == [b"s", b"a", b"b", b"c"]
    assert (page.head and page.head.last, page.passed) == (4, 4)
    assert await bench.seqs(KEY) == []
