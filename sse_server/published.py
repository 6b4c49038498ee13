"""Published events: what anybody but a job may write into a session, and for how long it is kept."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from sse_server.encoding import encode_fields
from sse_server.errors import InvalidEvent
from sse_server.events import CONTROL_TYPES, JOB_EVENTS, Draft, timestamp

TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}")
RESERVED: Final = frozenset({"connection", "keepalive"}) | CONTROL_TYPES | JOB_EVENTS.keys()
"""What only the server writes: a session's own words, control events, and the life and work of a job."""


def published(type: str, fields: dict[str, Any], *, now: int, ttl: float) -> Draft:
    """The event of that type whose JSON is `fields`, with a `timestamp` where it has none.

    `now` is Unix microseconds, `ttl` seconds. Raises `InvalidEvent` for what can't be published.
    """
    if not TYPE.fullmatch(type):
        raise InvalidEvent("an event's type is a letter and up to 63 letters, digits and _ . : -")
    if type in RESERVED:
        raise InvalidEvent(f"{type} events are written by the server alone")
    if not 0 < ttl < math.inf:
        raise InvalidEvent("a ttl is more than 0 seconds")
    stamped = fields if "timestamp" in fields else {**fields, "timestamp": timestamp(now)}
    return Draft(type, encode_fields(stamped), now, expires=now + max(1, round(ttl * 1e6)))
