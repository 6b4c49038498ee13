"""The crowd: all readers of one process, from the first to the last. It cuts lines, and tells the news each second."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from time import time
from typing import Final

from loadtest.address import Address
from loadtest.clock import Clock
from loadtest.door import Door
from loadtest.lag import Lag
from loadtest.plan import Plan
from loadtest.reader import Reader
from loadtest.tally import Gauge, Tally, Tick
from loadtest.tokens import Tokens
from loadtest.trip import Place

AFTER_FAILURE: Final = 1.0
"""Seconds until a stream that was refused for good is begun again."""
GUESSES: Final = 20
"""Readers that are looked at to find one whose line can be cut."""


class Crowd:
    """The streams `number`, `number + of`, … of a plan. `tell` gets a `Tick` each second, the last one with `over`."""

    def __init__(self, plan: Plan, number: int, of: int, tell: Callable[[Tick], None]) -> None:
        self._plan = plan
        self._number = number
        self._of = of
        self._tell = tell
        self._address = Address(plan.url, plan.headers, plan.ca)
        self._tokens = Tokens(plan)
        self._tally = Tally()
        self._gauge = Gauge()
        self._clock = Clock(same=plan.clock == "same" or (plan.clock == "auto" and self._address.is_loopback))
        self._readers: list[Reader] = []
        self._closing = asyncio.Event()
        self._hurry = asyncio.Event()
        self._began = 0.0

    def stop(self) -> None:
        """End early: begin nothing more, and wait for nothing."""
        self._closing.set()
        self._hurry.set()

    async def run(self, began: float) -> None:
        """Read until all is read, or time is over. Seconds count from `began` (Unix time), in every process alike.

        Raises OSError where the server's name is unknown.
        """
        self._began = began
        self._address.look_up()
        lag = Lag(self._tally)
        streams = [self._task(self._stream(number)) for number in range(self._number, self._plan.streams, self._of)]
        aside = [self._task(self._tick(lag)), self._task(self._sweep())]
        if self._plan.cut_rate:
            aside.append(self._task(self._cut()))
        if self._plan.duration:
            aside.append(self._task(self._close_in_time()))
        hurried = self._task(self._hurried())
        await asyncio.wait([self._task(self._all(streams)), hurried], return_when=asyncio.FIRST_COMPLETED)
        for task in [*aside, hurried, *streams]:
            task.cancel()
        results = await asyncio.gather(*streams, *aside, return_exceptions=True)
        lag.stop()
        self._say(lag, over=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    # ---------------------------------------------------------------- streams

    async def _stream(self, number: int) -> None:
        """One job after the other, as long as there is time; each read by as many readers as the plan says."""
        readers = [self._reader(number * self._plan.readers + place) for place in range(self._plan.readers)]
        await self._until(number / self._plan.streams * self._plan.ramp)
        while True:
            went_well = await (self._alone(readers[0]) if len(readers) == 1 else self._together(number, readers))
            if self._closing.is_set() or not self._plan.duration:
                break
            if not went_well:
                await asyncio.sleep(AFTER_FAILURE)
        for reader in readers:
            reader.line.close()

    async def _all(self, streams: list[asyncio.Task[None]]) -> None:
        await asyncio.wait(streams)

    async def _hurried(self) -> None:
        await self._hurry.wait()

    async def _alone(self, reader: Reader) -> bool:
        return await reader.visit() != "broken"

    async def _together(self, number: int, readers: list[Reader]) -> bool:
        place = await readers[0].start()
        if place is None:
            return False
        first = number * len(readers)
        visits = [self._visit(reader, first + nth, place) for nth, reader in enumerate(readers)]
        return "broken" not in await asyncio.gather(*visits)

    async def _visit(self, reader: Reader, ordinal: int, place: Place) -> str:
        await self._until(ordinal / self._plan.asked_at_once * self._plan.ramp)
        return await reader.visit(place)

    def _reader(self, ordinal: int) -> Reader:
        slow, stream = self._plan.is_slow(ordinal), ordinal // self._plan.readers
        door = Door(self._plan, self._address, self._tokens, self._tally, stream, slow=slow)
        reader = Reader(self._plan, door, self._tally, self._gauge, self._clock, ordinal=ordinal)
        self._readers.append(reader)
        return reader

    # ---------------------------------------------------------------- time

    async def _tick(self, lag: Lag) -> None:
        second = 0
        while True:
            second += 1
            await self._until(second)
            self._say(lag)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for reader in self._readers:
                reader.look_after(time())

    async def _cut(self) -> None:
        """Break the line of anybody who reads, so many times a second over the whole run."""
        pause = self._of / self._plan.cut_rate
        while True:
            await asyncio.sleep(random.expovariate(1 / pause))
            for reader in random.choices(self._readers, k=GUESSES):  # noqa: S311
                if reader.watching and reader.line.waits:
                    self._tally.counts.cuts += 1
                    reader.line.cut("cut")
                    break

    async def _close_in_time(self) -> None:
        await self._until(self._plan.duration)
        self._closing.set()
        await asyncio.sleep(self._plan.linger)
        self._hurry.set()

    async def _until(self, second: float) -> None:
        """Sleep until this second of the run."""
        await asyncio.sleep(max(0.0, self._began + second - time()))

    def _say(self, lag: Lag, *, over: bool = False) -> None:
        lag.note(self._tally.counts)
        second = max(0, round(time() - self._began) - 1)
        now_open, peak = self._gauge.drain()
        counts, times, named = self._tally.drain()
        self._tell(Tick(self._number, second, now_open, peak, counts, times, named, self._clock.bounds, over))

    def _task(self, body: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return asyncio.create_task(body)
