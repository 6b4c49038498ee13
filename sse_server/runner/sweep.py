"""The sweep: jobs whose worker died, leases to be renewed, and what may not stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sse_server.agents import Registry
from sse_server.config import Jobs
from sse_server.errors import StoreUnavailable
from sse_server.eventlog import Claim, Store
from sse_server.events import Draft
from sse_server.hub import Hub
from sse_server.runner.clerk import Clerk
from sse_server.runner.outcome import CANCELLED, INTERRUPTED

logger = logging.getLogger(__name__)


class Sweep:
    """`wake` is called when jobs may wait that nobody has been told of."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        clerk: Clerk,
        registry: Registry,
        rules: Jobs,
        *,
        worker: str,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._hub = hub
        self._clerk = clerk
        self._registry = registry
        self._rules = rules
        self._worker = worker
        self._wake = wake

    async def run(self) -> None:
        """Sweep for ever: leases in time, the rest every `sweep_interval`."""
        loop = asyncio.get_running_loop()
        trimmed = loop.time()
        while True:
            await asyncio.sleep(min(self._rules.lease / 3, self._rules.sweep_interval))
            try:
                await self._store.renew(self._worker, self._rules.lease)
                await self.reclaim()
                if loop.time() - trimmed >= self._rules.sweep_interval:
                    trimmed = loop.time()
                    await self.trim()
            except StoreUnavailable as error:
                logger.error("the sweep waits: %s", error.detail)  # noqa: TRY400  (its traceback says no more)
            except Exception:
                logger.exception("a sweep failed")
            self._wake()  # for the job whose next attempt came due by a clock that was set back, or before a restart

    async def reclaim(self) -> None:
        """Jobs whose worker died: another attempt where the agent allows it, else their `done`."""
        claims = await self._store.reclaim(self._worker, self._rules.lease)
        if claims:
            await self._clerk.write([(claim.record, claim.lease, self._verdict(claim)) for claim in claims])
            self._wake()

    async def trim(self) -> None:
        """Remove what may not stay; whoever still reads a job that went has nothing to wait for."""
        for key, job_id in await self._store.trim(self._hub.watched):
            if key in self._hub.watched:
                self._hub.erased(key, job_id)

    def _verdict(self, claim: Claim) -> Draft:
        record = claim.record
        number, name = record.state.attempt, record.spec.agent
        if record.cancel_requested:
            return CANCELLED.done(number)
        if name in self._registry and number <= self._registry.get(name).retries:
            return INTERRUPTED.reset(number, record.state.attempt_seq)
        return INTERRUPTED.done(number)
