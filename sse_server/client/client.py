"""The client: one method for each thing that a server can be asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, Unpack
from urllib.parse import quote

from sse_server.client.answers import AgentInfo, AgentList, CancelledJob, JobInfo, JobPage, Started
from sse_server.client.caller import Caller
from sse_server.client.event import Event, EventPage, WirePage
from sse_server.client.follow import Follower, OnStatus
from sse_server.client.patience import Patience
from sse_server.client.source import Source, job_path
from sse_server.client.start import Start, StartOptions


class Client:
    """A connection to one server, for `async with`. `token` goes with every request, as do `headers`.

    Every method raises `Refused` where the server says no, `Unreachable` where nobody answers, and `BadAnswer` where
    something else does.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        self._caller = Caller(url, headers={**bearer, **(headers or {})}, patience=patience or Patience())

    async def __aenter__(self) -> Self:
        self._caller.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._caller.close()

    async def agents(self) -> list[AgentInfo]:
        """The agents that the server has."""
        return (await self._caller.call("GET", "/api/agents", AgentList)).agents

    async def start(self, agent: str, input: Any, **options: Unpack[StartOptions]) -> Started:
        """Start a job; `input` is anything that msgspec writes as JSON.

        A start whose answer is lost is repeated, always with an Idempotency-Key, so it never makes two jobs.
        """
        return await Start.of(agent, input, options).send(self._caller)

    def start_streaming(
        self, agent: str, input: Any, *, on_status: OnStatus | None = None, **options: Unpack[StartOptions]
    ) -> AsyncGenerator[Event, None]:
        """Start a job and follow it in the same answer; a lost line is resumed as `follow` does it."""
        source = Source(self._caller, start=Start.of(agent, input, options))
        return Follower(self._caller, source, after=None, on_status=on_status).events()

    def follow(
        self,
        job_id: str,
        after: str | None = None,
        *,
        types: Iterable[str] | None = None,
        replay: Literal["all", "snapshot"] = "all",
        on_status: OnStatus | None = None,
    ) -> AsyncGenerator[Event, None]:
        """The job's events behind the event id `after` (None: all that are kept, or a `snapshot` of them), to `done`.

        Each comes once and in order, whatever happens to the line; a `gap` and a `snapshot` say where that can't be.
        `on_status` hears what becomes of the line. A loop that may be left early belongs in `contextlib.aclosing`.
        """
        source = Source(self._caller, job_id=job_id, types=_listed(types), replay=None if replay == "all" else replay)
        return Follower(self._caller, source, after=after, on_status=on_status).events()

    async def poll(
        self,
        job_id: str,
        after: str | None = None,
        *,
        wait: float = 0.0,
        limit: int | None = None,
        types: Iterable[str] | None = None,
    ) -> EventPage:
        """One page of the job's events; the server waits up to `wait` seconds (25 at most) for a first one."""
        return await self._page(f"{job_path(job_id)}/events", after, wait, limit, types)

    async def session(
        self,
        session_id: str,
        after: str | None = None,
        *,
        wait: float = 0.0,
        limit: int | None = None,
        types: Iterable[str] | None = None,
    ) -> EventPage:
        """One page of a session's events, of all its jobs; empty while nothing was written into it."""
        return await self._page(f"/api/sessions/{quote(session_id, safe='')}/events", after, wait, limit, types)

    async def job(self, job_id: str) -> JobInfo:
        """The job with all that is known of it."""
        return await self._caller.call("GET", job_path(job_id), JobInfo)

    async def jobs(
        self,
        *,
        status: str | None = None,
        agent: str | None = None,
        session_id: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JobPage:
        """A page of my jobs, newest first; `cursor` is the `next` of the page before."""
        query = {"status": status, "agent": agent, "session_id": session_id, "limit": limit, "cursor": cursor}
        return await self._caller.call("GET", "/api/jobs", JobPage, query=query)

    async def cancel(self, job_id: str, *, wait: float = 0.0) -> CancelledJob:
        """Ask the job to stop, and wait up to `wait` seconds (25 at most) until it has."""
        query = {"wait": wait or None}
        return await self._caller.call("POST", f"{job_path(job_id)}/cancel", CancelledJob, query=query, wait=wait)

    async def erase(self, job_id: str) -> None:
        """Erase an ended job and its events."""
        async with self._caller.request("DELETE", job_path(job_id), total=self._caller.patience.answer):
            pass

    async def _page(
        self, path: str, after: str | None, wait: float, limit: int | None, types: Iterable[str] | None
    ) -> EventPage:
        query = {"after": after, "wait": wait or None, "limit": limit, "types": _listed(types)}
        return (await self._caller.call("GET", path, WirePage, query=query, wait=wait)).page()


def _listed(types: Iterable[str] | None) -> str | None:
    return ",".join(types) if types is not None else None
