"""One job's stream: where it begins, what it says about a gap, and how it ends."""

from __future__ import annotations

import asyncio
import math
import random
import time
from typing import Literal

from aiohttp import web

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import LogKey, Record
from sse_server.hub import Cursor, Ending, Gap, View, judge
from sse_server.jobs import JobSpec
from sse_server.routes.answers import Reconnect, Snapshot, SnapshotJob
from sse_server.routes.house import House
from sse_server.routes.surface import JobSurface, opening, spread
from sse_server.routes.wire import Wire

Replay = Literal["all", "snapshot", "none"]


class JobStream:
    """`began_here`: a POST began it, so it is neither rotated for its age nor ended before its job.

    From `expires` on (Unix seconds) its reader may read no more.
    """

    def __init__(
        self,
        house: House,
        spec: JobSpec,
        wire: Wire,
        *,
        named: bool = False,
        types: frozenset[str] | None = None,
        padding: int = 0,
        conflate: bool = False,
        began_here: bool = False,
        expires: float = math.inf,
    ) -> None:
        self._house = house
        self._settings = house.settings.stream
        self._job_id = spec.id
        self._wire = wire
        self._surface = JobSurface(named)
        self._conflate = conflate
        self._began_here = began_here
        self._expires = expires
        self._key = LogKey(spec.user, spec.session)
        self._view = View(
            self._surface,
            spec.session,
            job_id=spec.id,
            types=types,
            ends=True,
            padding=padding,
            chunked=wire.chunked,
        )

    async def run(self, record: Record, cursor: Cursor | None, replay: Replay) -> None:
        """Write the stream on an open wire until it is over. A cursor wins over `replay`."""
        start = cursor or Cursor.unsent(record.begin)
        with self._house.hub.subscribe(self._key, self._view, self._wire, start) as subscriber:
            self._subscriber = subscriber
            subscriber.patient = self._began_here
            subscriber.open(opening(self._settings.retry_ms))
            subscriber.deadline = self._deadline()
            try:
                await self._begin(record, cursor, replay)
                await subscriber.follow(self._settings, self._on_gap, self._on_lag if self._conflate else None)
            except StoreUnavailable:
                subscriber.end("overloaded")  # the client keeps its place, and asks again
            self._say(subscriber.ending)

    async def _begin(self, record: Record, cursor: Cursor | None, replay: Replay) -> None:
        """What stands before the log's events, or in their place where the log has let go of the job's end."""
        if cursor is None and replay != "all":
            await self._skip(snapshot=replay == "snapshot")
        elif record.done_is_gone:
            gap = judge(cursor, record.head) if cursor else None
            if gap:
                await self._on_gap(gap)
            else:
                self._write_done(record)

    def _deadline(self) -> tuple[float, Ending]:
        """When the stream must end, in the loop's time, and why: its token ends, or it is old."""
        left: float = self._expires - time.time()
        why: Ending = "token_expired"
        oldest = self._settings.max_age * random.uniform(0.9, 1.0)  # noqa: S311  (spread, no secret)
        if oldest and oldest < left and not self._began_here:
            left, why = oldest, "max_age"
        return asyncio.get_running_loop().time() + left, why

    async def _skip(self, *, snapshot: bool) -> None:
        """Go on where a snapshot stands; with it, or with nothing of the past."""
        record = await self._house.store.load(self._job_id, work=snapshot)
        if record is None:
            self._subscriber.end("gone")  # it was erased meanwhile
            return
        if snapshot:
            told = Snapshot(str(record.standpoint), SnapshotJob.of(record))
            self._subscriber.send(self._surface.snapshot(told))
        self._subscriber.move(record.standpoint)
        if record.done_is_gone:
            self._write_done(record)

    async def _on_gap(self, gap: Gap) -> None:
        self._subscriber.send(self._surface.gap(gap))
        await self._skip(snapshot=True)

    async def _on_lag(self) -> None:
        await self._skip(snapshot=True)

    def _write_done(self, record: Record) -> None:
        """The job keeps its `done` also where the log has let go of it."""
        if record.state.done and self._subscriber.ending is None:
            self._subscriber.send(self._surface.frame(record.state.done.event, self._view.session, record.epoch))
            self._subscriber.end("done")

    def _say(self, ending: Ending | None) -> None:
        """The last frame of a stream that is to be resumed."""
        if ending not in {None, "done", "gone"}:
            retry = spread(self._settings.retry_ms)
            self._subscriber.send(self._surface.reconnect(Reconnect(ending, retry)))  # type: ignore[arg-type]


async def refuse(
    request: web.Request, reason: Literal["draining", "overloaded"], retry_ms: int, *, named: bool
) -> web.StreamResponse:
    """A stream that can't be served now: a browser never comes back from a 503, so it is told to."""
    wire = Wire(request)
    await wire.open()
    retry = spread(retry_ms)
    frames = b": stream\n" + JobSurface(named).reconnect(Reconnect(reason, retry))
    wire.write(b"%x\r\n%b\r\n" % (len(frames), frames) if wire.chunked else frames)
    return await wire.close()
