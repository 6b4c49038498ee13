"""A reader: starts a job, follows it to its end, and comes back after whatever happens to the line."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from time import time
from typing import Final

import msgspec
from msgspec import Raw

from loadtest.answers import Page, Started, envelope
from loadtest.clock import Clock
from loadtest.door import Door
from loadtest.plan import Plan
from loadtest.tally import Gauge, Tally
from loadtest.trip import Fate, Place, Trip
from loadtest.trouble import BY_DESIGN, NO_ERROR, OF_SLOWNESS, Trouble

PAUSE: Final = 1.0
"""Seconds before the next try where nobody says."""
LONGEST_PAUSE: Final = 30.0
PROVEN: Final = 1.0
"""Seconds after which a stream that is open works; one that only tells to come back ends sooner."""
CLOSES: Final = 3
"""Seconds that the server gets to end a stream after `done`."""
UNCLOSED: Final = "unclosed"
EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"


class Reader:
    """One of the crowd. `watching` is whether a stream is open for it, or it polls."""

    def __init__(self, plan: Plan, door: Door, tally: Tally, gauge: Gauge, clock: Clock, *, ordinal: int) -> None:
        self.line = door.line
        self.way = plan.way(ordinal)
        self.watching = False
        self._trip: Trip | None = None
        self._overdue = 0
        self._leads = ordinal % plan.readers == 0
        self._slow = plan.is_slow(ordinal)
        self._plan = plan
        self._door = door
        self._tally = tally
        self._counts = tally.counts
        self._gauge = gauge
        self._clock = clock
        self._body = msgspec.json.encode({"agent": plan.agent, "input": Raw(plan.input.encode())})

    async def visit(self, place: Place | None = None) -> Fate:
        """Follow a job to its end: one that was started, or a new one. Says how that went."""
        trip = self._trip = Trip(self._tally, self._clock, place, slow=self._slow)
        self._counts.begun += 1
        fate: Fate = "unfinished"
        try:
            await self._follow(trip)
            fate = "whole"
        except Trouble:
            fate = "broken"
        except asyncio.CancelledError:
            if trip.place and self._leads:
                await self._door.call_off(trip.place.cancel)
            raise
        finally:
            self._watch(on=False)
            trip.end(fate)
        return fate

    def look_after(self, now: float) -> None:
        """Break a line that is dead, or that the server does not close though all was said. Called once a second."""
        silence = self._plan.silence + (self._plan.poll_wait if self.way == "poll" else 0.0)
        ended = self._trip is not None and self._trip.is_over()
        self._overdue = self._overdue + 1 if ended and self.line.waits else 0
        if self._overdue > CLOSES:
            self.line.cut(UNCLOSED)
        elif self.line.waits and self.line.heard + silence < now:
            self.line.cut("silent")

    async def start(self) -> Place | None:
        """Start a job for many readers; None where that fails for good."""
        trip = Trip(self._tally, self._clock, None, slow=False)
        with suppress(Trouble):
            await self._follow(trip, only_start=True)
        return trip.place

    async def _follow(self, trip: Trip, *, only_start: bool = False) -> None:
        """Take one step after the other; what goes wrong on the way is tried again, up to a point."""
        works_since = time()
        while not (trip.is_over() or (only_start and trip.place)):
            seen = trip.events
            try:
                await self._step(trip, only_start=only_start)
                works_since = time()
            except Trouble as trouble:
                if trip.is_over():
                    if trouble.code == UNCLOSED:
                        self._tally.name("errors", UNCLOSED)
                    return
                now = time()
                if trip.events > seen or self._worked(trouble, trip):
                    works_since = now
                self._count(trouble)
                if trouble.final or now - works_since > self._plan.give_up:
                    raise
                await asyncio.sleep(self._pause(trouble, trip))

    def _worked(self, trouble: Trouble, trip: Trip) -> bool:
        """Whether all was well until now, also where no event was due."""
        return trouble.code in BY_DESIGN or (self.watching and time() - trip.sent > PROVEN)

    async def _step(self, trip: Trip, *, only_start: bool) -> None:
        if trip.place is None:
            await self._start(trip, stream=self.way == "sse" and not only_start)
        elif self.way == "poll":
            await self._poll(trip, trip.place)
        else:
            await self._attach(trip, trip.place)

    # ---------------------------------------------------------------- steps

    async def _start(self, trip: Trip, *, stream: bool) -> None:
        """Start a job, under one key however often that is tried; a stream begins in the answer."""
        self._counts.starts += 1
        trip.asks()
        trip.asked = trip.asked or trip.sent
        headers = {"Idempotency-Key": trip.key, "Accept": EVENT_STREAM if stream else JSON}
        head = await self._door.ask("POST", "/api/jobs", headers, self._body, trip.frames.feed)
        if head.streams:
            trip.place = Place.at(head.headers.get("content-location", ""), trip.asked)
            await self._watch_stream(trip)
        else:
            links = (await self._door.decoded(Started)).links
            trip.place = Place(links.stream, links.events, trip.asked)

    async def _attach(self, trip: Trip, place: Place) -> None:
        if not place.stream:
            raise Trouble("no_location", final=True)
        self._counts.attaches += 1
        trip.asks()
        cursor = trip.frames.cursor
        headers = {"Accept": EVENT_STREAM} | ({"Last-Event-ID": cursor} if cursor else {})
        head = await self._door.ask("GET", place.stream, headers, take=trip.frames.feed)
        if head.status == 204:
            trip.missed_the_end()
            raise Trouble("nothing_more", final=True)
        if not head.streams:
            raise Trouble("no_stream", final=True)
        await self._watch_stream(trip)

    async def _poll(self, trip: Trip, place: Place) -> None:
        self._counts.polls += 1
        if not self.watching:  # between two polls a reader is there all the same
            trip.asks()
        target = f"{place.page}?after={trip.next}&limit=500&wait={self._plan.poll_wait:g}"
        await self._door.ask("GET", target, {"Accept": JSON})
        page = await self._door.decoded(Page)
        self._watch(on=True)
        if page.gap:
            self._counts.gaps += 1
        now = time()
        for event in page.events:
            trip.saw(*envelope(event), now, bytes(event))
        trip.next = page.next
        if page.done and not trip.is_over():
            trip.missed_the_end()
            raise Trouble("nothing_more", final=True)
        if not page.events and not self._plan.poll_wait:
            await asyncio.sleep(page.poll_after_ms / 1000)

    async def _watch_stream(self, trip: Trip) -> None:
        self._watch(on=True)
        await self._door.streamed()
        trip.end_of_stream()
        self._watch(on=False)

    # ---------------------------------------------------------------- account

    def _watch(self, *, on: bool) -> None:
        if on != self.watching:
            self.watching = on
            if on:
                self._gauge.up()
            else:
                self._gauge.down()

    def _count(self, trouble: Trouble) -> None:
        self._watch(on=False)
        code = trouble.code
        by_design = code in BY_DESIGN or (self._slow and code in OF_SLOWNESS)
        if not (by_design or code in NO_ERROR):
            self._tally.name("errors", code)
        if not trouble.final:
            self._tally.name("reconnects", code)
            self._counts.retries += not by_design

    def _pause(self, trouble: Trouble, trip: Trip) -> float:
        """Seconds until the next try: what the server asks for, spread a little."""
        if trouble.pause is not None:
            return min(trouble.pause, LONGEST_PAUSE)
        asked = PAUSE if trip.frames.retry is None else trip.frames.retry
        pause = self._plan.pause if self._plan.pause >= 0 else asked
        return min(pause, LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311  (spread, no secret)
