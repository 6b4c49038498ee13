"""One attempt at a job: runs the agent, stops it when it must, and writes how it ended."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

import msgspec

from sse_server.agents import Agent, Job, Outbox, Provider
from sse_server.config import Emission
from sse_server.errors import AgentUnknown, InvalidInput, JobCancelled
from sse_server.eventlog import Claim, LogKey, Receipt, Write
from sse_server.hub import Hub
from sse_server.runner import body
from sse_server.runner.outcome import CANCELLED, INTERRUPTED, TIMED_OUT, Outcome, backoff, failed, succeeded

StopReason = Literal["cancelled", "timeout", "interrupted", "lost"]

logger = logging.getLogger(__name__)


class Attempt:
    """The hub takes its events from here (`take`, `settle`).

    `concluded` is set once the job has its `done`, or its next attempt; `stopped` once the agent's code runs no more.
    """

    def __init__(
        self, claim: Claim, hub: Hub, *, grace: float, durable: bool, cadence: Emission, llm: Provider | None
    ) -> None:
        self.spec = claim.record.spec
        self.number = claim.record.state.attempt
        self.key = LogKey(self.spec.user, self.spec.session)
        self.concluded = asyncio.Event()
        self.stopped = asyncio.Event()
        self.unresponsive = False
        self._lease = claim.lease
        self._from_seq = claim.record.state.attempt_seq
        self._hub = hub
        self._grace = grace
        self._durable = durable
        self._delay = 0.0
        self._stop: asyncio.Future[StopReason] = asyncio.get_running_loop().create_future()
        self._outbox = Outbox(lambda: hub.mark(self))
        self._job = Job(
            id=self.spec.id,
            session_id=self.spec.session,
            attempt=self.number,
            outbox=self._outbox,
            cadence=cadence,
            llm=llm,
        )

    def take(self, limit: int) -> Write | None:
        """The hub's next batch."""
        drafts = self._outbox.take(limit)
        return Write(self.key, drafts, self.spec.id, self._lease, self._delay) if drafts else None

    def settle(self, write: Write, receipt: Receipt | None) -> None:
        """It is stored, or the job is no longer ours."""
        if receipt:
            self._outbox.settle()
        else:
            self._outbox.discard()
            self.stop("lost")

    def stop(self, why: StopReason) -> None:
        """Ask the agent to stop: its next emit raises, its next `await` is cancelled. The first reason counts."""
        if not self._stop.done():
            self._stop.set_result(why)
        self._outbox.close("the job was cancelled" if why == "cancelled" else f"the job is over: {why}")

    async def run(self, agent: Agent | None) -> float | None:
        """From the claim to the job's end (None), or to its next attempt (seconds until it may begin)."""
        outcome = await self._perform(agent)
        again = await self._conclude(outcome, agent)
        self.concluded.set()
        return again

    async def _perform(self, agent: Agent | None) -> Outcome:
        if agent is None or self._stop.done():
            self.stopped.set()
            return CANCELLED if agent else failed(AgentUnknown("The server no longer has this agent."))
        try:
            value = agent.read_input(self.spec.input)
        except InvalidInput as error:
            self.stopped.set()
            return failed(error)
        work = body.start(agent, value, self._job)
        work.add_done_callback(self._ended)
        await asyncio.wait([work, self._stop], timeout=self.spec.timeout, return_when=asyncio.FIRST_COMPLETED)
        if work.done() and not self._stop.done():
            return self._outcome_of(work, agent)
        if not self._stop.done():
            self.stop("timeout")
        return await self._stopping(work, self._stop.result())

    async def _stopping(self, work: asyncio.Future[Any], why: StopReason) -> Outcome:
        if isinstance(work, asyncio.Task):
            work.cancel()
        await asyncio.wait([work], timeout=self._grace)
        if not work.done():
            self.unresponsive = True
            logger.warning("an agent does not stop", extra={"job_id": self.spec.id, "agent": self.spec.agent})
        outcome = {"cancelled": CANCELLED, "timeout": TIMED_OUT}.get(why, INTERRUPTED)
        # An agent that still runs must not meet its own next attempt.
        return msgspec.structs.replace(outcome, retry=outcome.retry and not self.unresponsive)

    def _outcome_of(self, work: asyncio.Future[Any], agent: Agent) -> Outcome:
        if work.cancelled():
            return failed(JobCancelled("the agent cancelled itself"))
        error = work.exception()
        if error is None:
            try:
                return succeeded(agent.write_result(work.result()))
            except Exception as invalid:
                error = invalid
        logger.error("an agent failed", exc_info=error, extra={"job_id": self.spec.id, "agent": self.spec.agent})
        return failed(error)

    async def _conclude(self, outcome: Outcome, agent: Agent | None) -> float | None:
        """`done` or the next attempt, behind all that was emitted."""
        interrupted = outcome.finish_reason == "interrupted"
        retries = agent.retries if agent and (self._durable or not interrupted) else 0
        if not outcome.retry or self.number > retries or agent is None:
            self._outbox.finish(outcome.done(self.number))
            await self._outbox.flushed()
            return None
        self._delay = 0.0 if interrupted else backoff(agent.backoff, self.number)
        self._outbox.finish(outcome.reset(self.number, self._from_seq))
        await self._outbox.flushed()
        return self._delay

    def _ended(self, work: asyncio.Future[Any]) -> None:
        if not work.cancelled():
            work.exception()  # seen: what an agent raises after its end is nobody's news
        self.stopped.set()
