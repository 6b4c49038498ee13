"""The life of jobs: submit, run, retry, cancel, time out, drain, sweep.

aiojobs runs the attempts; whether there is room is decided before, here: its `spawn` would wait where a full server
has to say no. `done` is written by the attempt's runner, never by the agent's coroutine, which may never be entered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from typing import Literal

from aiojobs import Scheduler
from msgspec import Struct

from sse_server.agents import Provider, Registry
from sse_server.config import Emission, Jobs
from sse_server.errors import Draining, StoreUnavailable
from sse_server.eventlog import Claim, IdempotencyKey, LogKey, Record, Store, Submitted, Write
from sse_server.events import Draft
from sse_server.hub import Hub
from sse_server.jobs import JobSpec
from sse_server.runner.attempt import Attempt
from sse_server.runner.outcome import CANCELLED, INTERRUPTED, Outcome
from sse_server.runner.presence import Presence

CLAIMS = 16
"""Jobs that are claimed at once: one group commit takes them all."""

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
        *,
        per_user: int,
        retry: float,
        cadence: Emission,
        llm: Provider | None = None,
    ) -> None:
        self.registry = registry
        self.draining = False
        self.presence = Presence(self._abandoned, retry=retry)
        self._store = store
        self._hub = hub
        self._rules = rules
        self._per_user = per_user
        self._cadence = cadence
        self._llm = llm
        self._worker = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._attempts: dict[str, Attempt] = {}
        self._claiming = asyncio.Lock()
        self._work = asyncio.Event()
        self._scheduler: Scheduler
        self._loops: list[asyncio.Task[None]] = []
        self._abandoning: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Sweep what an earlier process left running, then begin to take jobs."""
        self._scheduler = Scheduler(limit=None, pending_limit=0, close_timeout=self._rules.cancel_grace)
        self._hub.audience = self.presence
        await self._sweep()
        self._loops = [
            asyncio.create_task(self._fill(), name="runner"),
            asyncio.create_task(self._keep(), name="sweeper"),
        ]
        self._work.set()

    async def submit(self, spec: JobSpec, once: IdempotencyKey | None = None) -> Submitted:
        """Queue a job. Raises `AgentUnknown`, `InvalidInput`, `QueueFull`, `TooManyJobs`, `Draining`, and
        `IdempotencyMismatch`.
        """
        if self.draining:
            raise Draining("the server is about to stop; try again soon", retry_after=5)
        self.registry.get(spec.agent).read_input(spec.input)
        room = self._rules.queue_size + self._free
        submitted = await self._store.submit(spec, room=room, per_user=self._per_user, once=once)
        if submitted.receipt and submitted.draft:
            self._hub.stored(Write(_key(spec), [submitted.draft], spec.id), submitted.receipt)
            self.presence.guard(spec)
            self._work.set()
        return submitted

    async def cancel(self, record: Record, *, wait: float = 0.0) -> Cancellation:
        """Ask a job to stop, and wait up to `wait` seconds until it has really stopped. An ended job stays as it is."""
        since, spec = time.monotonic(), record.spec
        attempt = None
        if not record.state.done:
            await self._store.request_cancel(spec.id)
            if await self._end(record, "", CANCELLED):
                return Cancellation("stopped", _ms(since))
            async with self._claiming:  # a claim that is under way is an attempt afterwards
                attempt = self._attempts.get(spec.id)
            if attempt:
                attempt.stop("cancelled")
        attempt = attempt or self._attempts.get(spec.id)
        if attempt and wait:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(attempt.concluded.wait(), wait)
        return Cancellation(_state(record, attempt), _ms(since))

    async def drain(self, timeout: float) -> None:
        """Take nothing new, give running jobs `timeout` seconds, then interrupt them; requeue what may be retried."""
        self.draining = True
        for loop in self._loops:
            loop.cancel()
        running = [asyncio.ensure_future(a.concluded.wait()) for a in self._attempts.values()]
        if running and timeout:
            await asyncio.wait(running, timeout=timeout)
        for attempt in self._attempts.values():
            attempt.stop("interrupted")
        if running:
            await asyncio.wait(running)
        if not self._store.durable:
            for record in await self._store.queued():
                await self._end(record, "", INTERRUPTED)
        await self._scheduler.close()

    def work_arrived(self) -> None:
        """Another process queued a job."""
        self._work.set()

    def cancel_here(self, job_id: str) -> None:
        """Another process was asked to stop a job that may run here."""
        if attempt := self._attempts.get(job_id):
            attempt.stop("cancelled")

    @property
    def _free(self) -> int:
        return max(0, self._rules.concurrency - len(self._attempts))

    async def _fill(self) -> None:
        """Claim jobs while there is room for them."""
        while True:
            await self._work.wait()
            self._work.clear()
            wanted = min(1, self._free)
            while wanted:
                async with self._claiming:
                    claims = await self._claim(wanted)
                    for claim in claims:
                        await self._begin(claim)
                if len(claims) < wanted:
                    break
                wanted = min(self._free, CLAIMS)

    async def _claim(self, wanted: int) -> list[Claim]:
        """Up to so many jobs; asked for at once, so that one commit takes them all."""
        claiming = (self._store.claim(self._worker, self._rules.lease) for _ in range(wanted))
        return [claim for claim in await asyncio.gather(*claiming) if claim]

    async def _begin(self, claim: Claim) -> None:
        spec = claim.record.spec
        if claim.receipt and claim.draft:
            self._hub.stored(Write(_key(spec), [claim.draft], spec.id, claim.lease), claim.receipt)
        attempt = Attempt(
            claim,
            self._hub,
            grace=self._rules.cancel_grace,
            durable=self._store.durable,
            cadence=self._cadence,
            llm=self._llm,
        )
        self._attempts[spec.id] = attempt
        self.presence.guard(spec)
        if claim.record.cancel_requested:
            attempt.stop("cancelled")
        await self._scheduler.spawn(self._run(attempt))

    async def _run(self, attempt: Attempt) -> None:
        """An attempt keeps its slot until its agent's code runs no more, also where its job has ended before."""
        spec = attempt.spec
        try:
            agent = self.registry.get(spec.agent) if spec.agent in self.registry else None
            again = await attempt.run(agent)
            if again is None:
                self.presence.release(spec)
            else:
                asyncio.get_running_loop().call_later(again, self._work.set)
            await attempt.stopped.wait()
        finally:
            if self._attempts.get(spec.id) is attempt:
                del self._attempts[spec.id]
            self._work.set()

    async def _keep(self) -> None:
        """Renew the leases, look for jobs whose worker died, and let go of what may not stay."""
        trimmed = time.monotonic()
        while True:
            await asyncio.sleep(min(self._rules.lease / 3, self._rules.sweep_interval))
            try:
                await self._store.renew(self._worker, self._rules.lease)
                await self._sweep()
                if time.monotonic() - trimmed >= self._rules.sweep_interval:
                    trimmed = time.monotonic()
                    await self._store.trim()
            except StoreUnavailable as error:
                logger.error("the sweep waits: %s", error.detail)

    async def _sweep(self) -> None:
        """Jobs whose worker died: another attempt where the agent allows it, else their `done`."""
        for claim in await self._store.reclaim(self._worker, self._rules.lease):
            record, spec = claim.record, claim.record.spec
            number = record.state.attempt
            agent = self.registry.get(spec.agent) if spec.agent in self.registry else None
            if record.cancel_requested:
                await self._end(record, claim.lease, CANCELLED)
            elif agent and number <= agent.retries:
                draft = INTERRUPTED.reset(number, record.state.attempt_seq)
                await self._write(record, claim.lease, draft)
                self._work.set()
            else:
                await self._end(record, claim.lease, INTERRUPTED)

    async def _end(self, record: Record, lease: str, outcome: Outcome) -> bool:
        """Write the `done` of a job that no attempt of this process runs; False when the job is another's."""
        ended = await self._write(record, lease, outcome.done(record.state.attempt))
        if ended:
            self.presence.release(record.spec)
        return ended

    async def _write(self, record: Record, lease: str, draft: Draft) -> bool:
        write = Write(_key(record.spec), [draft], record.spec.id, lease)
        (receipt,) = await self._store.append([write])
        if receipt:
            self._hub.stored(write, receipt)
        return receipt is not None

    def _abandoned(self, job_id: str) -> None:
        """Nobody has watched that job for as long as it asked."""
        if not self.draining:
            task = asyncio.ensure_future(self._cancel_abandoned(job_id))
            self._abandoning.add(task)
            task.add_done_callback(self._abandoning.discard)

    async def _cancel_abandoned(self, job_id: str) -> None:
        if record := await self._store.load(job_id):
            logger.info("nobody watches any more", extra={"job_id": job_id})
            await self.cancel(record)


def _key(spec: JobSpec) -> LogKey:
    return LogKey(spec.user, spec.session)


def _ms(since: float) -> int:
    return round((time.monotonic() - since) * 1000)


def _state(record: Record, attempt: Attempt | None) -> Literal["requested", "stopped", "unresponsive"]:
    if attempt is None:
        # Ended long ago; or it runs in another process, which is told through the store.
        return "stopped" if record.state.done else "requested"
    if attempt.stopped.is_set():
        return "stopped"
    return "unresponsive" if attempt.unresponsive else "requested"
