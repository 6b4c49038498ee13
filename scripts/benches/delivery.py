"""CPU for each delivered event: one log with a thousand readers, a thousand logs with one each, bursts of four."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import ExitStack
from itertools import chain
from typing import Final

from msgspec import Struct

from benches.figures import Asked, Figure, ratio
from benches.servers import BARE, PLAIN, USUAL, Other, Ours, missing


class Shape(Struct, frozen=True):
    """`rate` is of deliveries, a second; `most` is the target as a ratio to a bare uvloop server, by store."""

    logs: int
    readers: int
    burst: int
    rate: float
    most: dict[str, float]


SHAPES: Final = {
    "1 log x 1000 readers": Shape(1, 1000, 1, 20_000, {"memory": 1.15, "sqlite": 1.15}),
    "1000 logs x 1 reader": Shape(1000, 1, 1, 10_000, {"memory": 1.6, "sqlite": 2.0}),
    "1000 x 1, bursts of 4": Shape(1000, 1, 4, 20_000, {"memory": 0.6, "sqlite": 0.6}),
}
SLOWER: Final = {"sse-starlette": 0.25, "fastapi": 0.1}
"""What share of the rate the usual choices can take without falling behind."""


async def measure(asked: Asked) -> list[Figure]:
    """All shapes."""
    found = [await _shape(name, shape, asked) for name, shape in SHAPES.items()]
    return list(chain.from_iterable(found))


async def _shape(name: str, shape: Shape, asked: Asked) -> list[Figure]:
    """Every server is up the whole time; they take turns, so that each run has its pair."""
    absent = missing()
    servers: list[Ours | Other] = [
        Ours("memory"),
        Ours("sqlite"),
        *(Other(n) for n in (*BARE, PLAIN, *USUAL) if n not in absent),
    ]
    costs: dict[str, list[float]] = {server.name: [] for server in servers}
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
            await server.open(shape.logs, shape.readers)
        await asyncio.sleep(0.3)
        for run in range(-1, asked.runs):  # the first is to warm up
            for server in servers:
                cost = await _cost(server, shape, asked)
                if run >= 0:
                    costs[server.name].append(cost)
        size = servers[0].tally.bytes / max(1, servers[0].tally.events)
    limit = costs["bare uvloop"]
    figures = []
    for store in ("memory", "sqlite"):
        ours = costs[f"ours, {store}"]
        beside = f"{statistics.median(ours):.1f} us; bare uvloop {statistics.median(limit):.1f} us"
        most = shape.most[store]
        figures.append(
            Figure(
                bench=name,
                what=f"{store}, {size:.0f} bytes",
                value=ratio(ours, limit),
                unit="x",
                most=most,
                beside=beside,
            )
        )
    for other in (n for n in (BARE[1], PLAIN, *USUAL) if n in costs):
        beside = f"{statistics.median(costs[other]):.1f} us"
        figures.append(Figure(bench=name, what=other, value=ratio(costs[other], limit), unit="x", beside=beside))
    return figures


async def _cost(server: Ours | Other, shape: Shape, asked: Asked) -> float:
    """CPU-microseconds of the server for each event that arrived."""
    rate = shape.rate * SLOWER.get(server.name, 1.0)
    seconds = 1.0 if asked.quick else 2.0
    emits = round(rate * seconds / shape.readers / shape.burst) * shape.burst
    before, cpu = server.tally.events, server.cpu()
    await server.publish(emits, rate / shape.readers, shape.burst, shape.logs)
    await server.tally.reached(before + emits * shape.readers)
    return (server.cpu() - cpu) / (emits * shape.readers) * 1e6
