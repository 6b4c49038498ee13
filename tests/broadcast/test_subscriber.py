"""A subscriber is a cursor: it gets every event once and in order, history first, and nothing piles up in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import Raw

from sse_server.broadcast import Broadcaster, Subscriber, Unsubscribed
from sse_server.broadcast.subscriber import PAGE
from sse_server.eventlog.order import now
from sse_server.hub.tail import MAX_EVENTS
from sse_server.jobs import JobSpec, new_job_id

Rest = Callable[[Subscriber], Awaitable[list[Any]]]
FrameOf = Callable[[str], Any]
Settled = Callable[..., Awaitable[None]]


async def publish(broadcaster: Broadcaster, count: int, *, start: int = 0, ttl: float | None = None) -> None:
    for n in range(start, start + count):
        event: dict[str, Any] = {"type": "note", "data": {"n": n}}
        await broadcaster.broadcast_event("s", event if ttl is None else {**event, "ttl": ttl})


def numbers(frames: list[Any]) -> list[int]:
    return [frame.data["n"] for frame in frames]


async def test_history_counts_at_once_and_comes_first(broadcaster: Broadcaster, rest_of: Rest) -> None:
    await publish(broadcaster, 5)
    subscriber = await broadcaster.add_subscriber("s")
    assert subscriber.qsize() == 5
    await publish(broadcaster, 2, start=5)
    assert subscriber.qsize() == 7
    assert numbers(await rest_of(subscriber)) == list(range(7))
    assert subscriber.qsize() == 0


async def test_the_first_subscriber_of_a_session_counts_what_is_published_later(
    broadcaster: Broadcaster, rest_of: Rest
) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    assert subscriber.qsize() == 0
    await publish(broadcaster, 3)
    assert subscriber.qsize() == 3
    assert numbers(await rest_of(subscriber)) == [0, 1, 2]


async def test_two_subscribers_get_equal_strings(broadcaster: Broadcaster) -> None:
    early = await broadcaster.add_subscriber("s")
    await publish(broadcaster, 3)
    late = await broadcaster.add_subscriber("s")
    assert [await early.get() for _ in range(3)] == [await late.get() for _ in range(3)]


async def test_a_waiting_get_returns_when_an_event_comes(broadcaster: Broadcaster, frame_of: FrameOf) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    waiting = asyncio.create_task(subscriber.get())
    await publish(broadcaster, 1)
    assert frame_of(await waiting).data["n"] == 0


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_get_gives_up_after_its_timeout(broadcaster: Broadcaster, seconds: float) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    with pytest.raises(asyncio.TimeoutError):
        await subscriber.get(timeout=seconds)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(subscriber.get(), timeout=seconds)


async def test_while_many_publish_everybody_who_reads_sees_the_same_order(opened: Any) -> None:
    async with opened(max_history_per_session=5000) as broadcaster:
        readers = [await broadcaster.add_subscriber("s") for _ in range(3)]

        async def read(subscriber: Subscriber) -> list[str]:
            return [await subscriber.get(timeout=20) for _ in range(400)]

        reading = [asyncio.create_task(read(subscriber)) for subscriber in readers]
        await asyncio.gather(*(publish(broadcaster, 100, start=1000 * n) for n in range(4)))
        one, *others = await asyncio.gather(*reading)
        assert all(other == one for other in others)
        assert [int(frame.rpartition("-")[2]) for frame in one] == list(range(1, 401))
        assert [subscriber.qsize() for subscriber in readers] == [0, 0, 0]


async def test_a_get_that_is_cancelled_at_any_moment_loses_nothing(broadcaster: Broadcaster) -> None:
    """Cancelled after so many turns of the loop, with an event on its way: it is returned, or still there."""
    for turns in range(12):
        subscriber = await broadcaster.add_subscriber(f"s{turns}")
        waiting = asyncio.create_task(subscriber.get())
        publishing = asyncio.create_task(
            broadcaster.broadcast_event(f"s{turns}", {"type": "note", "data": {"n": turns}})
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await publishing
        await asyncio.wait([waiting])
        got = 0 if waiting.cancelled() else 1
        again = asyncio.create_task(subscriber.get(timeout=0.01 if got else 5))
        await asyncio.wait([again])
        assert (again.exception() is None) == (got == 0)


async def test_two_who_wait_on_one_subscriber_get_each_event_once(broadcaster: Broadcaster, frame_of: FrameOf) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    waiting = [asyncio.create_task(subscriber.get()) for _ in range(10)]
    await publish(broadcaster, 10)
    got = [frame_of(await task).data["n"] for task in waiting]
    assert sorted(got) == list(range(10))


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 3])
async def test_a_long_history_is_read_page_by_page_and_missed_nowhere(opened: Any, count: int, rest_of: Rest) -> None:
    async with opened(max_history_per_session=5000) as broadcaster:
        await asyncio.gather(
            *(broadcaster.broadcast_event("s", {"type": "note", "data": {"n": n}}) for n in range(count))
        )
        subscriber = await broadcaster.add_subscriber("s")
        assert subscriber.qsize() == count
        assert sorted(numbers(await rest_of(subscriber))) == list(range(count))


async def test_one_that_lags_beyond_the_tail_still_gets_everything(opened: Any, rest_of: Rest) -> None:
    async with opened(max_history_per_session=5000) as broadcaster:
        subscriber = await broadcaster.add_subscriber("s")
        count = MAX_EVENTS + 100
        await asyncio.gather(
            *(broadcaster.broadcast_event("s", {"type": "note", "data": {"n": n}}) for n in range(count))
        )
        assert subscriber.qsize() == count
        assert len(await rest_of(subscriber)) == count


async def test_who_lags_beyond_the_history_is_told_of_the_gap(opened: Any, rest_of: Rest) -> None:
    async with opened(max_history_per_session=10) as broadcaster:
        subscriber = await broadcaster.add_subscriber("s")
        count = 2 * MAX_EVENTS
        for n in range(count):
            await broadcaster.broadcast_event("s", {"type": "note", "data": {"n": n}})
        gap, *kept = await rest_of(subscriber)
        assert (gap.type, gap.data["reason"], gap.id) == ("gap", "trimmed", "")
        assert numbers(kept) == list(range(count - 10, count))


async def test_what_went_from_behind_a_jobs_event_is_a_gap_and_the_jobs_event_comes_once(
    opened: Any, rest_of: Rest
) -> None:
    async with opened(max_history_per_session=3) as broadcaster:
        spec = JobSpec(new_job_id(now()), "anonymous", "s", "any", Raw(b"1"), now(), 60.0)
        await broadcaster._ground.store.submit(spec, room=9, per_user=9)
        subscriber = await broadcaster.add_subscriber("s")
        await publish(broadcaster, 2 * MAX_EVENTS)
        queued, gap, *kept = await rest_of(subscriber)
        assert (queued.type, queued.data["job_id"]) == ("job_queued", spec.id)
        assert (gap.type, gap.data["reason"]) == ("gap", "trimmed")
        assert numbers(kept) == list(range(2 * MAX_EVENTS - 3, 2 * MAX_EVENTS))


async def test_an_event_past_its_ttl_is_left_out_and_no_gap(
    broadcaster: Broadcaster, rest_of: Rest, settled: Settled
) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    await publish(broadcaster, 2, ttl=0.02)
    await publish(broadcaster, 2, start=2)
    await settled(lambda: subscriber.qsize() == 2)
    assert numbers(await rest_of(subscriber)) == [2, 3]


async def test_history_past_its_ttl_does_not_count(broadcaster: Broadcaster, settled: Settled) -> None:
    await publish(broadcaster, 3, ttl=0.02)
    subscriber = await broadcaster.add_subscriber("s")
    await settled(lambda: subscriber.qsize() == 0)
    with pytest.raises(TimeoutError):
        await subscriber.get(timeout=0.01)


async def test_after_a_clear_it_says_so_and_goes_on(broadcaster: Broadcaster, rest_of: Rest) -> None:
    await publish(broadcaster, 2)
    subscriber = await broadcaster.add_subscriber("s")
    await subscriber.get()
    await broadcaster.clear_session("s")
    await publish(broadcaster, 1, start=7)
    assert subscriber.qsize() == 2
    gap, after = await rest_of(subscriber)
    assert (gap.type, gap.data["reason"]) == ("gap", "cleared")
    assert after.data["n"] == 7


async def test_what_was_cleared_unseen_is_a_gap_too(broadcaster: Broadcaster, frame_of: FrameOf) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    await publish(broadcaster, 1)
    await broadcaster.clear_session("s")
    await publish(broadcaster, 1, start=1)
    assert frame_of(await subscriber.get()).data["reason"] == "cleared"
    assert frame_of(await subscriber.get()).data["n"] == 1


async def test_a_clear_wakes_who_waits(broadcaster: Broadcaster, frame_of: FrameOf, rest_of: Rest) -> None:
    await publish(broadcaster, 1)
    subscriber = await broadcaster.add_subscriber("s")
    await rest_of(subscriber)
    waiting = asyncio.create_task(subscriber.get())
    await asyncio.sleep(0)
    await broadcaster.clear_session("s")
    assert frame_of(await waiting).data["reason"] == "cleared"
    assert subscriber.qsize() == 0


async def test_a_log_that_was_changed_elsewhere_is_looked_at_again_and_nothing_is_lost(
    broadcaster: Broadcaster, frame_of: FrameOf
) -> None:
    """As when a job of the session is erased: what was read of it may be gone, the rest is still due."""
    await publish(broadcaster, 5)
    subscriber = await broadcaster.add_subscriber("s")
    got = [frame_of(await subscriber.get())]
    broadcaster._ground.hub.changed(subscriber.key)
    got += [frame_of(await subscriber.get(timeout=5)) for _ in range(4)]
    assert numbers(got) == list(range(5))


async def test_what_was_read_of_a_log_that_is_no_more_is_not_given_as_the_new_ones(
    opened: Any, frame_of: FrameOf
) -> None:
    async with opened(max_history_per_session=5000) as broadcaster:
        await asyncio.gather(
            *(broadcaster.broadcast_event("s", {"type": "note", "data": {"n": n}}) for n in range(PAGE + 1))
        )
        subscriber = await broadcaster.add_subscriber("s")
        for _ in range(PAGE - 1):
            await subscriber.get()
        await broadcaster._ground.store.clear(subscriber.key)  # and nobody is told
        gap = frame_of(await subscriber.get(timeout=5))
        assert (gap.type, gap.data["reason"]) == ("gap", "cleared")
        await broadcaster.broadcast_event("s", {"type": "note", "data": {"n": -1}})
        assert frame_of(await subscriber.get(timeout=5)).data["n"] == -1


async def test_a_removed_subscriber_says_so_to_who_waits_and_to_who_comes(broadcaster: Broadcaster) -> None:
    async with broadcaster.subscribe("s") as subscriber:
        waiting = asyncio.create_task(subscriber.get())
        await asyncio.sleep(0)
    with pytest.raises(Unsubscribed):
        await waiting
    with pytest.raises(Unsubscribed):
        await subscriber.get()
    assert subscriber.qsize() == 0
    assert not broadcaster._ground.hub.watched


async def test_removing_one_leaves_the_other(broadcaster: Broadcaster, rest_of: Rest) -> None:
    one, other = [await broadcaster.add_subscriber("s") for _ in range(2)]
    await broadcaster.remove_subscriber("s", one)
    await broadcaster.remove_subscriber("s", one)
    await publish(broadcaster, 1)
    assert numbers(await rest_of(other)) == [0]


async def test_a_subscriber_that_is_never_asked_holds_no_events(broadcaster: Broadcaster) -> None:
    """What is published later is in the log and its tail; the subscriber has the page that it began with."""
    subscriber = await broadcaster.add_subscriber("s")
    await publish(broadcaster, 50)
    assert not subscriber._page
