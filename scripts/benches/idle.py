"""Streams on which nothing happens: what each holds of the server's memory, and how fast they are accepted."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack

from benches.figures import Asked, Figure
from benches.readers import Tally, connect
from benches.servers import BROWSER, PLAIN, USUAL, Other, Ours, get, missing

MOST = {"bare": 12.0, "browser": 16.0}
LEAST = 5000.0
SETTLE = 11.0
"""Seconds until what a server keeps for the beginning of a connection is gone."""


async def measure(asked: Asked) -> list[Figure]:
    """Ours with both kinds of headers, a log for each stream; then plain aiohttp and the usual choices."""
    count = asked.size(5000, 2000)
    figures = []
    for headers, more in (("bare", {}), ("browser", BROWSER)):
        with Ours("memory") as server:
            jobs = [await server.run("hold", session_id=f"s-{n}") for n in range(count)]
            requests = [server.get(f"/api/jobs/{job}/stream", **more) for job in jobs]
            figures += await _idle(server, requests, headers, MOST[headers])
    for name in (name for name in (PLAIN, *USUAL) if name not in missing()):
        with Other(name) as other:
            requests = [get(f"/{other._path}/{n}") for n in range(count)]  # noqa: SLF001
            figures += await _idle(other, requests, "bare", None)
    return figures


async def _idle(server: Ours | Other, requests: list[bytes], headers: str, most: float | None) -> list[Figure]:
    warm = await connect(server.port, requests[:20], Tally())
    await asyncio.sleep(SETTLE)
    before, cpu, began = server.memory(), server.cpu(), time.perf_counter()
    readers = await connect(server.port, requests, server.tally)
    seconds, cpu = time.perf_counter() - began, server.cpu() - cpu
    await asyncio.sleep(SETTLE)
    each = (server.memory() - before) / len(requests) / 1024
    with ExitStack() as stack:
        for reader in (*warm, *readers):
            stack.callback(reader.close)
    rate, cost = len(requests) / seconds, cpu / len(requests) * 1e6
    mine = isinstance(server, Ours)
    bench = "idle stream"
    return [
        Figure(bench=bench, what=f"{server.name}, {headers} headers", value=each, unit="KiB", most=most),
        Figure(
            bench=bench,
            what=f"{server.name}, {headers}: accepted",
            value=rate,
            unit="/s",
            least=LEAST if mine else None,
            beside=f"{cost:.0f} us of CPU each",
        ),
    ]
