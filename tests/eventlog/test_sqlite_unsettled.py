"""A job's event is one row; what counts it follows later, and nobody ever sees that it is late."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.eventlog import Claim, Figures, Head, JobFilter, LogKey, Record, Retention, Write
from sse_server.eventlog.sqlite import SqliteStore, queue
from sse_server.eventlog.sqlite.holders import SETTLE

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


class Nobody:
    """Hears of other processes, and there are none."""

    def log_changed(self, key: LogKey) -> None: ...

    def work_arrived(self) -> None: ...

    def cancel_requested(self, job_id: str) -> None: ...


@pytest.fixture
async def store(tmp_path: Path, opened: Opened) -> AsyncIterator[SqliteStore]:
    async with opened("sqlite", path=tmp_path / "store.db") as store:
        assert isinstance(store, SqliteStore)
        yield store


def late(store: SqliteStore) -> int:
    """Events that no row counts yet; the writer rests."""
    counted, stored = "SELECT coalesce(sum(events), 0) FROM logs", "SELECT count(*) FROM events"
    (late,) = store._connections[0].execute(f"SELECT ({stored}) - ({counted})").fetchone()
    return int(late)


async def two_jobs(bench: Bench) -> list[Claim]:
    """Two running jobs of one session, of which nothing is late."""
    return [await bench.running(session="s") for _ in "ab"]


async def fault(store: SqliteStore) -> None:
    """A transaction is rolled back."""

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM events")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store._write(broken)


async def seen(bench: Bench, claim: Claim) -> tuple[Record, list[Record], Head | None, Figures, Any]:
    """What everybody is told of a job and its session."""
    record, key = await bench.record(claim), bench.key(claim.record.spec)
    listed = await bench.store.jobs(JobFilter(key.user))
    sessions = await bench.store.sessions(9)
    return record, listed, await bench.store.head(key), await bench.figures(key), sessions


async def test_an_event_is_one_row(store: SqliteStore, bench: Bench) -> None:
    """However many jobs write at once: neither are their rows looked up, nor written again."""
    claims = [await bench.running() for _ in range(20)]
    statements: list[str] = []
    store._connections[0].set_trace_callback(statements.append)
    writes = [
        Write(bench.key(claim.record.spec), [bench.draft("token", text="a")], claim.record.spec.id, claim.lease)
        for claim in claims
    ]
    await store.append(writes)
    store._connections[0].set_trace_callback(None)
    assert {statement.partition("(")[0] for statement in statements} == {
        "BEGIN IMMEDIATE",
        "INSERT INTO events ",
        "COMMIT",
    }


async def test_everybody_sees_what_no_row_counts_yet(store: SqliteStore, bench: Bench) -> None:
    """An event is there for whoever asks, as soon as it is stored."""
    first, second = await two_jobs(bench)
    since = time.time_ns() // 1000
    for n in range(1, 11):
        await bench.tokens(first, "a")
        await bench.tokens(second, "b", "c")
        assert late(store) == 3 * n
        record, listed, head, figures, sessions = await seen(bench, first)
        assert record.state.work.text == "a" * n
        assert (record.state.last, (await bench.record(second)).state.last) == (4 + 3 * n - 2, 4 + 3 * n)
        assert [other.state.last for other in listed] == [4 + 3 * n, 4 + 3 * n - 2]
        assert {other.head for other in [record, *listed]} == {head}
        assert head == Head(record.epoch, 0, 4 + 3 * n)
        assert figures == Figures(KEY, 4 + 3 * n, 0, 4 + 3 * n, 2, figures.touched)
        assert since <= figures.touched <= time.time_ns() // 1000
        assert (sessions.events, sessions.latest) == (4 + 3 * n, [figures])
        assert (await store.read(KEY, 4 + 3 * n, 10)).passed == 4 + 3 * n


async def test_what_no_row_counts_yet_is_bounded(store: SqliteStore, bench: Bench) -> None:
    """A reader that adds it up has few events to look at."""
    first, second = await two_jobs(bench)
    seen = set()
    for n in range(3 * SETTLE):
        await bench.tokens(first if n % 3 else second, "a")
        seen.add(late(store))
    assert seen == set(range(SETTLE))
    assert await bench.end(first)
    assert late(store) == 0


@pytest.mark.parametrize("how", ["closed", "killed", "rolled back"])
@pytest.mark.parametrize("then", ["write", "publish", "submit", "end", "flood", "reset", "reclaim"])
async def test_who_knew_it_may_be_gone(
    how: str, then: str, tmp_path: Path, opened: Opened, bench_of: type[Bench]
) -> None:
    """What comes behind events that no row counts is numbered behind them, and all that was counted stays true."""
    file, retention = tmp_path / "store.db", Retention(max_job_events=10)
    async with opened("sqlite", path=file, retention=retention) as store:
        bench = bench_of(store)
        first, second = await two_jobs(bench)
        await bench.tokens(first, *"abc")
        await bench.tokens(second, *"de")
        assert isinstance(store, SqliteStore)
        assert late(store) == 5
        before = await seen(bench, first), await seen(bench, second)
        if how == "rolled back":
            await fault(store)
            assert (await seen(bench, first), await seen(bench, second)) == before
            await goes_on(then, bench, first, second)
            return
        if how == "killed":
            for suffix in ("", "-wal"):
                shutil.copy(f"{file}{suffix}", f"{tmp_path / 'left.db'}{suffix}")
            file = tmp_path / "left.db"
    async with opened("sqlite", path=file, retention=retention) as store:
        bench = bench_of(store)
        assert (await seen(bench, first), await seen(bench, second)) == before
        await goes_on(then, bench, first, second)


async def goes_on(then: str, bench: Bench, first: Claim, second: Claim) -> None:
    """Do something as the first thing in a log with 9 events, then something else."""
    done: dict[str, Callable[[], Awaitable[object]]] = {
        "write": lambda: bench.tokens(first, "x"),
        "publish": lambda: bench.publish(KEY, "x"),
        "submit": lambda: bench.submit(session="s"),
        "end": lambda: bench.end(second),
        "flood": lambda: bench.tokens(second, *"0123456789abcdefgh"),
        "reset": lambda: bench.reset(second),
        "reclaim": lambda: bench.store.reclaim("another", 60.0),
    }
    await done[then]()
    last = 9 + {"flood": 18, "reclaim": 0}.get(then, 1)
    first, second = (await bench.store.reclaim("a third", 60.0) + [second])[:2]
    receipt = await bench.tokens(first, "y")
    assert receipt
    assert receipt.first == last + 1
    figures, head, events = await bench.figures(KEY), await bench.head(KEY), await bench.events(KEY)
    assert (head.last, figures.last, figures.events) == (last + 1, last + 1, len(events))
    assert [event.seq for event in events] == list(range(head.trimmed + 1, last + 2))
    for claim in (first, second):
        record = await bench.record(claim)
        assert record.state.last == max(event.seq for event in events if event.job_id == record.spec.id)
    assert (await bench.record(first)).state.work.text == ("abcxy" if then == "write" else "abcy")


async def test_a_store_that_is_opened_again_looks_again(tmp_path: Path, opened: Opened, bench_of: type[Bench]) -> None:
    """Meanwhile another process may have had the file."""
    file = tmp_path / "store.db"
    async with opened("sqlite", path=file) as store:
        bench = bench_of(store)
        claim = await bench.running(session="s")
        await bench.tokens(claim, "a")
    async with opened("sqlite", path=file) as other:
        await bench_of(other).tokens(claim, "b")
    await store.open(Nobody())
    receipt = await bench.tokens(claim, "c")
    assert receipt
    assert receipt.first == 5
    await store.close()


async def test_a_lease_that_was_rolled_back_is_nobodys(store: SqliteStore, bench: Bench) -> None:
    """Nor does the job that nobody has take anything."""
    submitted = await bench.submit(session="s")
    claims: list[Claim] = []

    def claims_and_fails(connection: sqlite3.Connection) -> None:
        claims.extend(queue.claim(connection, "worker", 1, Retention(), store._holders))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store._write(claims_and_fails)
    assert await bench.tokens(claims[0], "a") is None
    claim = await bench.claim()
    assert claim.record.spec.id == submitted.record.spec.id
    assert claim.receipt
    assert claim.receipt.first == 2
    receipt = await bench.tokens(claim, "a")
    assert receipt
    assert receipt.first == 3


async def test_others_in_the_log_come_between_events_that_no_row_counts(store: SqliteStore, bench: Bench) -> None:
    """A publisher, a job that begins and one that ends, all in one moment with jobs that go on."""
    first, second = await two_jobs(bench)
    drafts = [bench.draft("token", text="a")]
    mine, others = (Write(KEY, drafts, claim.record.spec.id, claim.lease) for claim in (first, second))
    end = Write(KEY, [bench.done()], second.record.spec.id, second.lease)
    receipts = await store.append([mine, others, Write(KEY, drafts), mine, end, others, mine, Write(KEY, drafts), mine])
    assert [receipt and receipt.first for receipt in receipts] == [5, 6, 7, 8, 9, None, 10, 11, 12]
    submitted, written = await asyncio.gather(bench.submit(session="s"), bench.tokens(first, "b"))
    assert submitted.receipt
    assert written
    assert (submitted.receipt.first, written.first) == (13, 14)
    assert await bench.seqs(KEY) == list(range(1, 15))
    assert (await bench.figures(KEY)).events == 14
    assert [(await bench.record(claim)).state.last for claim in (first, second)] == [14, 9]


async def test_only_active_jobs_are_remembered(store: SqliteStore, bench: Bench) -> None:
    """What the writing thread knows has the size of what runs and waits, whatever was there before."""
    for n in range(30):
        claim = await bench.ended(session=f"s{n % 3}")
        assert await bench.tokens(claim, "late") is None
        assert await bench.end(claim) is None
    await bench.publish(KEY, "a")
    assert await bench.store.append([Write(KEY, [bench.draft("token", text="a")], "job_unknown", "")]) == [None]
    running = await bench.running(session="s")
    assert list(store._holders._holders) == [running.record.spec.id]
    assert list(store._holders._logs) == [KEY]
    assert await bench.end(running)
    assert not store._holders._holders
    assert not store._holders._logs
