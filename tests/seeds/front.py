"""The origin of a page and of the server behind it: serves the page, passes on all else, and can cut the line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, web
from msgspec import Struct

from tests.seeds.house import Visitor

PAGE: Final = Path(__file__).with_name("page.html")
HASTE: Final = 20
"""A page's timers run so many times as fast."""
OF_ONE_LINE: Final = {"connection", "transfer-encoding", "keep-alive", "host"}
"""Headers that are not passed on."""
DOWN: Final = -1
"""The cut of a stream whose answer is a 502, as a proxy says it whose server is away."""


class Visit(Struct):
    """A request of the page's, with its cursor, and the status of the answer once there is one."""

    method: str
    path: str
    cursor: str
    status: int = 0


class Front:
    """A browser's visit to the server, with its user's cookie."""

    def __init__(self, visitor: Visitor) -> None:
        self.visits: list[Visit] = []
        self.heard: list[tuple[str, Any]] = []
        """What the page told: a word, and what belongs to it."""
        self.cuts: list[int] = []
        """The frames after which the next stream is torn, the one after it, and so on; later ones are whole."""
        self.withheld: set[str] = set()
        """Headers of the browser's, in small letters, that do not get through."""
        self._visitor = visitor
        self._client = ""
        self._news = asyncio.Event()
        self._http: ClientSession
        self._runner: web.AppRunner

    async def __aenter__(self) -> Self:
        self._http = ClientSession(
            self._visitor.house.address, cookie_jar=DummyCookieJar(), timeout=ClientTimeout(), auto_decompress=False
        )
        app = web.Application()
        app.add_routes(
            [web.get("/page", self._show), web.post("/told", self._hear), web.route("*", "/{at:.*}", self._pass)]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._http.close()

    def serve(self, client: str) -> str:
        """Put this JavaScript on the page; the page's address."""
        self._client = client
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/page"

    def told(self, word: str) -> list[Any]:
        """What came with that word."""
        return [data for heard, data in self.heard if heard == word]

    async def until(self, reached: Callable[[], object]) -> None:
        """Return once what the page told or asked for makes it true. A fault of the page's ends the wait."""
        async with asyncio.timeout(30):
            while not reached():
                assert not self.told("fault"), self.heard
                self._news.clear()
                await self._news.wait()

    async def _show(self, _: web.Request) -> web.Response:
        csrf = await self._http.get("/api/csrf", headers={"Cookie": self._cookie})
        page = PAGE.read_text().replace("HASTE", str(HASTE)).replace("CLIENT", self._client)
        page = page.replace("CSRF_TOKEN", (await csrf.json())["csrf_token"])
        answer = web.Response(text=page, content_type="text/html")
        answer.headers.extend([("Set-Cookie", f"{self._cookie}; SameSite=Lax; HttpOnly"), *_cookies(csrf.headers)])
        return answer

    @property
    def _cookie(self) -> str:
        return f"vana_access_token={self._visitor.token}"

    async def _hear(self, request: web.Request) -> web.Response:
        word, data = msgspec.json.decode(await request.read())
        self.heard.append((word, data))
        self._news.set()
        return web.Response(status=204)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        visit = Visit(request.method, request.path_qs, request.headers.get("Last-Event-ID", ""))
        self.visits.append(visit)
        cut = self.cuts.pop(0) if self.cuts else None
        if cut == DOWN:
            visit.status = 502
            self._news.set()
            return web.Response(status=502)
        withheld = self.withheld | OF_ONE_LINE
        headers = {name: value for name, value in request.headers.items() if name.lower() not in withheld}
        body = await request.read()
        async with self._http.request(request.method, request.rel_url, headers=headers, data=body) as answer:
            visit.status = answer.status
            self._news.set()
            passed = web.StreamResponse(status=answer.status)
            passed.headers.extend((n, v) for n, v in answer.headers.items() if n.lower() not in OF_ONE_LINE)
            await passed.prepare(request)
            async for piece in pieces(answer, cut):
                await passed.write(piece)
            if cut is None:
                await passed.write_eof()
            elif request.transport:
                request.transport.close()
            return passed


async def pieces(answer: ClientResponse, frames: int | None) -> AsyncIterator[bytes]:
    """What a stream holds: so many frames of it, or all."""
    if frames is None:
        async for piece in answer.content.iter_any():
            yield piece
    else:
        for _ in range(frames):
            while (line := await answer.content.readline()).strip():
                yield line
            yield line


def _cookies(headers: Any) -> list[tuple[str, str]]:
    return [("Set-Cookie", value) for value in headers.getall("Set-Cookie", [])]
