"""What a frame is made of reaches every client as it was meant, and what is no event makes none."""

from __future__ import annotations

import pytest

from tests.clients.proxy import Proxy
from tests.clients.stage import ODD, Line, Stage, on_stage
from tests.clients.watcher import Watcher

TYPES = ["job_queued", "job_started", "token", "note", "heartbeat", "done"]
HALF_A_MEGABYTE = "äh, 🎈! " * 42_000
QUERIES = ["", "named=1", "padding=2048", "named=1&padding=4096"]


async def test_a_client_sees_exactly_what_polling_lists(stage: Stage, proxy: Proxy, client: str) -> None:
    """Named or not, padded or not, and whatever the text."""
    job = await stage.recited(*(Line("token", {"text": text}) for text in ODD), Line("note", {"deep": [{"er": None}]}))
    events = await stage.events(job)
    assert [event["text"] for event in events if event["type"] == "token"] == ODD
    hops = [proxy.hop(f"{job}/stream?{query}") for query in QUERIES]
    async with Watcher(client, [hop.url for hop in hops], TYPES) as watcher:
        await watcher.ended()
    for n, query in enumerate(QUERIES):
        assert watcher.events(n) == events
        for told in watcher.told[n]:
            assert told.type == (told.event["type"] if "named" in query else "message")
            assert told.id.endswith(f"-{told.event['seq']}")
        assert len(hops[n].visits) == 2, "its stream, and the 204 that ends it"


async def test_a_large_event_arrives_whole_wherever_it_is_cut(stage: Stage, proxy: Proxy, client: str) -> None:
    job = await stage.recited(Line("token", {"text": HALF_A_MEGABYTE}), Line("note"))
    events = await stage.events(job)
    hops = [proxy.hop(f"{job}/stream", *cuts) for cuts in [(), (250_001,), (400_002, 250_003)]]
    async with Watcher(client, [hop.url for hop in hops]) as watcher:
        await watcher.ended()
    assert [watcher.events(n) == events for n in range(len(hops))] == [True] * len(hops)


@pytest.mark.parametrize("settings", [on_stage(retry_ms=10, heartbeat_interval=0.1)], ids=[""])
async def test_heartbeats_disturb_nothing(stage: Stage, proxy: Proxy, client: str) -> None:
    """They arrive as events of the type `heartbeat`, and a client that resumes behind one misses nothing."""
    job = await stage.start("actor")
    names = ["message", "heartbeat"]
    hops = [proxy.hop(f"{job}/stream?named={named}", 600, 300) for named in (0, 1)]
    async with Watcher(client, [hop.url for hop in hops], TYPES) as watcher:
        await watcher.until(lambda: all(len(watcher.control("heartbeat", n)) > 2 for n in (0, 1)))
        stage.cue("token", text="after some silence")
        await watcher.until(lambda: all(len(watcher.events(n)) > 2 for n in (0, 1)))
        beats = len(watcher.control("heartbeat"))
        await watcher.until(lambda: len(watcher.control("heartbeat")) > beats)
        stage.curtain()
        await watcher.ended()
    for n, hop in enumerate(hops):
        assert watcher.events(n) == await stage.events(job)
        assert {told.type for told in watcher.told[n] if told.event["type"] == "heartbeat"} == {names[n]}
        assert watcher.control("heartbeat", 0)[-1]["last_seq"] == 3
        assert len(hop.visits) > 2
