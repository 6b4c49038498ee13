"""Brings what is emitted into the log: gathers from all sources at once, stores, then says who may go on.

While one batch is being stored the next one gathers: a store that takes a millisecond gets the events of a
millisecond, and a busy one gets larger batches instead of more of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Final, Protocol

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import EventLog, Receipt, Write

BATCH: Final = 500
"""Events that one source gets into one batch, so that a flood leaves room for others."""
RETRY: Final = (0.05, 0.2, 1.0)
"""Seconds between tries while the store can't write; the last one repeats. Nothing is dropped before the hub closes."""

logger = logging.getLogger(__name__)


class Source(Protocol):
    """Where events come from: a job's outbox."""

    def take(self, limit: int) -> Write | None:
        """The next events: `limit` of them, or all that there are; None when there are none."""

    def settle(self, write: Write, receipt: Receipt | None) -> None:
        """They are stored; or, without a receipt, the source has lost its lease."""


class Committer:
    """The one task that appends. `deliver` gets each batch as soon as it is stored."""

    def __init__(self, eventlog: EventLog, deliver: Callable[[Write, Receipt], None]) -> None:
        self._eventlog = eventlog
        self._deliver = deliver
        self._marked: dict[Source, None] = {}
        self._work = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._task = asyncio.create_task(self._run(), name="committer")

    def mark(self, source: Source) -> None:
        """The source has something; on the loop only."""
        if not self._marked:
            self._work.set()
        self._marked[source] = None

    async def close(self) -> None:
        """Store what was marked before, then stop."""
        self._closing = True
        self._work.set()
        if self._task:
            await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._marked or not self._closing:
            await self._work.wait()
            self._work.clear()
            sources, writes = self._gather()
            if writes:
                turn = loop.create_future()
                loop.call_soon(turn.set_result, None)
                receipts = await self._append(writes)
                for source, write, receipt in zip(sources, writes, receipts, strict=True):
                    if receipt:
                        self._deliver(write, receipt)
                    source.settle(write, receipt)
                # A store that never waits would let a flood have the loop for itself. One that did gets the next batch
                # now, before this one is written to its readers: both work at once.
                await turn

    def _gather(self) -> tuple[list[Source], list[Write]]:
        sources: list[Source] = []
        writes: list[Write] = []
        marked, self._marked = self._marked, {}
        for source in marked:
            if write := source.take(BATCH):
                sources.append(source)
                writes.append(write)
                if len(write.drafts) == BATCH:
                    self._marked[source] = None  # it may have more
        if self._marked:
            self._work.set()
        return sources, writes

    async def _append(self, writes: Sequence[Write]) -> list[Receipt | None]:
        for tries, delay in enumerate(chain(RETRY, repeat(RETRY[-1]))):
            try:
                return await self._eventlog.append(writes)
            except StoreUnavailable as error:
                if self._closing and tries >= len(RETRY):
                    logger.exception("the last events are not stored")
                    break
                logger.warning("events wait: %s", error.detail)
                await asyncio.sleep(delay)
            except Exception:
                # One of them is at fault, not the store: its neighbours must not stop with it.
                logger.exception("events can't be stored")
                return [None] if len(writes) == 1 else [(await self._append([write]))[0] for write in writes]
        return [None] * len(writes)
