"""What a worker sees of itself: how late its own loop is, and whether it got the core that it wanted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import process_time
from typing import Final

from loadtest.tally import Counts, Tally

EVERY: Final = 0.01
"""Seconds between two looks at the loop."""
SCHEDULER: Final = Path("/proc/self/schedstat")
"""Linux: nanoseconds that the process ran, and that it waited for a core."""


class Lag:
    """Records into the tally's `lag` until `stop` is called; `note` adds what was used since the last note."""

    def __init__(self, tally: Tally) -> None:
        self._loop = asyncio.get_running_loop()
        self._lag = tally.times["lag"]
        self._cpu, self._waited, self._at = process_time(), _waited(), self._loop.time()
        self._timer = self._loop.call_later(EVERY, self._look, self._at + EVERY)

    def note(self, counts: Counts) -> None:
        cpu, waited, now = process_time(), _waited(), self._loop.time()
        counts.cpu += cpu - self._cpu
        counts.waited += waited - self._waited
        counts.wall += now - self._at
        self._cpu, self._waited, self._at = cpu, waited, now

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self, due: float) -> None:
        now = self._loop.time()
        late = now - due
        while late > EVERY:  # the looks that this one kept from happening were late too
            self._lag.record(late)
            late -= EVERY
        self._lag.record(late)
        self._timer = self._loop.call_later(EVERY, self._look, now + EVERY)


def _waited() -> float:
    try:
        return int(SCHEDULER.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
