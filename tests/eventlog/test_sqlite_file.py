"""The SQLite file: one owner, one schema, and settings that survive a power cut."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sse_server.errors import StoreBusy, StoreUnavailable
from sse_server.eventlog import LogKey
from sse_server.eventlog.sqlite import SqliteStore, schema

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


async def refused(opened: Opened, file: Path) -> str:
    """Why the file can't be opened."""
    with pytest.raises(StoreUnavailable) as error:
        async with opened("sqlite", path=file):
            pass
    return error.value.detail


async def test_every_commit_reaches_the_disk(file: Path, opened: Opened, bench_of: type[Bench]) -> None:
    async with opened("sqlite", path=file) as store:
        await bench_of(store).publish(KEY, "a")
        await store.head(KEY)
        assert isinstance(store, SqliteStore)
        assert len(store._connections) >= 2, "the writer's and a reader's"
        for connection in store._connections:
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_what_was_stored_is_there_after_a_restart(file: Path, opened: Opened, bench_of: type[Bench]) -> None:
    async with opened("sqlite", path=file) as store:
        bench = bench_of(store)
        waiting = await bench.submit("bob")
        await bench.claim()
        running = await bench.running(session="s")
        await bench.tokens(running, "a")
        ended = await bench.ended(session="s")
        before = [await bench.record(claim) for claim in (running, ended)]
        events = await bench.events(KEY)
    async with opened("sqlite", path=file) as store:
        bench = bench_of(store)
        assert [await bench.record(claim) for claim in (running, ended)] == before
        assert await bench.events(KEY) == events
        assert await bench.tokens(running, "its lease is good as long as nobody took it over")
        assert (await store.load(waiting.record.spec.id)) is not None
    assert store.durable


async def test_nobody_else_reads_the_files(file: Path, opened: Opened, bench_of: type[Bench]) -> None:
    async with opened("sqlite", path=file) as store:
        await bench_of(store).publish(KEY, "a")
        modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.glob("*")}
    assert modes == dict.fromkeys(["store.db", "store.db-wal", "store.db-shm", "store.db.lock"], 0o600)


async def test_the_secret_outlives_a_restart_and_is_this_files_own(file: Path, opened: Opened) -> None:
    secrets = []
    for name in ("store.db", "store.db", "other.db"):
        async with opened("sqlite", path=file.with_name(name)) as store:
            secrets.append(await store.secret())
    assert secrets[0] == secrets[1] != secrets[2]


async def test_turns_outlive_a_restart(file: Path, opened: Opened, bench_of: type[Bench]) -> None:
    async with opened("sqlite", path=file) as store:
        bench = bench_of(store)
        for user in ("ann", "ann", "ann", "bob"):
            await bench.submit(user)
        assert (await bench.claim()).record.spec.user == "ann"
    async with opened("sqlite", path=file) as store:
        bench = bench_of(store)
        await bench.submit("eve")
        assert [(await bench.claim()).record.spec.user for _ in range(4)] == ["bob", "ann", "eve", "ann"]


async def test_a_second_store_on_the_file_is_refused_until_the_first_one_lets_go(file: Path, opened: Opened) -> None:
    async with opened("sqlite", path=file):
        with pytest.raises(StoreBusy):
            async with opened("sqlite", path=file):
                pass
    async with opened("sqlite", path=file):
        pass


async def test_another_name_for_the_file_is_the_same_file(file: Path, opened: Opened) -> None:
    link = file.with_name("link.db")
    link.symlink_to(file)
    async with opened("sqlite", path=file):
        for name in (link, file.parent / ".." / file.parent.name / file.name):
            with pytest.raises(StoreBusy):
                async with opened("sqlite", path=name):
                    pass


async def test_a_lock_that_a_dead_process_left_is_no_lock(file: Path, opened: Opened) -> None:
    file.with_name("store.db.lock").write_text("1\n")
    async with opened("sqlite", path=file):
        assert file.with_name("store.db.lock").read_text() != "1\n"


def stranger(file: Path, application: int, version: int) -> bytes:
    """Somebody else's database, and what it is made of."""
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE theirs (a)")
    connection.execute(f"PRAGMA application_id = {application}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    return file.read_bytes()


@pytest.mark.parametrize(
    ("application", "version", "said"),
    [
        (schema.APPLICATION, schema.VERSION + 1, f"schema {schema.VERSION + 1}"),
        (schema.APPLICATION, 0, "schema 0"),
        (schema.APPLICATION, -1, "schema -1"),
        (0, 0, "another program"),
        (0, schema.VERSION, "another program"),
        (5, schema.VERSION, "another program"),
    ],
)
async def test_a_file_of_another_schema_is_refused_and_left_as_it_is(
    file: Path, opened: Opened, application: int, version: int, said: str
) -> None:
    """Another server's, or no server's at all, whatever its number."""
    before = stranger(file, application, version)
    assert said in await refused(opened, file)
    assert await asyncio.to_thread(file.read_bytes) == before
    assert [path.name for path in sorted(file.parent.glob("*"))] == ["store.db", "store.db.lock"]


async def test_a_refused_file_can_be_opened_once_it_is_mended(file: Path, opened: Opened) -> None:
    """A failed start lets go of what it held."""
    await asyncio.to_thread(file.write_bytes, b"not a database, but long enough to look like one" * 100)
    assert "not a database" in await refused(opened, file)
    await asyncio.to_thread(file.unlink)
    async with opened("sqlite", path=file) as store:
        await store.ping()


async def test_a_start_that_was_killed_before_its_tables_is_begun_again(file: Path, opened: Opened) -> None:
    schema.connect(file).close()
    async with opened("sqlite", path=file) as store:
        await store.ping()


async def test_a_place_where_no_file_can_be_is_unavailable(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "file").touch()
    for place in (tmp_path / "folder.db", tmp_path / "file" / "store.db"):
        assert "can't open the store" in await refused(opened, place)


async def test_its_folder_is_made(tmp_path: Path, opened: Opened) -> None:
    async with opened("sqlite", path=tmp_path / "new" / "folder" / "store.db") as store:
        await store.ping()


async def test_a_closed_store_says_so_and_keeps_nobody_waiting(
    file: Path, opened: Opened, bench_of: type[Bench]
) -> None:
    async with opened("sqlite", path=file) as store:
        pass
    for late in (bench_of(store).publish(KEY, "a"), store.read(KEY, 0, 1), store.claim("worker", 1.0), store.ping()):
        with pytest.raises(StoreUnavailable, match="closed"):
            await late
    await store.close()


async def test_a_store_that_was_never_opened_can_be_closed(file: Path) -> None:
    await SqliteStore(file).close()
