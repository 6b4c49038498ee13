"""The broadcaster: what may be published, how far back it can be looked, what goes when, and what stays behind."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sse_server.broadcast import Broadcaster, BroadcasterConfig, EnhancedSSEBroadcaster, SSEEvent, Unsubscribed
from sse_server.errors import InvalidEvent, InvalidInput
from sse_server.published import RESERVED

Settled = Callable[..., Awaitable[None]]
FrameOf = Callable[[str], Any]


def note(n: int, **more: Any) -> dict[str, Any]:
    return {"type": "note", "data": {"n": n}, **more}


# ---------------------------------------------------------------- publishing


async def test_an_event_is_published_as_it_was_given_and_stamped(broadcaster: Broadcaster, frame_of: FrameOf) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    event_id = await broadcaster.broadcast_event("s", note(1))
    frame = frame_of(await subscriber.get())
    assert (frame.type, frame.id) == ("note", event_id)
    assert frame.data == {"n": 1, "timestamp": frame.data["timestamp"]}


async def test_a_built_event_and_a_timestamp_of_its_own_pass_unchanged(
    broadcaster: Broadcaster, frame_of: FrameOf
) -> None:
    subscriber = await broadcaster.add_subscriber("s")
    await broadcaster.broadcast_event("s", SSEEvent("note", {"timestamp": "then"}, ttl=5))
    assert frame_of(await subscriber.get()).data == {"timestamp": "then"}


@pytest.mark.parametrize("type", sorted(RESERVED))
async def test_what_the_server_writes_itself_is_refused(type: str) -> None:
    broadcaster = Broadcaster()
    with pytest.raises(InvalidEvent, match="written by the server alone"):
        await broadcaster.broadcast_event("s", {"type": type, "data": {}})
    assert await broadcaster.get_event_history("s") == []
    await broadcaster.shutdown()


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 1e300, "5", True])
async def test_a_ttl_that_makes_no_sense_is_refused(broadcaster: Broadcaster, ttl: Any) -> None:
    with pytest.raises(InvalidEvent, match="ttl"):
        await broadcaster.broadcast_event("s", note(1, ttl=ttl))


@pytest.mark.parametrize("name", ["", "a b", "a/b", "x" * 129, "ä", "a\n", None, 5])
async def test_a_name_that_no_session_can_have_is_refused_everywhere(broadcaster: Broadcaster, name: Any) -> None:
    for refused in (
        broadcaster.add_subscriber(name),
        broadcaster.broadcast_event(name, note(1)),
        broadcaster.get_event_history(name),
        broadcaster.clear_session(name),
        broadcaster._session_manager.create_session(name),
    ):
        with pytest.raises(InvalidInput, match="a session is named by"):
            await refused


async def test_two_users_with_one_session_name_never_meet(broadcaster: Broadcaster) -> None:
    hers = await broadcaster.add_subscriber("s", user="ann")
    await broadcaster.broadcast_event("s", note(1), user="bob")
    assert hers.qsize() == 0
    assert await broadcaster.get_event_history("s", user="ann") == []
    assert [event.data["n"] for event in await broadcaster.get_event_history("s", user="bob")] == [1]
    await broadcaster.broadcast_event("s", note(2), user="ann")
    await broadcaster.clear_session("s", user="bob")
    assert hers.qsize() == 1
    assert (await broadcaster.get_stats())["sessionStats"]["s"]["historySize"] == 1


# ---------------------------------------------------------------- looking back


async def test_history_is_the_latest_events_oldest_first(broadcaster: Broadcaster) -> None:
    ids = [await broadcaster.broadcast_event("s", note(n)) for n in range(60)]
    history = await broadcaster.get_event_history("s")
    assert [event.data["n"] for event in history] == list(range(10, 60))
    assert [event.id for event in history] == ids[10:]
    assert {event.type for event in history} == {"note"}
    assert [event.created_at for event in history] == [event.data["timestamp"] for event in history]
    assert len(await broadcaster.get_event_history("s", 500)) == 60
    assert [event.data["n"] for event in await broadcaster.get_event_history("s", limit=1)] == [59]
    assert await broadcaster.get_event_history("s", limit=0) == []
    assert await broadcaster.get_event_history("unknown") == []


async def test_history_reaches_past_what_has_expired(broadcaster: Broadcaster, settled: Settled) -> None:
    await broadcaster.broadcast_event("s", note(0))
    watcher = await broadcaster.add_subscriber("s")
    for n in range(1, 20):
        await broadcaster.broadcast_event("s", note(n, ttl=0.02))
    await settled(lambda: watcher.qsize() == 1)
    assert [event.data["n"] for event in await broadcaster.get_event_history("s", limit=2)] == [0]


async def test_the_default_ttl_is_the_configured_one(opened: Any, settled: Settled) -> None:
    async with opened(event_ttl=0.02) as broadcaster:
        subscriber = await broadcaster.add_subscriber("s")
        await broadcaster.broadcast_event("s", note(1))
        await broadcaster.broadcast_event("s", note(2, ttl=60))
        await settled(lambda: subscriber.qsize() == 1)
        assert [event.data["n"] for event in await broadcaster.get_event_history("s")] == [2]


async def test_a_session_keeps_its_latest_events_only(opened: Any) -> None:
    async with opened(max_history_per_session=3) as broadcaster:
        for n in range(10):
            await broadcaster.broadcast_event("s", note(n))
        assert [event.data["n"] for event in await broadcaster.get_event_history("s")] == [7, 8, 9]
        assert (await broadcaster.add_subscriber("s")).qsize() == 3


async def test_clearing_what_nobody_knows_is_no_error(broadcaster: Broadcaster) -> None:
    await broadcaster.clear_session("unknown")


# ---------------------------------------------------------------- cleaning


async def test_an_idle_subscriber_goes_and_one_that_waits_stays(opened: Any, settled: Settled) -> None:
    async with opened(max_subscriber_idle_time=0.02) as broadcaster:
        idle, busy = await broadcaster.add_subscriber("s"), await broadcaster.add_subscriber("s")
        waiting = asyncio.create_task(busy.get())
        await settled(lambda: idle.closed, meanwhile=broadcaster._perform_cleanup)
        with pytest.raises(Unsubscribed):
            await idle.get()
        assert broadcaster.get_stats()["sessionStats"]["s"]["subscribers"] == 1
        await broadcaster.broadcast_event("s", note(1))
        assert "note" in await waiting


async def test_a_left_session_goes_and_a_watched_one_stays(opened: Any, settled: Settled) -> None:
    async with opened(session_ttl=0.02) as broadcaster:
        await broadcaster.broadcast_event("watched", note(1))
        subscriber = await broadcaster.add_subscriber("watched")
        await broadcaster.broadcast_event("left", note(1))
        await settled(
            lambda: "left" not in broadcaster.get_stats()["sessionStats"], meanwhile=broadcaster._perform_cleanup
        )
        assert len(await broadcaster.get_event_history("watched")) == 1
        assert subscriber.qsize() == 1


async def test_beyond_the_critical_threshold_the_oldest_go_until_the_warning_is_met(opened: Any) -> None:
    async with opened(memory_warning_threshold_mb=0.05, memory_critical_threshold_mb=0.1) as broadcaster:
        for n in range(20):
            await broadcaster.broadcast_event(f"s{n % 2}", {"type": "note", "data": {"n": n, "text": "x" * 10_000}})
        await broadcaster._perform_cleanup()
        stats = await broadcaster.get_stats()
        assert 0.03 < stats["memoryUsageMB"] <= 0.05
        kept = [event.data["n"] for name in ("s0", "s1") for event in await broadcaster.get_event_history(name)]
        assert sorted(kept) == list(range(20 - len(kept), 20))


async def test_a_flood_is_cleaned_up_before_its_interval(opened: Any) -> None:
    async with opened(memory_warning_threshold_mb=0.05, memory_critical_threshold_mb=0.1) as broadcaster:
        for n in range(100):
            await broadcaster.broadcast_event(f"s{n}", {"type": "note", "data": {"text": "x" * 10_000}})
        assert (await broadcaster.get_stats())["memoryUsageMB"] <= 0.2


async def test_cleaning_goes_on_in_the_background(settled: Settled) -> None:
    broadcaster = Broadcaster(BroadcasterConfig(cleanup_interval=0.01, max_subscriber_idle_time=0.01))
    subscriber = await broadcaster.add_subscriber("s")
    await settled(lambda: subscriber.closed)
    await broadcaster.shutdown()


async def test_a_cleaning_that_fails_is_logged_and_the_next_one_comes(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcaster = Broadcaster(BroadcasterConfig(cleanup_interval=0.01))
    failures = iter([RuntimeError("no")])
    cleaned = asyncio.Event()

    async def fail_once() -> None:
        for failure in failures:
            raise failure
        cleaned.set()

    monkeypatch.setattr(broadcaster, "_perform_cleanup", fail_once)
    await broadcaster.add_subscriber("s")
    await cleaned.wait()
    assert "could not be cleaned up" in caplog.text
    await broadcaster.shutdown()


async def test_shutdown_leaves_no_task_and_no_subscriber() -> None:
    before = asyncio.all_tasks()
    broadcaster = EnhancedSSEBroadcaster()
    subscriber = await broadcaster.add_subscriber("s")
    waiting = asyncio.create_task(subscriber.get())
    await broadcaster.broadcast_event("other", note(1))
    await asyncio.sleep(0)
    await broadcaster.shutdown()
    with pytest.raises(Unsubscribed):
        await waiting
    assert asyncio.all_tasks() == before
    assert (broadcaster.get_stats()["totalSessions"], broadcaster.get_stats()["totalSubscribers"]) == (0, 0)
    for late in (broadcaster.add_subscriber("s"), broadcaster.broadcast_event("s", note(1))):
        with pytest.raises(RuntimeError, match="shut down"):
            await late
    await broadcaster.shutdown()


def test_one_broadcaster_serves_one_loop_after_another() -> None:
    """Its log stays; what a closed loop left of its cleaning is no hindrance."""
    broadcaster = Broadcaster()

    async def publish(n: int) -> int:
        await broadcaster.broadcast_event("s", note(n))
        return len(await broadcaster.get_event_history("s"))

    assert [asyncio.run(publish(n)) for n in range(3)] == [1, 2, 3]


async def test_ten_thousand_sessions_opened_and_left_leave_no_memory_behind(settled: Settled) -> None:
    """Half of them with a subscriber that nobody removed; what stays are the tables of dicts that are empty again."""
    broadcaster = Broadcaster(
        BroadcasterConfig(session_ttl=0.05, max_subscriber_idle_time=0.05, event_ttl=0.05, cleanup_interval=3600)
    )

    async def open_and_leave(n: int) -> None:
        await broadcaster._session_manager.create_session(f"made{n}")
        await broadcaster.broadcast_event(f"s{n}", note(n))
        subscriber = await broadcaster.add_subscriber(f"s{n}")
        if n % 2:
            await broadcaster.remove_subscriber(f"s{n}", subscriber)

    def is_empty() -> bool:
        stats = broadcaster.get_stats()
        return (stats["totalSessions"], stats["totalSubscribers"]) == (0, 0)

    async def all_left(count: int) -> int:
        """Bytes in use once the last one is gone."""
        for n in range(count):
            await open_and_leave(n)
        assert not is_empty()
        await settled(is_empty, meanwhile=broadcaster._perform_cleanup)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = await all_left(10)
        left = await all_left(10_000) - before
    finally:
        tracemalloc.stop()
    assert left < 1_500_000, f"{left} bytes are left"
    assert not broadcaster._subscribers
    assert not broadcaster._session_manager.keys
    await broadcaster.shutdown()
