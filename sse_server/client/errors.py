"""What can go wrong between a client and a server: nobody answers, somebody else answers, or the server says no."""

from __future__ import annotations

from sse_server.errors import Problem


class ClientError(Exception):
    """The root. `passing`: the same request may succeed later."""

    passing = True
    retry_after: float | None = None
    """Seconds after which another try makes sense, where the answer said so."""


class Unreachable(ClientError):
    """No answer, or the line was lost before all of it was there."""


class BadAnswer(ClientError):
    """An answer that is not this server's: a proxy's error page, or another program."""

    def __init__(self, detail: str, *, status: int, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after
        self.passing = _passes(status)


class Refused(ClientError):
    """The server says no: `status`, a stable `code`, a `detail` to show, and `errors` where the input was at fault."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(problem.detail)
        self.status = problem.status
        self.code = problem.code
        self.detail = problem.detail
        self.errors = problem.errors or []
        self.request_id = problem.request_id
        self.retry_after = retry_after
        self.passing = _passes(problem.status)


class LineLost(Unreachable):
    """A stream ended before its job did. `back_in`: the server sent its reader away for so many seconds."""

    def __init__(self, reason: str, *, back_in: float | None = None) -> None:
        super().__init__(reason)
        self.back_in = back_in


class StreamUnusable(ClientError):
    """Something between holds the stream back or makes something else of it."""


def _passes(status: int) -> bool:
    return status in {408, 425, 429} or status >= 500
