"""What must cost the same however much there is: idle sessions, a log's length, readers elsewhere."""

from __future__ import annotations

import asyncio
import statistics
import time

import msgspec

from benches.figures import Asked, Figure
from benches.readers import Tally, call, connect
from benches.servers import Ours

MOST = 1.3
"""Twice the noise of this bench: a cost that grows with any of these would be a multiple."""


async def measure(asked: Asked) -> list[Figure]:
    """Ratios of the cost with much to the cost with little."""
    return [
        await _sessions(asked.size(100_000, 10_000), asked),
        await _length(asked.size(100_000, 20_000), asked),
        await _elsewhere(asked.size(5000, 2000), asked),
    ]


async def _sessions(many: int, asked: Asked) -> Figure:
    """An event's cost in one busy session, beside 10 idle ones and beside many."""
    with Ours("sqlite", "jobs.retention=86400") as one, Ours("sqlite", "jobs.retention=86400") as other:
        for server, sessions in ((one, 10), (other, many)):
            await server.open(100, 1)
            await _start_small(server, sessions)
        few, lots = await _events(one, other, asked)
    return _grown("an event", f"idle sessions 10 -> {many:,}", few, lots, "us")


async def _length(many: int, asked: Asked) -> Figure:
    """A resume at the end of a log of 100 events and of many."""
    costs = []
    for length in (100, many):
        with Ours("sqlite") as server:
            tally = Tally()
            job = await server.run("fill", {"count": length, "stay": True})
            await connect(server.port, [server.get(f"/api/jobs/{job}/stream")], tally)
            await tally.reached(length, 120)
            page = await call(server.port, server.get(f"/api/jobs/{job}/events?limit=1", Connection="close"))
            epoch = msgspec.json.decode(page)["next"].split("-")[0]
            end = server.get(f"/api/jobs/{job}/stream", **{"Last-Event-ID": f"{epoch}-{length + 2}"})
            costs.append(await _resume(server, end, asked))
    return _grown("a resume at the end", f"log of 100 -> {many:,}", costs[0], costs[1], "us")


async def _elsewhere(many: int, asked: Asked) -> Figure:
    """An event's cost in one busy log, alone and beside readers of other logs."""
    with Ours("memory") as one, Ours("memory") as other:
        for server in (one, other):
            await server.open(100, 1)
        job = await other.run("talk", {"count": 1, "pause": 0, "begin": time.time() + 3000})
        request = other.get(f"/api/jobs/{job}/stream")
        await connect(other.port, [request] * many, Tally())
        await asyncio.sleep(1)
        few, lots = await _events(one, other, asked)
    return _grown("an event", f"readers elsewhere 0 -> {many:,}", few, lots, "us")


async def _events(one: Ours, other: Ours, asked: Asked) -> tuple[float, float]:
    """What an event costs on each, in turns: the machine's speed is another one a minute later."""
    costs = [(await _event(one), await _event(other)) for _ in range(max(3, asked.runs) + 1)][1:]
    few, lots = zip(*costs, strict=True)
    return statistics.median(few), statistics.median(lots)


async def _event(server: Ours) -> float:
    before, cpu = server.tally.events, server.cpu()
    await server.publish(5000, 5000, 1, 100)
    await server.tally.reached(before + 5000)
    return (server.cpu() - cpu) / 5000 * 1e6


async def _start_small(server: Ours, count: int) -> None:
    """So many sessions with a job that has ended."""
    request = server.start("small")
    left = count
    while left > 0:
        now = min(left, 500)
        tally = Tally()
        readers = await connect(server.port, [request] * now, tally)
        await tally.reached(now * 3)
        for reader in readers:
            reader.close()
        left -= now


async def _resume(server: Ours, request: bytes, asked: Asked) -> float:
    costs = []
    for _ in range(max(3, asked.runs)):
        cpu = server.cpu()
        readers = await connect(server.port, [request] * 200, Tally())
        costs.append((server.cpu() - cpu) / 200 * 1e6)
        for reader in readers:
            reader.close()
        await asyncio.sleep(0.2)
    return statistics.median(costs)


def _grown(what: str, by: str, few: float, lots: float, unit: str) -> Figure:
    beside = f"{few:.1f} -> {lots:.1f} {unit}"
    return Figure(bench="must not grow", what=f"{what}: {by}", value=lots / few, unit="x", most=MOST, beside=beside)
