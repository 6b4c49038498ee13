"""The same publisher for every server: so many events a second, in turn to each target, in bursts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle

TEXT = "four"
"""What an event says: a frame of ours then has as many bytes as the prebuilt one, 200."""
TICK = 0.005
"""Seconds that it rests at least: a wake-up for each event would cost both servers more than the event does."""


async def publish(emits: Sequence[Callable[[], None]], count: int, rate: float, burst: int = 1) -> None:
    """Call the emits in turn, `burst` times each, until `count` events are out; `rate` is in events a second."""
    clock = asyncio.get_running_loop().time
    began, sent = clock(), 0
    turn = cycle(emits)
    while sent < count:
        due = min(count, int((clock() - began) * rate) + 1)
        while sent < due:
            emit = next(turn)
            for _ in range(burst):
                emit()
            sent += burst
        await asyncio.sleep(max(TICK, began + sent / rate - clock()))
