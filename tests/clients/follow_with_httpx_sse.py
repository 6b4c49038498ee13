"""PyPI `httpx-sse`: reads the stream; the loop around it is the one of its README."""

from __future__ import annotations

import asyncio
import sys

import httpx
import msgspec
from httpx_sse import aconnect_sse

AT_ONCE = 32


async def follow(client: httpx.AsyncClient, url: str, n: int) -> None:
    """Tell each event of a stream as a line of JSON, until the server says that there are no more."""
    cursor, retry = "", 100
    while True:
        headers = {"Last-Event-ID": cursor} if cursor else {}
        try:
            async with aconnect_sse(client, "GET", url, headers=headers) as source:
                if source.response.status_code == 204:
                    return
                source.response.raise_for_status()
                async for sse in source.aiter_sse():
                    cursor = sse.id or cursor  # a stream that is resumed may begin with an event without an id
                    retry = retry if sse.retry is None else sse.retry
                    told = {"n": n, "type": sse.event, "data": sse.data, "id": sse.id}
                    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
                    sys.stdout.buffer.flush()
        except httpx.TransportError:
            pass  # the line was lost
        await asyncio.sleep(retry / 1000)


async def main() -> None:
    """Follow all streams, some at a time."""
    urls = msgspec.json.decode(sys.stdin.buffer.read())["urls"]
    room = asyncio.Semaphore(AT_ONCE)

    async def one(n: int, url: str) -> None:
        async with room:
            await follow(client, url, n)

    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
        await asyncio.gather(*(one(n, url) for n, url in enumerate(urls)))


asyncio.run(main())
