"""Whatever an agent does, its job ends in order: exactly one `done`, nothing behind it, and its slot is free again."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from threading import Event, Thread
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_server import Job, JobCancelled, JobFailed, agent
from sse_server.agents import Agent
from sse_server.runner.attempt import Attempt
from tests.agents.clock import in_no_time
from tests.runner.conftest import Told, Works, works

RETRIES = 2


class Way(NamedTuple):
    """How an attempt ends that nobody cancels: with what its last `done` then says, and whether another one follows."""

    status: str
    code: str | None
    retried: bool


FAILED = Way("failed", "agent_error", retried=True)
REFUSED = Way("failed", "agent_error", retried=False)
WAYS = {
    "return": Way("succeeded", None, retried=False),
    "raise": FAILED,
    "raise in finally": FAILED,
    "raise what is no Exception": FAILED,
    "raise StopIteration": FAILED,
    "raise GeneratorExit": FAILED,
    "cancel itself": FAILED,
    "emit what is no event": Way("failed", "invalid_event", retried=False),
    "return what was not declared": Way("failed", "invalid_result", retried=False),
    "return too much": Way("failed", "invalid_result", retried=False),
    "give up": Way("failed", "no_such_city", retried=False),
    "give up for now": Way("failed", "busy", retried=True),
    "give up oddly": Way("failed", "None", retried=False),
    "exit": REFUSED,
    "interrupt": REFUSED,
    "hang": Way("failed", "timeout", retried=True),
}
ON_THE_LOOP = WAYS | {
    "flood": Way("failed", "outbox_full", retried=False),
    "ignore one cancel": Way("failed", "timeout", retried=True),
    "ignore every cancel": Way("failed", "timeout", retried=False),
}
IN_A_THREAD = WAYS | {
    "hang": Way("failed", "timeout", retried=False),  # nobody can stop that thread
    "emit for ever": Way("failed", "timeout", retried=True),
}


class Odd(BaseException):
    """Nothing that anybody expects."""


def end(way: str, job: Job) -> str:  # noqa: C901, PLR0912  (a list of ways, not a path)
    """End an attempt in one of the ways that need no waiting."""
    match way:
        case "return":
            return "result"
        case "raise":
            raise ValueError("secret")
        case "raise in finally":
            try:
                raise ValueError("secret")
            finally:
                raise KeyError("another secret")
        case "raise what is no Exception":
            raise Odd("secret")
        case "raise StopIteration":
            raise StopIteration
        case "raise GeneratorExit":
            raise GeneratorExit
        case "cancel itself":
            raise asyncio.CancelledError
        case "emit what is no event":
            job.emit("mine", thing=object())
        case "return what was not declared":
            return 7  # type: ignore[return-value]
        case "return too much":
            return "x" * 2_000_000
        case "give up":
            raise JobFailed("no_such_city", "I do not know that city.")
        case "give up for now":
            raise JobFailed("busy", "Later.", retry=True)
        case "give up oddly":
            raise JobFailed(None, "\ud800\n" * 1_000_000)  # type: ignore[arg-type]
        case "exit":
            raise SystemExit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "flood":
            while True:
                job.token("x")
        case "emit for ever":
            try:
                while True:
                    job.token("x")
            except JobCancelled:
                return "late"
    raise AssertionError(way)


def ways(gate: Event) -> list[Agent]:
    """An agent of either kind; its input says how each of its attempts ends, the last for all that follow."""

    @agent("on the loop", retries=RETRIES, backoff=0)
    async def on_the_loop(input: list[str], job: Job) -> str:
        way = input[min(job.attempt, len(input)) - 1]
        job.token("begun")
        await job.flush()
        match way:
            case "hang":
                await asyncio.Event().wait()
            case "ignore one cancel":
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
                return "late"
            case "ignore every cancel":
                while not gate.is_set():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.sleep(1)
                return "late"
        return end(way, job)

    @agent("in a thread", retries=RETRIES, backoff=0)
    def in_a_thread(input: list[str], job: Job) -> str:
        way = input[min(job.attempt, len(input)) - 1]
        job.token("begun")
        Thread(target=stray, args=(job,), daemon=True).start()
        if way == "hang":
            gate.wait()
            return "late"
        return end(way, job)

    return [on_the_loop, in_a_thread]


def stray(job: Job) -> None:
    """Goes on after its agent's end, and does not care."""
    with contextlib.suppress(JobCancelled):
        while True:
            job.log("debug", "still here")


def expected(plan: list[str], of: dict[str, Way]) -> list[Way]:
    """How the attempts of a job end that nobody cancels."""
    attempts = [of[plan[min(number, len(plan) - 1)]] for number in range(RETRIES + 1)]
    final = next((number for number, way in enumerate(attempts) if not way.retried), RETRIES)
    return attempts[: final + 1]


def in_time(events: list[Told], attempts: list[Way]) -> bool:
    """Whether only those attempts ran out of time that were to: a busy machine can't say so."""
    late = sum("timeout" in {event.get("reason"), event.get("finish_reason")} for event in events)
    return late <= sum(way.code == "timeout" for way in attempts)


async def check(
    bench: Works, gate: Event, name: str, plan: list[str], cancel: str | None, *, exact: bool = True
) -> None:
    """Run a job of that plan, cancel it when an event of that type has come, and look at its whole story."""
    spec = await bench.submit(name, plan, timeout=0.05)
    if cancel:
        await bench.told(spec, cancel)
        await bench.cancel(spec)
    events = await bench.ended(spec, attempts=RETRIES + 1)
    done = events[-1]
    attempts = expected(plan, ON_THE_LOOP if name == "on the loop" else IN_A_THREAD)
    if cancel and done["status"] == "cancelled":
        assert done["finish_reason"] == "cancelled"
        assert "error" not in done
    elif exact and in_time(events, attempts):
        assert done["attempt"] == len(attempts)
        assert (done["status"], done.get("error", {}).get("code")) == attempts[-1][:2]
    gate.set()
    await bench.idle()
    assert await bench.told(spec, "done") == events, "something was stored behind the end"
    state = (await bench.record(spec)).state
    assert (state.status, state.attempt) == (done["status"], done["attempt"])
    assert "secret" not in str(events)


CANCEL = st.sampled_from([None, None, "job_queued", "job_started", "token"])


@given(st.lists(st.sampled_from(sorted(ON_THE_LOOP)), min_size=1, max_size=3), CANCEL)
def test_every_job_on_the_loop_ends_with_one_done(plan: list[str], cancel: str | None) -> None:
    async def main() -> None:
        gate = Event()
        async with works(*ways(gate)) as bench:
            await check(bench, gate, "on the loop", plan, cancel)

    in_no_time(main())


@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(IN_A_THREAD)), min_size=1, max_size=3), CANCEL)
async def test_every_job_in_a_thread_ends_with_one_done(plan: list[str], cancel: str | None) -> None:
    gate, hangs = Event(), "hang" in plan
    async with works(*ways(gate), cancel_grace=0.05 if hangs else 60) as bench:
        # Where nobody waits for a thread that hangs, another one may come too late on a busy machine.
        await check(bench, gate, "in a thread", plan, cancel, exact=not hangs)


@pytest.mark.parametrize("way", [way for way in ON_THE_LOOP if ON_THE_LOOP[way].status == "failed"])
async def test_an_error_reaches_the_client_as_a_code_and_a_safe_sentence(way: str) -> None:
    async def main() -> Told:
        gate = Event()
        async with works(*ways(gate)) as bench:
            done = (await bench.ended(await bench.submit("on the loop", [way]), attempts=RETRIES + 1))[-1]
            gate.set()
            await bench.idle()
            return done

    error = (await asyncio.to_thread(in_no_time, main()))["error"]
    assert set(error) == {"code", "message"}
    assert error["message"]
    assert "secret" not in error["message"]
    assert len(error["message"]) <= 4096
    if way == "give up":
        assert error["message"] == "I do not know that city."


async def test_the_log_has_the_traceback_and_no_payload(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    @agent("fails")
    async def fails(input: str, job: Job) -> str:
        job.token(input + " token")
        await job.flush()
        raise LookupError("why it failed")

    async with works(fails) as bench:
        spec = await bench.submit("fails", "the payload")
        await bench.ended(spec)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert "why it failed" in caplog.text
    assert vars(record)["job_id"] == spec.id
    assert "the payload" not in caplog.text


async def test_what_an_agent_says_to_its_user_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    @agent("gives up")
    async def gives_up(_: Any, __: Job) -> None:
        raise JobFailed("no_such_city", "I do not know that city.")

    async with works(gives_up) as bench:
        await bench.ended(await bench.submit("gives up"))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert "city" not in caplog.text


async def test_an_agent_that_the_server_no_longer_has_ends_its_jobs_by_name(tmp_path: Any) -> None:
    gate = Event()
    async with works(*ways(gate), path=tmp_path / "a.db", concurrency=1) as bench:
        running = await bench.submit("on the loop", ["hang"])
        await bench.told(running, "token")
        waiting = await bench.submit("on the loop", ["return"])
    async with works(path=tmp_path / "a.db") as bench:
        assert (await bench.ended(waiting))[-1]["error"]["code"] == "agent_unknown"
        assert (await bench.ended(running, attempts=2))[-1]["status"] == "failed"


async def test_input_that_an_agents_next_version_does_not_take_ends_the_job(tmp_path: Any) -> None:
    async def before(_: str, __: Job) -> None: ...
    async def after(_: int, __: Job) -> None: ...
    async def hang(_: Any, __: Job) -> None:
        await asyncio.Event().wait()

    path = tmp_path / "a.db"
    async with works(Agent("a", before), Agent("hang", hang), path=path, concurrency=1) as bench:
        await bench.told(await bench.submit("hang"), "job_started")
        waiting = await bench.submit("a", "text")
    async with works(Agent("a", after), path=path) as bench:
        assert (await bench.ended(waiting))[-1]["error"]["code"] == "invalid_input"
        await bench.idle()


def attempts() -> list[Attempt]:
    return [one for one in gc.get_objects() if isinstance(one, Attempt)]


async def test_an_ended_job_is_gone_without_a_collection_of_garbage() -> None:
    """An attempt, its outbox and its agent's `Job` would else be a circle: twenty objects of each job."""

    @agent("on the loop")
    async def on_the_loop(_: Any, job: Job) -> None:
        job.token("a")

    @agent("in a thread")
    def in_a_thread(_: Any, job: Job) -> None:
        job.token("a")

    @agent("stopped")
    async def stopped(_: Any, __: Job) -> None:
        await asyncio.Event().wait()

    async with works(on_the_loop, in_a_thread, stopped) as work:
        gc.collect()
        others = attempts()  # of tests before this one: an agent that hangs in its thread holds its own
        gc.disable()
        try:
            for name in ("on the loop", "in a thread", "stopped") * 5:
                spec = await work.submit(name)
                if name == "stopped":
                    await work.told(spec, "job_started")
                    await work.cancel(spec, wait=5.0)
                await work.ended(spec)
            await work.idle()
            left = [one for one in attempts() if one not in others]
        finally:
            gc.enable()
    assert len(left) <= 1, "what the hub has stored last, it holds until it stores again"
