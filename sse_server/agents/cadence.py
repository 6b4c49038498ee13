"""The pace at which text goes out: often enough to look alive through a hop that buffers, and never silent for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable

from sse_server.config import Emission


async def paced(
    chunks: AsyncIterable[str], cadence: Emission, clock: Callable[[], float] | None = None
) -> AsyncIterator[str]:
    """The same text in pieces that are due; an empty piece says that progress is due.

    The figures are those of the document on jobs behind a buffering proxy (docs/protocol.md, "Cadence").
    What has come is never held back longer than `interval`, even when nothing more comes. The source is closed when the
    reader stops early, so that a model's call ends with the job.
    """
    time = clock or asyncio.get_running_loop().time
    source = aiter(chunks)
    pending, sent_at, progress_at = "", time(), time()
    coming: asyncio.Future[str] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(source))
            due = min(sent_at + cadence.interval if pending else float("inf"), progress_at + cadence.progress_interval)
            await asyncio.wait([coming], timeout=max(0.0, due - time()))
            if coming.done():
                try:
                    pending += coming.result()
                except StopAsyncIteration:
                    break
                finally:
                    coming = None
            if pending and (len(pending) >= cadence.chars or time() - sent_at >= cadence.interval):
                piece, pending, sent_at = pending, "", time()
                yield piece
            if time() - progress_at >= cadence.progress_interval:
                progress_at = time()
                yield ""
        if pending:
            yield pending
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait([coming])
        if close := getattr(source, "aclose", None):
            await close()


async def _next(source: AsyncIterator[str]) -> str:
    return await anext(source)
