"""A stream's connection: taken from aiohttp while the stream lasts, given back behind it, and gone with it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sse_server.config import Limits
from sse_server.config import Server as ServerSettings
from sse_server.config import Stream as StreamSettings
from sse_server.hub import Subscriber

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened

Until = Callable[[Callable[[], Any]], Any]


def kept() -> int:
    """Requests and aiohttp's connections that are still held by somebody."""
    gc.collect()
    return sum(isinstance(each, web.Request | RequestHandler) for each in gc.get_objects())


@pytest.mark.parametrize("by", ["GET", "POST"])
async def test_nothing_of_its_request_waits_with_a_stream(by: str, house: House) -> None:
    job_id, actor = await house.puppet()
    before = kept()
    if by == "GET":
        streams = [await house.stream(job_id) for _ in range(5)]
        actors = [actor]
    else:
        streams = [await house.streamed_post({"agent": "puppet", "input": None}) for _ in range(5)]
        actors = [actor, *[await house.stage.actor((await stream.next()).data["job_id"]) for stream in streams]]
    for stream in streams:
        await stream.next()
    assert kept() <= before
    for actor in actors:
        actor.end()
    for stream in streams:
        await stream.all()


async def test_behind_a_stream_the_connection_serves_the_next_request_and_the_next_stream(house: House) -> None:
    line = await house.line()
    for _ in range(3):
        job_id = await house.counted(1)
        answer = await (await line.ask("GET", f"/api/jobs/{job_id}/stream")).answer()
        assert b'"type":"done"' in answer.body
        assert (await (await line.ask("GET", "/health")).answer()).json == {"status": "ok"}


async def test_a_request_sent_while_the_stream_lasts_is_answered_behind_it(house: House) -> None:
    job_id, actor = await house.puppet()
    line = await house.line()
    await line.ask("GET", f"/api/jobs/{job_id}/stream?replay=none")
    await line.read_head()
    await line.chunk()
    for half in (b"GET /health HTTP/1.1\r\nHo", b"st: t\r\n\r\n"):
        await line.send(half)
        await actor.say("meanwhile")
    actor.end()
    while await line.chunk():
        pass
    assert (await line.answer()).json == {"status": "ok"}


@pytest.mark.parametrize("by", ["GET", "POST"])
async def test_half_a_request_that_came_with_the_streams_own_is_not_lost(by: str, house: House) -> None:
    job_id = await house.counted(1)
    asked = f"GET /api/jobs/{job_id}/stream HTTP/1.1\r\nHost: t\r\n\r\n".encode()
    if by == "POST":
        body = b'{"agent": "count", "input": {"to": 1}}'
        head = f"POST /api/jobs HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
        asked = head.encode() + body
    line = await house.line()
    await line.send(asked + b"GET /health HTTP/1.1\r\nHo")
    assert b'"type":"done"' in (await line.answer()).body
    await line.send(b"st: t\r\n\r\n")
    assert (await line.answer()).json == {"status": "ok"}


async def test_an_idle_connection_behind_a_stream_is_closed_in_its_time(opened: Opened) -> None:
    """It is the keep-alive's limit then; the limit for a first head is over."""
    async with opened(server=ServerSettings(keepalive_timeout=0.3, head_timeout=0.1)) as house:
        job_id = await house.counted(1)
        line = await house.line()
        began = asyncio.get_running_loop().time()
        await (await line.ask("GET", f"/api/jobs/{job_id}/stream")).answer()
        assert await line.eof()
        assert asyncio.get_running_loop().time() - began >= 0.25


async def test_streams_count_as_connections(opened: Opened) -> None:
    async with opened(limits=Limits(connections=3)) as house:
        job_id, actor = await house.puppet()
        streams = [await house.stream(job_id) for _ in range(3)]
        assert (await house.get("/health")).status == 503
        await streams[0].line.close()
        async with asyncio.timeout(20):
            while (await house.get("/health")).status != 200:
                pass
        actor.end()


@pytest.mark.parametrize("ahead", [0, 1])
async def test_a_client_that_goes_leaves_nothing(ahead: int, house: House, until: Until) -> None:
    """Whether aiohttp let go of its connection, or keeps it for what was asked ahead."""
    job_id, actor = await house.puppet()
    line = await house.line()
    get = f"GET /api/jobs/{job_id}/stream HTTP/1.1\r\nHost: t\r\n\r\n".encode()
    await line.send(get + b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n" * ahead)
    await line.read_head()
    line.abort()
    await until(lambda: not house.server.hub.subscribers)
    assert not house.seats.total
    assert not house.seats.streams
    actor.end()


async def test_a_fault_of_ours_in_a_stream_is_logged_and_cuts_it_off(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with opened(stream=StreamSettings()) as house:
        job_id, actor = await house.puppet()
        monkeypatch.setattr(Subscriber, "follow", fail)
        line = await house.line()
        await line.ask("GET", f"/api/jobs/{job_id}/stream", {"X-Request-Id": "mine"})
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await line.answer()
        (failed,) = [record for record in caplog.records if record.getMessage() == "a stream failed"]
        assert vars(failed)["request_id"] == "mine"
        caplog.clear()
        assert not house.seats.total
        actor.end()


async def test_a_streams_line_in_the_access_log_comes_when_it_is_over(
    opened: Opened, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sse_server.access")
    async with opened(server=ServerSettings(access_log=True)) as house:
        job_id, actor = await house.puppet()
        stream = await house.stream(job_id)
        await stream.next()
        await house.get("/health")
        asked = f"GET /api/jobs/{job_id}/stream"
        assert asked not in caplog.messages
        assert "GET /health" in caplog.messages
        actor.end()
        await stream.all()
        await until(lambda: asked in caplog.messages)
        assert caplog.messages.count(asked) == 1
        await (await house.streamed_post({"agent": "count", "input": {"to": 1}})).all()
        await until(lambda: caplog.messages[-1] == "POST /api/jobs")
