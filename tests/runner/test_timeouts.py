"""How long an attempt may take, by a clock that only waiting moves."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from sse_server import Job, agent
from tests.agents.clock import in_no_time
from tests.runner.conftest import Told, works


@agent("slow")
async def slow(input: float, job: Job) -> str:
    job.token("begun")
    await asyncio.sleep(input)
    return "in time"


def run(seconds: float, timeout: float, **rules: Any) -> tuple[Told, float]:
    """The end of a job that needs so many seconds, and when it came."""

    async def main() -> tuple[Told, float]:
        async with works(slow, **rules) as bench:
            events = await bench.ended(await bench.submit("slow", seconds, timeout=timeout))
            return events[-1], asyncio.get_running_loop().time()

    return in_no_time(main())


def test_an_attempt_that_ends_in_time_succeeds() -> None:
    done, took = run(599, timeout=600)
    assert done["result"] == "in time"
    assert 599 <= took < 600


def test_an_attempt_that_takes_too_long_fails_when_its_time_is_over() -> None:
    done, took = run(601, timeout=600)
    assert (done["status"], done["finish_reason"]) == ("failed", "timeout")
    assert done["error"]["code"] == "timeout"
    assert 600 <= took < 600.1


def test_waiting_in_the_queue_takes_nothing_from_it() -> None:
    async def main() -> list[str]:
        async with works(slow, concurrency=1) as bench:
            specs = [await bench.submit("slow", 60, timeout=90) for _ in range(3)]
            return [(await bench.ended(spec))[-1]["status"] for spec in specs]

    assert in_no_time(main()) == ["succeeded"] * 3


def test_what_it_returns_after_its_time_comes_too_late() -> None:
    @agent("late")
    async def late(_: Any, __: Job) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "late"

    async def main() -> Told:
        async with works(late) as bench:
            return (await bench.ended(await bench.submit("late")))[-1]

    done = in_no_time(main())
    assert done["finish_reason"] == "timeout"
    assert "result" not in done


def test_an_agent_has_its_grace_to_tidy_up_and_no_more() -> None:
    tidied = []

    @agent("tidy")
    async def tidy(input: float, __: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(input)
            tidied.append(input)

    async def main(seconds: float) -> float:
        async with works(tidy, cancel_grace=5) as bench:
            await bench.ended(await bench.submit("tidy", seconds, timeout=10))
            took = asyncio.get_running_loop().time()
            await bench.idle()
            return took

    assert 14 <= in_no_time(main(4)) < 14.1
    assert 15 <= in_no_time(main(60)) < 15.1
    assert tidied == [4, 60]
