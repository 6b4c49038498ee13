"""What a server of this kind answers, as far as a reader looks at it."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from loadtest.frames import Anything, moment
from loadtest.line import Head
from loadtest.trouble import PASSING, Trouble


class Links(Struct):
    """Where a job is read."""

    stream: str
    events: str


class Started(Struct):
    """The answer to a start."""

    links: Links


class Page(Struct):
    """A page of a job's events."""

    events: list[Raw]
    next: str
    done: bool
    poll_after_ms: int = 0
    gap: Raw | None = None


class Problem(Struct):
    """Why the server says no (RFC 9457)."""

    code: str = ""


def envelope(event: Raw) -> tuple[bytes, int, float]:
    """An event's type, seq and moment of emission (Unix seconds)."""
    seen = msgspec.json.decode(event, type=Anything)
    return seen.type.encode(), seen.seq, moment(seen.timestamp)


def refusal(head: Head, body: bytes, *, renews: bool) -> Trouble:
    """The trouble that an answer means. `renews`: another token comes with the next request."""
    try:
        code = msgspec.json.decode(body, type=Problem).code
    except ValueError:
        code = ""
    after = head.headers.get("retry-after", "")
    passing = head.status in PASSING or (head.status == 401 and renews)
    return Trouble(code or f"http_{head.status}", pause=float(after) if after.isdigit() else None, final=not passing)
