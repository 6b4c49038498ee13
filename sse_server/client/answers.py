"""The server's answers as a client reads them; fields that a later server adds are passed over."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from sse_server.events import ErrorInfo, Status


class Started(Struct, frozen=True, kw_only=True):
    """A job that was started; `replayed`: by an earlier start with the same Idempotency-Key."""

    job_id: str
    session_id: str
    agent: str
    status: Status
    created_at: str
    links: dict[str, str] = {}
    replayed: bool = False


class JobInfo(Struct, frozen=True, kw_only=True):
    """A job. `text` and what follows it are there when one job is asked for, not in a listing."""

    job_id: str
    session_id: str
    agent: str
    status: Status
    attempt: int
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    last_event_id: str
    metadata: dict[str, Any] = {}
    result: Any = None
    error: ErrorInfo | None = None
    job_pct: float = 0.0
    text: str = ""
    truncated: bool = False
    steps: list[dict[str, Any]] = []
    insights: list[dict[str, Any]] = []
    usage: dict[str, Any] | None = None
    tools: list[dict[str, Any]] = []
    specialists: list[dict[str, Any]] = []


class CancelledJob(JobInfo, frozen=True, kw_only=True):
    """A job and how far its cancellation is; `cancellation_ms` is since it was asked for."""

    cancellation: Literal["requested", "stopped", "unresponsive"]
    cancellation_ms: int


class JobPage(Struct, frozen=True):
    """Jobs, newest first; `next` is the cursor of the next page, None on the last one."""

    jobs: list[JobInfo]
    next: str | None = None


class AgentInfo(Struct, frozen=True):
    """An agent that can be started; both schemas are JSON Schema 2020-12."""

    name: str
    description: str
    input: dict[str, Any]
    result: dict[str, Any]


class AgentList(Struct, frozen=True):
    """The body of `GET /api/agents`."""

    agents: list[AgentInfo]
