"""A browser's own EventSource, over a line that is cut and a server that restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sse_server.config import Settings, Store
from tests.chromium import BROWSER
from tests.clients.proxy import Proxy
from tests.clients.stage import ODD, Stage, on_stage
from tests.clients.watcher import Browser


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    stream = on_stage(retry_ms=50, heartbeat_interval=0.2)
    return msgspec.structs.replace(stream, store=Store(path=str(tmp_path / "events.db")))


async def test_a_page_misses_nothing_and_stops_behind_done(
    stage: Stage, proxy: Proxy, tmp_path: Path, require: Callable[[object, str], None]
) -> None:
    require(BROWSER, "chromium is not installed")
    job = await stage.start("actor")
    hop = proxy.hop(f"{job}/stream", 300, 10, 700)
    async with Browser(proxy, hop, tmp_path / "home") as browser:
        await hop.visited(3)
        for text in ODD:
            stage.cue("token", text=text)
        await hop.visited(4)
        await browser.until(lambda: len(browser.events()) == len(ODD) + 2)
        await browser.until(lambda: browser.control("heartbeat"))
        closing = asyncio.create_task(stage.close())
        await browser.until(lambda: browser.control("reconnect"))
        stage.cue("token", text="while it drains")
        stage.curtain()
        await closing
        await hop.visited(len(hop.visits) + 2)
        await stage.open()
        proxy.port = stage.port
        await browser.closed()
    events = await stage.events(job)
    assert browser.events() == events
    assert hop.visits[-1].cursor.endswith(f"-{events[-1]['seq']}"), "the 204 behind `done` closed it"
