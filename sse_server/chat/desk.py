"""One SQLite connection and the thread that works on it, one piece of work after another: the loop never waits."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from sse_server.errors import StoreUnavailable

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]

CHECK: Final = 1000
"""Steps of SQLite's after which it asks whether anybody still waits."""


class _Turn:
    """One piece of work; `unwanted` once nobody waits for it any more."""

    unwanted = False


class Desk:
    """`connect` is called in the thread, and makes the connection in autocommit."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._turn = _Turn()
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Raises what `connect` raises."""
        await asyncio.wrap_future(self._thread.submit(self._open))

    async def close(self) -> None:
        """Finish what was asked for before."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._connection:
            self._connection.close()
            self._connection = None

    async def write(self, work: Work[Result]) -> Result:
        """Run in the thread, in one transaction.

        Cancelling it interrupts what SQLite is doing, and nothing is written. Raises `StoreUnavailable`.
        """
        return await self._run(lambda connection: self._in_transaction(connection, work))

    async def read(self, work: Work[Result]) -> Result:
        """Run in the thread. Cancelling it interrupts what SQLite is doing. Raises `StoreUnavailable`."""
        return await self._run(work)

    async def _run(self, work: Work[Result]) -> Result:
        turn = _Turn()

        def run() -> Result:
            if self._connection is None:
                raise sqlite3.ProgrammingError("it is closed")
            self._turn = turn
            return work(self._connection)

        try:
            return await asyncio.wrap_future(self._thread.submit(run))
        except asyncio.CancelledError:
            turn.unwanted = True
            raise
        except (sqlite3.Error, RuntimeError) as error:
            raise StoreUnavailable(f"the chat's file can't be used: {error}", retry_after=1) from None

    def _in_transaction(self, connection: sqlite3.Connection, work: Work[Result]) -> Result:
        try:
            connection.execute("BEGIN")
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._turn = _Turn()  # so that nothing interrupts this
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _open(self) -> None:
        self._connection = self._connect()
        self._connection.set_progress_handler(lambda: self._turn.unwanted, CHECK)
