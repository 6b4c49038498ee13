"""A line that is cut anywhere, and a client that comes back by itself: nothing is lost and nothing comes twice."""

from __future__ import annotations

import re

from tests.clients.proxy import IN_HEAD, Proxy
from tests.clients.stage import Line, Stage
from tests.clients.watcher import Watcher

ADOPT_AN_ID_BEFORE_ITS_EVENT = {"fetch-event-source", "extended-eventsource"}
"""They take over an id as they read its line, not as its event is dispatched. With the id as the last line this can go
wrong at one place only: between that line and the blank one that follows it."""


async def test_cut_after_any_byte_it_is_resumed_whole(stage: Stage, proxy: Proxy, client: str) -> None:
    """The answer just ends, as HTTP/1.0 ends: no client can tell that it was torn."""
    stream = f"{await stage.recited(Line('note', {'text': 'naïve 🎈 bytes'}))}/stream?types=note"
    body = await stage.bytes(stream)
    events = [event for event in await stage.events(stream.partition("/stream")[0]) if event["type"] in {"note", "done"}]
    hops = [proxy.hop(stream, cut, http="1.0") for cut in range(len(body) + 1)]
    async with Watcher(client, [hop.url for hop in hops]) as watcher:
        await watcher.ended()
    for cut, hop in enumerate(hops):
        expected = list(events)
        if client in ADOPT_AN_ID_BEFORE_ITS_EVENT and re.search(rb"\nid: [^\n]+\n\Z", body[:cut]):
            del expected[body[:cut].count(b"\n\n")]
        assert watcher.events(cut) == expected, f"cut after {body[:cut][-40:]!r}"
        assert len(watcher.told[cut]) == len(expected)
        assert hop.visits[-1].cursor.endswith(f"-{events[-1]['seq']}"), "a 204 ended it, behind `done`"


async def test_cut_in_a_chunk_or_in_the_head_it_is_resumed_whole(stage: Stage, proxy: Proxy, client: str) -> None:
    """The client learns that the answer was torn: its chunks break off."""
    job = await stage.recited(*(Line("token", {"text": f"word {n} "}) for n in range(8)))
    events = await stage.events(job)
    hops = [proxy.hop(f"{job}/stream", cut) for cut in (IN_HEAD, *range(0, 2600, 61))]
    async with Watcher(client, [hop.url for hop in hops]) as watcher:
        await watcher.ended()
    for n, hop in enumerate(hops):
        assert watcher.events(n) == events, hop.url
        assert len(watcher.told[n]) == len(events)


async def test_cut_again_and_again_it_goes_on_each_time(stage: Stage, proxy: Proxy, client: str) -> None:
    job = await stage.recited(*(Line("token", {"text": f"word {n} "}) for n in range(12)))
    events = await stage.events(job)
    hop = proxy.hop(f"{job}/stream", *[400] * 12)
    async with Watcher(client, [hop.url]) as watcher:
        await watcher.ended()
    assert watcher.events() == events
    assert len(hop.visits) > 12
