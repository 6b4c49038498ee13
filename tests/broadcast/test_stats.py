"""The figures: there at once and awaited, the same names as the door's, and as exact as the store allows."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from sse_server.broadcast import Broadcaster, BroadcasterConfig
from sse_server.config import Sessions
from sse_server.routes.sessions import SessionFigures, SessionStats

EVENT = {"type": "note", "data": {}}


async def test_the_names_are_those_of_the_door(broadcaster: Broadcaster) -> None:
    await broadcaster.broadcast_event("s", EVENT)
    stats = await broadcaster.get_stats()
    assert stats.keys() == {field.encode_name for field in msgspec.structs.fields(SessionStats)}
    assert stats["sessionStats"]["s"].keys() == {field.encode_name for field in msgspec.structs.fields(SessionFigures)}


async def test_the_figures_are_those_of_the_log(broadcaster: Broadcaster) -> None:
    subscriber = await broadcaster.add_subscriber("watched")
    await broadcaster.broadcast_event("s", {"type": "message", "data": {"text": "x" * 2**19}})
    await broadcaster.broadcast_event("s", EVENT)
    stats = await broadcaster.get_stats()
    assert (stats["totalSessions"], stats["totalEvents"], stats["totalSubscribers"]) == (2, 2, 1)
    assert 0.5 < stats["memoryUsageMB"] < 0.51
    assert stats["sessionStats"]["s"]["historySize"] == 2
    assert stats["sessionStats"]["watched"] | {"lastActivity": None} == {
        "subscribers": 1,
        "historySize": 0,
        "memoryBytes": 0,
        "jobs": 0,
        "lastSeq": 0,
        "lastActivity": None,
    }
    assert stats["metrics"] == {
        "eventsBroadcast": 2,
        "eventsByType": {"message": 1, "custom": 1},
        "activeConnections": 0,
    }
    assert subscriber.qsize() == 0


def test_in_memory_they_are_exact_without_a_loop() -> None:
    broadcaster = Broadcaster()

    async def publish() -> None:
        await broadcaster.broadcast_event("s", EVENT)

    asyncio.run(publish())
    assert broadcaster.get_stats()["totalEvents"] == 1


async def test_they_are_a_dict_that_can_be_awaited_again(broadcaster: Broadcaster) -> None:
    stats = broadcaster.get_stats()
    await broadcaster.broadcast_event("s", EVENT)
    again = await stats
    assert again is stats
    assert msgspec.json.decode(msgspec.json.encode(stats))["totalEvents"] == 1


async def test_without_an_await_a_store_that_has_to_be_asked_is_shown_as_it_was_last(
    broadcaster: Broadcaster,
) -> None:
    await broadcaster.broadcast_event("s", EVENT)
    await broadcaster._perform_cleanup()
    assert broadcaster.get_stats()["totalEvents"] == 1
    subscriber = await broadcaster.add_subscriber("s")
    assert broadcaster.get_stats()["totalSubscribers"] == 1
    await broadcaster.remove_subscriber("s", subscriber)
    assert broadcaster.get_stats()["totalSubscribers"] == 0


async def test_a_made_session_is_active_until_it_is_cleared(broadcaster: Broadcaster) -> None:
    await broadcaster._session_manager.create_session("s")
    stats = await broadcaster.get_stats()
    assert "s" in stats["sessionStats"]
    assert stats["totalSessions"] == 1
    await broadcaster.clear_session("s")
    assert "s" not in (await broadcaster.get_stats())["sessionStats"]


async def test_sessions_of_one_name_are_told_apart_by_their_users(broadcaster: Broadcaster) -> None:
    await broadcaster.broadcast_event("s", EVENT, user="ann")
    await broadcaster.broadcast_event("t", EVENT, user="ann")
    await broadcaster.broadcast_event("s", EVENT)
    stats = await broadcaster.get_stats()
    assert stats["sessionStats"].keys() == {"ann/s", "anonymous/s", "t"}
    assert stats["totalSessions"] == 3


@pytest.mark.parametrize("enabled", [True, False])
async def test_metrics_are_empty_where_nobody_wants_them(enabled: bool) -> None:
    broadcaster = Broadcaster(BroadcasterConfig(enable_metrics=enabled))
    await broadcaster.broadcast_event("s", EVENT)
    assert bool(broadcaster.get_stats()["metrics"]) is enabled
    await broadcaster.shutdown()


def test_a_servers_settings_carry_over() -> None:
    config = BroadcasterConfig.of(Sessions(event_ttl=5.0, ttl=7.0, max_history=9))
    assert (config.event_ttl, config.session_ttl, config.max_history_per_session) == (5.0, 7.0, 9)
