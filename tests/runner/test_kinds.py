"""The four kinds of callable: where each runs, what its yields become, and what its result is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from sse_server import Job, JobCancelled, agent
from sse_server.agents import Agent
from sse_server.eventlog import LogKey
from tests.runner.conftest import Told, works


class Noted(Struct, tag="noted", tag_field="type"):
    text: str
    at: int | None = None


class Untagged(Struct):
    text: str


class Odd(Struct, tag="odd", tag_field="kind"):
    text: str


class Unwritable(Struct, tag="unwritable"):
    thing: Any


@agent("coroutine")
async def coroutine(input: str, job: Job) -> str:
    job.token(input)
    await job.flush()
    return threading.current_thread().name


@agent("function")
def function(input: str, job: Job) -> str:
    job.token(input)
    return threading.current_thread().name


@agent("asynchronous")
async def asynchronous(input: str, _: Job) -> AsyncIterator[str]:
    yield input


@agent("plain")
def plain(input: str, _: Job) -> Generator[str, None, str]:
    yield input
    return threading.current_thread().name


KINDS = [coroutine, function, asynchronous, plain]


def own(events: list[Told]) -> list[Told]:
    """What the agent said, without the envelope."""
    runner = {"job_queued", "job_started", "done"}
    return [{k: v for k, v in e.items() if k not in {"seq", "attempt"}} for e in events if e["type"] not in runner]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_each_kind_emits_and_succeeds(kind: Agent) -> None:
    async with works(kind) as bench:
        events = await bench.ended(await bench.submit(kind.name, "hello"))
    assert own(events) == [{"type": "token", "text": "hello"}]
    assert (events[-1]["status"], events[-1]["finish_reason"]) == ("succeeded", "stop")
    main = threading.current_thread().name
    assert events[-1].get("result") == {
        "coroutine": main,
        "function": "agent-function",
        "asynchronous": None,
        "plain": "agent-plain",
    }.get(kind.name)


@pytest.mark.parametrize("stored", [True, False])
async def test_what_was_flushed_is_in_the_store(tmp_path: Path, *, stored: bool) -> None:
    async with works(path=tmp_path / "jobs.db" if stored else None) as bench:

        @agent("flushes")
        async def flushes(_: Any, job: Job) -> int:
            for n in range(1000):
                job.emit("mine", n=n)
            await job.flush()
            page = await bench.store.read(LogKey("ann", job.session_id), 0, 5000, types=["mine"])
            return len(page.events)

        bench.runner.registry.add("flushes", flushes)
        assert (await bench.ended(await bench.submit("flushes")))[-1]["result"] == 1000


async def test_yields_are_text_objects_and_tagged_structs() -> None:
    items = ["text", "", {"type": "insight", "text": "x"}, {"type": "mine", "n": [1]}, Noted("y"), {"type": "mine"}]
    said = [
        {"type": "token", "text": "text"},
        {"type": "token", "text": ""},
        {"type": "insight", "text": "x"},
        {"type": "mine", "n": [1]},
        {"type": "noted", "text": "y", "at": None},
        {"type": "mine"},
    ]

    @agent("a")
    async def asynchronous(_: Any, __: Job) -> AsyncIterator[Any]:
        for item in items:
            yield item

    @agent("b")
    def plain(_: Any, __: Job) -> Iterator[Any]:
        yield from items

    async with works(asynchronous, plain) as bench:
        for name in ("a", "b"):
            assert own(await bench.ended(await bench.submit(name))) == said


RUBBISH = [
    None,
    7,
    b"bytes",
    ["type"],
    {},
    {"text": "x"},
    {"type": "done"},
    {"type": "Mine"},
    {"type": "token"},
    {"type": "token", "text": "x", "seq": 1},
    {"type": "mine", 1: 2},
    {"type": None},
    Untagged("x"),
    Odd("x"),
    Unwritable(object()),
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=repr)
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_yield_that_is_no_event_fails_the_job_and_closes_the_generator(
    rubbish: object, *, asynchronous: bool
) -> None:
    closed = []

    @agent("a")
    async def asynchronously(_: Any, __: Job) -> AsyncIterator[Any]:
        try:
            yield "before"
            yield rubbish
            yield "after"
        finally:
            closed.append("closed")

    @agent("b")
    def plainly(_: Any, __: Job) -> Iterator[Any]:
        try:
            yield "before"
            yield rubbish
            yield "after"
        finally:
            closed.append("closed")

    async with works(asynchronously, plainly) as bench:
        events = await bench.ended(await bench.submit("a" if asynchronous else "b"))
    assert own(events) == [{"type": "token", "text": "before"}]
    assert events[-1]["error"]["code"] == "invalid_event"
    assert closed == ["closed"]


async def test_an_asynchronous_generator_waits_where_the_outbox_is_full() -> None:
    @agent("flood")
    async def flood(_: Any, __: Job) -> AsyncIterator[str]:
        for _ in range(25_000):
            yield "x"

    async with works(flood) as bench:
        events = await bench.ended(await bench.submit("flood"))
    assert events[-1]["status"] == "succeeded"
    assert len(own(events)) == 25_000


async def test_a_cancel_closes_a_generator_in_its_thread(gate: threading.Event) -> None:
    closed = []

    @agent("plain")
    def plainly(_: Any, __: Job) -> Iterator[str]:
        try:
            yield "first"
            gate.wait()
            yield "second"
        finally:
            closed.append("closed")

    async with works(plainly, cancel_grace=60) as bench:
        spec = await bench.submit("plain")
        await bench.told(spec, "token")
        await bench.cancel(spec)
        gate.set()
        events = await bench.ended(spec)
    assert closed == ["closed"]
    assert own(events) == [{"type": "token", "text": "first"}]


def raises_stop_iteration(_: Any, __: Job) -> None:
    next(iter([]))


async def test_an_exception_that_no_future_takes_ends_the_job_too() -> None:
    async with works(Agent("stop", raises_stop_iteration)) as bench:
        assert (await bench.ended(await bench.submit("stop")))[-1]["error"]["code"] == "agent_error"


async def test_a_function_may_run_a_loop_of_its_own() -> None:
    async def chunks() -> AsyncIterator[str]:
        for _ in range(3):
            yield "x" * 100

    @agent("function")
    def function(_: Any, job: Job) -> str:
        async def inner() -> str:
            async with job.step("write"):
                text = await job.stream_text(chunks(), step="write")
            await job.flush()
            return text

        return asyncio.run(inner())

    async with works(function) as bench:
        events = await bench.ended(await bench.submit("function"))
    assert events[-1]["result"] == "x" * 300


@pytest.mark.parametrize(
    ("value", "declared"),
    [(7, str), ({"a": 1}, dict[str, str]), ("x" * 2_000_000, str), (object(), Any), (None, str), ([[]] * 3, list[int])],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("threaded", [True, False])
async def test_a_result_that_is_not_what_was_declared_fails_the_job(
    value: object, declared: Any, *, threaded: bool
) -> None:
    async def coroutine(_, __):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return value

    def function(_, __):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return value

    chosen = function if threaded else coroutine
    chosen.__annotations__["return"] = declared
    async with works(Agent("a", chosen)) as bench:
        done = (await bench.ended(await bench.submit("a")))[-1]
    assert (done["status"], done["error"]["code"]) == ("failed", "invalid_result")


async def test_deep_and_torn_text_in_a_result_ends_the_job_in_order() -> None:
    deep: Any = "x"
    for _ in range(101):
        deep = [deep]

    @agent("result")
    async def result(input: str, _: Job) -> Any:
        return deep if input == "deep" else "a\ud800b\r\n\0"

    async with works(result) as bench:
        assert (await bench.ended(await bench.submit("result", "deep")))[-1]["error"]["code"] == "invalid_result"
        assert (await bench.ended(await bench.submit("result", "torn")))[-1]["result"] == "a\ufffdb\r\n\0"


async def test_the_function_hears_of_a_cancel_at_its_next_emit(gate: threading.Event) -> None:
    heard = []

    @agent("function")
    def function(_: Any, job: Job) -> None:
        job.token("first")
        gate.wait()
        try:
            job.token("second")
        except JobCancelled as error:
            heard.append(str(error))
            raise

    async with works(function, cancel_grace=60) as bench:
        spec = await bench.submit("function")
        await bench.told(spec, "token")
        await bench.cancel(spec)
        gate.set()
        events = await bench.ended(spec)
    assert heard == ["the job was cancelled"]
    assert (events[-1]["status"], events[-1]["finish_reason"]) == ("cancelled", "cancelled")
