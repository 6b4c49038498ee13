"""A page with its user's cookie, of an origin that is not the server's; it tells what it sees."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from aiohttp import web

HERE: Final = Path(__file__).parent


class Page:
    """Serves one page on an origin of its own, and hears what it tells."""

    def __init__(self) -> None:
        self.html = ""
        self.cookie = ""
        """A cookie that the page's answer sets: browsers send it to every port of this host."""
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.get("/", self._show), web.post("/told", self._hear)])
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        """Where the page comes from."""
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def write(self, name: str, *, cookie: str, **task: str) -> None:
        """Show this file, with what it is to do, and set the cookie."""
        self.html = (HERE / name).read_text().replace("TASK", msgspec.json.encode(task).decode())
        self.cookie = cookie

    async def told(self) -> dict[str, Any]:
        """What the page tells next."""
        async with asyncio.timeout(40):
            return await self._told.get()

    async def _show(self, _: web.Request) -> web.Response:
        answer = web.Response(text=self.html, content_type="text/html")
        answer.set_cookie("access_token", self.cookie, samesite="Lax")
        return answer

    async def _hear(self, request: web.Request) -> web.Response:
        self._told.put_nowait(msgspec.json.decode(await request.read()))
        return web.Response(status=204)
