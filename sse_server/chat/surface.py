"""How a chat looks on the wire: `token`, `usage`, `done` with the fields that chat clients read, and nothing else."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

import msgspec
from msgspec import Struct

from sse_server.chat.provider import ProviderBusy, ProviderError, ProviderTimeout
from sse_server.events import Event
from sse_server.jobs import Ending
from sse_server.routes.surface import NamedSurface, beat, named

SAID: Final = {error.code: error.said for error in (ProviderError, ProviderBusy, ProviderTimeout)} | {
    "timeout": ProviderTimeout.said
}
"""What its user is told of a failure, by the code of the job's error."""


class TokenData(Struct, frozen=True):
    text: str


class UsageData(Struct, frozen=True):
    """`cost_usd` is null for a model whose price is not known."""

    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    model: str


class DoneData(Struct, frozen=True):
    finish_reason: Literal["stop", "error", "cancelled"]


_token = msgspec.json.Decoder(TokenData).decode
_usage = msgspec.json.Decoder(UsageData).decode
_ending = msgspec.json.Decoder(Ending).decode


class ChatSurface(NamedSurface, frozen=True):
    """Heartbeats are comments and come every interval, busy or not."""

    steady: ClassVar[bool] = True

    def opening(self, retry_ms: int, time: int) -> bytes:
        return b": Connected to chat stream\nretry: %d\n" % retry_ms

    def heartbeat(self, time: int, last_seq: int) -> bytes:
        return beat(time)

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        own = self.event_id(epoch, event.seq)
        match event.type:
            case "token":
                return named("token", _token(event.body), own)
            case "usage":
                return named("usage", _usage(event.body), own)
            case "done":
                return self._done(_ending(event.body), own)
            case _:
                return b""

    def _done(self, ending: Ending, own: bytes) -> bytes:
        """A failure is told in one sentence, as a token, before the end; whoever tore the two apart gets both again."""
        match ending.status:
            case "succeeded":
                return named("done", DoneData("stop"), own)
            case "cancelled":
                return named("done", DoneData("cancelled"), own)
            case "failed":
                said = SAID.get(ending.error.code if ending.error else "", ProviderError.said)
                return named("token", TokenData(said)) + named("done", DoneData("error"), own)


CHAT: Final = ChatSurface()
