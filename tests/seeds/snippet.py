"""Runs Python as the documents print it: an `await` may stand outside a function, and imports are from here."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import uuid
from datetime import datetime
from typing import Any, Final

from sse_server.broadcast import BroadcasterConfig, SSEEventBuilder, get_sse_broadcaster

THEIR_MODULES: Final = ("app.utils.sse_broadcaster", "app.utils.sse_events")


def ours(text: str) -> str:
    """The text with our module in place of theirs."""
    for module in THEIR_MODULES:
        text = text.replace(module, "sse_server.broadcast")
    return text


async def play(text: str, **given: Any) -> dict[str, Any]:
    """Run it, with these names and those that the documents use without importing them; all names afterwards."""
    names: dict[str, Any] = {
        "asyncio": asyncio,
        "uuid": uuid,
        "datetime": datetime,
        "logger": logging.getLogger("printed"),
        "get_sse_broadcaster": get_sse_broadcaster,
        "BroadcasterConfig": BroadcasterConfig,
        "SSEEventBuilder": SSEEventBuilder,
        **given,
    }
    code = compile(ours(text), "printed", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, names)
    if inspect.iscoroutine(running):
        await running
    return names
