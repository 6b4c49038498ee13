"""A server in a process of its own, as an operator starts it, and a client of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

import sse_server
from sse_server.sse import Parser
from tests.runner.conftest import Told

CREW = Path(__file__).with_name("crew.py")


class Process:
    """`sse-server serve` with the crew as its agents; its files are in `folder`, its store is SQLite unless told."""

    def __init__(self, folder: Path, *settings: str, store: str = "sqlite") -> None:
        self._folder = folder
        self._arguments = [
            *["-m", "sse_server", "serve", str(CREW), "--port", "0", "--store", store],
            *[part for setting in settings for part in ("--set", setting)],
        ]
        self._http: aiohttp.ClientSession
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """Until it listens."""
        with (self._folder / "stderr.txt").open("a") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                cwd=self._folder,
                env=os.environ | {"PYTHONPATH": str(Path(sse_server.__file__).parents[1])},
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
            )
        assert self._process.stdout
        said = await self._process.stdout.readline()
        address = re.search(rb"http://[\d.]+:\d+", said)
        assert address, (self._folder / "stderr.txt").read_text()
        timeout = aiohttp.ClientTimeout(total=None)
        self._http = aiohttp.ClientSession(address[0].decode(), timeout=timeout)

    async def kill(self) -> None:
        """As a power cut would."""
        await self._end(signal.SIGKILL)

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        code = await self._process.wait()
        await self._http.close()
        return code

    async def stop(self) -> int:
        return await self._end(signal.SIGTERM)

    async def clear_away(self) -> None:
        if self._process.returncode is None:
            await self.kill()

    async def _end(self, number: signal.Signals) -> int:
        self.tell(number)
        return await self.ended()

    @property
    def errors(self) -> str:
        """What it wrote for its operator."""
        return (self._folder / "stderr.txt").read_text()

    async def get(self, path: str) -> tuple[int, Told]:
        async with self._http.get(path) as answer:
            return answer.status, msgspec.json.decode(await answer.read(), type=Told)

    async def post(self, path: str, body: object = None) -> tuple[int, Told]:
        async with self._http.post(path, json=body) as answer:
            return answer.status, msgspec.json.decode(await answer.read(), type=Told)

    async def begin(self, name: str, input: object = None, **body: Any) -> str:
        """Start a job."""
        status, job = await self.post("/api/jobs", {"agent": name, "input": input, **body})
        assert status == 202, job
        return str(job["job_id"])

    @asynccontextmanager
    async def begin_here(self, name: str, input: object = None) -> AsyncIterator[AsyncIterator[tuple[str, Told]]]:
        """Start a job and watch it in the answer."""
        accept = {"Accept": "text/event-stream"}
        async with self._http.post("/api/jobs", json={"agent": name, "input": input}, headers=accept) as answer:
            yield _events(answer)

    @asynccontextmanager
    async def watch(self, job_id: str, after: str = "0") -> AsyncIterator[AsyncIterator[tuple[str, Told]]]:
        async with self._http.get(f"/api/jobs/{job_id}/stream", headers={"Last-Event-ID": after}) as answer:
            yield _events(answer)

    async def told(self, job_id: str, until: str) -> None:
        """Until the job has an event of that type."""
        async with self.watch(job_id) as stream:
            async for _, event in stream:
                if event["type"] == until:
                    return

    async def story(self, job_id: str) -> list[tuple[str, Told]]:
        """All events of a job up to its end, each with its id."""
        async with self.watch(job_id) as stream:
            return [item async for item in stream if "seq" in item[1]]


async def _events(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, Told]]:
    """What comes, up to where the line is cut."""
    parser = Parser()
    try:
        async for chunk in answer.content.iter_any():
            for event in parser.feed(chunk):
                yield event.id, msgspec.json.decode(event.data, type=Told)
    except aiohttp.ClientError:
        return


@asynccontextmanager
async def process(folder: Path, *settings: str, store: str = "sqlite") -> AsyncIterator[Process]:
    server = Process(folder, *settings, store=store)
    await server.start()
    try:
        yield server
    finally:
        await server.clear_away()
