"""The outbox is bounded: a thread waits for room, the loop is told that there is none, a reader waits for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from threading import Event, Thread

import pytest

from sse_server import JobCancelled, OutboxFull
from sse_server.agents import outbox
from sse_server.agents.outbox import MAX_BYTES, MAX_EVENTS
from tests.agents.conftest import Desk


def fill(desk: Desk) -> None:
    for _ in range(MAX_EVENTS):
        desk.job.token("x")


async def test_on_the_loop_one_event_too_many_is_refused(desk: Desk) -> None:
    fill(desk)
    with pytest.raises(OutboxFull, match=r"await job\.flush\(\)"):
        desk.job.token("y")
    assert len(desk.drafts(1)) == 1
    desk.job.token("y")
    with pytest.raises(OutboxFull):
        desk.job.token("z")


async def test_on_the_loop_bytes_count_too(desk: Desk) -> None:
    large = "x" * 1024 * 512
    sent = 0
    with pytest.raises(OutboxFull):  # noqa: PT012
        while True:
            desk.job.token(large)
            sent += len(large)
    assert MAX_BYTES - len(large) <= sent <= MAX_BYTES
    desk.drafts(1)
    desk.job.token("x")


async def test_what_is_being_stored_still_counts(desk: Desk) -> None:
    fill(desk)
    desk.outbox.take(500)
    with pytest.raises(OutboxFull):
        desk.job.token("y")
    desk.outbox.settle()
    desk.job.token("y")


async def test_a_thread_waits_for_room_and_goes_on_in_order(desk: Desk) -> None:
    total = 2 * MAX_EVENTS
    told: list[int] = []

    def agent() -> None:
        for n in range(total):
            desk.job.emit("mine", n=n)

    thread = Thread(target=agent)
    thread.start()
    while len(told) < total:
        told += [event["n"] for event in desk.said()]
        await asyncio.sleep(0)
    thread.join()
    assert told == list(range(total))


async def test_threads_that_wait_for_hardly_any_room_all_go_on_in_order(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them sleeps again and again while the loop settles: a wake-up that is lost would be for ever."""
    monkeypatch.setattr(outbox, "MAX_EVENTS", 2)
    total = 2000
    told: dict[str, list[int]] = {name: [] for name in "abcd"}

    def agent(name: str) -> None:
        for n in range(total):
            desk.job.emit("mine", name=name, n=n)

    threads = [Thread(target=agent, args=(name,), daemon=True) for name in told]
    for thread in threads:
        thread.start()
    while sum(map(len, told.values())) < total * len(told):
        for event in desk.said():
            told[event["name"]].append(event["n"])
        await asyncio.sleep(0)
    assert all(numbers == list(range(total)) for numbers in told.values())


async def test_a_retired_outbox_refuses_also_who_waits_for_room(desk: Desk) -> None:
    fill(desk)
    refused = Event()

    def agent() -> None:
        with pytest.raises(JobCancelled, match="over"):
            desk.job.token("y")
        refused.set()

    thread = Thread(target=agent)
    thread.start()
    desk.outbox.retire()
    thread.join()
    assert refused.is_set()
    desk.drafts()
    with pytest.raises(JobCancelled, match="over"):
        desk.job.token("z")


async def test_a_waiting_thread_hears_of_a_cancel(desk: Desk) -> None:
    fill(desk)
    heard, begun = Event(), Event()

    def agent() -> None:
        begun.set()
        with pytest.raises(JobCancelled):
            desk.job.token("y")
        heard.set()

    thread = Thread(target=agent)
    thread.start()
    begun.wait()
    desk.outbox.close("cancelled")
    thread.join()
    assert heard.is_set()
    assert len(desk.drafts()) == MAX_EVENTS


async def test_a_waiting_thread_does_not_hold_up_the_loop(desk: Desk) -> None:
    """Neither its lock nor a step's: what the loop reports meanwhile is refused at once, not queued behind it."""
    step = desk.job.step("read")
    fill(desk)
    begun = Event()

    def agent() -> None:
        begun.set()
        step.progress(1)

    thread = Thread(target=agent)
    thread.start()
    begun.wait()
    with pytest.raises(OutboxFull):
        step.progress(2)
    desk.drafts()
    thread.join()
    assert [event["pct"] for event in desk.said()] == [1]


async def test_flush_makes_room(desk: Desk) -> None:
    fill(desk)
    flushing = asyncio.create_task(desk.job.flush())
    await asyncio.sleep(0)
    desk.drafts()
    await flushing
    desk.job.token("y")


async def until_it_waits(task: asyncio.Task[object]) -> None:
    """The task has come as far as it comes without the store."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()


async def test_an_asynchronous_step_waits_for_room_at_both_ends(desk: Desk) -> None:
    async def agent() -> None:
        async with desk.job.step("read"):
            assert desk.said() == [{"type": "step_progress", "step": "read", "pct": 0.0, "status": "started"}]
            fill(desk)

    fill(desk)
    task = asyncio.create_task(agent())
    await until_it_waits(task)
    desk.drafts()
    await until_it_waits(task)
    desk.drafts()
    await task
    assert [event["status"] for event in desk.said()] == ["finished"]


async def test_a_failing_asynchronous_step_waits_for_room_to_say_so(desk: Desk) -> None:
    async def agent() -> None:
        async with desk.job.step("read"):
            desk.drafts()
            fill(desk)
            raise ZeroDivisionError

    task = asyncio.create_task(agent())
    await until_it_waits(task)
    desk.drafts()
    with pytest.raises(ZeroDivisionError):
        await task
    assert [event["status"] for event in desk.said()] == ["failed"]


async def test_a_plain_step_on_the_loop_hides_no_error_behind_a_full_outbox(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError), desk.job.step("read"):  # noqa: PT012
        desk.drafts()
        fill(desk)
        raise ZeroDivisionError


async def test_stream_text_waits_for_room_also_among_others(desk: Desk) -> None:
    """Two texts at once, in an outbox with room for one more event."""

    async def chunks(word: str) -> AsyncIterator[str]:
        for _ in range(5):
            yield word * 100

    fill(desk)
    desk.drafts(1)
    tasks = [asyncio.create_task(desk.job.stream_text(chunks(word))) for word in "ab"]
    for task in tasks:
        await until_it_waits(task)
    said = []
    while not all(task.done() for task in tasks):
        said += desk.said()
        await asyncio.sleep(0)
    assert [task.result() for task in tasks] == ["a" * 500, "b" * 500]
    written = "".join(event["text"] for event in said + desk.said()).replace("x", "")
    assert (written.count("a"), written.count("b")) == (500, 500)
