"""What the frames of an ADK-style run hold."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from sse_server.hub import Gap
from sse_server.routes.answers import Reconnect, Snapshot
from sse_server.routes.session_surface import Connected, Disconnected, Keepalive
from sse_server.routes.table import Frames


class RunWord(Struct, frozen=True, rename="camel"):
    """Which message of which session, and the job that writes it."""

    message_id: str
    session_id: str
    task_id: str
    timestamp: str


class ThoughtProcessStart(RunWord, frozen=True, rename="camel", kw_only=True):
    """The run began."""

    thinking_about: str


class ThoughtProcessStep(RunWord, frozen=True, rename="camel", kw_only=True):
    """One step of what is thought."""

    step: str
    reasoning: str


class ThoughtProcessComplete(RunWord, frozen=True, rename="camel", kw_only=True):
    """What it came to."""

    conclusion: str


class RegenerationProgress(RunWord, frozen=True, rename="camel", kw_only=True):
    """The text so far, cut from the front beyond 64 KiB; `progress` is a percentage."""

    progress: float
    message: str
    partial_content: str


class MessageRegenerated(RunWord, frozen=True, rename="camel", kw_only=True):
    """The whole answer. The stream ends behind it."""

    content: str


class RegenerationError(RunWord, frozen=True, rename="camel", kw_only=True):
    """The answer could not be written; `error` follows."""

    error: str


class RunError(Struct, frozen=True):
    """Why there is no answer. The stream ends behind it."""

    message: str
    timestamp: str


RUN: Final = Frames(
    {
        "connection": Connected | Disconnected,
        "thought_process_start": ThoughtProcessStart,
        "thought_process_step": ThoughtProcessStep,
        "thought_process_complete": ThoughtProcessComplete,
        "regeneration_progress": RegenerationProgress,
        "message_regenerated": MessageRegenerated,
        "regeneration_error": RegenerationError,
        "error": RunError,
        "keepalive": Keepalive,
        "gap": Gap,
        "snapshot": Snapshot,
        "reconnect": Reconnect,
    }
)
