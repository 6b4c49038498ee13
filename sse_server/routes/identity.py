"""Who asks: the caller's name, to whom jobs and sessions belong."""

from __future__ import annotations

from typing import Final

from aiohttp import web

ANONYMOUS: Final = "anonymous"


def user(request: web.Request) -> str:
    """The caller's name."""
    return ANONYMOUS
