"""A job in a broadcaster's place: what a tracker tells its session becomes an event of the job."""

from __future__ import annotations

from functools import partial

from sse_server.agents import Job
from sse_server.broadcast import SSEEvent


class Teller:
    """The log writes when an event came itself, so an event's own `timestamp` is left out."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def broadcast_event(self, session_id: str, event: SSEEvent, user: str = "") -> None:
        """Emit the event; it is stored when this returns. The session is the job's."""
        fields = {name: value for name, value in event.data.items() if name != "timestamp"}
        await self._job.outbox.patiently(partial(self._job.emit, event.type, **fields))
        await self._job.flush()


def message_of(job_id: str) -> str:
    """The id of a message that nobody has named: the job's, in other words."""
    return f"msg_{job_id.removeprefix('job_')}"
