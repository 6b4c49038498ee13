"""The shapes of the answers, and how one is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Raw, Struct

from sse_server.eventlog import Record
from sse_server.events import ErrorInfo, EventId, Status, timestamp
from sse_server.hub import Gap
from sse_server.jobs import InsightState, SpecialistState, StepState, ToolState, UsageState

encode = msgspec.json.Encoder().encode


class Links(Struct, frozen=True):
    """Where a job is found; `self` is a name that Python keeps for itself."""

    job: str = msgspec.field(name="self")
    stream: str
    events: str
    cancel: str

    @classmethod
    def of(cls, job_id: str) -> Links:
        here = f"/api/jobs/{job_id}"
        return cls(here, f"{here}/stream", f"{here}/events", f"{here}/cancel")


class StartedJob(Struct, frozen=True):
    """The answer to a start."""

    job_id: str
    session_id: str
    agent: str
    status: Status
    created_at: str
    links: Links

    @classmethod
    def of(cls, record: Record) -> StartedJob:
        spec = record.spec
        created = timestamp(spec.created)
        return cls(spec.id, spec.session, spec.agent, record.state.status, created, Links.of(spec.id))


class JobSummary(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A job in a listing."""

    job_id: str
    session_id: str
    agent: str
    status: Status
    attempt: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    last_event_id: str
    metadata: dict[str, Any]
    result: Raw | None = None
    error: ErrorInfo | None = None

    @classmethod
    def of(cls, record: Record) -> JobSummary:
        return cls(**_summary(record))


class SnapshotJob(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The state that a job's events add up to."""

    job_id: str
    session_id: str
    agent: str
    status: Status
    attempt: int
    job_pct: float
    steps: list[StepState]
    insights: list[InsightState]
    text: str
    truncated: bool = False
    usage: UsageState | None
    tools: list[ToolState]
    specialists: list[SpecialistState]

    @classmethod
    def of(cls, record: Record) -> SnapshotJob:
        return cls(**_snapshot(record))


class JobDetail(JobSummary, frozen=True, omit_defaults=True, kw_only=True):
    """A job with all that is known of it."""

    job_pct: float
    steps: list[StepState]
    insights: list[InsightState]
    text: str
    truncated: bool = False
    usage: UsageState | None
    tools: list[ToolState]
    specialists: list[SpecialistState]
    links: Links

    @classmethod
    def of(cls, record: Record) -> JobDetail:
        return cls(**_summary(record) | _snapshot(record), links=Links.of(record.spec.id))


class CancelledJob(JobDetail, frozen=True, omit_defaults=True, kw_only=True):
    """A job, and how far its cancellation is; `cancellation_ms` since it was asked for."""

    cancellation: Literal["requested", "stopped", "unresponsive"]
    cancellation_ms: int


class JobList(Struct, frozen=True):
    """Jobs, newest first; `next` is the cursor of the next page, null on the last one."""

    jobs: list[JobSummary]
    next: str | None


class Snapshot(Struct, frozen=True, tag_field="type", tag="snapshot"):
    """What a job's events add up to, true at `last_event_id`."""

    last_event_id: str
    job: SnapshotJob


class Heartbeat(Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """Keeps an idle stream open; `last_seq` is the last seq that the stream has passed, sent or filtered."""

    timestamp: str
    last_seq: int


class Reconnect(Struct, frozen=True, tag_field="type", tag="reconnect"):
    """The server ends the stream; come back after `retry_ms` with the last event id, and nothing is missed."""

    reason: Literal["max_age", "draining", "token_expired", "slow_consumer", "overloaded"]
    retry_ms: int


class PublishedEvent(Struct, frozen=True):
    """A published event in a page; a stream's frame has `data` alone."""

    id: str
    seq: int
    type: str
    data: Raw
    timestamp: str


class EventPage(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A page of events; `next` is the cursor of the next one, and of a stream."""

    events: Sequence[Raw | PublishedEvent]
    next: str
    done: bool
    status: Status | None = None
    poll_after_ms: int
    gap: Gap | None = None
    snapshot: Snapshot | None = None


class AgentInfo(Struct, frozen=True):
    """A registered agent; both schemas are JSON Schema 2020-12."""

    name: str
    description: str
    input: dict[str, Any]
    result: dict[str, Any]


class AgentList(Struct, frozen=True):
    agents: list[AgentInfo]


class Health(Struct, frozen=True):
    status: Literal["ok", "ready"]


def reply(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(body=encode(body), status=status, headers=headers, content_type="application/json")


def last_event_id(record: Record) -> str:
    """The id of the job's latest event."""
    return str(EventId(record.epoch, record.state.last))


def _summary(record: Record) -> dict[str, Any]:
    spec, state = record.spec, record.state
    ending = state.done.ending if state.done else None
    return {
        "job_id": spec.id,
        "session_id": spec.session,
        "agent": spec.agent,
        "status": state.status,
        "attempt": state.attempt,
        "created_at": timestamp(spec.created),
        "started_at": timestamp(state.started) if state.started else None,
        "finished_at": timestamp(state.done.event.time) if state.done else None,
        "last_event_id": last_event_id(record),
        "metadata": spec.metadata,
        "result": ending.result if ending else None,
        "error": ending.error if ending else None,
    }


def _snapshot(record: Record) -> dict[str, Any]:
    spec, state, work = record.spec, record.state, record.state.work
    return {
        "job_id": spec.id,
        "session_id": spec.session,
        "agent": spec.agent,
        "status": state.status,
        "attempt": state.attempt,
        "job_pct": work.job_pct,
        "steps": list(work.steps.values()),
        "insights": work.insights,
        "text": work.text,
        "truncated": work.truncated,
        "usage": work.usage,
        "tools": list(work.tools.values()),
        "specialists": list(work.specialists.values()),
    }
