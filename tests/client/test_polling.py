"""Where streams don't get through, the same events come by polling, and nothing is lost in the change."""

from __future__ import annotations

from pathlib import Path

import pytest

from sse_server.client import Client, Event, LineStatus, Patience
from tests.client.proxy import BAD_GATEWAY, LOSE, RUBBISH, STUCK, Act, Proxy, in_turn, only
from tests.client.server import Server, counting

SHORT = Patience(first_bytes=1.0, first_pause=0.005, longest_pause=0.05, give_up=30)
GARBLED = Act(say=b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 16\r\n\r\ndata: nonsense\n\n")


async def followed(url: str, job_id: str, patience: Patience = SHORT) -> tuple[list[Event], list[LineStatus]]:
    """The events of a job, and what was said of the line."""
    statuses: list[LineStatus] = []
    async with Client(url, patience=patience) as client:
        return [event async for event in client.follow(job_id, on_status=statuses.append)], statuses


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (STUCK, "the first bytes of a stream do not get through"),
        (RUBBISH, "text/html came instead of a stream"),
        (BAD_GATEWAY, "HTTP 502 from something that is not the server itself"),
        (GARBLED, "what came on the stream is no event"),
        (LOSE, "no answer from"),
    ],
)
async def test_a_job_is_polled_where_streams_do_not_get_through(
    server: Server, client: Client, act: Act, reason: str
) -> None:
    started = await client.start("count", counting(50, pace=0.001))
    async with Proxy(server.port, only("/stream", act)) as proxy:
        events, statuses = await followed(proxy.url, started.job_id)
    assert events == [event async for event in client.follow(started.job_id)]
    assert statuses[-1].state == "polling"
    assert reason in statuses[-1].reason


async def test_a_line_that_gets_stuck_midway_goes_on_by_polling(server: Server, client: Client) -> None:
    started = await client.start("count", counting(20))
    whole = [event async for event in client.follow(started.job_id)]
    async with Proxy(server.port, in_turn("/stream", Act(after=2000), STUCK)) as proxy:
        events, statuses = await followed(proxy.url, started.job_id)
    assert events == whole
    assert [status.state for status in statuses] == ["connected", "reconnecting", "polling"]


async def test_a_stream_is_tried_again_after_a_while(server: Server, client: Client, gate: Path) -> None:
    """The job only ends once its reader streams again."""
    states: list[str] = []

    def on_status(status: LineStatus) -> None:
        states.append(status.state)
        if status.state == "connected":
            gate.touch()

    started = await client.start("count", counting(5, gate=str(gate), gate_at=3))
    impatient = Patience(first_bytes=1.0, polling=0.1, long_poll=0.1)
    async with (
        Proxy(server.port, in_turn("/stream", STUCK)) as proxy,
        Client(proxy.url, patience=impatient) as follower,
    ):
        events = [event async for event in follower.follow(started.job_id, on_status=on_status)]
    assert events == [event async for event in client.follow(started.job_id)]
    assert states == ["polling", "connected"]


async def test_lost_polls_are_asked_again(server: Server, client: Client) -> None:
    started = await client.start("count", counting(20))
    whole = [event async for event in client.follow(started.job_id)]
    polls = in_turn("/events", LOSE, BAD_GATEWAY, Act(after=300))
    async with Proxy(server.port, lambda line: STUCK if "/stream" in line else polls(line)) as proxy:
        events, statuses = await followed(proxy.url, started.job_id)
    assert events == whole
    states = [status.state for status in statuses]
    assert "reconnecting" in states
    assert states[-1] == "polling"


async def test_a_gap_is_told_by_polling_too(server: Server, client: Client) -> None:
    started = await client.start("count", counting(5))
    whole = [event async for event in client.follow(started.job_id)]
    async with (
        Proxy(server.port, only("/stream", STUCK)) as proxy,
        Client(proxy.url, patience=SHORT) as follower,
    ):
        gap, snapshot, *rest = [event async for event in follower.follow(started.job_id, "nosuchepoch-7")]
    assert (gap.type, gap.data["reason"], snapshot.type) == ("gap", "epoch", "snapshot")
    assert rest == whole[-len(rest) :]
    assert rest[-1].type == "done"
