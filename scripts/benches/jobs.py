"""A whole small job: POST, queued, started, three events, done, all of it streamed in the answer."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import ExitStack

from benches.figures import Asked, Figure, ratio
from benches.servers import PLAIN, Other, Ours, missing

AT_ONCE = 64
MOST = 250.0
FASTER = 3.0
BODY = b'{"agent":"small","input":null}'
START = b"POST /jobs HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


class Client(asyncio.Protocol):
    """Starts one job after the other on its connection, until there is none `left`."""

    def __init__(self, request: bytes, left: list[int], over: asyncio.Event) -> None:
        self._request = request
        self._left = left
        self._over = over
        self._end = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._end = (self._end + data)[-7:]
        if self._end != b"\r\n0\r\n\r\n":
            return
        self._left[0] -= 1
        if self._left[0] <= 0:
            self._over.set()
        if self._left[0] >= AT_ONCE:
            self._transport.write(self._request)  # type: ignore[attr-defined]
        else:
            self._transport.close()


async def measure(asked: Asked) -> list[Figure]:
    """Both stores, and a task in plain aiohttp and with `sse-starlette` in FastAPI."""
    servers: list[Ours | Other] = [Ours("memory"), Ours("sqlite"), Other(PLAIN)]
    if not missing():
        servers.append(Other("sse-starlette"))
    costs: dict[str, list[float]] = {server.name: [] for server in servers}
    rates: dict[str, list[float]] = {server.name: [] for server in servers}
    with ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        for run in range(-1, asked.runs):
            for server in servers:
                cost, rate = await _run(server, asked.size(3000, 1000))
                if run >= 0:
                    costs[server.name].append(cost)
                    rates[server.name].append(rate)
    theirs, ours = rates.get("sse-starlette"), ("ours, memory", "ours, sqlite")
    figures = []
    for name, spent in costs.items():
        most = MOST if name == "ours, sqlite" else None
        beside = f"{statistics.median(rates[name]):,.0f} jobs/s"
        figures.append(
            Figure(
                bench="small job",
                what=f"{name}: CPU",
                value=statistics.median(spent),
                unit="us",
                most=most,
                beside=beside,
            )
        )
        if theirs and name != "sse-starlette":
            figures.append(
                Figure(
                    bench="small job",
                    what=f"{name}: rate to theirs",
                    value=ratio(rates[name], theirs),
                    unit="x",
                    least=FASTER if name in ours else None,
                )
            )
    return figures


async def _run(server: Ours | Other, count: int) -> tuple[float, float]:
    """CPU-microseconds a job, and jobs a second."""
    request = server.start("small") if isinstance(server, Ours) else START
    left, over = [count], asyncio.Event()
    loop = asyncio.get_running_loop()
    cpu, began = server.cpu(), time.perf_counter()
    for _ in range(AT_ONCE):
        await loop.create_connection(lambda: Client(request, left, over), "127.0.0.1", server.port)
    await over.wait()
    seconds = time.perf_counter() - began
    return (server.cpu() - cpu) / count * 1e6, count / seconds
