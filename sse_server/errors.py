"""One family tree of errors: each class says its stable `code`, its HTTP status and whose fault it is.

A `detail` is written for the person who reads the answer: it never holds a secret, a stack or a path.
One middleware turns a `ServerError` into `application/problem+json` (RFC 9457).
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """One fault in an input: where it is (`$.input.resume`) and what was expected there."""

    path: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """The body of every error answer: RFC 9457 with a stable `code` beside it."""

    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] | msgspec.UnsetType = msgspec.UNSET
    type: str = "about:blank"


class ServerError(Exception):
    """The root: something this server says no to, in words for its user."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal Server Error"

    def __init__(
        self,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []
        self.retry_after = retry_after
        """Seconds after which another try makes sense; a 429 or a 503 always has one."""


class InvalidInput(ServerError):
    code, status, title = "invalid_input", 400, "Bad Request"


class AgentUnknown(ServerError):
    code, status, title = "agent_unknown", 400, "Unknown Agent"


class Unauthenticated(ServerError):
    """Nobody, or somebody with a token that isn't good: the answer says the same for every cause."""

    code, status, title = "unauthenticated", 401, "Unauthorized"


class Forbidden(ServerError):
    code, status, title = "forbidden", 403, "Forbidden"


class NotFound(ServerError):
    code, status, title = "not_found", 404, "Not Found"


class Conflict(ServerError):
    code, status, title = "conflict", 409, "Conflict"


class TooSlow(ServerError):
    code, status, title = "timeout", 408, "Request Timeout"


class TooLarge(ServerError):
    code, status, title = "too_large", 413, "Content Too Large"


class HeadTooLarge(ServerError):
    code, status, title = "head_too_large", 431, "Request Header Fields Too Large"


class IdempotencyMismatch(ServerError):
    code, status, title = "idempotency_mismatch", 422, "Idempotency Key Reused"


class RateLimited(ServerError):
    code, status, title = "rate_limited", 429, "Too Many Requests"


class TooManyJobs(ServerError):
    code, status, title = "too_many_jobs", 429, "Too Many Jobs"


class TooManyStreams(ServerError):
    code, status, title = "too_many_streams", 429, "Too Many Streams"


class Unavailable(ServerError):
    code, status, title = "unavailable", 503, "Service Unavailable"


class QueueFull(Unavailable):
    code, title = "queue_full", "Queue Full"


class Draining(Unavailable):
    code, title = "draining", "Draining"


class Overloaded(Unavailable):
    code, title = "overloaded", "Overloaded"


class StoreUnavailable(Unavailable):
    code, title = "store_unavailable", "Store Unavailable"


class SettingsError(ServerError):
    """A setting that is unknown, of the wrong type or at odds with another; the server does not start."""

    code = "settings"


class StoreBusy(ServerError):
    """The store belongs to another server process; the server does not start."""

    code = "store_busy"


class AgentError(ServerError):
    """An agent's definition or what it emits is not what this server can take: its author's fault."""

    code = "agent_error"


class InvalidEvent(AgentError):
    """An event with a type, a field or a value that the log can't hold."""

    code = "invalid_event"


class InvalidResult(AgentError):
    """What an agent returned is not of the type that it declares."""

    code = "invalid_result"


class OutboxFull(AgentError):
    """Emitted faster than the store takes it, on the loop, where nothing may block: `await job.flush()`."""

    code = "outbox_full"


class JobCancelled(Exception):
    """Raised in an agent by every emitter once its job is cancelled, timed out or taken from it."""


class JobFailed(Exception):
    """Raise it in an agent to fail the job with words for its user; every other error reaches them as a code alone."""

    def __init__(self, code: str, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry = retry
