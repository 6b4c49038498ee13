"""Who watches: jobs that end once nobody does, by a clock that only waiting moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sse_server import Job, agent
from sse_server.eventlog import LogKey
from sse_server.hub import Ending
from sse_server.jobs import CancelAfter, JobSpec, OnDisconnect
from tests.agents.clock import in_no_time
from tests.runner.conftest import Works, works

RETRY = 3.0
RETURN = RETRY + 30.0


@agent("waits")
async def waits(_: Any, __: Job) -> str:
    await asyncio.sleep(1000)
    return "unwatched"


class Audience:
    """Those who watch one job: on its own stream, or (`session`) on its session's."""

    def __init__(self, bench: Works, spec: JobSpec) -> None:
        self.bench = bench
        self.spec = spec
        self.presence = bench.runner.presence
        self._key = LogKey(spec.user, spec.session)

    def came(self, *, session: bool = False) -> None:
        self.presence.came(self._key, None if session else self.spec.id)

    def left(self, ending: Ending = "gone", *, session: bool = False) -> None:
        self.presence.left(self._key, None if session else self.spec.id, ending)

    async def poll(self, seconds: float, *, session: bool = False) -> None:
        with self.presence.polling(self._key, None if session else self.spec.id):
            await asyncio.sleep(seconds)


def watched(
    policy: OnDisconnect, story: Callable[[Audience], Awaitable[None]], *, queued: bool = False
) -> float | None:
    """When a job of that policy was cancelled, in seconds since its start; None: it ran to its end."""

    async def main() -> float | None:
        async with works(waits, concurrency=1) as bench:
            if queued:
                await bench.submit("waits", timeout=10_000)
            spec = await bench.submit("waits", session="s", on_disconnect=policy, timeout=10_000)
            await story(Audience(bench, spec))
            done = (await bench.ended(spec))[-1]
            took = asyncio.get_running_loop().time()
            assert not bench.runner.presence._guards, "a guard stayed behind"
            return round(took, 3) if done["status"] == "cancelled" else None

    return in_no_time(main())


async def nobody(_: Audience) -> None:
    """Nobody ever watches."""


async def came_and_left(audience: Audience) -> None:
    await asyncio.sleep(10)
    audience.came()
    await asyncio.sleep(10)
    audience.left()


def test_a_job_that_continues_needs_nobody() -> None:
    assert watched("continue", nobody) is None
    assert watched("continue", came_and_left) is None


def test_cancel_waits_for_the_first_stream_and_then_for_the_last_to_go() -> None:
    async def two(audience: Audience) -> None:
        audience.came()
        audience.came()
        await asyncio.sleep(5)
        audience.left()
        await asyncio.sleep(5)
        audience.left()

    assert watched("cancel", nobody) is None
    assert watched("cancel", came_and_left) == 20
    assert watched("cancel", two) == 10


def test_a_poll_does_not_arm_it() -> None:
    async def poll(audience: Audience) -> None:
        await audience.poll(1)

    assert watched("cancel", poll) is None


def test_cancel_after_counts_from_the_start_and_anew_from_every_leave() -> None:
    assert watched(CancelAfter(30), nobody) == 30
    assert watched(CancelAfter(30), came_and_left) == 50
    assert watched(CancelAfter(0), nobody) == 0


def test_a_waiting_job_is_counted_too() -> None:
    assert watched(CancelAfter(30), nobody, queued=True) == 30


def test_a_job_that_is_watched_goes_on() -> None:
    async def stay(audience: Audience) -> None:
        await asyncio.sleep(29)
        audience.came()

    async def stay_on_the_session(audience: Audience) -> None:
        audience.came(session=True)

    assert watched(CancelAfter(30), stay) is None
    assert watched(CancelAfter(30), stay_on_the_session) is None


def test_a_session_that_was_watched_before_the_job_began_counts() -> None:
    async def main() -> str:
        async with works(waits) as bench:
            key = LogKey("ann", "s")
            bench.runner.presence.came(key, None)
            spec = await bench.submit("waits", session="s", on_disconnect=CancelAfter(5), timeout=10_000)
            other = await bench.submit("waits", session="s", on_disconnect="cancel", timeout=10_000)
            await asyncio.sleep(100)
            bench.runner.presence.left(key, None, "gone")
            ends = [(await bench.ended(each))[-1]["status"] for each in (spec, other)]
            assert 105 <= asyncio.get_running_loop().time() < 105.1
            return str(ends)

    assert in_no_time(main()) == "['cancelled', 'cancelled']"


def test_a_stream_of_another_job_in_the_session_is_no_presence() -> None:
    async def other(audience: Audience) -> None:
        audience.presence.came(LogKey("ann", "s"), "job_other")
        audience.presence.came(LogKey("bob", "s"), None)
        audience.presence.came(LogKey("ann", "t"), None)

    assert watched(CancelAfter(30), other) == 30


@pytest.mark.parametrize("session", [True, False])
def test_polls_are_presence_until_the_next_one_is_due(*, session: bool) -> None:
    async def polls(audience: Audience) -> None:
        for _ in range(4):
            await asyncio.sleep(25)
            await audience.poll(25, session=session)

    assert watched(CancelAfter(30), polls) == 200 + 30 + 30


@pytest.mark.parametrize("ending", ["max_age", "draining", "token_expired", "slow_consumer", "overloaded"])
@pytest.mark.parametrize("session", [True, False])
def test_who_the_server_sent_away_may_come_back(ending: Ending, *, session: bool) -> None:
    async def sent_away(audience: Audience) -> None:
        audience.came(session=session)
        await asyncio.sleep(10)
        audience.left(ending, session=session)

    async def back_again(audience: Audience) -> None:
        await sent_away(audience)
        await asyncio.sleep(RETURN - 1)
        audience.came(session=session)

    assert watched("cancel", sent_away) == 10 + RETURN
    assert watched(CancelAfter(5), sent_away) == 10 + RETURN + 5
    assert watched("cancel", back_again) is None


def test_who_may_come_back_is_not_forgotten_when_another_one_leaves() -> None:
    async def one_of_two(audience: Audience) -> None:
        audience.came()
        audience.came()
        await asyncio.sleep(10)
        audience.left("max_age")
        await asyncio.sleep(1)
        audience.left("gone")

    async def a_poll_and_a_stream(audience: Audience) -> None:
        audience.came()
        await audience.poll(10)
        audience.left("gone")

    assert watched("cancel", one_of_two) == 10 + RETURN
    assert watched("cancel", a_poll_and_a_stream) == 10 + 30


def test_a_shorter_absence_does_not_cut_a_longer_one() -> None:
    async def both(audience: Audience) -> None:
        audience.came()
        audience.left("max_age")
        await audience.poll(1)

    assert watched("cancel", both) == RETURN


def test_many_polls_leave_one_timer() -> None:
    async def many(audience: Audience) -> None:
        for _ in range(1000):
            await audience.poll(0)
        assert len(audience.presence._expected) == 1

    assert watched(CancelAfter(5), many) == 35


def test_watchers_of_jobs_that_continue_leave_nothing_behind() -> None:
    async def main() -> None:
        async with works(waits) as bench:
            spec = await bench.submit("waits", timeout=10_000)
            audience = Audience(bench, spec)
            for _ in range(10):
                audience.came()
                audience.left("max_age")
                await audience.poll(0, session=True)
            presence = bench.runner.presence
            assert not presence._expected
            assert not presence._watching

    in_no_time(main())


def test_a_job_that_ended_in_time_needs_nobody_any_more() -> None:
    @agent("quick")
    async def quick(_: Any, __: Job) -> None:
        await asyncio.sleep(10)

    async def main() -> None:
        async with works(quick) as bench:
            spec = await bench.submit("quick", on_disconnect=CancelAfter(20))
            assert (await bench.ended(spec))[-1]["status"] == "succeeded"
            assert not bench.runner.presence._guards
            await asyncio.sleep(100)

    in_no_time(main())


def test_a_guard_outlasts_an_attempt() -> None:
    @agent("flaky", retries=1, backoff=0)
    async def flaky(_: Any, job: Job) -> None:
        await asyncio.sleep(10 if job.attempt == 1 else 1000)
        raise ValueError

    async def main() -> None:
        async with works(flaky) as bench:
            spec = await bench.submit("flaky", on_disconnect=CancelAfter(30), timeout=10_000)
            done = (await bench.ended(spec, attempts=2))[-1]
            assert (done["status"], done["attempt"]) == ("cancelled", 2)
            assert 30 <= asyncio.get_running_loop().time() < 30.1

    in_no_time(main())
