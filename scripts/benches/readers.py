"""Clients that cost little: they count what comes, and some of them look at the clock."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence

MARK = b'"text":'
"""Stands once in every event that a bench publishes, whoever frames it."""
STAMPED = re.compile(rb'"seq":(\d+),"attempt":\d+,"timestamp":"[^"]{14}(\d\d):(\d\d\.\d+)Z"')


class Tally:
    """What all readers of one server have seen: `events`, `bytes`, `ready` (readers that have heard anything)."""

    def __init__(self) -> None:
        self.events = self.bytes = self.ready = self.lost = 0
        self.delays: list[float] = []
        self._awaited: list[tuple[int, asyncio.Event]] = []

    async def reached(self, events: int, within: float = 60.0) -> None:
        """Until so many have come in all; TimeoutError when they do not."""
        arrived = asyncio.Event()
        self._awaited.append((events, arrived))
        self.look()
        async with asyncio.timeout(within):
            await arrived.wait()

    def look(self) -> None:
        """Tell whoever waits."""
        for events, arrived in self._awaited:
            if self.events >= events:
                arrived.set()
        self._awaited = [wait for wait in self._awaited if not wait[1].is_set()]


class Reader(asyncio.Protocol):
    """Sends a request, and counts the events of the answer."""

    __slots__ = ("_request", "_rest", "_tally", "_transport")

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        tally = self._tally
        if not self._rest:
            tally.ready += 1
        tally.bytes += len(data)
        found = (self._rest + data).count(MARK)
        self._rest = data[1 - len(MARK) :]
        if found:
            tally.events += found
            if tally._awaited:  # noqa: SLF001  (a call for each event would be the bottleneck)
                tally.look()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Watch(Reader):
    """Measures from the moment of emission, and sees that no event is missing, repeated or out of order."""

    __slots__ = ("_last",)

    def __init__(self, request: bytes, tally: Tally) -> None:
        super().__init__(request, tally)
        self._last = 0

    def data_received(self, data: bytes) -> None:
        tally, at = self._tally, time.time() % 3600
        tally.ready += not self._last and not self._rest
        tally.bytes += len(data)
        text = self._rest + data
        end = 0
        for found in STAMPED.finditer(text):
            seq, end = int(found[1]), found.end()
            tally.delays.append((at - int(found[2]) * 60 - float(found[3])) % 3600)
            tally.lost += seq != self._last + 1
            self._last = seq
            tally.events += 1
        self._rest = text[max(end, len(text) - 120) :]
        tally.look()


async def connect(port: int, requests: Sequence[bytes], tally: Tally, kind: type[Reader] = Reader) -> list[Reader]:
    """Open a stream for each request, 64 at a time; return once each has heard something."""
    loop = asyncio.get_running_loop()
    turns = asyncio.Semaphore(64)
    before = tally.ready

    async def one(request: bytes) -> Reader:
        async with turns:
            _, reader = await loop.create_connection(lambda: kind(request, tally), "127.0.0.1", port)
        return reader

    readers = list(await asyncio.gather(*map(one, requests)))
    async with asyncio.timeout(120):
        while tally.ready - before < len(requests):
            await asyncio.sleep(0.005)
    return readers


async def call(port: int, request: bytes) -> bytes:
    """One request, with `Connection: close`, and all of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read(-1)
    writer.close()
    if b" 20" not in answer[:20]:
        raise RuntimeError(answer[:500].decode())
    return answer.partition(b"\r\n\r\n")[2]
