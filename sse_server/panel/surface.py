"""How the panel looks on the wire: `connected`, `message` for all that is said and done, `error`, `done`."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from sse_server.events import Event, timestamp
from sse_server.jobs import Ending
from sse_server.panel.formatter import PanelConnected, PanelDone, PanelError, SSEFormatter
from sse_server.routes.surface import NamedSurface, beat, named

CANCELLED: Final = "The question was cancelled."
FAILED: Final = "The panel could not answer."


class _Token(Struct):
    text: str


class _ToolCall(Struct):
    tool: str
    arguments: dict[str, Any]


class _Update(Struct):
    specialist: str
    status: str


_token = msgspec.json.Decoder(_Token).decode
_tool_call = msgspec.json.Decoder(_ToolCall).decode
_update = msgspec.json.Decoder(_Update).decode
_ending = msgspec.json.Decoder(Ending).decode


class PanelSurface(NamedSurface, frozen=True):
    """A timestamp is the event's own time, so that every reader gets the same bytes.

    `again`: the reader has an id already. The opening then carries none, or it would take the reader back to the start.
    """

    again: bool = False

    def opening(self, retry_ms: int, time: int) -> bytes:
        connected = named("connected", PanelConnected(), b"" if self.again else self.first_id())
        return super().opening(retry_ms, time) + connected

    def heartbeat(self, time: int, last_seq: int) -> bytes:
        return beat(time)

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        own, at = self.event_id(epoch, event.seq), timestamp(event.time)
        match event.type:
            case "token":
                return named("message", SSEFormatter.text(_token(event.body).text, at), own)
            case "tool_call":
                call = _tool_call(event.body)
                return named("message", SSEFormatter.tool_call(call.tool, call.arguments, at), own)
            case "specialist_update":
                told = _update(event.body)
                return named("message", SSEFormatter.specialist_update(told.specialist, told.status, at), own)
            case "done":
                return self._done(_ending(event.body), own)
            case _:
                return b""

    def _done(self, ending: Ending, own: bytes) -> bytes:
        """A failure is told before the end. The id is the second's: whoever tore the two apart gets both again."""
        if ending.status == "succeeded":
            return named("done", PanelDone("complete"), own)
        said = CANCELLED if ending.status == "cancelled" else ending.error.message if ending.error else FAILED
        return named("error", PanelError(said)) + named("done", PanelDone("error"), own)
