"""A server that drains, refuses, is gone and comes back: its clients wait, and see their job to its end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from sse_server.config import Settings, Store
from tests.clients.proxy import Proxy
from tests.clients.stage import Stage, on_stage
from tests.clients.watcher import Watcher


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return msgspec.structs.replace(on_stage(retry_ms=50), store=Store(path=str(tmp_path / "events.db")))


async def test_a_client_outlives_the_server(stage: Stage, proxy: Proxy, client: str) -> None:
    job = await stage.start("actor")
    hop = proxy.hop(f"{job}/stream")
    async with Watcher(client, [hop.url]) as watcher:
        stage.cue("token", text="before")
        await watcher.until(lambda: len(watcher.events()) == 3)
        closing = asyncio.create_task(stage.close())
        await watcher.until(lambda: len(watcher.control("reconnect")) == 3)
        stage.cue("token", text="while it drains")
        stage.curtain()
        await closing
        tried = len(hop.visits)
        await hop.visited(tried + 2)
        await stage.open()
        proxy.port = stage.port
        await watcher.ended()
    assert watcher.events() == await stage.events(job)
    assert watcher.events()[-1]["status"] == "succeeded"
    assert {reconnect["reason"] for reconnect in watcher.control("reconnect")} == {"draining"}
