"""A loop on which time passes only when everybody waits for it, and then at once: an hour takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

TRIFLE = 1e-9
"""Seconds by which a loop's timers may be early: whoever then looks at the clock must not find that it stood still."""


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; if nothing is, the time that it would have waited for it is over."""
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if timeout and not ready:
            self.now += timeout + TRIFLE
        return ready


class ClockLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._clock.now


def in_no_time(main: Coroutine[Any, Any, Result]) -> Result:
    """Run on such a loop. No thread may take part: nobody would wait for it."""
    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        return runner.run(main)
