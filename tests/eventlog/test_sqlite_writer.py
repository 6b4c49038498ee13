"""The one thread that writes: group commits, callers that go away, and a disk that is full."""

from __future__ import annotations

import asyncio
import resource
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sse_server.errors import QueueFull, StoreUnavailable
from sse_server.eventlog import LogKey, Retention, Write
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.eventlog.sqlite.events import append
from sse_server.eventlog.sqlite.gathered import CHECKPOINT

if TYPE_CHECKING:
    import sqlite3

    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


@pytest.fixture
async def store(tmp_path: Path, opened: Opened) -> AsyncIterator[SqliteStore]:
    async with opened("sqlite", path=tmp_path / "store.db") as store:
        assert isinstance(store, SqliteStore)
        yield store


@pytest.fixture
def writing(store: SqliteStore) -> sqlite3.Connection:
    """The writer's connection: to be touched while the writer rests."""
    return store._connections[0]


async def test_a_snapshot_folds_a_bounded_number_of_events(bench: Bench, writing: sqlite3.Connection) -> None:
    """The fold is written now and then: nobody who asks for it has to begin with the first event."""
    claim = await bench.running()
    for n in range(1, 301):
        await bench.tokens(claim, *"abcdefg")
        unfolded, since, last = writing.execute("SELECT unfolded, work_seq, last FROM current_jobs").fetchone()
        assert last == 2 + 7 * n
        assert last - since == unfolded < CHECKPOINT
    spec = claim.record.spec
    write = Write(bench.key(spec), [bench.draft("token", text=text) for text in "abcdefg"], spec.id, claim.lease)
    await bench.store.append([write] * 100)
    assert writing.execute("SELECT unfolded FROM current_jobs").fetchone() == (0,), "many at once are no fewer"
    statements: list[str] = []
    writing.set_trace_callback(statements.append)
    await bench.tokens(claim, "a")
    writing.set_trace_callback(None)
    assert not [statement for statement in statements if "work" in statement], "what was folded just now is not again"
    assert await bench.end(claim)
    ((unfolded,),) = writing.execute("SELECT unfolded FROM current_jobs")
    assert unfolded < CHECKPOINT
    assert (await bench.record(claim)).state.work.text == "abcdefg" * 400 + "a"


@asynccontextmanager
async def held_up(store: SqliteStore, *, until: int) -> AsyncIterator[None]:
    """Keep the writer in a transaction of its own until `until` more operations wait behind it."""
    entered, gate = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        entered.set()
        gate.wait()

    holding = asyncio.create_task(store._write(hold))
    await asyncio.to_thread(entered.wait)
    try:
        yield
        assert store._writer
        while store._writer._orders.qsize() < until:  # noqa: ASYNC110  (each turn lets one more caller order)
            await asyncio.sleep(0)
    finally:
        gate.set()
    await holding


async def test_what_waits_together_is_committed_together(
    store: SqliteStore, bench: Bench, writing: sqlite3.Connection
) -> None:
    claims = [await bench.running() for _ in range(20)]
    statements: list[str] = []
    writing.set_trace_callback(statements.append)
    async with held_up(store, until=200):
        appends = [asyncio.create_task(bench.tokens(claim, "a", "b")) for claim in claims for _ in range(10)]
    receipts = await asyncio.gather(*appends)
    writing.set_trace_callback(None)
    assert all(receipts)
    commits = [statement for statement in statements if statement == "COMMIT"]
    assert len(commits) == 2, "the one that held it up, and one for all 200"


async def test_nobody_reads_what_is_not_committed_nor_waits_for_it(store: SqliteStore, bench: Bench) -> None:
    claim = await bench.running(session="s")
    spec = claim.record.spec
    write = Write(KEY, [bench.draft("token", text="a"), bench.done()], spec.id, claim.lease)
    written, gate = threading.Event(), threading.Event()

    def append_slowly(connection: sqlite3.Connection) -> None:
        assert append(connection, [write], Retention(), store._holders)[0]
        written.set()
        gate.wait()

    appending = asyncio.create_task(store._write(append_slowly))
    await asyncio.to_thread(written.wait)
    assert [event.seq for event in await bench.events(KEY)] == [1, 2]
    assert (await bench.record(claim)).state.status == "running"
    gate.set()
    await appending
    assert [event.seq for event in await bench.events(KEY)] == [1, 2, 3, 4]
    assert (await bench.record(claim)).state.status == "succeeded"


async def test_a_refusal_does_not_fail_its_neighbours(store: SqliteStore, bench: Bench) -> None:
    claim = await bench.running(session="s")
    async with held_up(store, until=3):
        tasks = [
            asyncio.create_task(bench.tokens(claim, "a")),
            asyncio.create_task(bench.submit(room=0)),
            asyncio.create_task(bench.tokens(claim, "b")),
        ]
    first, refused, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(refused, QueueFull)
    assert (getattr(first, "first", None), getattr(second, "first", None)) == (3, 4)


async def test_a_fault_in_one_operation_does_not_fail_its_neighbours(
    store: SqliteStore, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that SQLite can't hold, an id that is there already, a bug: whose it is hears of it, nobody else."""

    def bug(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM jobs")
        raise ZeroDivisionError

    claim = await bench.running(session="s")
    spec = bench.spec("bob")
    async with held_up(store, until=6):
        tasks = [
            asyncio.create_task(bench.tokens(claim, "a")),
            asyncio.create_task(bench.publish(LogKey("\ud800", "s"), "x")),
            asyncio.create_task(store.submit(spec, room=9, per_user=9)),
            asyncio.create_task(store.submit(spec, room=9, per_user=9)),
            asyncio.create_task(store._write(bug)),
            asyncio.create_task(bench.tokens(claim, "b")),
        ]
    first, surrogate, submitted, twice, broken, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert (getattr(first, "first", None), getattr(last, "first", None)) == (3, 4)
    assert isinstance(surrogate, UnicodeEncodeError)
    assert isinstance(broken, ZeroDivisionError)
    assert not isinstance(submitted, BaseException)
    assert isinstance(twice, StoreUnavailable)
    assert [event.seq for event in await bench.events(KEY)] == [1, 2, 3, 4]
    assert (await bench.record(claim)).state.last == 4
    assert len(await store.queued()) == 1
    assert caplog.text.count("the store could not commit") == 3


async def test_a_caller_that_is_cancelled_breaks_nothing(store: SqliteStore, bench: Bench) -> None:
    """Its operation takes place all the same: the writer had it."""
    claim = await bench.running(session="s")
    async with held_up(store, until=3):
        tasks = [asyncio.create_task(bench.tokens(claim, text)) for text in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
    first, cancelled, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert (getattr(first, "first", None), getattr(last, "first", None)) == (3, 5)
    assert [event.seq for event in await bench.events(KEY)] == [1, 2, 3, 4, 5]
    assert await bench.tokens(claim, "d")


async def test_a_refused_caller_that_was_cancelled_is_nobodys_unseen_error(store: SqliteStore, bench: Bench) -> None:
    async with held_up(store, until=1):
        task = asyncio.create_task(bench.submit(room=0))
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.ping()


async def test_closing_stores_what_is_under_way(tmp_path: Path, opened: Opened, bench_of: type[Bench]) -> None:
    file = tmp_path / "closing.db"
    async with opened("sqlite", path=file) as store:
        bench = bench_of(store)
        assert isinstance(store, SqliteStore)
        async with held_up(store, until=50):
            appends = [asyncio.create_task(bench.publish(KEY, str(n))) for n in range(50)]
    receipts = await asyncio.gather(*appends)
    assert [receipt.first for receipt in receipts] == list(range(1, 51))
    async with opened("sqlite", path=file) as store:
        assert len(await bench_of(store).events(KEY)) == 50


Trouble = Callable[["sqlite3.Connection"], AbstractContextManager[None]]


@contextmanager
def full(connection: sqlite3.Connection) -> Iterator[None]:
    """The file may not grow: what SQLite says is "database or disk is full"."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        connection.execute("PRAGMA max_page_count = 1073741823")


@contextmanager
def unwritable(_: sqlite3.Connection) -> Iterator[None]:
    """The operating system refuses every write beyond the first bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only(connection: sqlite3.Connection) -> Iterator[None]:
    """SQLite refuses to write."""
    connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA query_only = OFF")


@pytest.mark.parametrize("trouble", [full, unwritable, read_only])
async def test_a_store_that_cannot_write_says_so_and_recovers(
    store: SqliteStore, bench: Bench, writing: sqlite3.Connection, trouble: Trouble, tmp_path: Path
) -> None:
    """Refused appends leave no hole, what was stored before can still be read, and the next one is stored."""
    claim = await bench.running(session="s")
    await bench.tokens(claim, "before")
    with trouble(writing):
        for _ in range(3):
            with pytest.raises(StoreUnavailable) as refused:
                await bench.tokens(claim, *["x" * 500_000] * 4)
            assert refused.value.retry_after
            assert str(tmp_path) not in refused.value.detail
        assert [event.seq for event in await bench.events(KEY)] == [1, 2, 3]
        assert (await bench.record(claim)).state.work.text == "before"
        if trouble is not full:  # a full file may still have room on a page that it has
            with pytest.raises(StoreUnavailable):
                await store.ping()
    await store.ping()
    receipt = await bench.tokens(claim, "after")
    assert receipt
    assert receipt.first == 4
    assert (await bench.record(claim)).state.work.text == "beforeafter"


async def test_many_who_meet_a_full_disk_all_hear_of_it(
    store: SqliteStore, bench: Bench, writing: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    claim = await bench.running(session="s")
    with full(writing):
        async with held_up(store, until=20):
            appends = [asyncio.create_task(bench.tokens(claim, "x" * 100_000)) for _ in range(20)]
        answers = await asyncio.gather(*appends, return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert caplog.text.count("the store could not commit") == 1, "one transaction, one line"
    assert [event.seq for event in await bench.events(KEY)] == [1, 2]
