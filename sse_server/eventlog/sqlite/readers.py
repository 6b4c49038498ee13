"""The threads that read beside the writer, each with a connection of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeVar

from sse_server.errors import StoreUnavailable
from sse_server.eventlog.sqlite.orders import Order, answer
from sse_server.eventlog.sqlite.schema import connect

Result = TypeVar("Result")

THREADS: Final = 2
"""Enough that a long resume does not hold up a poll."""


class Readers:
    """A pool for nothing else: an executor's hand-over costs as much as a small read.

    `opened` gets their connections, for its owner to close behind `close`.
    """

    def __init__(self, path: Path, opened: list[sqlite3.Connection]) -> None:
        self._path = path
        self._opened = opened
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._threads = [Thread(target=self._run, name=f"sqlite-reader-{n}", daemon=True) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    async def do(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run an operation; one of several statements takes a `snapshot`, so that they see one moment."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._orders.put(Order(operation, future))
        return await future

    async def close(self) -> None:
        """Finish what was ordered before."""
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while order := self._orders.get():
            if order.future.cancelled():
                continue
            try:
                connection = connection or self._connect()
                outcome = order.run(connection)
            except sqlite3.Error as error:
                outcome = StoreUnavailable(f"the store can't be read: {error}", retry_after=1)
            except Exception as error:  # noqa: BLE001  (it is its caller's, who gets it)
                outcome = error
            self._loop.call_soon_threadsafe(answer, [order], [outcome])
            del order, outcome  # it may be a page, which nobody shall keep until the next one comes

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path)
        self._opened.append(connection)
        return connection
