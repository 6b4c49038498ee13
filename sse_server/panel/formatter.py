"""What the panel's clients read: the data of each message, and its frame as text."""

from __future__ import annotations

import re
import time
from typing import Any, Final, Literal

from msgspec import Struct, to_builtins

from sse_server import sse
from sse_server.encoding import encode_fields
from sse_server.events import timestamp

_ONE_LINE: Final = re.compile(r"[^\r\n\0]+")


class PanelText(Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of the answer."""

    content: str
    timestamp: str


class PanelToolCall(Struct, frozen=True, tag_field="type", tag="tool_call"):
    """A specialist calls a tool."""

    tool: str
    arguments: dict[str, Any]
    timestamp: str


class PanelSpecialist(Struct, frozen=True, tag_field="type", tag="specialist_update"):
    """What one of the specialists is doing: `started`, `working`, `finished` or `failed`."""

    specialist: str
    status: str
    timestamp: str


PanelMessage = PanelText | PanelToolCall | PanelSpecialist


class PanelConnected(Struct, frozen=True):
    """The first frame."""

    status: Literal["connected"] = "connected"


class PanelError(Struct, frozen=True):
    """Why there is no answer, in a sentence for the user; `done` follows."""

    error: str


class PanelDone(Struct, frozen=True):
    """The last frame."""

    status: Literal["complete", "error"]


class SSEFormatter:
    """Makes the messages; a `timestamp` is RFC 3339, now where none is given."""

    @staticmethod
    def format_message(event_type: str, data: dict[str, Any]) -> str:
        """The frame of a message, as text. Raises ValueError for a type that is not one line."""
        if not _ONE_LINE.fullmatch(event_type):
            raise ValueError(f"an event's type is one line of text: not {event_type!r:.80}")
        return sse.frame(encode_fields(data), event=event_type.encode(errors="replace")).decode()

    @staticmethod
    def text(content: str, timestamp: str | None = None) -> dict[str, Any]:
        """A piece of the answer."""
        return _fields(PanelText(content, timestamp or _now()))

    @staticmethod
    def tool_call(tool_name: str, args: dict[str, Any], timestamp: str | None = None) -> dict[str, Any]:
        """A tool that is called."""
        return _fields(PanelToolCall(tool_name, args, timestamp or _now()))

    @staticmethod
    def specialist_update(specialist: str, status: str, timestamp: str | None = None) -> dict[str, Any]:
        """What a specialist is doing."""
        return _fields(PanelSpecialist(specialist, status, timestamp or _now()))


def _fields(message: PanelMessage) -> dict[str, Any]:
    fields: dict[str, Any] = to_builtins(message)
    return fields


def _now() -> str:
    return timestamp(time.time_ns() // 1000)
