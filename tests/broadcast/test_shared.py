"""The one broadcaster of a process: alone on a log of its own, beside a server on the server's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from sse_server import broadcast
from sse_server.agents import Job, Registry, agent
from sse_server.app import Server
from sse_server.broadcast import BroadcasterConfig, Unsubscribed, get_sse_broadcaster
from sse_server.config import Server as ServerSettings
from sse_server.config import Sessions, Settings
from sse_server.config import Store as StoreSettings

EVENT = {"type": "note", "data": {"n": 1}}


@pytest.fixture(autouse=True)
async def _anew() -> AsyncIterator[None]:
    """Each test begins without one."""
    await get_sse_broadcaster().shutdown()
    yield
    await get_sse_broadcaster().shutdown()


@pytest.fixture(params=["memory", "sqlite"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return Settings(
        server=ServerSettings(port=0),
        store=StoreSettings(kind=request.param, path=str(tmp_path / "jobs.db")),
        sessions=Sessions(event_ttl=77.0, max_event_ttl=100.0),
    )


async def test_everybody_gets_the_same_one_until_it_is_shut_down() -> None:
    one = get_sse_broadcaster()
    assert get_sse_broadcaster() is one
    assert one.config == BroadcasterConfig()
    await one.shutdown()
    assert get_sse_broadcaster() is not one


async def test_beside_a_server_it_is_on_the_servers_log(settings: Settings, frame_of: Callable[[str], Any]) -> None:
    server = Server(settings, Registry())
    await server.start()
    try:
        broadcaster = get_sse_broadcaster()
        assert broadcaster.config.event_ttl == 77.0
        subscriber = await broadcaster.add_subscriber("s")
        here = f"http://127.0.0.1:{server.port}/api/sessions/s"
        async with ClientSession() as client:
            event_id = await broadcaster.broadcast_event("s", EVENT)
            async with client.get(f"{here}/events") as answer:
                (shown,) = (await answer.json())["events"]
            assert (shown["id"], shown["type"], shown["data"]["n"]) == (event_id, "note", 1)
            async with client.post(f"{here}/events", json={"type": "posted", "data": {}}) as answer:
                assert answer.status == 201
            assert [frame_of(await subscriber.get(timeout=5)).type for _ in range(2)] == ["note", "posted"]
            async with client.get(f"http://127.0.0.1:{server.port}/sse/stats") as answer:
                theirs = await answer.json()
            assert (await broadcaster.get_stats())["sessionStats"] == theirs["sessionStats"]
            async with client.delete(here) as answer:
                assert answer.status == 204
            assert frame_of(await subscriber.get(timeout=5)).data["reason"] == "cleared"
        with pytest.raises(Exception, match="ttl is at most 100"):
            await broadcaster.broadcast_event("s", {**EVENT, "ttl": 101})
    finally:
        await server.stop()
    with pytest.raises(Unsubscribed):
        await subscriber.get()


async def test_who_took_it_before_the_server_came_has_it_after_the_server_is_gone(settings: Settings) -> None:
    """As a module does that takes it when it is imported."""
    broadcaster = get_sse_broadcaster()
    await broadcaster.broadcast_event("s", EVENT)
    server = Server(settings, Registry())
    await server.start()
    try:
        assert get_sse_broadcaster() is broadcaster
        assert await broadcaster.get_event_history("s") == []
        await broadcaster.broadcast_event("s", EVENT)
        assert (await server.store.sessions(1)).events == 1
    finally:
        await server.stop()
    assert get_sse_broadcaster() is broadcaster
    assert await broadcaster.get_event_history("s") == []
    assert broadcaster.config == BroadcasterConfig()


async def test_shutting_it_down_beside_a_server_leaves_the_server_alone(settings: Settings) -> None:
    server = Server(settings, Registry())
    await server.start()
    try:
        await get_sse_broadcaster().broadcast_event("s", EVENT)
        await get_sse_broadcaster().shutdown()
        assert len(await get_sse_broadcaster().get_event_history("s")) == 1
    finally:
        await server.stop()


async def test_of_several_servers_the_latest_counts_while_it_is_there() -> None:
    settings = Settings(server=ServerSettings(port=0), store=StoreSettings(kind="memory"))
    servers = [Server(settings, Registry()) for _ in range(3)]
    for server in servers:
        await server.start()
    broadcaster = get_sse_broadcaster()
    await broadcaster.broadcast_event("s", EVENT)
    assert [(await server.store.sessions(1)).events for server in servers] == [0, 0, 1]
    await servers[1].stop()
    assert len(await broadcaster.get_event_history("s")) == 1
    await servers[2].stop()
    await broadcaster.broadcast_event("s", EVENT)
    assert (await servers[0].store.sessions(1)).events == 1
    await servers[0].stop()


async def test_a_stopped_server_leaves_no_task_of_the_broadcasters(settings: Settings) -> None:
    server = Server(settings, Registry())
    await server.start()
    await get_sse_broadcaster().broadcast_event("s", EVENT)
    await server.stop()
    assert not [task for task in asyncio.all_tasks() if "broadcaster" in task.get_name()]


async def test_a_subscriber_watches_the_jobs_of_its_session(settings: Settings, settled: Callable[..., Any]) -> None:
    """A job that is to end once nobody watches goes on while one does, and ends when it is removed."""

    @agent("waits")
    async def waits(_: Any, __: Job) -> None:
        await asyncio.Event().wait()

    server = Server(settings, Registry([waits]))
    await server.start()
    try:
        broadcaster = get_sse_broadcaster()
        subscriber = await broadcaster.add_subscriber("s")
        start = {"agent": "waits", "input": {}, "session_id": "s", "on_disconnect": {"cancel_after": 0.0}}
        async with (
            ClientSession() as client,
            client.post(f"http://127.0.0.1:{server.port}/api/jobs", json=start) as answer,
        ):
            job_id = (await answer.json())["job_id"]
        while "job_started" not in await subscriber.get(timeout=5):
            pass
        await broadcaster.remove_subscriber("s", subscriber)
        statuses = ["running"]

        async def look() -> None:
            record = await server.store.load(job_id)
            assert record is not None
            statuses.append(record.state.status)

        await settled(lambda: statuses[-1] == "cancelled", meanwhile=look)
    finally:
        await server.stop()


def test_the_package_itself_does_not_load_it() -> None:
    code = "import sys, sse_server; print('sse_server.broadcast' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_public_names_are_these() -> None:
    assert broadcast.__all__ == [
        "Broadcaster",
        "BroadcasterConfig",
        "EnhancedSSEBroadcaster",
        "Ground",
        "ProgressTracker",
        "Publisher",
        "SSEEvent",
        "SSEEventBuilder",
        "Subscriber",
        "ThoughtProcessTracker",
        "Unsubscribed",
        "attach",
        "detach",
        "get_sse_broadcaster",
    ]
    assert all(hasattr(broadcast, name) for name in broadcast.__all__)
    assert broadcast.Broadcaster is broadcast.EnhancedSSEBroadcaster
