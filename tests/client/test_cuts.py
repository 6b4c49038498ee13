"""A line that is cut, reset, held or replaced: what comes out is the same list, none missing and none twice."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from pathlib import Path

import pytest

from sse_server.client import Client, Event, LineStatus, Patience, Unreachable
from tests.client.proxy import BAD_GATEWAY, Act, Proxy, Then, in_turn
from tests.client.server import Server, Start, counting


async def followed(
    url: str, patience: Patience, job_id: str, after: str | None = None
) -> tuple[list[Event], list[str]]:
    """The events of a job, and what was said of the line."""
    states: list[str] = []
    async with Client(url, patience=patience) as client:
        events = client.follow(job_id, after, on_status=lambda status: states.append(status.state))
        return [event async for event in events], states


@pytest.fixture
async def job_id(client: Client) -> str:
    """A job that has ended, with some fifteen events."""
    job_id = (await client.start("count", counting(8))).job_id
    assert [event.type async for event in client.follow(job_id)][-1] == "done"
    return job_id


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize("after", [None, "nosuchepoch-7"])
async def test_a_stream_cut_at_any_byte_is_resumed(
    server: Server, patience: Patience, job_id: str, then: Then, after: str | None
) -> None:
    whole, _ = await followed(server.url, patience, job_id, after)
    cuts = range(0, 4000, 37)
    async with Proxy(server.port) as proxy:
        for cut in cuts:
            proxy.rule = in_turn("/stream", Act(after=cut, then=then))
            events, _ = await followed(proxy.url, patience, job_id, after)
            assert events == whole, cut


async def test_a_stream_cut_again_and_again_while_it_is_written(
    server: Server, client: Client, patience: Patience
) -> None:
    dice = random.Random(7)
    started = await client.start("count", counting(600, pace=0.0005))
    async with Proxy(server.port) as proxy:
        proxy.rule = lambda line: Act(after=dice.randrange(600, 9000)) if "/stream" in line else Act()
        events, states = await followed(proxy.url, patience, started.job_id)
    assert events == [event async for event in client.follow(started.job_id)]
    assert states.count("resumed") > 5
    assert [event.data["seq"] for event in events] == list(range(1, len(events) + 1))


async def test_every_loss_is_said_and_so_is_the_way_back(server: Server, patience: Patience, job_id: str) -> None:
    statuses: list[LineStatus] = []
    async with (
        Proxy(server.port, in_turn("/stream", Act(after=1000))) as proxy,
        Client(proxy.url, patience=patience) as client,
    ):
        assert [event async for event in client.follow(job_id, on_status=statuses.append)]
    connected, lost, resumed = statuses
    assert str(connected) == "connected"
    assert lost.state == "reconnecting"
    assert 0 < lost.delay <= 0.1
    assert str(lost) == f"line lost (the connection broke), resuming in {lost.delay:.1f} s"
    assert str(resumed) == "resumed, nothing missed"


async def test_the_server_decides_how_soon_a_client_comes_back(start: Start) -> None:
    served = start("--set", "stream.retry_ms=300")
    statuses: list[LineStatus] = []
    async with (
        Proxy(served.port, in_turn("/stream", Act(after=1000))) as proxy,
        Client(proxy.url, patience=Patience(first_pause=0)) as client,
    ):
        started = await client.start("count", counting(8))
        assert [event async for event in client.follow(started.job_id, on_status=statuses.append)]
    assert 0.3 <= next(status.delay for status in statuses if status.state == "reconnecting") <= 0.45


async def test_a_dead_line_is_noticed(server: Server, job_id: str) -> None:
    whole, _ = await followed(server.url, Patience(), job_id)
    statuses: list[LineStatus] = []
    impatient = Patience(silence=0.5, longest_pause=0.05)
    async with (
        Proxy(server.port, in_turn("/stream", Act(after=1500, then="hold"))) as proxy,
        Client(proxy.url, patience=impatient) as client,
    ):
        assert [event async for event in client.follow(job_id, on_status=statuses.append)] == whole
    assert [status.state for status in statuses] == ["connected", "reconnecting", "resumed"]
    assert statuses[1].reason == "not a byte for 0.5 s"


async def test_heartbeats_keep_a_silent_line_alive(start: Start, gate: Path) -> None:
    served = start("--set", "stream.heartbeat_interval=0.05")
    states: list[str] = []
    async with Client(served.url, patience=Patience(silence=1.0)) as client:
        job = await client.start("count", counting(2, gate=str(gate), gate_at=1))
        asyncio.get_running_loop().call_later(1.5, gate.touch)
        assert [
            event async for event in client.follow(job.job_id, on_status=lambda status: states.append(status.state))
        ]
    assert states == ["connected"]


async def test_a_server_that_sends_its_readers_away_is_resumed(start: Start) -> None:
    served = start("--set", "stream.max_age=0.1", "--set", "stream.heartbeat_interval=0.2")
    reasons: list[str] = []
    async with Client(served.url) as client:
        job = await client.start("count", counting(40, pace=0.01))
        following = client.follow(job.job_id, on_status=lambda status: reasons.append(status.reason))
        events = [event async for event in following]
        assert events == (await client.poll(job.job_id, limit=1000)).events
    assert "the server says max_age" in reasons


async def test_a_proxy_without_a_server_behind_it_is_got_over(server: Server, patience: Patience, job_id: str) -> None:
    whole, _ = await followed(server.url, patience, job_id)
    async with Proxy(server.port, in_turn("/stream", BAD_GATEWAY, BAD_GATEWAY)) as proxy:
        events, states = await followed(proxy.url, patience, job_id)
    assert (events, states) == (whole, ["reconnecting", "reconnecting", "connected"])


async def test_following_gives_up_when_nothing_comes_through(start: Start, gate: Path) -> None:
    served = start()
    async with Client(served.url, patience=Patience(give_up=0.3, longest_pause=0.05)) as client:
        job = await client.start("count", counting(2, gate=str(gate), gate_at=1))
        async with aclosing(client.follow(job.job_id)) as events:
            while (await anext(events)).type != "insight":
                pass
            served.kill()
            with pytest.raises(Unreachable, match=r"nothing came through for 0\.3 s: can't connect"):
                await anext(events)
