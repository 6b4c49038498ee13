"""Connections that dawdle, that are too many, or that speak no HTTP; on the event loop that the command runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from tests.access.place import ANN, SECRET
from tests.access.process import Process

LIMITS = {
    "server.head_timeout": 0.7,
    "server.body_timeout": 0.4,
    "limits.connections": 4,
    "server.keepalive_timeout": 1.0,
}
HEAD = f"POST /api/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANN}\r\n".encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    options = [option for name, value in LIMITS.items() for option in ("--set", f"{name}={value}")]
    server = Process(tmp_path_factory.mktemp("server"), *options, JWT_SECRET=SECRET)
    try:
        server.start()
        yield server
    finally:
        server.close()


def problem(answer: bytes) -> tuple[int, str]:
    """The status and code of a raw answer, after a look at its shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    said = msgspec.json.decode(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["content-length"] == str(len(body))
    assert headers["x-request-id"] == said["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["server"] == "sse-server", "no versions"
    assert headers["vary"] == "Origin"
    status = int(lines[0].split()[1])
    assert said["status"] == status
    assert ("retry-after" in headers) == (status in {429, 503})
    return status, said["code"]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (431, "head_too_large")),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n", (431, "head_too_large")),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 200 + b"\r\n", (400, "invalid_input")),
        (b"\x16\x03\x01\x02\x00 a TLS hello\r\n\r\n", (400, "invalid_input")),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: \x1b[2J\r\n\r\n", (400, "invalid_input")),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", (400, "invalid_input")),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", (400, "invalid_input")),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400, "invalid_input")),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", (400, "invalid_input")),
        (HEAD + b"Content-Length: -1\r\n\r\n{}", (400, "invalid_input")),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", (400, "invalid_input")),
    ],
)
async def test_what_is_no_http_is_told_so_and_nothing_of_it_comes_back(
    server: Process, sent: bytes, told: tuple[int, str]
) -> None:
    answer = await server.talk(sent)
    assert problem(answer) == told
    for echo in (b"aaaa", b"TLS hello", b"zz", b"\x1b", ANN.encode(), b"Traceback", b"aiohttp"):
        assert echo not in answer


@pytest.mark.parametrize("head", [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"])
async def test_a_head_that_does_not_come_in_time_is_cut_off(server: Process, head: bytes) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await server.talk(head) == b""
    assert loop.time() - began >= LIMITS["server.head_timeout"] * 0.9


async def test_a_head_that_drips_is_cut_off_too(server: Process) -> None:
    """The limit is for the whole head: a byte now and then does not prolong it."""
    async with server.connect() as (reader, writer):
        over = asyncio.create_task(reader.read())
        drips = 0
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while not (await asyncio.wait([over], timeout=0.05))[0]:
            writer.write(b"a")
            drips += 1
            assert drips < 200
        assert drips >= 5
        assert isinstance(over.exception(), ConnectionError) or over.result() == b""


async def test_the_next_head_on_a_connection_has_its_limit_as_well(server: Process) -> None:
    answer = await server.talk(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nX: ")
    assert answer.count(b"HTTP/1.1 200") == 1


async def test_a_body_that_does_not_come_in_time_is_a_408(server: Process) -> None:
    async with server.connect() as (reader, writer), asyncio.timeout(20):
        writer.write(HEAD + b"Content-Length: 100\r\n\r\n{")
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length
        body = await reader.readexactly(int(length[1]))
    assert problem(head + body) == (408, "timeout")


async def test_a_connection_too_many_is_refused_and_a_free_place_is_taken(server: Process) -> None:
    asked = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    async with AsyncExitStack() as stack:
        most = int(LIMITS["limits.connections"])
        pairs = [await stack.enter_async_context(server.connect()) for _ in range(most)]
        for reader, writer in pairs:
            writer.write(asked)
            assert b" 200 " in await reader.readuntil(b"\r\n")
        for sent in (b"", asked):
            assert problem(await server.talk(sent)) == (503, "overloaded")
        reader, writer = pairs[0]
        writer.write(asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await reader.read()
        reader, writer = await stack.enter_async_context(server.connect())
        writer.write(asked)
        assert b" 200 " in await reader.readuntil(b"\r\n")


async def test_after_all_this_the_server_has_said_nothing_and_is_well(server: Process) -> None:
    asked = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with asyncio.timeout(20):
        while b" 503 " in (answer := await server.talk(asked)):
            continue  # connections of the tests before are still on their way out
    assert b'{"status":"ok"}' in answer
    assert "Traceback" not in server.errors
