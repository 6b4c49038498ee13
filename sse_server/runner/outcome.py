"""How an attempt ends, and what that makes of its job: another attempt, or `done`."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from sse_server.encoding import encode_fields
from sse_server.errors import AgentError, AgentUnknown, InvalidInput, JobFailed
from sse_server.eventlog.order import now
from sse_server.events import Draft, EndStatus, ErrorInfo, FinishReason, without_none
from sse_server.runner.body import AgentExit

MAX_BACKOFF: Final = 60.0
"""Seconds between two attempts, at the most."""
MAX_DOUBLINGS: Final = 64
"""A job may have more attempts than a float has powers of two."""
MAX_CODE: Final = 128
MAX_MESSAGE: Final = 4096
"""Characters that reach a user of what an agent says about its failure: `done` has to fit into an event."""


class Outcome(Struct, frozen=True):
    """`retry`: worth another attempt, if the agent allows one; `word` is what `attempt_reset` gives as its reason."""

    status: EndStatus
    finish_reason: FinishReason
    result: msgspec.Raw | None = None
    error: ErrorInfo | None = None
    retry: bool = False

    def done(self, attempt: int) -> Draft:
        """The job's last event."""
        fields: dict[str, Any] = without_none(result=self.result, error=self.error)
        body = encode_fields({"status": self.status, "finish_reason": self.finish_reason, **fields})
        return Draft("done", body, now(), attempt)

    def reset(self, attempt: int, from_seq: int) -> Draft:
        """The event between this attempt and the next one."""
        body = encode_fields({"from_seq": from_seq, "reason": self.finish_reason})
        return Draft("attempt_reset", body, now(), attempt + 1)


CANCELLED: Final = Outcome("cancelled", "cancelled")
TIMED_OUT: Final = Outcome(
    "failed", "timeout", error=ErrorInfo("timeout", "The job took longer than it may."), retry=True
)
INTERRUPTED: Final = Outcome(
    "failed", "interrupted", error=ErrorInfo("interrupted", "The server stopped while the job ran."), retry=True
)


def succeeded(result: msgspec.Raw) -> Outcome:
    """The agent returned."""
    return Outcome("succeeded", "stop", result=None if bytes(result) == b"null" else result)


def failed(error: BaseException) -> Outcome:
    """The agent raised: its own words for its user, or a code and a sentence that give nothing away."""
    match error:
        case JobFailed():
            return _error(str(error.code)[:MAX_CODE], str(error.message)[:MAX_MESSAGE], retry=error.retry)
        case AgentError() | AgentUnknown() | InvalidInput():
            return _error(error.code, error.detail[:MAX_MESSAGE], retry=False)
        case AgentExit():
            return _error("agent_error", "The agent tried to stop the server.", retry=False)
        case _:
            return _error("agent_error", "The agent failed.", retry=True)


def _error(code: str, message: str, *, retry: bool) -> Outcome:
    return Outcome("failed", "error", error=ErrorInfo(code, message), retry=retry)


def backoff(first: float, attempt: int) -> float:
    """Seconds until the attempt after `attempt`: each waits twice as long as the one before."""
    return float(min(MAX_BACKOFF, first * 2 ** min(attempt - 1, MAX_DOUBLINGS)))
