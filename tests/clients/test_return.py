"""A server that sends its streams away, or has no room for them: clients come back in time and miss nothing."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from sse_server.config import Limits
from tests.clients.proxy import Proxy
from tests.clients.stage import Stage, on_stage
from tests.clients.watcher import Watcher

CROWDED = msgspec.structs.replace(on_stage(retry_ms=100), limits=Limits(streams_per_user=1))


@pytest.mark.parametrize("settings", [on_stage(retry_ms=200, max_age=0.3, heartbeat_interval=0.2)], ids=[""])
async def test_a_stream_that_grew_old_is_resumed_after_its_retry(stage: Stage, proxy: Proxy, client: str) -> None:
    job = await stage.start("actor")
    hop = proxy.hop(f"{job}/stream")
    async with Watcher(client, [hop.url]) as watcher:
        await watcher.until(lambda: watcher.control("reconnect"))
        stage.cue("token", text="while nobody looks")
        await hop.visited(2)
        stage.curtain()
        await watcher.ended()
    assert watcher.events() == await stage.events(job)
    asked = watcher.control("reconnect")
    assert {reconnect["reason"] for reconnect in asked} == {"max_age"}
    for reconnect, (visit, again) in zip(asked, pairwise(hop.visits), strict=False):
        assert visit.over
        waited = again.came - visit.over
        # Nobody told them: they would wait 0.1 s, or 1 s and more.
        assert reconnect["retry_ms"] / 1000 - 0.02 < waited < 0.95


@pytest.mark.parametrize("settings", [CROWDED], ids=[""])
async def test_where_no_stream_is_free_a_client_comes_back_until_one_is(
    stage: Stage, proxy: Proxy, client: str
) -> None:
    job = await stage.start("actor")
    first, second = proxy.hop(f"{job}/stream"), proxy.hop(f"{job}/stream")
    async with Watcher("httpx-sse", [first.url]) as guest:
        await guest.until(guest.events)
        async with Watcher(client, [second.url]) as watcher:
            await second.visited(3)
            stage.cue("token", text="to the only guest")
            stage.curtain()
            await guest.ended()
            await watcher.ended()
    assert watcher.events() == guest.events() == await stage.events(job)
    assert {reconnect["reason"] for reconnect in watcher.control("reconnect")} == {"overloaded"}
    assert len(watcher.control("reconnect")) >= 2
