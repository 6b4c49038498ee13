"""The default store: one SQLite file, one writing thread with group commit, and threads of their own for readers."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import (
    Claim,
    Figures,
    Head,
    IdempotencyKey,
    JobFilter,
    Listener,
    LogKey,
    Page,
    Receipt,
    Record,
    Retention,
    Sessions,
    Submitted,
    Write,
)
from sse_server.eventlog.history import is_too_much
from sse_server.eventlog.order import now
from sse_server.eventlog.sqlite import admission, events, pages, published, queue, schema, sessions
from sse_server.eventlog.sqlite.holders import Holders
from sse_server.eventlog.sqlite.logs import find_log
from sse_server.eventlog.sqlite.published import BATCH
from sse_server.eventlog.sqlite.readers import Readers
from sse_server.eventlog.sqlite.writer import Writer
from sse_server.jobs import JobSpec

Result = TypeVar("Result")


class SqliteStore:
    """Implements `Store`. `commit_interval` is the least time between two commits, in seconds."""

    durable = True

    def __init__(self, path: Path, *, commit_interval: float = 0.002, retention: Retention | None = None) -> None:
        self._path = path
        self._interval = commit_interval
        self._retention = retention or Retention()
        self._lock = schema.FileLock(path)
        self._connections: list[sqlite3.Connection] = []
        self._holders = Holders()
        self._submit = partial(admission.submit, retention=self._retention, holders=self._holders)
        self._writer: Writer | None = None
        self._readers: Readers | None = None

    async def open(self, listener: Listener) -> None:
        """One process owns the file, so the listener never hears anything."""
        try:
            await asyncio.to_thread(self._open)
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(f"can't open the store {self._path.name}: {error}") from None
        self._writer = Writer(self._connections[0], interval=self._interval, undone=self._holders.lose)
        self._readers = Readers(self._path, self._connections)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        try:
            self._path.touch(0o600)  # nobody else reads what users gave us, nor the secret
            self._connections.append(schema.connect(self._path))
            schema.prepare(self._connections[0])
        except BaseException:
            self._let_go()
            raise

    async def close(self) -> None:
        writer, readers, self._writer, self._readers = self._writer, self._readers, None, None
        if writer and readers:
            await writer.close()
            await readers.close()
        self._let_go()
        self._holders.lose()

    def _let_go(self) -> None:
        while self._connections:
            self._connections.pop().close()
        self._lock.release()

    async def secret(self) -> bytes:
        return await self._write(_secret)

    async def ping(self) -> None:
        await self._write(_touch)

    async def append(self, writes: Sequence[Write]) -> list[Receipt | None]:
        return await self._write(
            partial(events.append, writes=writes, retention=self._retention, holders=self._holders)
        )

    async def read(
        self,
        key: LogKey,
        after: int,
        limit: int,
        *,
        job_id: str | None = None,
        types: Iterable[str] | None = None,
    ) -> Page:
        return await self._read(partial(pages.read, key=key, after=after, limit=limit, job_id=job_id, types=types))

    async def head(self, key: LogKey) -> Head | None:
        return await self._read(partial(_head, key=key))

    async def submit(
        self,
        spec: JobSpec,
        *,
        room: int,
        per_user: int,
        once: IdempotencyKey | None = None,
        worker: str = "",
        lease_for: float = 0.0,
    ) -> Submitted:
        if self._writer is None:
            raise StoreUnavailable("the store is closed", retry_after=1)
        key = LogKey(spec.user, spec.session)
        return await self._writer.share(self._submit, admission.Start(key, spec, room, per_user, once, worker))

    async def claim(self, worker: str, lease_for: float, most: int = 1) -> list[Claim]:
        claim = partial(queue.claim, worker=worker, most=most)
        return await self._write(partial(claim, retention=self._retention, holders=self._holders))

    async def renew(self, worker: str, lease_for: float) -> None:
        """One process owns the file: its leases last as long as it does."""

    async def reclaim(self, worker: str, lease_for: float) -> list[Claim]:
        return await self._write(partial(queue.reclaim, worker=worker, holders=self._holders))

    async def load(self, job_id: str, *, work: bool = False) -> Record | None:
        return await self._read(partial(queue.load_with_work if work else queue.load, job_id=job_id))

    async def jobs(self, which: JobFilter) -> list[Record]:
        return await self._read(partial(queue.jobs, which=which))

    async def request_cancel(self, job_id: str) -> None:
        await self._write(partial(_request_cancel, job_id=job_id))

    async def erase(self, job_id: str) -> None:
        await self._write(partial(queue.erase, job_id=job_id))

    async def trim(self, read: Collection[LogKey] = ()) -> list[tuple[LogKey, str]]:
        """Each step is cut into transactions, so that nobody has to wait for a large clean-up."""
        at, retention, read = now(), self._retention, frozenset(read)
        keys = list(read)
        for n in range(0, len(keys), BATCH):
            await self._write(partial(sessions.touch, keys=keys[n : n + BATCH], at=at))
        await self._while(partial(published.expire, at=at))
        if is_too_much(await self._read(published.total_bytes), retention):
            await self._while(partial(published.thin_out, down_to=retention.history_warning, at=at))
        await self._while(partial(sessions.forget, before=at - int(retention.session_ttl * 1e6), at=at))
        gone: list[tuple[LogKey, str]] = []
        while batch := await self._write(partial(queue.trim, retention=retention, read=read)):
            gone += batch
        return gone

    async def _while(self, more: Callable[[sqlite3.Connection], bool]) -> None:
        while await self._write(more):
            pass

    async def figures(self, key: LogKey) -> Figures | None:
        return await self._read(partial(sessions.figures, key=key))

    async def sessions(self, limit: int) -> Sessions:
        return await self._read(partial(sessions.everybody, limit=limit))

    async def clear(self, key: LogKey) -> None:
        await self._write(partial(sessions.clear, key=key))

    async def queued(self) -> list[Record]:
        return await self._read(queue.queued_jobs)

    async def _write(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run in the writer's thread; what it wrote is on the disk when this returns."""
        if self._writer is None:
            raise StoreUnavailable("the store is closed", retry_after=1)
        return await self._writer.do(operation)

    async def _read(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run in a reader's thread."""
        if self._readers is None:
            raise StoreUnavailable("the store is closed", retry_after=1)
        return await self._readers.do(operation)


def _head(connection: sqlite3.Connection, key: LogKey) -> Head | None:
    known = find_log(connection, key)
    return known[1] if known else None


def _touch(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('ping', 1)")


def _secret(connection: sqlite3.Connection) -> bytes:
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (os.urandom(32),))
    secret: bytes = connection.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()[0]
    return secret


def _request_cancel(connection: sqlite3.Connection, job_id: str) -> None:
    connection.execute("UPDATE jobs SET cancel = 1 WHERE id = ?", (job_id,))
