"""The life of jobs: submit, run, retry, cancel, time out, drain.

aiojobs runs the attempts; whether there is room is decided before, here: its `spawn` would wait where a full server
has to say no. `done` is written by the attempt's runner, never by the agent's coroutine, which may never be entered.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from functools import partial
from typing import Any, Final, Literal

from aiojobs import Scheduler
from msgspec import Struct

from sse_server.agents import Registry
from sse_server.config import Jobs
from sse_server.errors import Draining, QueueFull, StoreUnavailable
from sse_server.eventlog import IdempotencyKey, Record, Store, Submitted, Write
from sse_server.hub import Hub
from sse_server.jobs import JobSpec
from sse_server.runner.attempt import Attempt
from sse_server.runner.clerk import Clerk, key_of
from sse_server.runner.means import Means
from sse_server.runner.outcome import CANCELLED, INTERRUPTED
from sse_server.runner.presence import Presence
from sse_server.runner.slots import Slots
from sse_server.runner.sweep import Sweep

LAST_WORDS: Final = 1.0
"""Seconds that the store gets at the end of a drain to take what became of the jobs."""
PAUSE: Final = 1.0
"""Seconds until a store that failed is asked again."""

logger = logging.getLogger(__name__)


class Cancellation(Struct, frozen=True):
    """How far a cancellation is. `stopped`: the agent's code runs no more; `ms` since it was asked for."""

    state: Literal["requested", "stopped", "unresponsive"]
    ms: int


class Runner:
    """`per_user` bounds the active jobs of one user, `retry` (seconds) is what streams are told to wait."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        registry: Registry,
        rules: Jobs,
        means: Means,
        *,
        per_user: int,
        retry: float,
    ) -> None:
        worker = f"{os.getpid()}-{os.urandom(4).hex()}"
        self.registry = registry
        self.draining = False
        self.presence = Presence(self._abandoned, retry=retry)
        self._store = store
        self._hub = hub
        self._rules = rules
        self._per_user = per_user
        self._clerk = Clerk(store, hub, self.presence)
        self._slots = Slots(store, hub, self._clerk, registry, rules, means=means, worker=worker)
        self._sweep = Sweep(store, hub, self._clerk, registry, rules, worker=worker, wake=self._slots.wake)
        self._hurry = asyncio.Event()
        self._scheduler: Scheduler
        self._loops: list[asyncio.Task[None]] = []
        self._starts: set[asyncio.Task[Submitted]] = set()
        self._abandoning: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Sweep what an earlier process left running, then begin to take jobs."""
        self._scheduler = Scheduler(limit=None, close_timeout=self._rules.cancel_grace)
        self._hub.audience = self.presence
        await self._sweep.reclaim()
        for record in await self._store.queued():
            self.presence.guard(record.spec)
        self._loops = [
            asyncio.create_task(self._slots.fill(self._scheduler), name="slots"),
            asyncio.create_task(self._sweep.run(), name="sweep"),
        ]
        self._slots.wake()

    async def submit(self, spec: JobSpec, once: IdempotencyKey | None = None) -> Submitted:
        """Queue a job.

        Raises `AgentUnknown`, `InvalidInput`, `QueueFull`, `TooManyJobs`, `Draining`, and `IdempotencyMismatch`.
        """
        if self.draining:
            raise Draining("the server is about to stop; try again soon", retry_after=5)
        self.registry.get(spec.agent).read_input(spec.input)
        start = asyncio.create_task(self._queue(spec, once))
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)
        # Shielded: who goes away meanwhile must not leave a job behind that nobody here has heard of.
        return await self._scheduler.shield(start)

    async def cancel(self, record: Record, *, wait: float = 0.0) -> Cancellation:
        """Ask a job to stop, and wait up to `wait` seconds until it has, or is unresponsive.

        An ended job stays as it is.
        """
        since = time.monotonic()
        attempt = await self._scheduler.shield(self._stop(record))
        if attempt and wait:
            await asyncio.wait([attempt.concluded], timeout=wait)
        state = _state(attempt) if attempt else await self._state_elsewhere(record.spec.id)
        return Cancellation(state, round((time.monotonic() - since) * 1000))

    async def drain(self, within: float) -> None:
        """Take nothing new, and end what runs within so many seconds; requeue what may be retried.

        Jobs run on until `jobs.cancel_grace` before that; an agent that then does not stop is left behind.
        """
        self.draining = True
        await self._started()
        async with self._slots.claiming:  # what is claimed just now is an attempt afterwards, like the others
            for task in self._loops:
                task.cancel()
        attempts = list(self._slots.attempts.values())
        concluded: asyncio.Future[Any] = asyncio.gather(*(attempt.concluded for attempt in attempts))
        grace = min(self._rules.cancel_grace, within)
        hurry: asyncio.Future[Any] = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait([concluded, hurry], timeout=within - grace, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for attempt in attempts:
            attempt.stop("interrupted")
        await asyncio.wait([concluded], timeout=grace)
        for attempt in attempts:
            attempt.fence()
        await asyncio.wait([concluded], timeout=LAST_WORDS)
        if not self._store.durable:
            for record in await self._store.queued():
                await self._clerk.end(record.spec.id, INTERRUPTED)
        await self._scheduler.close()

    @property
    def running(self) -> int:
        """Attempts that run in this process."""
        return len(self._slots.attempts)

    def hurry(self) -> None:
        """Cut the drain short: what still runs is interrupted now."""
        self._hurry.set()

    def work_arrived(self) -> None:
        """Another process queued a job."""
        self._slots.wake()

    def cancel_here(self, job_id: str) -> None:
        """Another process was asked to stop a job that may run here."""
        if attempt := self._slots.attempts.get(job_id):
            attempt.stop("cancelled")

    async def _queue(self, spec: JobSpec, once: IdempotencyKey | None) -> Submitted:
        worker = self._slots.hold()
        try:
            submitted = await self._admit(spec, once, worker)
            if submitted.receipt:
                self._hub.stored(Write(key_of(submitted.record), submitted.drafts, spec.id), submitted.receipt)
                if submitted.claim:
                    await self._slots.begin(submitted.claim, self._scheduler)
                else:
                    self.presence.guard(spec)
                    self._slots.wake()
            return submitted
        finally:
            self._slots.let_go(worker)

    async def _admit(self, spec: JobSpec, once: IdempotencyKey | None, worker: str) -> Submitted:
        """The store counts who waits. A job on its way from there to its slot may seem to be in both, or in neither."""
        slots, room = self._slots, self._rules.queue_size + bool(worker)
        submit = partial(self._store.submit, spec, per_user=self._per_user, once=once)
        reserved = slots.reserved
        try:
            return await submit(room=room + slots.free - reserved, worker=worker, lease_for=self._rules.lease)
        except QueueFull:
            if not reserved:
                raise
        async with slots.claiming:
            return await submit(room=room + slots.free, worker=worker, lease_for=self._rules.lease)

    async def _stop(self, record: Record) -> Attempt | None:
        """The attempt that has to stop before the job is cancelled; None: it waited, or had ended, or is not here."""
        job_id = record.spec.id
        if not record.state.done:
            await self._store.request_cancel(job_id)
            await self._started()
            async with self._slots.claiming:  # so that it stays where it is: with an attempt, or in the queue
                attempt = self._slots.attempts.get(job_id)
                if attempt and not attempt.concluded.done():
                    attempt.stop("cancelled")
                else:
                    await self._clerk.end(job_id, CANCELLED)
        return self._slots.attempts.get(job_id)

    async def _started(self) -> None:
        """Until each job that is just being submitted is where it stays: with an attempt, or in the queue."""
        if self._starts:
            await asyncio.wait(self._starts)

    async def _state_elsewhere(self, job_id: str) -> Literal["requested", "stopped"]:
        record = await self._store.load(job_id)
        return "stopped" if record is None or record.state.done else "requested"

    def _abandoned(self, job_id: str) -> None:
        """Nobody has watched that job for as long as it asked."""
        if not self.draining:
            task = asyncio.create_task(self._cancel_abandoned(job_id))
            self._abandoning.add(task)
            task.add_done_callback(self._abandoning.discard)

    async def _cancel_abandoned(self, job_id: str) -> None:
        try:
            if record := await self._store.load(job_id):
                logger.info("nobody watches any more", extra={"job_id": job_id})
                await self.cancel(record)
        except StoreUnavailable:
            asyncio.get_running_loop().call_later(PAUSE, self._abandoned, job_id)


def _state(attempt: Attempt) -> Literal["requested", "stopped", "unresponsive"]:
    if attempt.stopped.is_set():
        return "stopped"
    return "unresponsive" if attempt.unresponsive else "requested"
