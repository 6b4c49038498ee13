"""How a run of any agent looks to an ADK client: thinking begins, the text grows, the message is there."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct, UnsetType

from sse_server.actions.teller import message_of
from sse_server.actions.telling import Telling
from sse_server.actions.words import MessageRegenerated, RegenerationProgress, RunError, ThoughtProcessStart
from sse_server.events import Event, timestamp
from sse_server.jobs import Ending
from sse_server.routes.answers import Snapshot
from sse_server.routes.session_surface import Connected, SessionSurface
from sse_server.routes.surface import named

SPOKEN: Final = frozenset(
    {
        "thought_process_start",
        "thought_process_step",
        "thought_process_complete",
        "regeneration_progress",
        "regeneration_error",
    }
)
"""What an agent may say in this door's own words; the message itself comes with the job's end, and ends the stream."""
EXPECTED: Final = 5000
"""Characters of a usual text: what its progress is measured by."""


class _Answer(Struct, rename="camel"):
    content: str
    message_id: str | None = None


_ending = msgspec.json.Decoder(Ending).decode
_answer = msgspec.json.Decoder(_Answer).decode


class AdkSurface(SessionSurface, frozen=True, eq=False, kw_only=True):
    """One stream's own: it knows what it has told. `speaks`: the agent tells of its work in these words itself.

    `again`: the reader has an id already. The opening then carries none, or it would take the reader back to the start.
    """

    query: str
    telling: Telling
    speaks: bool
    again: bool

    def opening(self, retry_ms: int, time: int) -> bytes:
        said = Connected(self.session, self.user, timestamp(time))
        return b": stream\n" + named("connection", said, b"" if self.again else self.first_id(), retry_ms)

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        event_id = self.event_id(epoch, event.seq)
        match event.type:
            case "done":
                return self._end(event, event_id)
            case kind if self.speaks:
                return super().frame(event, session, epoch) if kind in SPOKEN else b""
            case "job_started":
                started = ThoughtProcessStart(*self._run(event), thinking_about=self.query)
                return named("thought_process_start", started, event_id)
            case "token" | "attempt_reset":
                text = self.telling.hear(event)
                return b"" if text is None else self._progress(event, text, event_id)
            case _:
                return b""

    def snapshot(self, snapshot: Snapshot) -> bytes:
        self.telling.restart(snapshot.job.text)
        return super().snapshot(snapshot)

    def _run(self, event: Event) -> tuple[str, str, str, str]:
        return message_of(self.attached), self.session, self.attached, timestamp(event.time)

    def _progress(self, event: Event, text: str, event_id: bytes) -> bytes:
        pct = min(95.0, round(len(text) / EXPECTED * 100, 1))
        told = RegenerationProgress(*self._run(event), progress=pct, message="Writing", partial_content=text)
        return named("regeneration_progress", told, event_id)

    def _end(self, event: Event, event_id: bytes) -> bytes:
        ending = _ending(event.body)
        message, *place = self._run(event)
        if ending.status != "succeeded":
            why = ending.error.message if ending.error else "The run was cancelled."
            return named("error", RunError(why, place[-1]), event_id)
        answer = _answer_in(ending.result)
        content = answer.content or self.telling.text or _written(ending.result)
        said = MessageRegenerated(answer.message_id or message, *place, content=content)
        return named("message_regenerated", said, event_id)


def _answer_in(result: Raw | UnsetType) -> _Answer:
    """What a result says in words: its `content`, or itself where it is a text."""
    if isinstance(result, UnsetType):
        return _Answer("")
    try:
        return _answer(result)
    except msgspec.ValidationError:
        value = msgspec.json.decode(result)
        return _Answer(value if isinstance(value, str) else "")


def _written(result: Raw | UnsetType) -> str:
    """A result that has no words for it."""
    return "" if isinstance(result, UnsetType) else bytes(result).decode()
