"""The log lines of a chat: what its operators look for, and never what anybody wrote."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest

from tests.chat.place import BOUND, SESSION, place, settings
from tests.chat.upstream import hanging, hello, refusing, serving
from tests.client.server import environment

TOLD = {
    "Chat request received",
    "Retrieving memory context",
    "Memory retrieval completed",
    "Chat completion finished",
    "SSE stream error",
}


def lines(caplog: pytest.LogCaptureFixture) -> dict[str, dict[str, Any]]:
    """The lines of a chat with their fields."""
    return {record.message: vars(record) for record in caplog.records if record.message in TOLD}


async def test_a_chat_with_memory_writes_its_lines_in_order_with_their_figures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with serving(hello) as upstream, place(settings(upstream=upstream)) as served:
        await served.chat("My dog is called Rex.", sessionId=SESSION)
        caplog.clear()
        answer = await served.chat("What is my dog called?", sessionId=SESSION, useMemory=True)
    told = lines(caplog)
    assert list(told) == [
        "Chat request received",
        "Retrieving memory context",
        "Memory retrieval completed",
        "Chat completion finished",
    ]
    completed = told["Memory retrieval completed"]
    assert (completed["results_count"], completed["total_tokens"]) == (1, 6)
    assert 0 <= completed["memory_ms"] <= told["Chat completion finished"]["total_ms"]
    assert {line["request_id"] for line in told.values()} == {answer.headers["X-Request-Id"]}
    assert {line["session_id"] for line in told.values()} == {SESSION}


async def test_a_chat_without_memory_says_nothing_of_one(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with place(settings()) as served:
        await served.chat("Hello")
    assert list(lines(caplog)) == ["Chat request received", "Chat completion finished"]


async def test_a_failure_and_a_client_that_left_are_stream_errors(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving(refusing(429), hanging) as upstream, place(settings(upstream=upstream)) as served:
        await served.chat("Hello")
        assert lines(caplog)["SSE stream error"]["code"] == "RATE_LIMIT"
        caplog.clear()
        chat = await served.open("Hello")
        await chat.until(b"Hello")
        chat.leave()
        await upstream.disconnected.wait()
    assert lines(caplog)["SSE stream error"]["code"] == "CANCELLED"


async def test_no_line_holds_what_anybody_wrote(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with serving(refusing(500), hello) as upstream, place(settings(upstream=upstream)) as served:
        for _ in range(3):
            await served.chat("My passphrase is xyzzy", useMemory=True, sessionId=SESSION)
    ours = [vars(record) for record in caplog.records if record.name.startswith("sse_server")]
    assert ours
    assert not re.search("xyzzy|passphrase|Hello, world", str(ours))


def test_a_file_of_json_lines_has_what_a_grep_looks_for(tmp_path: Path) -> None:
    options = ["--port", "0", "--store", "memory", "--set", "log.format=json", "--set", "log.file=api.log"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sse_server", "serve", *options],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = re.search(r"http://\S+", process.stdout.readline())
        assert url
        body = msgspec.json.encode({"message": "Hello", "useMemory": True})
        with urlopen(f"{url[0]}/api/v1/chat", body, timeout=BOUND) as answer:
            answer.read()
    finally:
        process.terminate()
        process.communicate(timeout=30)
    written = (tmp_path / "api.log").read_text()
    found = [line for line in written.splitlines() if re.search(r"Chat request|SSE|memory_ms|total_ms", line)]
    assert [msgspec.json.decode(line)["event"] for line in found] == [
        "Chat request received",
        "Memory retrieval completed",
        "Chat completion finished",
    ]
    assert re.search(r'"memory_ms": \d+, "results_count": 0, "total_tokens": 0', written)
