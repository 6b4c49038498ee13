"""The pace at which text goes out: often enough to look alive through a hop that buffers, and never silent for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

from sse_server.config import Emission

MAX_PIECE: Final = 65_536
"""Characters of one piece: its event stays small, however much text comes at once."""


async def paced(chunks: AsyncIterable[str], cadence: Emission) -> AsyncGenerator[str, None]:
    """The same text in pieces that are due; an empty piece says that progress is due.

    The figures are those of the document on jobs behind a buffering proxy (docs/protocol.md, "Cadence").
    What has come is never held back longer than `interval`, even when nothing more comes, or an error. Whoever stops
    early closes it: that closes the source, so that a model's call ends with the job.
    """
    time = asyncio.get_running_loop().time
    source = _Source(chunks, enough=cadence.chars)
    text_due, progress_due = time() + cadence.interval, time() + cadence.progress_interval
    try:
        while not source.ended:
            await source.news((min(text_due, progress_due) if source.pending else progress_due) - time())
            now = time()
            if len(source.pending) >= cadence.chars or (source.pending and now >= text_due):
                text_due = now + cadence.interval
                yield source.take()
            if now >= progress_due:
                progress_due = now + cadence.progress_interval
                yield ""
        while source.pending:
            yield source.take()
    finally:
        await source.close()
    source.check()


class _Source:
    """Reads the chunks in a task of its own: what they open and their time limits begin and end in one task.

    It reads ahead no further than to `enough` characters.
    """

    def __init__(self, chunks: AsyncIterable[str], *, enough: int) -> None:
        self.pending = ""
        self._enough = enough
        self._task = asyncio.create_task(self._read(chunks))
        self._news = asyncio.get_running_loop().create_future()
        self._room = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self._task.done()

    def take(self) -> str:
        """The next piece of what has come."""
        piece, self.pending = self.pending[:MAX_PIECE], self.pending[MAX_PIECE:]
        self._room.set()
        return piece

    async def news(self, within: float) -> None:
        """Return when there is something to send, soon or at once, or after so many seconds."""
        await asyncio.wait([self._task, self._news], timeout=max(0.0, within), return_when=asyncio.FIRST_COMPLETED)
        if self._news.done():
            self._news = asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Stop reading, and wait until the source has let go of what it holds."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # seen: whoever stopped early has no use for it

    def check(self) -> None:
        """Raises what the source raised."""
        self._task.result()

    async def _read(self, chunks: AsyncIterable[str]) -> None:
        source = aiter(chunks)
        try:
            async for chunk in source:
                first = not self.pending
                self.pending += chunk
                if (first or len(self.pending) >= self._enough) and not self._news.done():
                    self._news.set_result(None)
                while len(self.pending) >= self._enough:
                    self._room.clear()
                    await self._room.wait()
        finally:
            if close := getattr(source, "aclose", None):
                await close()
