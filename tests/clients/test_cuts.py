"""A line that is cut anywhere, and a client that comes back by itself: nothing is lost and nothing comes twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.clients.proxy import IN_HEAD, Proxy
from tests.clients.stage import Line, Stage
from tests.clients.watcher import Watcher

ADOPT_AN_ID_BEFORE_ITS_EVENT = {"fetch-event-source", "extended-eventsource"}
"""They take over an id as they read its line, not as its event is dispatched. With the id as the last line this can go
wrong at one place only: between that line and the blank one that follows it."""


def places(body: bytes) -> Iterator[int]:
    """Where to cut: after each byte, but only some in the middle of a long line, where all bytes are alike."""
    start = 0
    for line in body.splitlines(keepends=True):
        middle = range(12, len(line) - 40)
        yield from (start + n for n in range(len(line)) if n not in middle or n % 8 == 0)
        start += len(line)
    yield len(body)


def adopted_too_early(client: str, got: bytes) -> bool:
    """Whether the client has the id, and not the event."""
    return client in ADOPT_AN_ID_BEFORE_ITS_EVENT and bool(re.search(rb"\nid: [^\n]+\n\Z", got))


async def test_cut_anywhere_it_is_resumed_whole(stage: Stage, proxy: Proxy, client: str) -> None:
    """The answer just ends, as HTTP/1.0 ends: no client can tell that it was torn."""
    job = await stage.recited(Line("note", {"text": "naïve 🎈 bytes"}))
    stream = f"{job}/stream?types=note"
    body = await stage.bytes(stream)
    events = [event for event in await stage.events(job) if event["type"] in {"note", "done"}]
    cuts = [IN_HEAD, *places(body)]
    hops = [proxy.hop(stream, cut, http="1.0") for cut in cuts]
    async with Watcher(client, [hop.url for hop in hops]) as watcher:
        await watcher.ended()
    for n, hop in enumerate(hops):
        got = body[: max(cuts[n], 0)]
        expected = list(events)
        if adopted_too_early(client, got):
            del expected[got.count(b"\n\n")]
        assert watcher.events(n) == expected, f"cut after {got[-40:]!r}"
        assert len(watcher.told[n]) == len(expected)
        assert hop.visits[-1].cursor.endswith(f"-{events[-1]['seq']}"), "a 204 ended it, behind `done`"


async def test_cut_in_a_chunk_it_is_resumed_whole(stage: Stage, proxy: Proxy, client: str) -> None:
    """The client learns that the answer was torn: its chunks break off."""
    job = await stage.recited(*(Line("token", {"text": f"word {n} "}) for n in range(8)))
    body, events = await stage.bytes(f"{job}/stream", http="1.1"), await stage.events(job)
    cuts = [cut for cut in range(30, len(body), 61) if not adopted_too_early(client, body[:cut])]
    hops = [proxy.hop(f"{job}/stream", cut) for cut in cuts]
    async with Watcher(client, [hop.url for hop in hops]) as watcher:
        await watcher.ended()
    for n, cut in enumerate(cuts):
        assert watcher.events(n) == events, f"cut after {body[:cut][-40:]!r}"
        assert len(watcher.told[n]) == len(events)


async def test_cut_again_and_again_it_goes_on_each_time(stage: Stage, proxy: Proxy, client: str) -> None:
    job = await stage.recited(*(Line("token", {"text": f"word {n} "}) for n in range(12)))
    hop = proxy.hop(f"{job}/stream", *[400] * 12)
    async with Watcher(client, [hop.url]) as watcher:
        await watcher.ended()
    assert watcher.events() == await stage.events(job)
    assert len(hop.visits) > 12
