"""What a session's log says of one message: the question it answers, and how it reads now."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from sse_server.eventlog import EventLog, LogKey
from sse_server.events import Event

TYPES: Final = frozenset(
    {"message", "message_regenerating", "message_regenerated", "message_edited", "message_deleted"}
)
LOOKED_BACK: Final = 5000
"""Events at the end of the log that are looked at."""
PAGE: Final = 500


class Known(Struct):
    """None: the log does not say."""

    query: str | None = None
    content: str | None = None


class _Said(Struct, rename="camel"):
    """The fields that matter, of whatever type: anybody may have published them."""

    message_id: Any = None
    user_query: Any = None
    content: Any = None


_decode = msgspec.json.Decoder(_Said).decode


async def known_of(eventlog: EventLog, key: LogKey, message_id: str) -> Known:
    """What the latest events of the session say of that message."""
    known = Known()
    head = await eventlog.head(key)
    after = max(head.trimmed, head.last - LOOKED_BACK) if head else 0
    while head and after < head.last:
        page = await eventlog.read(key, after, PAGE, types=TYPES)
        for event in page.events:
            _take(known, event, message_id)
        if page.passed <= after:
            break
        after = page.passed
    return known


def _take(known: Known, event: Event, message_id: str) -> None:
    try:
        said = _decode(event.body)
    except ValueError:  # msgspec's errors are ValueErrors; a body is an object, but none of ours
        return
    if said.message_id != message_id:
        return
    if event.type == "message_deleted":
        known.query = known.content = None
    if isinstance(said.user_query, str) and said.user_query:
        known.query = said.user_query
    if isinstance(said.content, str) and said.content:
        known.content = said.content
