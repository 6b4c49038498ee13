"""Bad input gets a clear problem, or a clean close; it leaks nothing and leaves nothing running."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import msgspec
import pytest

from tests.promises.conftest import Wire

DEEP = b"[" * 100_000 + b"]" * 100_000
BODIES: list[tuple[bytes, int, str, str]] = [
    (b"", 400, "invalid_input", "$"),
    (b"{", 400, "invalid_input", "$"),
    (b"\xff\xfe", 400, "invalid_input", "$"),
    (b"[]", 400, "invalid_input", "$"),
    (b'{"agent": 5, "input": 1}', 400, "invalid_input", "$.agent"),
    (b'{"agent": "burst"}', 400, "invalid_input", "$"),
    (b'{"agent": "burst", "input": "x"}', 400, "invalid_input", "$.input"),
    (b'{"agent": "burst", "input": 1, "more": 1}', 400, "invalid_input", "$"),
    (b'{"agent": "burst", "input": 1, "timeout": -1}', 400, "invalid_input", "$.timeout"),
    (b'{"agent": "burst", "input": 1, "timeout": 1e300}', 400, "invalid_input", "$.timeout"),
    (b'{"agent": "burst", "input": 1, "session_id": "a b"}', 400, "invalid_input", "$.session_id"),
    (b'{"agent": "burst", "input": 1, "session_id": ""}', 400, "invalid_input", "$.session_id"),
    (b'{"agent": "burst", "input": 1, "on_disconnect": "maybe"}', 400, "invalid_input", "$.on_disconnect"),
    (b'{"agent": "burst", "input": 1, "on_disconnect": {"cancel_after": -1}}', 400, "invalid_input", "$.on_disconnect"),
    (b'{"agent": "brust", "input": 1}', 400, "agent_unknown", ""),
    (b'{"agent": "puppet", "input": ' + DEEP + b"}", 400, "invalid_input", "$"),
    (DEEP, 400, "invalid_input", "$"),
    (b'{"agent": "burst", "input": "' + b"x" * 3_000_000 + b'"}', 413, "too_large", ""),
]
QUERIES = [
    "events?limit=0",
    "events?limit=1000000000",
    "events?limit=x",
    "events?wait=nan",
    "events?wait=-1",
    "events?wait=26",
    "events?types=,",
    "events?types=A%0d%0ab",
    "stream?padding=-1",
    "stream?padding=x",
    "stream?replay=everything",
    "stream?named=perhaps",
    "stream?types=",
]


def assert_problem(status: int, headers: Any, body: bytes, code: str) -> dict[str, Any]:
    """RFC 9457 with our fields, and nothing of the machine in it."""
    said: dict[str, Any] = msgspec.json.decode(body)
    assert headers["Content-Type"] == "application/problem+json"
    assert said.keys() >= {"type", "title", "status", "detail", "code", "request_id"}
    assert (said["status"], said["code"]) == (status, code)
    assert said["request_id"] == headers["X-Request-Id"]
    for leak in (b"Traceback", b".py", b"/usr", b"/home", b"sqlite3", b"msgspec"):
        assert leak not in body
    return said


@pytest.mark.parametrize(("body", "status", "code", "path"), BODIES)
async def test_a_bad_start_is_a_problem_that_names_the_place(
    wire: Wire, body: bytes, status: int, code: str, path: str
) -> None:
    async with wire.http.post(f"{wire.url}/api/jobs", data=io.BytesIO(body)) as answer:
        assert answer.status == status
        said = assert_problem(status, answer.headers, await answer.read(), code)
    if path:
        assert said["errors"][0]["path"].startswith(path)
    async with wire.http.get(f"{wire.url}/api/jobs") as listed:
        assert (await listed.json())["jobs"] == []


async def test_an_unknown_agent_is_told_the_nearest(wire: Wire) -> None:
    async with wire.http.post(f"{wire.url}/api/jobs", json={"agent": "brust", "input": 1}) as answer:
        assert "'burst'" in (await answer.json())["detail"]


@pytest.mark.parametrize("query", QUERIES)
async def test_an_absurd_query_is_a_problem(wire: Wire, query: str) -> None:
    job = await wire.start("burst", 1)
    async with wire.http.get(f"{wire.url}/api/jobs/{job}/{query}") as answer:
        assert answer.status == 400
        said = assert_problem(400, answer.headers, await answer.read(), "invalid_input")
        assert said["errors"][0]["path"].startswith("?")


@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
async def test_a_hostile_idempotency_key_is_refused(wire: Wire, key: str) -> None:
    headers = {"Idempotency-Key": key}
    async with wire.http.post(f"{wire.url}/api/jobs", json={"agent": "burst", "input": 1}, headers=headers) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("path", ["nope", "job_x/stream", "..%2f..%2fetc/stream", "%00", "job_%F0%9F%98%80"])
async def test_what_is_not_there_is_404(wire: Wire, path: str) -> None:
    async with wire.http.get(f"{wire.url}/api/jobs/{path}") as answer:
        assert answer.status == 404
        assert_problem(404, answer.headers, await answer.read(), "not_found")


async def test_a_wrong_method_says_which_are_right(wire: Wire) -> None:
    async with wire.http.put(f"{wire.url}/api/jobs") as answer:
        assert answer.status == 405
        assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
        assert_problem(405, answer.headers, await answer.read(), "method_not_allowed")


@pytest.mark.parametrize("sent", ["ok-1", "x" * 128])
async def test_a_request_id_is_taken_if_well_formed(wire: Wire, sent: str) -> None:
    async with wire.http.get(f"{wire.url}/health", headers={"X-Request-Id": sent}) as answer:
        assert answer.headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["x" * 129, "a b", "<script>", "\u00e9"])
async def test_another_request_id_is_replaced(wire: Wire, sent: str) -> None:
    async with wire.http.get(f"{wire.url}/health", headers={"X-Request-Id": sent}) as answer:
        assert answer.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    "torn",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 9000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_refused_and_the_connection_closed(wire: Wire, torn: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.server.port)
    writer.write(torn)
    writer.write_eof()
    answer = await reader.read(-1)
    writer.close()
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "head",
    [
        "GET /api/jobs/{job}/stream HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n{",
    ],
)
async def test_a_client_that_goes_away_leaves_nothing_behind(wire: Wire, head: str) -> None:
    job = await wire.start("puppet", {})
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.server.port)
    writer.write(head.replace("{job}", job).encode())
    if head.startswith("GET"):
        await reader.readuntil(b"job_queued")
        assert wire.server.hub.subscribers
    writer.transport.abort()
    while wire.server.hub.subscribers or wire.server.hub._tails:
        await wire.poll(job)
    await wire.order(job, 0)


async def test_pipelined_requests_are_answered_in_order(wire: Wire) -> None:
    job = await wire.start("burst", 3)
    await wire.all(job)
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.server.port)
    asks = [
        f"GET /api/jobs/{job}/stream HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ]
    writer.write("".join(asks).encode())
    answer = await reader.read(-1)
    writer.close()
    assert answer.index(b'"done"') < answer.index(b'{"status":"ok"}')


async def test_text_that_would_break_a_frame_arrives_whole(wire: Wire) -> None:
    job = await wire.start("burst", 2)
    texts = [one["text"] for one in (await wire.read(job)).data if one["type"] == "token"]
    assert texts == ["0 é\r\n\u2028", "1 é\r\n\u2028"]
