"""One attempt at a job: runs the agent, stops it when it must, and writes how it ended."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any, Final, Literal

import msgspec

from sse_server.agents import Agent, Outbox
from sse_server.errors import AgentUnknown, JobFailed
from sse_server.eventlog import Claim, LogKey, Receipt, Write
from sse_server.hub import Hub
from sse_server.runner import body
from sse_server.runner.means import Means
from sse_server.runner.outcome import CANCELLED, INTERRUPTED, TIMED_OUT, Outcome, backoff, failed, succeeded

StopReason = Literal["cancelled", "timeout", "interrupted", "lost"]

ENDS: Final[dict[StopReason, Outcome]] = {
    "cancelled": CANCELLED,
    "timeout": TIMED_OUT,
    "interrupted": INTERRUPTED,
    "lost": INTERRUPTED,
}

logger = logging.getLogger(__name__)


class Attempt:
    """The hub takes its events from here (`take`, `settle`).

    `concluded` is set once the job has its `done` or waits for its next attempt, `stopped` once the agent's code runs
    no more; `cancelled` is True once somebody wants the job to end.
    """

    __slots__ = (
        *("_delay", "_durable", "_fence", "_from_seq", "_grace", "_job", "_lease", "_outbox", "_over", "_work"),
        *("cancelled", "concluded", "key", "number", "spec", "stopped", "unresponsive"),
    )

    def __init__(self, claim: Claim, hub: Hub, means: Means, *, grace: float, durable: bool) -> None:
        loop = asyncio.get_running_loop()
        self.spec = claim.record.spec
        self.number = claim.record.state.attempt
        self.key = LogKey(self.spec.user, self.spec.session)
        self.concluded: asyncio.Future[None] = loop.create_future()
        self.stopped = asyncio.Event()
        self.unresponsive = False
        self.cancelled = False
        self._lease = claim.lease
        self._from_seq = claim.record.state.attempt_seq
        self._grace = grace
        self._durable = durable
        self._delay = 0.0
        self._work: asyncio.Future[Any] | None = None
        self._over: asyncio.Future[StopReason | None] = loop.create_future()
        self._fence: asyncio.Future[None] = loop.create_future()
        self._outbox = Outbox(partial(hub.mark, self))
        self._job = means.job(self.spec, self.number, self._outbox)

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
        """Ask the agent to stop: its next emit raises, its next `await` is cancelled.

        The first reason counts; one that comes after the agent has returned changes nothing about how that went.
        """
        self.cancelled = self.cancelled or why == "cancelled"
        if not self._over.done() and not (self._work and self._work.done()):
            self._over.set_result(why)
            self._outbox.close("the job was cancelled" if why == "cancelled" else f"the job is over: {why}")

    def fence(self) -> None:
        """Wait no longer for an agent that was asked to stop."""
        if not self._fence.done():
            self._fence.set_result(None)

    def conclude(self) -> None:
        """Nothing more is to be written by it. Its outbox lets go of it: a circle would be left to the collector."""
        if not self.concluded.done():
            self._outbox.retire()
            self.concluded.set_result(None)

    async def run(self, agent: Agent | None) -> float | None:
        """From the claim to the job's end (None), or to its next attempt (seconds until it may begin)."""
        try:
            self._start(agent)
        except Exception as error:  # noqa: BLE001  (whatever happens, a job ends with its `done`)
            self.stopped.set()
            return await self._conclude(self._failed(error), agent)
        return await self._conclude(await self._watch(agent), agent)

    def _start(self, agent: Agent | None) -> None:
        if self._over.done():
            self.stopped.set()
            return
        if agent is None:
            raise AgentUnknown("The server no longer has this agent.")
        self._work = body.start(agent, agent.read_input(self.spec.input), self._job)
        self._work.add_done_callback(self._ended)

    async def _watch(self, agent: Agent | None) -> Outcome:
        work = self._work
        why = await self._ending()
        if work and agent:
            if why is None:
                return self._outcome_of(work, agent)
            await self._stopping(work)
        assert why is not None, "only an agent that has begun can return"
        # An agent that still runs must not meet its own next attempt; only the end of this process ends it for certain.
        retry = ENDS[why].retry and (why == "interrupted" or not self.unresponsive)
        return msgspec.structs.replace(ENDS[why], retry=retry)

    async def _ending(self) -> StopReason | None:
        """Why the agent has to stop; None: it has returned, or raised."""
        timer = asyncio.get_running_loop().call_later(self.spec.timeout, self.stop, "timeout")
        try:
            return await self._over
        finally:
            timer.cancel()

    async def _stopping(self, work: asyncio.Future[Any]) -> None:
        if isinstance(work, asyncio.Task):
            work.cancel()
        await asyncio.wait([work, self._fence], timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            self.unresponsive = True
            logger.warning("an agent does not stop", extra={"job_id": self.spec.id, "agent": self.spec.agent})

    def _outcome_of(self, work: asyncio.Future[Any], agent: Agent) -> Outcome:
        try:
            return succeeded(agent.write_result(work.result()))
        except BaseException as error:  # noqa: BLE001  (nothing is awaited here: it is all the agent's)
            return self._failed(error)

    def _failed(self, error: BaseException) -> Outcome:
        """The whole story goes to the server's log, unless the agent itself has put it into words for its user."""
        fields = {"job_id": self.spec.id, "agent": self.spec.agent, "attempt": self.number}
        if isinstance(error, JobFailed):
            logger.info("an agent gave up", extra=fields)
        else:
            logger.error("an agent failed", exc_info=error, extra=fields)
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
        if not self._over.done():
            self._over.set_result(None)
