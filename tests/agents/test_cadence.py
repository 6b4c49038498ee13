"""The pace of text, by a clock that only waiting moves: 100 characters, 0.3 s, and progress every 5 s."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from sse_server import JobCancelled
from sse_server.agents.cadence import MAX_PIECE, paced
from sse_server.config import Emission
from tests.agents.clock import in_no_time
from tests.agents.conftest import Desk

Timed = tuple[float, str]


async def spoken(*chunks: tuple[float, str]) -> AsyncGenerator[str, None]:
    """Each chunk after a pause of so many seconds."""
    for pause, text in chunks:
        await asyncio.sleep(pause)
        yield text


def pieces(*chunks: tuple[float, str], cadence: Emission | None = None) -> list[Timed]:
    """When each piece went out, and which; an empty one is progress."""

    async def main() -> list[Timed]:
        time = asyncio.get_running_loop().time
        return [(round(time(), 3), piece) async for piece in paced(spoken(*chunks), cadence or Emission())]

    return in_no_time(main())


def test_text_goes_out_every_hundred_characters() -> None:
    assert pieces(*[(0.001, "x" * 10)] * 25) == [(0.01, "x" * 100), (0.02, "x" * 100), (0.025, "x" * 50)]


def test_text_goes_out_after_three_tenths_of_a_second() -> None:
    assert pieces((0.1, "a"), (0.1, "b"), (0.05, "c"), (0.15, "d")) == [(0.3, "abc"), (0.4, "d")]


def test_what_has_come_goes_out_also_when_nothing_more_comes() -> None:
    assert pieces((0.1, "a"), (4.0, "b")) == [(0.3, "a"), (4.1, "b")]


def test_the_first_text_after_a_silence_goes_out_at_once() -> None:
    assert pieces((2.0, "a"), (0.1, "b"), (1.0, "c")) == [(2.0, "a"), (2.3, "b"), (3.1, "c")]


def test_progress_is_due_every_five_seconds_whether_text_comes_or_not() -> None:
    assert pieces((12.0, "a"), (4.0, "b")) == [(5.0, ""), (10.0, ""), (12.0, "a"), (15.0, ""), (16.0, "b")]
    steady = pieces(*[(0.25, "x")] * 44)
    assert [at for at, piece in steady if not piece] == [5.0, 10.0]


def test_the_figures_are_settings() -> None:
    cadence = Emission(chars=3, interval=1.0, progress_interval=1.5)
    assert pieces((0.1, "ab"), (0.1, "cd"), (1.9, "e"), cadence=cadence) == [(0.2, "abcd"), (1.5, ""), (2.1, "e")]


def test_a_chunk_goes_out_whole_unless_no_event_could_hold_it() -> None:
    assert pieces((0.1, "x" * 1000)) == [(0.1, "x" * 1000)]
    large = pieces((0.1, "x" * (2 * MAX_PIECE + 1)))
    assert [len(piece) for _, piece in large] == [MAX_PIECE, MAX_PIECE, 1]


def test_nothing_comes_of_nothing() -> None:
    assert pieces() == []
    assert pieces((0.1, ""), (0.1, "")) == []


def test_text_that_came_before_an_error_goes_out_before_it() -> None:
    async def failing() -> AsyncIterator[str]:
        yield "a"
        raise ZeroDivisionError

    async def main() -> list[str]:
        got = []
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async for piece in paced(failing(), Emission()):
                got.append(piece)  # noqa: PERF401
        return got

    assert in_no_time(main()) == ["a"]


def test_the_source_is_read_no_further_ahead_than_one_piece() -> None:
    read = 0

    async def endless() -> AsyncIterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "x" * 10

    async def main() -> None:
        source = paced(endless(), Emission())
        assert await anext(source) == "x" * 100
        await asyncio.sleep(60)
        assert read == 20
        await source.aclose()

    in_no_time(main())


def test_the_source_lives_in_one_task() -> None:
    """A time limit or a scope of anyio, opened around several chunks, has to end in the task that it began in."""

    async def limited() -> AsyncIterator[str]:
        async with asyncio.timeout(10):
            for _ in range(3):
                await asyncio.sleep(1)
                yield "x"
            await asyncio.sleep(60)

    async def main() -> float:
        with pytest.raises(TimeoutError):
            await Desk().job.stream_text(limited())
        return asyncio.get_running_loop().time()

    assert in_no_time(main()) == pytest.approx(10)


def stream(
    *chunks: tuple[float, str], cancel: float | None = None, **options: Any
) -> tuple[Any, list[dict[str, Any]], list[str]]:
    """What `stream_text` returns, what it emits, and what happened to its source; cancelled after so many seconds."""
    happened = []

    async def source() -> AsyncIterator[str]:
        try:
            async for chunk in spoken(*chunks):
                yield chunk
        finally:
            await asyncio.sleep(0.5)
            happened.append("closed")

    async def main() -> tuple[Any, list[dict[str, Any]]]:
        desk = Desk()
        task = asyncio.create_task(desk.job.stream_text(source(), **options))
        await asyncio.wait([task], timeout=cancel)
        task.cancel()
        await asyncio.wait([task])
        happened.append("ended")
        return None if task.cancelled() else task.result(), desk.said()

    text, said = in_no_time(main())
    return text, said, happened


def test_stream_text_emits_tokens_and_progress_and_returns_the_whole() -> None:
    text, said, happened = stream((1, "x" * 150), (5, "y" * 100), step="write", expected_chars=1000)
    assert text == "x" * 150 + "y" * 100
    assert said == [
        {"type": "token", "text": "x" * 150, "step": "write"},
        {"type": "step_progress", "step": "write", "pct": 15.0, "status": "running"},
        {"type": "token", "text": "y" * 100, "step": "write"},
    ]
    assert happened == ["closed", "ended"]


def test_progress_of_a_text_stops_at_95_percent() -> None:
    _, said, _ = stream((1, "x" * 999), (5, "."), step="write", expected_chars=100)
    assert [event["pct"] for event in said if event["type"] == "step_progress"] == [95.0]


@pytest.mark.parametrize("expected", [0, -5])
def test_an_absurd_expectation_breaks_nothing(expected: int) -> None:
    _, said, _ = stream((1, "x"), (5, "."), step="write", expected_chars=expected)
    assert [event["pct"] for event in said if event["type"] == "step_progress"] == [95.0]


def test_without_a_step_there_is_no_progress() -> None:
    assert {event["type"] for event in stream((1, "x"), (20, "."))[1]} == {"token"}


def test_the_progress_of_a_text_counts_for_the_job() -> None:
    async def main() -> list[Any]:
        desk = Desk()
        with desk.job.step("write", index=2, total=2):
            await desk.job.stream_text(spoken((1, "x" * 50), (5, ".")), step="write", expected_chars=100)
        return [event.get("job_pct") for event in desk.said() if event["type"] == "step_progress"]

    assert in_no_time(main()) == [50.0, 75.0, 100.0]


def test_a_cancelled_job_closes_its_source_before_it_ends() -> None:
    text, said, happened = stream((1, "a"), (60, "b"), cancel=10)
    assert text is None
    assert [event["text"] for event in said] == ["a"]
    assert happened == ["closed", "ended"]


def test_a_job_that_is_cancelled_between_two_chunks_closes_its_source() -> None:
    """The next emit raises; nothing waits for the garbage collector."""
    happened = []

    async def source(desk: Desk) -> AsyncIterator[str]:
        try:
            yield "x" * 100
            desk.outbox.close("cancelled")
            yield "y" * 100
            await asyncio.Event().wait()
        finally:
            happened.append("closed")

    async def main() -> None:
        desk = Desk()
        try:
            await desk.job.stream_text(source(desk))
        except JobCancelled:
            happened.append("heard")

    in_no_time(main())
    assert happened == ["closed", "heard"]


def test_a_source_that_is_no_generator_will_do() -> None:
    class Chunks:
        def __init__(self) -> None:
            self.left = ["a", "b"]

        def __aiter__(self) -> Chunks:
            return self

        async def __anext__(self) -> str:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    async def main() -> str:
        return await Desk().job.stream_text(Chunks())

    assert in_no_time(main()) == "ab"
