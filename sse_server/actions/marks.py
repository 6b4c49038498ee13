"""The agents `edit_message` and `delete_message`: what became of a message, told to its session."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from sse_server.actions.regenerate import MAX_QUERY, MessageId
from sse_server.actions.teller import Teller
from sse_server.agents import Job, agent
from sse_server.broadcast import SSEEventBuilder

Content = Annotated[str, Meta(min_length=1, max_length=MAX_QUERY)]


class EditInput(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The message, and how it shall read."""

    message_id: MessageId
    content: Content


class DeleteInput(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The message."""

    message_id: MessageId


class Deleted(Struct, frozen=True, rename="camel"):
    """Which messages are gone."""

    deleted_message_ids: list[str]


@agent("edit_message", timeout=60, description="Tells a session that a message now reads otherwise.")
async def edit_message(input: EditInput, job: Job) -> EditInput:
    """Tell of the edit; the session's log is where a message's wording is kept."""
    edited = SSEEventBuilder.message_edited(input.message_id, job.session_id, input.content)
    await Teller(job).broadcast_event(job.session_id, edited)
    return input


@agent("delete_message", timeout=60, description="Tells a session that a message is gone.")
async def delete_message(input: DeleteInput, job: Job) -> Deleted:
    """Tell of the deletion."""
    gone = [input.message_id]
    deleted = SSEEventBuilder.message_deleted(input.message_id, job.session_id, gone)
    await Teller(job).broadcast_event(job.session_id, deleted)
    return Deleted(gone)
