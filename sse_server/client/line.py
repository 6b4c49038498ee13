"""One stream, from its first byte to the loss of its line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import aiohttp
from aiohttp import ClientResponse

from sse_server.client.errors import LineLost, StreamUnusable
from sse_server.client.event import Event, read_event
from sse_server.client.patience import Patience
from sse_server.client.source import Source
from sse_server.sse import Parser


class Line:
    """Raises `LineLost` where it ends before the job, and `StreamUnusable` where what comes is not a live stream."""

    def __init__(self, source: Source, cursor: str, patience: Patience) -> None:
        self._source = source
        self._cursor = cursor
        self._patience = patience
        self._parser = Parser(last_event_id=cursor)

    @property
    def retry(self) -> float | None:
        """Seconds to wait before the next try, as the server wants it."""
        return None if self._parser.retry is None else self._parser.retry / 1000

    async def events(self) -> AsyncGenerator[Event, None]:
        """What comes, heartbeats too. It ends by itself only where nothing will ever come (204)."""
        async with AsyncExitStack() as stack:
            response, chunk = await self._open(stack)
            if response.status == 204:
                return
            if response.content_type != "text/event-stream":
                raise StreamUnusable(f"{response.content_type} came instead of a stream")
            while chunk:
                for event in self._read(chunk):
                    if event.type == "reconnect":
                        raise LineLost(f"the server says {event.data.get('reason')}", back_in=self.retry)
                    yield event
                chunk = await self._more(response)
            raise LineLost("it ended before the job did")

    async def _open(self, stack: AsyncExitStack) -> tuple[ClientResponse, bytes]:
        try:
            async with asyncio.timeout(self._patience.first_bytes):
                response = await stack.enter_async_context(self._source.stream(self._cursor))
                return response, await self._more(response)
        except TimeoutError:
            raise StreamUnusable("the first bytes of a stream do not get through") from None

    async def _more(self, response: ClientResponse) -> bytes:
        try:
            return await response.content.readany()
        except aiohttp.SocketTimeoutError:
            raise LineLost(f"not a byte for {self._patience.silence:g} s") from None
        except (aiohttp.ClientError, OSError):
            raise LineLost("the connection broke") from None

    def _read(self, chunk: bytes) -> list[Event]:
        try:
            return [read_event(sent) for sent in self._parser.feed(chunk)]
        except ValueError as error:
            raise StreamUnusable(str(error)) from None
