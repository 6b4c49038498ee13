"""Real proxies with their usual manners: each event gets through before the next one exists."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from sse_server.config import Settings
from tests.clients.box import Box, haproxy, nginx
from tests.clients.stage import Stage, on_stage
from tests.clients.watcher import Watcher

Require = Callable[[object, str], None]
TEXTS = [n * "x" for n in (5, 2048, 3900, 5, 4096, 9000, 5, 5, 30_000)]
"""An event must get through wherever in a box's buffers it ends."""


@pytest.fixture
def settings() -> Settings:
    """No heartbeat: nothing may come that pushes a late event out of a box."""
    return on_stage(retry_ms=10, heartbeat_interval=3600)


async def each_arrives_before_the_next_is_emitted(stage: Stage, box: Box, job: str, streams: list[str]) -> None:
    """Follow a job that has started, through several doors of a box at once."""
    doors = range(len(streams))
    async with Watcher("httpx-sse", [f"http://127.0.0.1:{box.port}{stream}" for stream in streams]) as watcher:

        def arrived(count: int) -> Callable[[], bool]:
            return lambda: all(len(watcher.events(n)) == count for n in doors)

        await watcher.until(arrived(2))
        for seq, text in enumerate(TEXTS, 3):
            stage.cue("token", text=text)
            await watcher.until(arrived(seq))
        stage.curtain()
        await watcher.ended()
    for n in doors:
        assert watcher.events(n) == await stage.events(job)


async def test_nginx_lets_each_event_through(stage: Stage, tmp_path: Path, require: Require) -> None:
    """Because it is asked to, whether it asks the server in HTTP/1.0, its default, or in 1.1."""
    require(shutil.which("nginx"), "nginx is not installed")
    job = await stage.start("actor")
    async with nginx(tmp_path, stage.port) as box:
        streams = [f"{job}/stream", f"{job}/stream?padding=4096", f"/http11{job}/stream"]
        await each_arrives_before_the_next_is_emitted(stage, box, job, streams)


async def test_padding_gets_each_event_through_an_nginx_that_buffers(
    stage: Stage, tmp_path: Path, require: Require
) -> None:
    require(shutil.which("nginx"), "nginx is not installed")
    job = await stage.start("actor")
    async with nginx(tmp_path, stage.port) as box:
        streams = [f"/deaf{job}/stream?padding=4096", f"/deaf11{job}/stream?padding=4096"]
        await each_arrives_before_the_next_is_emitted(stage, box, job, streams)


async def test_without_padding_such_an_nginx_holds_all_of_it_back(
    stage: Stage, tmp_path: Path, require: Require
) -> None:
    """Which is why there is padding."""
    require(shutil.which("nginx"), "nginx is not installed")
    job = await stage.start("actor")
    async with nginx(tmp_path, stage.port) as box, ClientSession() as http:
        with socket.create_connection(("127.0.0.1", box.port)) as behind:
            behind.sendall(f"GET /deaf{job}/stream HTTP/1.0\r\n\r\n".encode())
            async with Watcher("httpx-sse", [f"http://127.0.0.1:{box.port}{job}/stream"]) as watcher:
                await watcher.until(lambda: len(watcher.events()) == 2)
                stage.cue("token", text="first")
                stage.cue("token", text="second")
                await watcher.until(lambda: len(watcher.events()) == 4)
                # One worker serves all: once it answers this, it has dealt with whatever came before.
                async with http.get(f"http://127.0.0.1:{box.port}/health") as answer:
                    assert answer.status == 200
                behind.settimeout(0)
                with pytest.raises(BlockingIOError):
                    behind.recv(1)
                stage.curtain()
                await watcher.ended()
            behind.settimeout(20)
            with behind.makefile("rb") as answer_at_last:
                assert b"second" in await asyncio.to_thread(answer_at_last.read)


async def test_haproxy_lets_each_event_through(stage: Stage, tmp_path: Path, require: Require) -> None:
    """With its defaults; `option http-no-delay` takes the 0.2 s away that it waits each time for more."""
    require(shutil.which("haproxy"), "haproxy is not installed")
    job = await stage.start("actor")
    async with haproxy(tmp_path, stage.port) as box:
        await each_arrives_before_the_next_is_emitted(stage, box, job, [f"{job}/stream", f"{job}/stream?padding=4096"])
