"""The real server as a process, and somebody who calls on it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import jwt
import msgspec
from aiohttp import ClientSession, DummyCookieJar
from msgspec import Struct
from multidict import CIMultiDictProxy

import sse_server
from tests.access.process import Process
from tests.seeds.shell import frames

SETTINGS: Final = {
    "log.file": "logs/api.log",
    "log.level": "info",
    "server.test_scenarios": "true",
    "sessions.event_ttl": "600",
    "stream.retry_ms": "50",
}
ENVIRON: Final = os.environ | {"PYTHONPATH": str(Path(sse_server.__file__).parents[1])}
"""That of other processes, which shall meet the package that the tests meet."""
CALM: Final = {"stream.heartbeat_interval": "10"}
"""Else the heart beats often: the chat guide's variable is set."""
WALKER: Final = Path(__file__).with_name("walker.py")


class House(Struct, frozen=True):
    """Where the server is, the folder that it works in, and the secret that its tokens are signed with."""

    address: str
    folder: Path
    secret: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def token(self, user: str, **claims: object) -> str:
        """A good token."""
        good = {"sub": user, "aud": "authenticated", "exp": time.time() + 86_400}
        return jwt.encode(good | claims, self.secret, algorithm="HS256")


@contextmanager
def serving(folder: Path, secret: str, **settings: str) -> Iterator[House]:
    """A server with these settings beside the usual ones; without a secret it asks nobody for a token."""
    (folder / "logs").mkdir(parents=True)
    shutil.copy(WALKER, folder)
    options = [part for name, value in (SETTINGS | settings).items() for part in ("--set", f"{name}={value}")]
    environ = {"OPENAI_SSE_HEARTBEAT_MS": "100"} | ({"JWT_SECRET": secret} if secret else {})
    process = Process(folder, WALKER.name, *options, **environ)
    try:
        process.start()
        yield House(f"http://127.0.0.1:{process.port}", folder, secret or "0" * 32)
    finally:
        process.close()


class Visitor:
    """A caller with a name, so that nobody else's sessions and jobs are in sight."""

    def __init__(self, house: House, name: str, **claims: object) -> None:
        self.house = house
        self.name = name
        self.token = house.token(name, **claims)
        self._http: ClientSession

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self.token}"}
        self._http = ClientSession(self.house.address, headers=headers, cookie_jar=DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.close()

    async def get(self, path: str) -> Any:
        """What is there."""
        async with self._http.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What comes back."""
        async with self._http.post(path, json=body) as answer:
            assert answer.ok, await answer.text()
            return await answer.json()

    async def head(self, path: str) -> CIMultiDictProxy[str]:
        """The headers of a stream."""
        async with self._http.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return answer.headers

    async def stream(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] = {}
    ) -> list[tuple[str, Any]]:
        """The events that come back, to the end."""
        return frames(await self.text(path, msgspec.json.encode(body), headers))

    async def text(self, path: str, body: bytes, headers: Mapping[str, str] = {}) -> str:
        """The stream that comes back, to the end."""
        headers = {"Content-Type": "application/json", **headers}
        async with self._http.post(path, data=body, headers=headers) as answer:
            assert answer.content_type == "text/event-stream", await answer.text()
            return await answer.text("utf-8")

    async def publish(self, session: str, type: str, **data: object) -> None:
        """Publish an event to a session."""
        await self.post(f"/api/sessions/{session}/events", {"type": type, "data": data})

    async def jobs(self) -> list[dict[str, Any]]:
        """All jobs of this caller, the newest first."""
        jobs: list[dict[str, Any]] = (await self.get("/api/jobs"))["jobs"]
        return jobs
