"""Operations that a thread runs for callers who wait on the loop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

Operation = Callable[[sqlite3.Connection], Any]


class Order(Struct):
    """What to run, and who waits for the outcome."""

    run: Operation
    future: asyncio.Future[Any]


class Shared(Struct):
    """A part of what one operation does for several callers at once: it takes their parts, and returns all outcomes."""

    run: Callable[[sqlite3.Connection, list[Any]], list[Any]]
    part: Any
    future: asyncio.Future[Any]


def answer(orders: Iterable[Order | Shared], outcomes: Iterable[Any]) -> None:
    """Tell the callers what became of their orders; an exception is raised where they wait. On the loop only."""
    for order, outcome in zip(orders, outcomes, strict=True):
        if order.future.cancelled():
            continue
        if isinstance(outcome, Exception):
            order.future.set_exception(outcome)
        else:
            order.future.set_result(outcome)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Several statements see one moment; one that stands alone does so by itself."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")
