"""The one thread that writes: whatever waits when it turns up becomes one transaction (group commit)."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sse_server.errors import ServerError, StoreUnavailable
from sse_server.eventlog.sqlite.orders import Operation, Order, Shared, answer

Part = TypeVar("Part")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Writer:
    """Runs operations in the order of their coming. Each checks first and writes then: a refusal leaves no trace.

    `undone` is called in the writer's thread when a transaction is rolled back, whatever was written in it.
    """

    def __init__(self, connection: sqlite3.Connection, *, interval: float, undone: Callable[[], None]) -> None:
        self._connection = connection
        self._undone = undone
        self._interval = interval
        self._orders: SimpleQueue[Order | Shared | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def do(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run an operation; what it wrote is on the disk when this returns. It takes place even if the caller goes."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._orders.put(Order(operation, future))
        return await future

    async def share(
        self, operation: Callable[[sqlite3.Connection, list[Part]], list[Result | ServerError]], part: Part
    ) -> Result:
        """The same of an operation that does the parts of all callers at once, where they come together."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._orders.put(Shared(operation, part, future))
        return await future

    async def close(self) -> None:
        """Finish what was ordered before."""
        self._orders.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        latest = 0.0
        open_ = True
        while open_:
            orders = [self._orders.get()]
            if (wait := latest + self._interval - time.monotonic()) > 0:
                time.sleep(wait)
            while not self._orders.empty():
                orders.append(self._orders.get())
            open_ = None not in orders
            latest = time.monotonic()
            due = [order for order in orders if order]
            if due:
                outcomes = self._commit(due)
                self._loop.call_soon_threadsafe(answer, due, outcomes)

    def _commit(self, orders: list[Order | Shared]) -> list[Any]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = _outcomes(orders, connection)
            connection.execute("COMMIT")
        except Exception as error:
            self._undone()
            with suppress(sqlite3.Error):  # the thread lives on, and tries again the next time
                connection.execute("ROLLBACK")
            if len(orders) > 1 and not isinstance(error, sqlite3.OperationalError):
                # One of them is at fault, not the disk: its neighbours must not fail with it.
                return [outcome for order in orders for outcome in self._commit([order])]
            logger.exception("the store could not commit")
            return [_failure(error) for _ in orders]
        return outcomes


def _outcomes(orders: list[Order | Shared], connection: sqlite3.Connection) -> list[Any]:
    """In the order of their coming: of those that share an operation, only neighbours are done together."""
    outcomes: list[Any] = []
    for operation, together in groupby(orders, lambda order: order.run if isinstance(order, Shared) else None):
        if operation:
            outcomes += operation(connection, [order.part for order in together if isinstance(order, Shared)])
        else:
            outcomes += [_attempt(order.run, connection) for order in together if isinstance(order, Order)]
    return outcomes


def _attempt(run: Operation, connection: sqlite3.Connection) -> Any:
    """The result, or the refusal as a value: one client's bad request must not fail its neighbours."""
    try:
        return run(connection)
    except ServerError as refusal:
        return refusal


def _failure(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        return StoreUnavailable(f"the store can't write: {error}", retry_after=1)
    return error
