"""Builds the events of a chat whose answers are thought over, written anew, edited and deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sse_server.broadcast.event import SSEEvent
from sse_server.errors import InvalidEvent
from sse_server.eventlog.order import now
from sse_server.events import timestamp


class SSEEventBuilder:
    """Each method makes one event; its fields are the parameters in camelCase, and a `timestamp`."""

    @staticmethod
    def message_regeneration_started(
        message_id: str, session_id: str, task_id: str, original_message_id: str, user_query: str
    ) -> SSEEvent:
        """`message_regenerating`: a new answer to `user_query` is on its way."""
        fields = {"originalMessageId": original_message_id, "userQuery": user_query}
        return _of_task("message_regenerating", message_id, session_id, task_id, fields)

    @staticmethod
    def regeneration_progress(  # noqa: PLR0917  (the documented order)
        message_id: str,
        session_id: str,
        task_id: str,
        progress: float,
        message: str = "",
        partial_content: str = "",
    ) -> SSEEvent:
        """`progress` is a percentage, `partial_content` all that is written so far. Raises `InvalidEvent`."""
        fields = {"progress": _percentage(progress), "message": message, "partialContent": partial_content}
        return _of_task("regeneration_progress", message_id, session_id, task_id, fields)

    @staticmethod
    def message_regenerated(message_id: str, session_id: str, task_id: str, content: str) -> SSEEvent:
        """The new answer, whole."""
        return _of_task("message_regenerated", message_id, session_id, task_id, {"content": content})

    @staticmethod
    def regeneration_error(message_id: str, session_id: str, task_id: str, error: str) -> SSEEvent:
        """There will be no new answer; `error` is a sentence that its reader may see."""
        return _of_task("regeneration_error", message_id, session_id, task_id, {"error": error})

    @staticmethod
    def thought_process_start(message_id: str, session_id: str, task_id: str, thinking_about: str) -> SSEEvent:
        """Thinking begins."""
        fields = {"thinkingAbout": thinking_about}
        return _of_task("thought_process_start", message_id, session_id, task_id, fields)

    @staticmethod
    def thought_process_step(message_id: str, session_id: str, task_id: str, step: str, reasoning: str) -> SSEEvent:
        """One step of it."""
        fields = {"step": step, "reasoning": reasoning}
        return _of_task("thought_process_step", message_id, session_id, task_id, fields)

    @staticmethod
    def thought_process_complete(message_id: str, session_id: str, task_id: str, conclusion: str) -> SSEEvent:
        """What it came to."""
        return _of_task("thought_process_complete", message_id, session_id, task_id, {"conclusion": conclusion})

    @staticmethod
    def message_edited(message_id: str, session_id: str, content: str) -> SSEEvent:
        """The message now reads so."""
        return _stamped("message_edited", {"messageId": message_id, "sessionId": session_id, "content": content})

    @staticmethod
    def message_deleted(message_id: str, session_id: str, deleted_message_ids: Sequence[str]) -> SSEEvent:
        """The message is gone, with all that `deleted_message_ids` names."""
        deleted = list(deleted_message_ids)
        fields = {"messageId": message_id, "sessionId": session_id, "deletedMessageIds": deleted}
        return _stamped("message_deleted", fields)


def _of_task(type: str, message_id: str, session_id: str, task_id: str, fields: dict[str, Any]) -> SSEEvent:
    return _stamped(type, {"messageId": message_id, "sessionId": session_id, "taskId": task_id, **fields})


def _stamped(type: str, fields: dict[str, Any]) -> SSEEvent:
    return SSEEvent(type, {**fields, "timestamp": timestamp(now())})


def _percentage(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:
        return value
    raise InvalidEvent(f"progress is a percentage from 0 to 100: not {value!r:.40}")
