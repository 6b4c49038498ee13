"""Words that nobody can guess, from a stock: to ask the system for one gives the interpreter's lock away."""

from __future__ import annotations

import os
from typing import Final

DIGITS: Final = 16
"""Hexadecimal digits of a word: 64 random bits."""
STOCK: Final = 256
"""Words that are made at once."""

_stock: list[str] = []
os.register_at_fork(after_in_child=_stock.clear)  # or both processes would use the same words


def new_word() -> str:
    """A fresh one; from any thread, since a list's ends are atomic."""
    try:
        return _stock.pop()
    except IndexError:
        digits = os.urandom(STOCK * DIGITS // 2).hex()
        first, *others = [digits[n : n + DIGITS] for n in range(0, len(digits), DIGITS)]
        _stock.extend(others)
        return first
