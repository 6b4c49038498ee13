"""`GET /api/chat/stream`, which an EventSource can open again and again, and `POST /api/chat/message`."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web
from msgspec import Raw, Struct

from sse_server.hub import Gap
from sse_server.panel.formatter import PanelConnected, PanelDone, PanelError, PanelMessage
from sse_server.panel.result import Message, PanelInput
from sse_server.panel.surface import PanelSurface
from sse_server.routes.answers import Heartbeat, Reconnect, Snapshot
from sse_server.routes.attaching import start_or_attach
from sse_server.routes.starting import StartJob
from sse_server.routes.streams import start_and_stream
from sse_server.routes.table import Frames, Route

FRAMES: Final = Frames(
    {
        "connected": PanelConnected,
        "message": PanelMessage,
        "error": PanelError,
        "done": PanelDone,
        "heartbeat": Heartbeat,
        "reconnect": Reconnect,
        "gap": Gap,
        "snapshot": Snapshot,
    }
)


class ChatQuery(Struct, frozen=True):
    """What to ask the panel."""

    message: Message


class ChatRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to ask the panel."""

    message: Message


async def stream_answer(request: web.Request, query: ChatQuery, _: None) -> web.StreamResponse:
    """Ask the panel and stream its answer; again, with the last id or with the same question, the same answer."""
    again = bool(request.headers.get("Last-Event-ID"))
    return await start_or_attach(
        request,
        _start(query.message),
        lambda spec: PanelSurface(attached=spec.id, again=again),
        route="panel",
        asked=query.message,
    )


async def post_question(request: web.Request, _: object, body: ChatRequest) -> web.StreamResponse:
    """Ask the panel and stream its answer in this response; it ends with the client's connection."""
    return await start_and_stream(request, _start(body.message), lambda _: PanelSurface())


def _start(message: str) -> StartJob:
    return StartJob("panel", Raw(msgspec.json.encode(PanelInput(message))), on_disconnect="cancel")


ROUTES: Final = (
    Route(
        "GET",
        "/api/chat/stream",
        "own",
        stream_answer,
        {200: (FRAMES,), 204: ()},
        query=ChatQuery,
        tag="panel",
        problems=(403, 404),
    ),
    Route(
        "POST",
        "/api/chat/message",
        "own",
        post_question,
        {200: (FRAMES,)},
        body=ChatRequest,
        tag="panel",
        problems=(422, 429),
    ),
)
