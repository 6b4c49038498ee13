"""The attempts that run in this process: claims jobs while a slot is free, and sees each attempt to its end."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiojobs import Scheduler

from sse_server.agents import Registry
from sse_server.config import Jobs
from sse_server.eventlog import Claim, Store, Write
from sse_server.hub import Hub
from sse_server.runner.attempt import Attempt
from sse_server.runner.clerk import Clerk, key_of
from sse_server.runner.means import Means
from sse_server.runner.outcome import CANCELLED

CLAIMS: Final = 16
"""Jobs that are claimed at once."""
PAUSE: Final = 1.0
"""Seconds until a store that failed is asked again."""

logger = logging.getLogger(__name__)


class Slots:
    """An attempt keeps its slot until its agent's code runs no more, also where its job has ended before."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clerk: Clerk,
        registry: Registry,
        rules: Jobs,
        *,
        means: Means,
        worker: str,
    ) -> None:
        self.attempts: dict[str, Attempt] = {}
        self.claiming = asyncio.Lock()
        """Held while claims are under way: what is claimed is an attempt as soon as it is free again."""
        self.reserved = 0
        """Slots that those claims may fill."""
        self._store = store
        self._hub = hub
        self._clerk = clerk
        self._registry = registry
        self._rules = rules
        self._means = means
        self._worker = worker
        self._work = asyncio.Event()
        self._some_wait = False
        self._held = 0

    @property
    def free(self) -> int:
        """Slots that no attempt has, and that are held for none."""
        return max(0, self._rules.concurrency - len(self.attempts) - self._held)

    def hold(self) -> str:
        """Hold a slot for a job that is just being submitted: whose claim it may be; "" where no slot is free."""
        if self.free <= self.reserved:
            return ""
        self._held += 1
        return self._worker

    def let_go(self, worker: str) -> None:
        """Hold it no longer: the job has begun in it, or waits, or was refused."""
        if worker:
            self._held -= 1
            self._wake_if_some_wait()

    def wake(self) -> None:
        """Look for work: a job waits."""
        self._some_wait = True
        self._work.set()

    async def fill(self, scheduler: Scheduler) -> None:
        """Claim jobs while there is room for them, for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            while wanted := min(self.free, CLAIMS):
                self._some_wait = False
                if await self._claim(wanted, scheduler) < wanted:
                    break
                self._some_wait = True

    async def _claim(self, wanted: int, scheduler: Scheduler) -> int:
        """Up to so many jobs, asked for at once; how many came."""
        async with self.claiming:
            self.reserved = wanted
            try:
                claims = await self._store.claim(self._worker, self._rules.lease, wanted)
            except Exception:
                logger.exception("no job could be claimed")
                asyncio.get_running_loop().call_later(PAUSE, self.wake)
                claims = []
            for claim in claims:
                await self.begin(claim, scheduler)
            self.reserved = 0
        return len(claims)

    async def begin(self, claim: Claim, scheduler: Scheduler) -> None:
        """Run an attempt at a claimed job."""
        spec = claim.record.spec
        if claim.receipt and claim.draft:
            self._hub.stored(Write(key_of(claim.record), [claim.draft], spec.id, claim.lease), claim.receipt)
        attempt = Attempt(claim, self._hub, self._means, grace=self._rules.cancel_grace, durable=self._store.durable)
        self.attempts[spec.id] = attempt
        self._clerk.presence.guard(spec)
        if claim.record.cancel_requested:
            attempt.stop("cancelled")
        await scheduler.spawn(self._run(attempt))

    async def _run(self, attempt: Attempt) -> None:
        spec = attempt.spec
        try:
            again = await attempt.run(self._registry.get(spec.agent) if spec.agent in self._registry else None)
            if again is None:
                self._clerk.presence.release(spec)
            elif attempt.cancelled:
                await self._clerk.end(spec.id, CANCELLED)  # wanted just when it made room for its next attempt
            else:
                asyncio.get_running_loop().call_later(again, self.wake)
            attempt.conclude()
            await attempt.stopped.wait()
        finally:
            attempt.conclude()
            if self.attempts.get(spec.id) is attempt:
                del self.attempts[spec.id]
            self._wake_if_some_wait()

    def _wake_if_some_wait(self) -> None:
        """A slot is free: there may be jobs that were left waiting for one."""
        if self._some_wait:
            self._work.set()
