"""Sessions: what is known of them, and how those that nobody touches any more go."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from typing import TYPE_CHECKING

from sse_server.eventlog import Figures, LogKey, Retention, Write
from sse_server.eventlog.memory import MemoryStore
from sse_server.eventlog.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")
FORGETFUL = Retention(session_ttl=0)
"""A trim takes every session that nobody reads just now."""


async def test_figures_are_those_of_what_is_kept(bench: Bench) -> None:
    assert await bench.store.figures(KEY) is None
    since = time.time_ns() // 1000
    await bench.publish(LogKey("bob", "s"), "another's")
    await bench.publish(KEY, "ab", "c")
    size = len(b'{"text":"ab"}{"text":"c"}')
    figures = await bench.figures(KEY)
    assert figures == Figures(KEY, 2, size, 2, 0, figures.touched)
    assert since <= figures.touched <= time.time_ns() // 1000
    claim = await bench.running(session="s")
    await bench.tokens(claim, "d")
    later = await bench.figures(KEY)
    assert later == Figures(KEY, 5, size, 5, 1, later.touched)
    assert later.touched > figures.touched
    await bench.end(claim)
    await bench.store.erase(claim.record.spec.id)
    erased = await bench.figures(KEY)
    assert erased == Figures(KEY, 2, size, 6, 0, erased.touched)


async def test_all_figures_add_up_and_the_latest_touched_come_first(bench: Bench) -> None:
    assert (await bench.store.sessions(3)).total == 0
    for n in range(5):
        await bench.publish(LogKey("ann", f"s{n}"), *"abc"[: n % 3 + 1])
    await bench.ended("bob", "s")
    await bench.publish(LogKey("ann", "s1"), "touched again")
    sessions = await bench.store.sessions(3)
    assert (sessions.total, sessions.events) == (6, 1 + 3 + 3 + 1 + 2 + 3)
    assert sessions.bytes == 9 * len(b'{"text":"a"}') + len(b'{"text":"touched again"}')
    assert [(one.key.user, one.key.session) for one in sessions.latest] == [("ann", "s1"), ("bob", "s"), ("ann", "s4")]
    assert sessions.latest == [await bench.figures(one.key) for one in sessions.latest]
    assert (await bench.store.sessions(0)).latest == []


async def test_a_session_goes_once_nobody_touches_it(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=FORGETFUL) as store:
        bench = bench_of(store)
        before = await bench.publish(KEY, "a")
        await bench.publish(LogKey("bob", "s"), "of another user")
        await store.trim(read=[LogKey("bob", "s"), LogKey("eve", "never seen")])
        assert await store.head(KEY) is None
        assert await store.figures(KEY) is None
        assert await bench.seqs(LogKey("bob", "s")) == [1], "somebody reads it"
        assert await store.head(LogKey("eve", "never seen")) is None
        anew = await bench.publish(KEY, "b")
        assert anew.first == 1
        assert anew.epoch != before.epoch


async def test_reading_and_appending_touch_a_session(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(session_ttl=0.05)) as store:
        bench = bench_of(store)
        read, written, left = (LogKey("ann", session) for session in ("read", "written", "left"))
        await bench.publish(read, "a")
        since = time.monotonic()
        await bench.publish(left, "a")
        while await store.figures(left):
            await bench.publish(written, "a")
            await store.trim(read={read})
            await asyncio.sleep(0)
        assert time.monotonic() - since >= 0.05
        assert await bench.seqs(read) == [1]
        assert await store.figures(written)


async def test_a_long_ttl_keeps_all(bench: Bench) -> None:
    await bench.publish(KEY, "a")
    await bench.store.trim()
    assert await bench.seqs(KEY) == [1]


async def test_a_session_with_an_active_job_does_not_expire(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=FORGETFUL) as store:
        bench = bench_of(store)
        await bench.publish(KEY, "a")
        await bench.submit(session="s")
        await store.trim()
        claim = await bench.claim()
        await store.trim()
        await bench.reset(claim)
        await store.trim()
        claim = await bench.claim()
        await store.trim()
        assert await bench.seqs(KEY) == [1, 2, 3, 4, 5]
        assert await bench.end(claim)
        await store.trim()
        assert await bench.seqs(KEY) == [2, 3, 4, 5, 6]


async def test_a_session_of_ended_jobs_loses_only_what_was_published(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=FORGETFUL) as store:
        bench = bench_of(store)
        await bench.publish(KEY, "1")
        claim = await bench.ended(session="s")
        await bench.publish(KEY, "5", "6")
        before = await bench.record(claim)
        await store.trim()
        assert await bench.seqs(KEY) == [2, 3, 4]
        head = await bench.head(KEY)
        assert (head.epoch, head.trimmed, head.evicted, head.last) == (before.epoch, 0, 6, 6)
        assert (await bench.record(claim)).state == before.state
        await store.trim()
        assert await bench.head(KEY) == head
        await store.erase(claim.record.spec.id)
        assert await store.head(KEY) is None


async def test_a_log_that_somebody_reads_outlives_its_last_job(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    """Who follows a session has missed nothing: its cursor stays good."""
    async with opened(kind, retention=Retention(age=60, session_ttl=0)) as store:
        bench = bench_of(store)
        claims = [await bench.ended(user, "s", ago=61) for user in ("ann", "bob")]
        heads = [await bench.head(bench.key(claim.record.spec)) for claim in claims]
        assert len(await store.trim(read=[KEY])) == 2
        assert await store.head(LogKey("bob", "s")) is None
        assert await bench.head(KEY) == heads[0]
        assert await bench.seqs(KEY) == []
        await store.trim()
        assert await store.head(KEY) is None


async def test_a_cleared_log_goes_like_every_other(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=FORGETFUL) as store:
        bench = bench_of(store)
        await bench.publish(KEY, "a")
        await store.clear(KEY)
        await store.trim(read=[KEY])
        assert (await bench.head(KEY)).last == 0
        await store.trim()
        assert await store.head(KEY) is None


async def test_sessions_opened_and_left_leave_nothing_behind(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(age=0, session_ttl=0, max_history=2)) as store:
        bench = bench_of(store)

        async def open_and_leave(sessions: int) -> None:
            keys = [LogKey(f"user {n % 7}", f"s{n}") for n in range(sessions)]
            for n in range(0, sessions, 1000):
                drafts = [bench.draft("message", text="x" * 50)] * 3
                await store.append([Write(key, drafts) for key in keys[n : n + 1000]])
            for n in range(0, sessions, 500):
                await bench.ended(keys[n].user, keys[n].session, ago=1)
                await bench.publish(keys[n + 1], "a")
            for n in range(0, sessions, 100):
                await store.clear(keys[n])
            await store.trim(read=keys)
            assert (await store.sessions(1)).total == sessions - sessions // 100
            await store.trim()
            assert (await store.sessions(1)).total == 0

        await open_and_leave(1000)
        tracemalloc.start()
        try:
            await open_and_leave(10_000)
            left, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert left < 1_000_000, "ten thousand logs would be many times that"
        assert_empty(store)


def assert_empty(store: object) -> None:
    if isinstance(store, MemoryStore):
        assert (store._logs, store._jobs, store._once, len(store._queue), store._active) == ({}, {}, {}, 0, {})
    if isinstance(store, SqliteStore):
        for table in ("logs", "events", "published", "jobs"):
            assert store._connections[0].execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
        assert store._connections[0].execute("SELECT value FROM meta WHERE key = 'published'").fetchone() == (0,)
