"""Where a job's events come from: a stream, pages of the same, and the start that may have to come first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

from aiohttp import ClientResponse

from sse_server.client.caller import AS_STREAM, Caller
from sse_server.client.event import EventPage, WirePage
from sse_server.client.start import Start


class Source:
    """One job's events. `job_id` is None until its `start` is answered."""

    def __init__(
        self,
        caller: Caller,
        *,
        job_id: str | None = None,
        start: Start | None = None,
        types: str | None = None,
        replay: str | None = None,
    ) -> None:
        self.job_id = job_id
        self._caller = caller
        self._start = start
        self._types = types
        self._replay = replay

    @asynccontextmanager
    async def stream(self, cursor: str) -> AsyncIterator[ClientResponse]:
        """The job's stream behind `cursor`: the answer to its start, while that has none."""
        start = self._start
        if self.job_id is None and start:
            headers = {**AS_STREAM, **start.headers}
            async with self._caller.request("POST", "/api/jobs", body=start.body, headers=headers) as response:
                self.job_id = _job_of(response.headers.get("Content-Location", ""))
                yield response
        else:
            query = {"types": self._types, "replay": self._replay}
            headers = {**AS_STREAM, "Last-Event-ID": cursor} if cursor else AS_STREAM
            path = f"{await self._path()}/stream"
            async with self._caller.request("GET", path, query=query, headers=headers) as response:
                yield response

    async def page(self, cursor: str, *, wait: float) -> EventPage:
        """The page behind `cursor`; the server waits up to `wait` seconds for a first event."""
        query = {"after": cursor or None, "wait": wait, "types": self._types}
        path = f"{await self._path()}/events"
        return (await self._caller.call("GET", path, WirePage, query=query, wait=wait)).page()

    async def _path(self) -> str:
        if self.job_id is None:
            assert self._start is not None
            self.job_id = (await self._start.send(self._caller)).job_id
        return job_path(self.job_id)


def job_path(job_id: str) -> str:
    """Where a job is found, whatever its id holds."""
    return f"/api/jobs/{quote(job_id, safe='')}"


def _job_of(location: str) -> str | None:
    """The id in `/api/jobs/<id>/stream`; a proxy may have written a prefix before it."""
    *_, job_id, last = ["", *location.split("/")]
    return job_id if last == "stream" else None
