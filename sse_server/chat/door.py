"""`POST /api/v1/chat`: a job of the agent `chat`, streamed in the answer; and a way to try one's token beside it."""

from __future__ import annotations

import logging
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Raw, Struct

from sse_server.chat.agent import FAILURES, MAX_MESSAGE, ChatInput, Scenario
from sse_server.chat.surface import CHAT, DoneData, TokenData, UsageData
from sse_server.errors import FieldError, InvalidInput
from sse_server.routes.answers import Reconnect, reply
from sse_server.routes.guard import user
from sse_server.routes.house import house
from sse_server.routes.middleware import REQUEST_ID
from sse_server.routes.starting import StartJob
from sse_server.routes.streams import start_and_stream
from sse_server.routes.table import Frames, Route

HEADER: Final = "X-Test-Scenario"

logger = logging.getLogger(__name__)

SessionId = Annotated[
    str,
    Meta(
        pattern=r"^session-[0-9]{8}-[0-9]{6}-[a-z0-9]{4}$",
        max_length=28,  # `$` alone would let a line end through
        examples=["session-20261121-101500-a1b2"],
    ),
]


class ChatMessage(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """With `sessionId` or `useMemory` the message is remembered; only with `useMemory` is anything recalled."""

    message: Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE)]
    session_id: SessionId | None = None
    use_memory: bool = False


class Ping(Struct, frozen=True, rename="camel"):
    """Whose token it is."""

    ok: bool
    user_id: str


async def chat(request: web.Request, _: object, body: ChatMessage) -> web.StreamResponse:
    """Answer a message as a stream; it ends with the client's connection."""
    asked = ChatInput(body.message, body.use_memory, _scenario(request))
    figures = {
        "request_id": request[REQUEST_ID],
        "session_id": body.session_id,
        "message_length": len(body.message),
        "use_memory": body.use_memory,
    }
    logger.info("Chat request received", extra=figures)
    start = StartJob("chat", Raw(msgspec.json.encode(asked)), body.session_id, on_disconnect="cancel")
    return await start_and_stream(request, start, lambda _: CHAT)


async def ping(request: web.Request, _: object, __: None) -> web.StreamResponse:
    """Say whose token this is."""
    return reply(Ping(ok=True, user_id=user(request)))


def _scenario(request: web.Request) -> Scenario | None:
    """How this chat is to fail; the header means nothing where it is not for tests."""
    sent = request.headers.get(HEADER)
    if sent is None or not house(request).settings.server.test_scenarios:
        return None
    for scenario in FAILURES:
        if sent == scenario:
            return scenario
    said = f"Expected {', '.join(FAILURES)}"
    raise InvalidInput("the test scenario is not known", errors=[FieldError(HEADER, said)])


ROUTES: Final = (
    Route(
        "POST",
        "/api/v1/chat",
        "own",
        chat,
        {200: (Frames({"token": TokenData, "usage": UsageData, "done": DoneData, "reconnect": Reconnect}),)},
        body=ChatMessage,
        tag="chat",
        problems=(422, 429),
    ),
    Route("GET", "/api/v1/auth/ping", "own", ping, {200: (Ping,)}, tag="chat"),
)
