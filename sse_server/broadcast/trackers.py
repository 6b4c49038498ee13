"""Tell a session how an answer comes about: what is thought, and how far the text is."""

from __future__ import annotations

from typing import Protocol

from sse_server.broadcast.builder import SSEEventBuilder
from sse_server.broadcast.event import SSEEvent


class Publisher(Protocol):
    """Where a tracker's events go: a broadcaster, or whatever stands in for one."""

    async def broadcast_event(self, session_id: str, event: SSEEvent, user: str = ...) -> object:
        """Publish the event to that user's session."""


class _Tracker:
    def __init__(
        self, message_id: str, session_id: str, task_id: str, broadcaster: Publisher, user: str = "anonymous"
    ) -> None:
        self.message_id = message_id
        self.session_id = session_id
        self.task_id = task_id
        self.user = user
        self._broadcaster = broadcaster

    @property
    def _task(self) -> tuple[str, str, str]:
        return self.message_id, self.session_id, self.task_id

    async def _tell(self, event: SSEEvent) -> None:
        await self._broadcaster.broadcast_event(self.session_id, event, user=self.user)


class ThoughtProcessTracker(_Tracker):
    """`thought_process_start`, any number of steps, `thought_process_complete`."""

    async def start_thinking(self, text: str) -> None:
        """Say what is being thought about."""
        await self._tell(SSEEventBuilder.thought_process_start(*self._task, text))

    async def add_step(self, step: str, reasoning: str) -> None:
        """One step, and why."""
        await self._tell(SSEEventBuilder.thought_process_step(*self._task, step, reasoning))

    async def complete_thinking(self, conclusion: str) -> None:
        """What came of it."""
        await self._tell(SSEEventBuilder.thought_process_complete(*self._task, conclusion))


class ProgressTracker(_Tracker):
    """`regeneration_progress` until there is a `message_regenerated` or a `regeneration_error`."""

    async def update_progress(self, progress: float, message: str = "", partial_content: str = "") -> None:
        """How far it is, 0 to 100, with all of the text so far. Raises `InvalidEvent`."""
        await self._tell(SSEEventBuilder.regeneration_progress(*self._task, progress, message, partial_content))

    async def complete(self, content: str) -> None:
        """The whole text."""
        await self._tell(SSEEventBuilder.message_regenerated(*self._task, content))

    async def error(self, text: str) -> None:
        """It failed, in a sentence that its reader may see."""
        await self._tell(SSEEventBuilder.regeneration_error(*self._task, text))
