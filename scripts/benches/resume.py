"""A resume of 10,000 stored events: how fast one reader gets them, and what the others notice."""

from __future__ import annotations

import asyncio
import statistics
import time

from benches.figures import Asked, Figure, percentile
from benches.readers import Reader, Tally, Watch, connect
from benches.servers import Ours

EVENTS = 10_000
LEAST = 300_000.0
OTHERS = 100
WAIT = 2.0
"""Seconds until all of them are there."""


async def measure(asked: Asked) -> list[Figure]:
    """Both stores."""
    return [figure for store in ("memory", "sqlite") for figure in await _store(store, asked)]


async def _store(store: str, asked: Asked) -> list[Figure]:
    with Ours(store) as server:
        request = server.get(f"/api/jobs/{await _job(server)}/stream")
        await asyncio.sleep(0.5)
        cpu = server.cpu()
        alone = [await _resume(server, request) for _ in range(asked.size(11, 5))]
        cpu = (server.cpu() - cpu) / len(alone) / EVENTS * 1e6
        begin = time.time() + WAIT
        talks = [
            server.start("talk", {"count": 40, "pause": 0.1, "begin": begin + n / OTHERS / 10}, session_id=f"s-{n}")
            for n in range(OTHERS)
        ]
        await connect(server.port, talks, server.tally, Watch)
        await asyncio.sleep(begin - time.time())
        server.tally.delays.clear()  # how a hundred jobs began at once is another bench's
        until = time.perf_counter() + 3
        resumes = 0
        while time.perf_counter() < until:
            await _resume(server, request)
            resumes += 1
            await asyncio.sleep(0.05)
        delays = [delay * 1e3 for delay in server.tally.delays]
    name = f"resume, {store}"
    best = f"best {EVENTS / min(alone):,.0f}/s; {cpu:.2f} us of CPU an event"
    return [
        Figure(
            bench=name,
            what="events to one reader",
            value=EVENTS / statistics.median(alone),
            unit="/s",
            least=LEAST,
            beside=best,
        ),
        Figure(
            bench=name,
            what="others' p99 meanwhile",
            value=percentile(delays, 99),
            unit="ms",
            most=20.0,
            beside=f"{resumes} resumes in 3 s",
        ),
    ]


async def _job(server: Ours) -> str:
    """A filled job that nobody follows any more: its events are in the store, and in no tail."""
    job = await server.run("fill", {"count": EVENTS})
    tally = Tally()
    readers = await connect(server.port, [server.get(f"/api/jobs/{job}/stream")], tally)
    await tally.reached(EVENTS)
    for reader in readers:
        reader.close()
    return job


async def _resume(server: Ours, request: bytes) -> float:
    """Seconds from the request until the last event is here."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    _, reader = await loop.create_connection(lambda: Reader(request, tally), "127.0.0.1", server.port)
    await tally.reached(EVENTS)
    seconds = time.perf_counter() - began
    reader.close()
    return seconds
