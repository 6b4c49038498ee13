"""Rates: how often a user may do something in a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from sse_server.errors import RateLimited

if TYPE_CHECKING:
    from sse_server.auth.windows import Minute


class Rate:
    """Counts what each user does; `amount` a minute are allowed (0: any number). `clock` is monotonic.

    `verb` says what is counted, for whoever has to wait: "start jobs".
    """

    def __init__(self, amount: int, verb: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._amount = amount
        self._clock = clock
        self._verb = verb

    def take(self, user: str) -> None:
        """Count one. Raises `RateLimited`, which does not count, with the seconds until the next is free."""
        if not self._amount or self._minute.take(user):
            return
        raise RateLimited(
            f"you may {self._verb} {self._amount} times a minute",
            retry_after=max(self._minute.free_at(user) - self._clock(), 1.0),
        )

    @cached_property
    def _minute(self) -> Minute:
        from sse_server.auth.windows import Minute  # noqa: PLC0415  (no start shall wait for its library)

        return Minute(self._amount, self._clock)
