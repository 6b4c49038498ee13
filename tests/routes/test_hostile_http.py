"""Clients that speak no HTTP, half of it, or two kinds at once: a clear answer or a clean close, nothing left over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from sse_server.config import Server as ServerSettings
from sse_server.config import Stream as StreamSettings

if TYPE_CHECKING:
    from sse_server.routes.wire import Wire
    from tests.routes.conftest import House, Opened

Until = Callable[[Callable[[], Any]], Any]
START = msgspec.json.encode({"agent": "puppet", "input": 1})
HELD_BACK = (b"aiohttp", b"Python", b"Traceback", b'File "', b".py")


async def everything(house: House, data: bytes) -> bytes:
    """Send these bytes; all that comes back until the server closes."""
    line = await house.line()
    await line.send(data)
    return await line.reader.read()


def assert_refused(raw: bytes, status: int = 400) -> None:
    """One whole answer, a problem, and the end of the connection."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ") or lines[0].startswith(f"HTTP/1.0 {status} ")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert headers["Content-Type"] == "application/problem+json"
    assert int(headers["Content-Length"]) == len(body)
    problem = msgspec.json.decode(body)
    assert problem["status"] == status
    assert problem["request_id"] == headers["X-Request-Id"]
    assert not [word for word in HELD_BACK if word in raw]


@pytest.mark.parametrize(
    "request_",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret words",  # a TLS hello
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTQ/1.1\r\nHost: t\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost t\r\n\r\n",
        b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
        b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\n folded: secret words\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nX: a\rb\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: t\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: t\r\n\r\n",
        b"P\xc3\xb6ST /api/jobs HTTP/1.1\r\nHost: t\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_not_repeated(request_: bytes, house: House) -> None:
    raw = await everything(house, request_)
    assert_refused(raw)
    assert b"secret words" not in raw


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: t\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: t\r\n" + b"x" * 9000 + b": 1\r\n\r\n",
        b"GET /api/jobs/x/stream HTTP/1.1\r\nHost: t\r\nLast-Event-ID: " + b"x" * 10_240 + b"\r\n\r\n",
    ],
)
async def test_a_head_too_large_is_refused(request_: bytes, house: House) -> None:
    assert_refused(await everything(house, request_), 431)


async def test_too_many_headers_are_refused(house: House) -> None:
    headers = b"".join(b"X-%d: 1\r\n" % n for n in range(500))
    raw = await everything(house, b"GET /health HTTP/1.1\r\nHost: t\r\n" + headers + b"\r\n")
    assert raw[9:12] in {b"400", b"431"}
    assert_refused(raw, int(raw[9:12]))


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        b"Content-Length: 6\r\nContent-Length: 7\r\n",
        b"Content-Length: 6, 7\r\n",
        b"Content-Length: +6\r\n",
        b"Content-Length: -6\r\n",
        b"Content-Length: 0x6\r\n",
        b"Content-Length: 6 6\r\n",
        b"Content-Length: \r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length : 6\r\n",
    ],
)
async def test_a_request_with_two_ends_is_refused_and_its_rest_is_no_request(headers: bytes, house: House) -> None:
    """Smuggling: a proxy and the server must not see different requests in the same bytes."""
    smuggled = b"0\r\n\r\nPOST /api/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%b" % (len(START), START)
    raw = await everything(house, b"POST /api/jobs HTTP/1.1\r\nHost: t\r\n" + headers + b"\r\n" + smuggled)
    assert_refused(raw)
    assert (await house.get("/api/jobs")).json["jobs"] == []


BAD_CHUNKS = [b"zz\r\nx\r\n0\r\n\r\n", b"-1\r\n\r\n", b"5\r\nabcdefgh\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n"]
CHUNKED = b"POST /api/jobs HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("body", BAD_CHUNKS)
async def test_a_body_in_bad_chunks_is_refused(body: bytes, house: House) -> None:
    assert_refused(await everything(house, CHUNKED + body))
    assert (await house.get("/api/jobs")).json["jobs"] == []


@pytest.mark.parametrize("body", BAD_CHUNKS)
async def test_bad_chunks_for_which_somebody_waits_already_are_refused_in_time(body: bytes, opened: Opened) -> None:
    """aiohttp's parser in C tells the connection of them, and not the request that waits for its body."""
    async with opened(server=ServerSettings(port=0, drain_timeout=0.0, body_timeout=0.1)) as house:
        line = await house.line()
        await line.send(CHUNKED + b"1\r\n{\r\n")
        assert (await house.get("/health")).status == 200  # so the server has seen the first part
        await line.send(body)
        answer = await line.answer()
        assert (answer.status, answer.json["code"]) in {(408, "timeout"), (400, "invalid_input")}
        assert (await house.get("/api/jobs")).json["jobs"] == []


async def test_a_good_request_before_a_bad_one_is_answered(house: House) -> None:
    line = await house.line()
    assert (await (await line.ask("GET", "/health")).answer()).status == 200
    await line.send(b"NONSENSE\r\n\r\n")
    assert_refused(await line.reader.read())


@pytest.mark.parametrize("cut", [1, 10, 30, 60, 80])
async def test_a_request_torn_in_its_head_or_its_body_starts_nothing(cut: int, house: House, until: Until) -> None:
    whole = b"POST /api/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%b" % (len(START), START)
    for tear in ("close", "abort", "half"):
        line = await house.line()
        await line.send(whole[:cut])
        if tear == "close":
            await line.close()
        elif tear == "abort":
            line.abort()
        else:
            line.writer.write_eof()
            assert await line.eof()
    assert cut < len(whole)
    assert (await house.get("/api/jobs")).json["jobs"] == []
    await until(lambda: len(house.server._doors.server.connections) == 0)  # type: ignore[union-attr]


async def test_bytes_behind_the_request_do_not_reach_the_stream(house: House) -> None:
    job_id, actor = await house.puppet()
    stream = await house.stream(job_id)
    await stream.line.send(b"\x00\xff garbage that is no request\r\n\r\n")
    await actor.say("still")
    assert (await stream.until("token")).data["text"] == "still"
    actor.end()
    assert (await stream.all())[-1].type == "done"
    assert_refused(await stream.line.reader.read())


async def test_a_client_that_asks_and_asks_and_reads_nothing_does_not_fill_the_memory(
    opened: Opened, until: Until
) -> None:
    """Requests behind a stream wait in the socket, not here; and that its client has gone is noticed all the same."""
    async with opened(stream=StreamSettings(heartbeat_interval=0.05)) as house:
        job_id, _ = await house.puppet()
        stream = await house.stream(job_id)
        (subscriber,) = house.server.hub.subscribers
        wire = cast("Wire", subscriber._sink)
        for _ in range(50):
            stream.line.writer.write(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n" * 1000)
        await until(lambda: not wire._transport.is_reading())
        assert len(wire._early) < 300_000
        stream.line.abort()
        await until(house.idle)


@pytest.mark.parametrize("expect", ["100-continue", "100-Continue"])
async def test_a_client_that_waits_for_leave_to_send_gets_it(expect: str, house: House) -> None:
    line = await house.line()
    await line.send(
        b"POST /api/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\nExpect: %b\r\n\r\n"
        % (len(START), expect.encode())
    )
    assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await line.send(START)
    assert (await line.answer()).status == 202


async def test_a_bad_request_after_leave_to_send_is_still_a_problem(house: House) -> None:
    line = await house.line()
    await line.send(b"POST /api/jobs HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    await line.reader.readuntil(b"\r\n\r\n")
    await line.send(b"{}")
    answer = await line.answer()
    assert (answer.status, answer.json["code"]) == (400, "invalid_input")


async def test_other_expectations_are_passed_over(house: House) -> None:
    answer = await house.post(START, {"Expect": "the unexpected"})
    assert answer.status == 202


async def test_an_upgrade_is_declined_by_answering(house: House) -> None:
    job_id = await house.counted(1)
    for headers in (
        {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"},
        {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"},
    ):
        answer = await house.get(f"/api/jobs/{job_id}/stream", headers)
        assert (answer.status, answer.body.count(b'"type":"done"')) == (200, 1)


async def test_a_proxys_absolute_address_is_understood(house: House) -> None:
    raw = await everything(house, b"GET http://elsewhere/health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
    assert raw.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_a_storm_of_torn_requests_leaves_the_server_as_it_was(house: House, until: Until) -> None:
    job_id, actor = await house.puppet()
    requests = [
        b"GET /api/jobs/%b/stream HTTP/1.1\r\nHost: t\r\n\r\n" % job_id.encode(),
        b"GET /api/jobs/%b/events?wait=25 HTTP/1.1\r\nHost: t\r\n\r\n" % job_id.encode(),
        b"GET /api/sessions/any/events?wait=25 HTTP/1.1\r\nHost: t\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream\r\nContent-Length: 9000\r\n\r\n{",
        b"POST /api/jobs/%b/cancel HTTP/1.1\r\nHost: t" % job_id.encode(),
        b"\x00\x01\x02",
    ]
    for n in range(120):
        line = await house.line()
        await line.send(requests[n % len(requests)])
        if n % 3:
            await asyncio.sleep(0)
        line.abort()
    await until(house.idle)
    await until(lambda: not house.server._doors.server.connections)  # type: ignore[union-attr]
    actor.end()
    assert (await (await house.stream(job_id)).all())[-1].data["status"] == "succeeded"
    assert len((await house.get("/api/jobs")).json["jobs"]) == 1
