"""Writes into jobs that no attempt of this process runs: those that still wait, and those whose worker died."""

from __future__ import annotations

from collections.abc import Sequence

from sse_server.eventlog import LogKey, Record, Store, Write
from sse_server.events import Draft
from sse_server.hub import Hub
from sse_server.runner.outcome import Outcome
from sse_server.runner.presence import Presence


class Clerk:
    """What it writes is stored, and delivered to whoever follows."""

    def __init__(self, store: Store, hub: Hub, presence: Presence) -> None:
        self._store = store
        self._hub = hub
        self.presence = presence

    async def end(self, job_id: str, outcome: Outcome) -> None:
        """Write the `done` of a job that waits; nothing where it has been claimed, or has ended, before."""
        record = await self._store.load(job_id)
        if record and not record.state.done:
            await self.write([(record, "", outcome.done(record.state.attempt))])

    async def write(self, lines: Sequence[tuple[Record, str, Draft]]) -> None:
        """Write an event into each of several jobs at once, under their leases; nothing into one that is another's."""
        writes = [Write(key_of(record), [draft], record.spec.id, lease) for record, lease, draft in lines]
        receipts = await self._store.append(writes) if writes else []
        for (record, _, draft), write, receipt in zip(lines, writes, receipts, strict=True):
            if receipt:
                self._hub.stored(write, receipt)
                if draft.type == "done":
                    self.presence.release(record.spec)


def key_of(record: Record) -> LogKey:
    """The log that a job writes into."""
    return LogKey(record.spec.user, record.spec.session)
