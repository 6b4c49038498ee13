"""10,000 events a second offered to 1,000 jobs: how late each is at its reader, and whether one is missing."""

from __future__ import annotations

import asyncio
import time

from benches.figures import Asked, Figure, percentile
from benches.process import cpu_of
from benches.readers import Watch, call, connect
from benches.servers import Ours

JOBS = 1000
PAUSE = 0.1
WAIT = 6.0
"""Seconds until all of them are there."""
MORE = 20
"""Events of each job behind those that count: how a thousand jobs begin and end at once is another bench's."""
POLLED = 50
MOST = {"memory": 0.5, "sqlite": 6.0}


async def measure(asked: Asked) -> list[Figure]:
    """Both stores."""
    return [figure for store in MOST for figure in await _store(store, asked)]


async def _store(store: str, asked: Asked) -> list[Figure]:
    """The agents have clocks of their own; fifty of the jobs are polled as well, once a second each."""
    count = asked.size(100, 30)
    with Ours(store) as server:
        begin = time.time() + WAIT
        requests = [
            server.start(
                "talk", {"count": count + MORE, "pause": PAUSE, "begin": begin + n * PAUSE / JOBS}, session_id=f"s-{n}"
            )
            for n in range(JOBS)
        ]
        readers = await connect(server.port, requests, server.tally, Watch)
        polling = asyncio.create_task(_poll(server))
        await asyncio.sleep(begin - time.time())
        server.tally.delays.clear()
        began, cpu, own = time.perf_counter(), server.cpu(), cpu_of("self")
        await asyncio.sleep(count * PAUSE)
        seconds, delays = time.perf_counter() - began, [delay * 1e3 for delay in server.tally.delays]
        busy, own = (server.cpu() - cpu) / seconds, (cpu_of("self") - own) / seconds
        # Beside what agents emit a job has three events of its own; none of them all may be missing.
        await server.tally.reached(JOBS * (count + MORE + 3))
        polling.cancel()
        for reader in readers:
            reader.close()
    load = f"{len(delays) / seconds:,.0f} events/s; CPU: server {busy:.0%}, this client {own:.0%}"
    name = f"delay, {store}"
    return [
        Figure(bench=name, what="p50", value=percentile(delays, 50), unit="ms", most=MOST[store], beside=load),
        Figure(bench=name, what="p99", value=percentile(delays, 99), unit="ms", most=15.0),
        Figure(bench=name, what="lost, repeated or out of order", value=server.tally.lost, most=0),
    ]


async def _poll(server: Ours) -> None:
    jobs = [await server.run("talk", {"count": 600, "pause": PAUSE}) for _ in range(POLLED)]
    while True:
        for job in jobs:
            await call(server.port, server.get(f"/api/jobs/{job}/events?limit=20", Connection="close"))
            await asyncio.sleep(1 / POLLED)
