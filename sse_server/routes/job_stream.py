"""One job's stream: what it says about a gap, and that it ends with the job's `done`, wherever that still stands."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal

from sse_server.eventlog import LogKey, Record
from sse_server.hub import Cursor, Gap, View, judge
from sse_server.jobs import JobSpec
from sse_server.routes.answers import Snapshot, SnapshotJob
from sse_server.routes.house import House
from sse_server.routes.stream import LogStream, Reader
from sse_server.routes.wire import Wire

Replay = Literal["all", "snapshot", "none"]


class JobStream(LogStream):
    """In a session that several jobs share it is a filter on the log."""

    __slots__ = ("_cursor", "_job_id", "_record", "_replay")

    def __init__(self, house: House, spec: JobSpec, wire: Wire, reader: Reader) -> None:
        view = View(
            reader.surface,
            spec.session,
            job_id=spec.id,
            types=reader.types,
            ends=True,
            padding=reader.padding,
            chunked=wire.chunked,
        )
        super().__init__(house, LogKey(spec.user, spec.session), view, wire, reader)
        self._job_id = spec.id

    def run(self, record: Record, cursor: Cursor | None, replay: Replay = "all") -> Coroutine[Any, Any, None]:
        """Write the stream until it is over. A cursor wins over `replay`."""
        self._record, self._cursor, self._replay = record, cursor, replay
        return self.follow(cursor or Cursor.unsent(record.begin), self._on_lag if self._reader.conflate else None)

    async def begin(self) -> None:
        """A snapshot where it was asked for; and the job's end, where the log has let go of it."""
        record, cursor = self._record, self._cursor
        del self._record  # as it was: nobody shall look at it later
        if cursor is None and self._replay != "all":
            await self._skip(snapshot=self._replay == "snapshot")
        elif record.done_is_gone:
            gap = judge(cursor, record.head) if cursor else None
            if gap:
                await self.on_gap(gap)
            else:
                self._write_done(record)

    async def on_gap(self, gap: Gap) -> None:
        await self._skip(snapshot=True, gap=gap)

    async def _on_lag(self) -> None:
        await self._skip(snapshot=True)

    async def _skip(self, *, snapshot: bool, gap: Gap | None = None) -> None:
        """Go on where a snapshot stands; with it, or with nothing of the past."""
        record = await self._house.store.load(self._job_id, work=snapshot)
        if record is None:
            self._subscriber.end("gone")  # it was erased meanwhile
            return
        if gap:
            self._subscriber.send(self._surface.gap(gap))
        if snapshot:
            told = Snapshot(str(record.standpoint), SnapshotJob.of(record))
            self._subscriber.send(self._surface.snapshot(told))
        self._subscriber.move(record.standpoint)
        if record.done_is_gone:
            self._write_done(record)

    def _write_done(self, record: Record) -> None:
        """The job keeps its `done` also where the log has let go of it."""
        if record.state.done and self._subscriber.ending is None:
            self._subscriber.send(self._surface.frame(record.state.done.event, self._view.session, record.epoch))
            self._subscriber.end("done")
