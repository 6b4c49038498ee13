"""Many rows by few statements: each step of one gives the interpreter's lock away, and has to win it back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

MOST: Final = 32
"""Rows of one statement."""


def for_rows(connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Run a statement in whose `{rows}` stand rows of values; what it returns for all of them.

    So many rows at once as a power of two has: there are few statements then, and they stay prepared.
    """
    found, start = [], 0
    while left := len(rows) - start:
        size = 1 << min(left, MOST).bit_length() - 1
        values = list(chain.from_iterable(rows[start : start + size]))
        found += connection.execute(_with_rows(statement, size, len(values) // size), values).fetchall()
        start += size
    return found


@cache
def _with_rows(statement: str, size: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.replace("{rows}", ", ".join([row] * size))
