"""A server that stops, or is killed, and comes back: its readers go on where they were."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from sse_server.client import Client, LineStatus, Patience, Refused
from tests.client.server import Server, Start, counting


@pytest.mark.parametrize("end", [Server.kill, Server.stop])
async def test_a_reader_misses_nothing_when_its_server_restarts(
    start: Start, patience: Patience, gate: Path, end: Callable[[Server], object]
) -> None:
    served = start("--set", "server.drain_timeout=0.2", store="sqlite")
    statuses: list[LineStatus] = []
    async with Client(served.url, patience=patience) as client:
        job = await client.start("count", counting(30, gate=str(gate), gate_at=20))
        events = []
        async for event in client.follow(job.job_id, on_status=statuses.append):
            events.append(event)
            if event.type == "token" and event.data["text"] == "19 " and event.data["attempt"] == 1:
                await asyncio.to_thread(end, served)
                await asyncio.to_thread(gate.touch)
                await asyncio.to_thread(served.start)
        assert events == (await client.poll(job.job_id, limit=1000)).events
    assert [event.data["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[-1].type, events[-1].data["status"]) == ("done", "succeeded")
    assert [status for status in statuses if status.missed] == []
    assert statuses[-1].state == "resumed"


async def test_a_log_that_did_not_survive_is_no_silence(start: Start, patience: Patience, gate: Path) -> None:
    """A memory store forgets its jobs: their readers hear of it, and do not wait for ever."""
    served = start()
    async with Client(served.url, patience=patience) as client:
        job = await client.start("count", counting(2, gate=str(gate), gate_at=1))
        async with aclosing(client.follow(job.job_id)) as events:
            while (await anext(events)).type != "insight":
                pass
            await asyncio.to_thread(served.kill)
            await asyncio.to_thread(served.start)
            with pytest.raises(Refused, match="no such job"):
                await anext(events)
