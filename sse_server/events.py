"""Events: what a job writes, how an event is numbered and named, and its one JSON form on every surface.

An agent's emitter encodes the fields of an event once, in its own thread (`Draft`). The log gives it a `seq` (`Event`).
Every surface joins the same bytes: `Event.json()` never decodes what it sends.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

TYPE_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
SESSION_PATTERN: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
ENVELOPE: Final = frozenset({"type", "job_id", "session_id", "seq", "attempt", "timestamp"})
"""Fields that the server writes into every event of a job; an agent's own fields can't take their names."""

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
EndStatus = Literal["succeeded", "failed", "cancelled"]
StepStatus = Literal["started", "running", "finished", "failed"]
FinishReason = Literal["stop", "error", "timeout", "cancelled", "interrupted"]
Percent = Annotated[float, Meta(ge=0, le=100)]
Tokens = Annotated[int, Meta(ge=0, le=2**53)]


class ErrorInfo(Struct, frozen=True):
    """Why a job failed: a stable word and a sentence that is safe to show."""

    code: str
    message: str


class JobEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What every event of a job has. `timestamp` is RFC 3339 in UTC with microseconds."""

    job_id: str
    session_id: str
    seq: int
    attempt: int
    timestamp: str


class JobQueued(JobEvent, frozen=True, tag="job_queued", kw_only=True):
    """The job waits; `position` jobs wait before it."""

    agent: str
    position: int


class JobStarted(JobEvent, frozen=True, tag="job_started", kw_only=True):
    """An attempt began."""

    agent: str


class StepProgress(JobEvent, frozen=True, tag="step_progress", kw_only=True):
    """How far a step is. `pct` never falls within a step and an attempt."""

    step: str
    pct: Percent
    status: StepStatus
    label: str | None = None
    message: str | None = None
    index: int | None = None
    total: int | None = None
    job_pct: Percent | None = None


class Insight(JobEvent, frozen=True, tag="insight", kw_only=True):
    """Something found on the way that a person wants to read now."""

    text: str
    step: str | None = None
    category: str | None = None
    data: dict[str, Any] | None = None


class Token(JobEvent, frozen=True, tag="token", kw_only=True):
    """A piece of the text that the job writes."""

    text: str
    step: str | None = None
    message_id: str | None = None


class ToolCall(JobEvent, frozen=True, tag="tool_call", kw_only=True):
    """The agent calls a tool."""

    call_id: str
    tool: str
    arguments: dict[str, Any]


class ToolResult(JobEvent, frozen=True, tag="tool_result", kw_only=True):
    """What the tool answered, or why it failed."""

    call_id: str
    tool: str
    result: Any = None
    error: str | None = None


class SpecialistUpdate(JobEvent, frozen=True, tag="specialist_update", kw_only=True):
    """What one of several specialists is doing."""

    specialist: str
    status: str
    message: str | None = None


class Usage(JobEvent, frozen=True, tag="usage", kw_only=True):
    """What a call of a model used. `cost_usd` is null where the price is not known."""

    tokens_in: Tokens
    tokens_out: Tokens
    cost_usd: float | None
    model: str


class LogLine(JobEvent, frozen=True, tag="log", kw_only=True):
    """A line for whoever watches how the job works."""

    level: str
    message: str


class AttemptReset(JobEvent, frozen=True, tag="attempt_reset", kw_only=True):
    """This job's events of a lower attempt from `from_seq` on are void; the next attempt follows."""

    from_seq: int
    reason: str


class Done(JobEvent, frozen=True, tag="done", kw_only=True):
    """The job's last event, exactly one."""

    status: EndStatus
    finish_reason: FinishReason
    result: Any = None
    error: ErrorInfo | None = None


AnyJobEvent = (
    JobQueued
    | JobStarted
    | StepProgress
    | Insight
    | Token
    | ToolCall
    | ToolResult
    | SpecialistUpdate
    | Usage
    | LogLine
    | AttemptReset
    | Done
)
JOB_EVENTS: Final[dict[str, type[JobEvent]]] = {str(t.__struct_config__.tag): t for t in AnyJobEvent.__args__}
CONTROL_TYPES: Final = frozenset({"snapshot", "gap", "heartbeat", "reconnect"})
RUNNER_TYPES: Final = frozenset({"job_queued", "job_started", "attempt_reset", "done"})
"""Written by the runner alone: they are a job's life, not its work."""


class EventId(Struct, frozen=True, gc=False):
    """`<epoch>-<seq>`: where a reader is in a log, and in which life of the log. `0` is before any event."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}" if self.epoch else "0"

    @classmethod
    def parse(cls, text: str) -> EventId | None:
        """Read what a client sent back; None where no log can have written it."""
        if text == "0":
            return START
        match = _EVENT_ID.fullmatch(text)
        return cls(match[1], int(match[2])) if match else None


_EVENT_ID: Final = re.compile(r"([a-z0-9]{1,32})-(0|[1-9][0-9]{0,17})", re.ASCII)
START: Final = EventId("", 0)


class Draft(Struct, frozen=True, gc=False):
    """An event that has no number yet: `body` is the JSON object of the type's own fields, times are Unix microseconds.

    From `expires` on (0: never) no reader sees a published event any more.
    """

    type: str
    body: bytes
    time: int
    attempt: int = 1
    expires: int = 0


class Event(Struct, frozen=True, gc=False):
    """An event as the log holds it."""

    seq: int
    type: str
    job_id: str
    attempt: int
    time: int
    body: bytes
    expires: int = 0

    def json(self, session_id: str) -> bytes:
        """The event's JSON object, envelope first."""
        return self.envelope(session_id).encode() + self.body[1:]

    def envelope(self, session_id: str) -> str:
        """The object's text up to the fields of its own, which are `body[1:]`."""
        time = self.time
        return (
            f'{{"type":"{self.type}","job_id":"{self.job_id}","session_id":"{session_id}",'
            f'"seq":{self.seq},"attempt":{self.attempt},'
            f'"timestamp":"{_second(time // 1_000_000)}.{str(_ZEROS + time)[-6:]}Z"{"," if len(self.body) > 2 else ""}'
        )


_ZEROS: Final = 10**17
"""Added to Unix microseconds, their last six digits are those of the second, also its first tenth."""


def timestamp(time: int) -> str:
    """RFC 3339 in UTC with microseconds, from Unix microseconds."""
    return f"{_second(time // 1_000_000)}.{str(_ZEROS + time)[-6:]}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that are set: an optional field that is None is left out of an event."""
    return {name: value for name, value in fields.items() if value is not None}
