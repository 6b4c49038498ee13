"""Ours and those that it is measured against, each with the same doors: streams, and an order to publish."""

from __future__ import annotations

import importlib.util
import secrets
import time
from typing import Any, Final

import jwt
import msgspec

from benches.process import HERE, Process
from benches.readers import Tally, call, connect

BARE: Final = ("bare uvloop", "bare asyncio")
PLAIN: Final = "plain aiohttp"
USUAL: Final = ("sse-starlette", "fastapi")
SETTINGS: Final = (
    "jobs.concurrency=20000",
    "jobs.queue_size=20000",
    "jobs.timeout=3600",
    "limits.jobs_per_user=100000",
    "limits.starts_per_minute=0",
    "limits.streams_per_user=100000",
    "limits.streams=100000",
    "limits.connections=100000",
    "log.level=error",
    "server.backlog=4096",
)
BROWSER: Final = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
    " Safari/537.36",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Origin": "http://localhost:3000",
    "Referer": "http://localhost:3000/sessions/a-page-of-the-application",
    "Sec-Ch-Ua": '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
    "Sec-Ch-Ua-Mobile": "?0",
    "Sec-Ch-Ua-Platform": '"Linux"',
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-site",
    "Cookie": "theme=dark; csrf_token=0123456789abcdef0123456789abcdef; _ga=GA1.1.123456789.1700000000",
}


def missing() -> list[str]:
    """Those of the usual choices that are not installed."""
    parts = {
        "sse-starlette": ("uvicorn", "fastapi", "sse_starlette"),
        "fastapi": ("uvicorn", "fastapi", "sse_starlette"),
    }
    return [name for name in USUAL if not all(importlib.util.find_spec(part) for part in parts[name])]


class Other(Process):
    """One of the servers that it is measured against."""

    def __init__(self, name: str) -> None:
        kind = name.removeprefix("bare ")
        module = "benches.bare" if name in BARE else "benches.plain" if name == PLAIN else "benches.usual"
        super().__init__("-m", module, kind)
        self.name = name
        self.tally = Tally()
        self._path = {"sse-starlette": "starlette", "fastapi": "own"}.get(name, "stream")

    async def open(self, logs: int, readers: int) -> None:
        """So many logs, with so many readers each."""
        requests = [get(f"/{self._path}/{log}") for log in range(logs) for _ in range(readers)]
        await connect(self.port, requests, self.tally)

    async def publish(self, count: int, rate: float, burst: int, logs: int) -> None:
        """Return once it has published."""
        await call(self.port, get(f"/publish?count={count}&rate={rate}&burst={burst}", Connection="close"))


class Ours(Process):
    """`sse-server serve` with a token for each request, and every limit out of the way."""

    def __init__(self, store: str, *settings: str) -> None:
        secret = secrets.token_urlsafe(32)
        given = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
        agents = str(HERE / "stage.py")
        super().__init__(
            *["-m", "sse_server", "serve", agents, "--port", "0", "--store", store, *given], JWT_SECRET=secret
        )
        self.name = f"ours, {store}"
        self.tally = Tally()
        claims = {"sub": secrets.token_hex(16), "aud": "authenticated", "exp": int(time.time()) + 86_400}
        self.bearer = f"Bearer {jwt.encode(claims, secret, 'HS256')}"

    def get(self, path: str, **headers: str) -> bytes:
        """A request with a token."""
        return get(path, Authorization=self.bearer, **headers)

    def start(self, agent: str, input: Any = None, *, accept: str = "text/event-stream", **body: Any) -> bytes:
        """A request that starts a job, and streams it unless told."""
        sent = msgspec.json.encode({"agent": agent, "input": input, **body})
        head = f"POST /api/jobs HTTP/1.1\r\nHost: bench\r\nAuthorization: {self.bearer}\r\nAccept: {accept}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n".encode() + sent

    async def run(self, agent: str, input: Any = None, **body: Any) -> str:
        """Start a job without watching it; its id."""
        request = self.start(agent, input, accept="*/*", **body)
        answer = await call(self.port, request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        return str(msgspec.json.decode(answer)["job_id"])

    async def open(self, logs: int, readers: int) -> None:
        """So many held jobs, with so many readers each; a job with one reader is started by it."""
        if readers == 1:
            requests = [self.start("hold", session_id=f"s-{log}") for log in range(logs)]
        else:
            jobs = [await self.run("hold", session_id=f"s-{log}") for log in range(logs)]
            requests = [self.get(f"/api/jobs/{job}/stream") for job in jobs for _ in range(readers)]
        await connect(self.port, requests, self.tally)

    async def publish(self, count: int, rate: float, burst: int, logs: int) -> None:
        """Return once it has published."""
        request = self.start("publish", {"to": logs, "count": count, "rate": rate, "burst": burst})
        await call(self.port, request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))


def get(path: str, **headers: str) -> bytes:
    """A request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{lines}\r\n".encode()
