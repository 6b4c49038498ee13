"""Clients of somebody else's making, each in a process of its own, and what they tell of the streams they follow."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from msgspec import Struct

from tests.chromium import Chromium
from tests.clients.proxy import Hop, Proxy

HERE: Final = Path(__file__).parent
CLIENTS: Final = {
    "eventsource": "eventsource.mjs",
    "fetch-event-source": "fetch_event_source.mjs",
    "eventsource-parser": "eventsource_parser.mjs",
    "extended-eventsource": "extended_eventsource.mjs",
    "httpx-sse": "follow_with_httpx_sse.py",
}
CONTROL: Final = {"gap", "heartbeat", "reconnect", "snapshot"}


class Told(Struct, forbid_unknown_fields=True):
    """An event as the client dispatched it; `n` is the stream's place in the list of urls."""

    n: int
    type: str
    data: str
    id: str

    @property
    def event(self) -> dict[str, Any]:
        """What its data holds; an event that is made of no data is a fault of the frame."""
        event = msgspec.json.decode(self.data)
        assert isinstance(event, dict), self
        assert "type" in event, self
        return event


class Witness:
    """What a client has told so far, by stream."""

    def __init__(self, streams: int) -> None:
        self.told: list[list[Told]] = [[] for _ in range(streams)]
        self.over = asyncio.Event()
        """It will tell no more."""
        self._news = asyncio.Event()

    def events(self, n: int = 0) -> list[dict[str, Any]]:
        """The job's events of a stream, as the client saw them."""
        return [event for told in self.told[n] if (event := told.event)["type"] not in CONTROL]

    def control(self, type: str, n: int = 0) -> list[dict[str, Any]]:
        """The control events of one type in a stream."""
        return [event for told in self.told[n] if (event := told.event)["type"] == type]

    async def until(self, reached: Callable[[], object]) -> None:
        """Return once what the client told makes it true."""
        async with asyncio.timeout(30):
            while not reached():
                assert not self.over.is_set(), "the client is done, and has not told it"
                self._news.clear()
                await self._news.wait()

    def hear(self, line: bytes) -> None:
        """Take a line of what a client tells."""
        told = msgspec.json.decode(line, type=Told)
        self.told[told.n].append(told)
        self._news.set()

    def end(self) -> None:
        """Expect no more."""
        self.over.set()
        self._news.set()


class Watcher(Witness):
    """Runs a client on some urls; `types` are the names that it listens for beside the unnamed.

    A client's process ends by itself, once no stream is open and no timer waits: then no further request can come.
    """

    def __init__(self, client: str, urls: Sequence[str], types: Sequence[str] = ()) -> None:
        super().__init__(len(urls))
        script = HERE / CLIENTS[client]
        self._command = [sys.executable if script.suffix == ".py" else "node", str(script)]
        self._task = msgspec.json.encode({"urls": urls, "types": types})
        self._process: asyncio.subprocess.Process
        self._listening: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=64 * 1024 * 1024,
        )
        assert self._process.stdin
        self._process.stdin.write(self._task)
        self._process.stdin.close()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.wait([self._listening])

    async def ended(self) -> None:
        """Return once the client has stopped for good."""
        async with asyncio.timeout(60):
            await self._listening
            assert await self._process.wait() == 0

    async def _listen(self) -> None:
        assert self._process.stdout
        try:
            async for line in self._process.stdout:
                self.hear(line)
        finally:
            self.end()


class Browser(Witness):
    """Chromium or one of its kind, on a page that the proxy serves and that follows one stream of the same origin."""

    def __init__(self, proxy: Proxy, hop: Hop, home: Path) -> None:
        super().__init__(1)
        page = (HERE / "page.html").read_bytes().replace(b"STREAM", msgspec.json.encode(hop.url))
        proxy.pages |= {"/page": lambda _: page, "/told": self._told, "/closed": self._closed}
        self._chromium = Chromium(f"{proxy.origin}/page", home)

    async def __aenter__(self) -> Self:
        await self._chromium.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._chromium.__aexit__(kind, error, traceback)

    async def closed(self) -> None:
        """Return once the EventSource is closed, which it never leaves."""
        async with asyncio.timeout(30):
            await self.over.wait()

    def _told(self, body: bytes) -> bytes:
        self.hear(body)
        return b""

    def _closed(self, _: bytes) -> bytes:
        self.end()
        return b""
