"""The schema: a file of an earlier version is brought up whole, or stays as it was."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from msgspec import structs

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import LogKey, Retention
from sse_server.eventlog.sqlite import schema

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")

FIRST: Final = """
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL, epoch TEXT NOT NULL,
    last INTEGER NOT NULL DEFAULT 0, trimmed INTEGER NOT NULL DEFAULT 0, UNIQUE (user, name));
CREATE TABLE events (
    log INTEGER NOT NULL, seq INTEGER NOT NULL, job INTEGER NOT NULL, attempt INTEGER NOT NULL,
    type TEXT NOT NULL, time INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX events_in_order ON events (log, seq);
CREATE TABLE jobs (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, session TEXT NOT NULL, agent TEXT NOT NULL,
    log INTEGER NOT NULL, epoch TEXT NOT NULL, spec BLOB NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued', attempt INTEGER NOT NULL DEFAULT 1, first INTEGER NOT NULL DEFAULT 0,
    last INTEGER NOT NULL DEFAULT 0, attempt_seq INTEGER NOT NULL DEFAULT 0, started INTEGER, finished INTEGER,
    done BLOB, work BLOB, work_seq INTEGER NOT NULL DEFAULT 0, unfolded INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0, turn INTEGER NOT NULL DEFAULT 0, ready_at INTEGER NOT NULL DEFAULT 0,
    lease TEXT NOT NULL DEFAULT '', worker TEXT NOT NULL DEFAULT '', cancel INTEGER NOT NULL DEFAULT 0);
CREATE INDEX jobs_of_user ON jobs (user, id);
CREATE INDEX jobs_of_log ON jobs (log);
CREATE INDEX jobs_active ON jobs (user) WHERE finished IS NULL;
CREATE INDEX jobs_waiting ON jobs (turn, n) WHERE status = 'queued';
CREATE INDEX jobs_running ON jobs (worker) WHERE status = 'running';
CREATE INDEX jobs_ended ON jobs (finished) WHERE finished IS NOT NULL;
CREATE TABLE once (
    user TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, job TEXT NOT NULL,
    until INTEGER NOT NULL, PRIMARY KEY (user, route, key)) WITHOUT ROWID;
CREATE INDEX once_until ON once (until);
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
"""Version 1, as it was."""


SECOND: Final = """
ALTER TABLE events ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
CREATE TABLE published (
    n INTEGER PRIMARY KEY, log INTEGER NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL,
    expires INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX published_in_order ON published (log, seq);
CREATE INDEX published_expiring ON published (expires) WHERE expires > 0;
INSERT INTO published (log, seq, bytes) SELECT log, seq, length(body) FROM events WHERE job = 0 ORDER BY rowid;
ALTER TABLE logs ADD COLUMN evicted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN cleared TEXT NOT NULL DEFAULT '';
ALTER TABLE logs ADD COLUMN touched INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN jobs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN active INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN published INTEGER NOT NULL DEFAULT 0;
ALTER TABLE logs ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
CREATE VIEW sessions AS SELECT * FROM logs WHERE last > 0 OR jobs > 0;
CREATE INDEX jobs_of_user_waiting ON jobs (user, turn) WHERE status = 'queued';
CREATE INDEX logs_left ON logs (touched) WHERE active = 0 AND (jobs = 0 OR published > 0);
UPDATE logs SET
    touched = strftime('%s', 'now') * 1000000,
    jobs = (SELECT count(*) FROM jobs WHERE log = logs.id),
    active = (SELECT count(*) FROM jobs WHERE log = logs.id AND finished IS NULL),
    events = (SELECT count(*) FROM events WHERE log = logs.id),
    published = (SELECT count(*) FROM published WHERE log = logs.id),
    bytes = (SELECT coalesce(sum(bytes), 0) FROM published WHERE log = logs.id);
INSERT INTO meta SELECT 'published', coalesce(sum(bytes), 0) FROM logs;
PRAGMA user_version = 2;
"""
"""What made version 2 of it, as it was."""


def of_version(version: int, file: Path, now: Path | None = None) -> None:
    """A file of an earlier version, with what a file of this version holds."""
    connection = sqlite3.connect(file)
    steps = "".join((FIRST, SECOND)[:version])
    connection.executescript(f"PRAGMA journal_mode = WAL; {steps} PRAGMA application_id = {schema.APPLICATION};")
    if now:
        connection.execute("ATTACH ? AS now", (str(now),))
        connection.execute("DELETE FROM main.meta")
        for (table,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            true = f"current_{table}" if table in {"logs", "jobs"} else table  # earlier ones counted at once
            order = {"events": "ORDER BY rowid", "jobs": "ORDER BY n", "published": "ORDER BY n"}.get(table, "")
            connection.execute(f"INSERT INTO main.{table} SELECT {columns} FROM now.{true} {order}")
        if version == 1:
            connection.execute("DELETE FROM main.meta WHERE key = 'published'")
        connection.commit()
    connection.close()


def made_of(file: Path) -> tuple[int, set[str]]:
    """The file's version, and what stands in its schema."""
    connection = sqlite3.connect(file)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    sql = {row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    connection.close()
    return version, sql


@pytest.mark.parametrize("version", [1, 2])
async def test_a_file_of_an_earlier_version_is_brought_up_with_all_that_it_holds(
    version: int, tmp_path: Path, opened: Opened, bench_of: type[Bench]
) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    async with opened("sqlite", path=new) as store:
        bench = bench_of(store)
        await bench.publish(KEY, *"abcdef")
        claims = [await bench.ended(session="s"), await bench.running(session="s"), await bench.ended("bob")]
        await bench.publish(LogKey("eve", "s"), "only published")
        await bench.tokens(claims[1], *"so far")
        keys = [bench.key(claim.record.spec) for claim in claims] + [LogKey("eve", "s")]
        records = [await bench.record(claim) for claim in claims]
        before = [records, [await bench.events(key) for key in keys]]
        figures = [await bench.figures(key) for key in keys]
        sessions, secret = await store.sessions(0), await store.secret()
    of_version(version, old, new)
    limits = Retention(max_history=3, session_ttl=3600, history_warning=0, history_critical=0)
    for _ in range(2):
        async with opened("sqlite", path=old, retention=limits) as store:
            bench = bench_of(store)
            assert [
                [await bench.record(claim) for claim in claims],
                [await bench.events(key) for key in keys],
            ] == before
            assert (await store.sessions(0), await store.secret()) == (sessions, secret)
            for key, known in zip(keys, figures, strict=True):
                now = await bench.figures(key)
                assert now == structs.replace(known, touched=now.touched)
                assert abs(now.touched - known.touched) < 60_000_000, "nothing is old on the first day"
    async with opened("sqlite", path=old, retention=limits) as store:
        bench = bench_of(store)
        receipt = await bench.tokens(claims[1], "goes on")
        assert receipt
        assert receipt.first == records[1].state.last + 1
        await bench.publish(KEY, "g")
        head = await bench.head(KEY)
        assert (head.trimmed, head.evicted) == (4, 4), "its history has the limit that it has now"
        await store.trim()
        assert [event for event in await bench.events(KEY) if not event.job_id] == []
        assert (await store.sessions(9)).bytes == 0
    assert made_of(old) == made_of(new)


async def test_old_sessions_go_like_new_ones(tmp_path: Path, opened: Opened, bench_of: type[Bench]) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    async with opened("sqlite", path=new) as store:
        bench = bench_of(store)
        ended, active = await bench.ended("bob", "s"), await bench.running("eve", "s")
        for user in ("ann", "bob", "eve"):
            await bench.publish(LogKey(user, "s"), "a")
    of_version(1, old, new)
    async with opened("sqlite", path=old, retention=Retention(session_ttl=-60)) as store:
        bench = bench_of(store)
        await store.trim()
        assert await store.head(KEY) is None
        assert await bench.seqs(bench.key(ended.record.spec)) == [1, 2, 3]
        assert await bench.seqs(bench.key(active.record.spec)) == [1, 2, 3]


async def test_a_file_that_cannot_be_brought_up_stays_as_it_was(tmp_path: Path, opened: Opened) -> None:
    file = tmp_path / "store.db"
    of_version(1, file)
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE published (somebody, has, been, here)")
    before = made_of(file)
    with pytest.raises(StoreUnavailable, match="already exists"):
        async with opened("sqlite", path=file):
            pass
    assert made_of(file) == before
    connection.execute("DROP TABLE published")
    connection.close()
    async with opened("sqlite", path=file) as store:
        await store.ping()
    assert (await asyncio.to_thread(made_of, file))[0] == schema.VERSION == 3
