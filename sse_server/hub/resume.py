"""Whether a log can go on from a reader's cursor, or has to say what is missing."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from sse_server.eventlog import Head
from sse_server.events import START, EventId

MAX_ECHO: Final = 128
"""Characters of a cursor that a gap repeats."""

GapReason = Literal["trimmed", "epoch", "ahead", "unreadable", "cleared"]


class Cursor(Struct, frozen=True):
    """A cursor as a client sent it; `id` is None where nobody can have written it, `text` where nobody sent it."""

    text: str | None
    id: EventId | None

    @classmethod
    def of(cls, text: str) -> Cursor:
        """Read a `Last-Event-ID` or an `after`; what is no UTF-8 in a header becomes `?`, since a gap repeats it."""
        return cls(text.encode(errors="replace").decode(), EventId.parse(text))

    @classmethod
    def unsent(cls, event_id: EventId) -> Cursor:
        """Where a reader begins who sent no cursor."""
        return cls(None, event_id)

    @classmethod
    def at(cls, event_id: EventId) -> Cursor:
        """The cursor that a client at this event would send."""
        return cls(str(event_id), event_id)


class Gap(Struct, frozen=True, tag_field="type", tag="gap"):
    """Events between a cursor and what is there are lost to this reader. Both ids are event ids or null."""

    after: str | None
    first_available: str | None
    reason: GapReason


def judge(cursor: Cursor, head: Head | None, *, missed: int = 0) -> Gap | None:
    """None when every event after the cursor can follow; else the honest answer.

    Below `missed` this reader lacks events though the log still has others: published ones that a history limit took
    from between the events of jobs.
    """
    if head is None:
        # There is no log: nothing can be missing behind the start, and no other cursor is of this log.
        return None if cursor.id == START else _gap(cursor, None, "epoch" if cursor.id else "unreadable")
    if cursor.id is None:
        return _gap(cursor, head, "unreadable")
    if cursor.id.epoch not in {"", head.epoch}:
        return _gap(cursor, head, "cleared" if cursor.id.epoch == head.cleared else "epoch")
    if cursor.id.seq > head.last:
        return _gap(cursor, head, "ahead")
    if cursor.id.seq < max(head.trimmed, missed):
        return _gap(cursor, head, "trimmed")
    return None


def _gap(cursor: Cursor, head: Head | None, reason: GapReason) -> Gap:
    first = None
    if head and head.trimmed < head.last:
        passed = cursor.id.seq if cursor.id and reason == "trimmed" else 0
        first = str(EventId(head.epoch, max(head.trimmed, passed) + 1))
    return Gap(cursor.text[:MAX_ECHO] if cursor.text is not None else None, first, reason)
