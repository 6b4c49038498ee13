"""Telemetry: its rows, its two reports, and the command that prints them while the server runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sse_server.chat.file import ChatFile, beside
from sse_server.chat.telemetry import KEPT_DAYS, ErrorHour, RetryHour, TelemetryRows, report
from sse_server.errors import StoreUnavailable
from tests.chat.place import place, settings
from tests.chat.upstream import hello, refusing, serving
from tests.cli.terminal import Terminal
from tests.client.server import environment

Row = tuple[str, dict[str, Any], str]


def rows(path: Path) -> list[Row]:
    """What stands in the table, read as anybody with SQLite reads it."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT type, payload_json, created_at FROM telemetry_events ORDER BY id").fetchall()
    connection.close()
    return [(kind, msgspec.json.decode(payload), created) for kind, payload, created in found]


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """A chat's file that somebody has open, as a server would."""
    path = tmp_path / "sse-server-chat.db"
    file = ChatFile(path)
    await file.open()
    yield path
    await file.close()


def write(path: Path, kind: str, *, ago: timedelta, **payload: object) -> None:
    """A row of so long ago."""
    created = (datetime.now(UTC) - ago).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    connection = sqlite3.connect(path, isolation_level=None)
    insert = "INSERT INTO telemetry_events (type, payload_json, created_at) VALUES (?, ?, ?)"
    connection.execute(insert, (kind, msgspec.json.encode(payload).decode(), created))
    connection.close()


async def test_a_chat_with_a_model_leaves_one_row_with_its_figures_and_no_text(tmp_path: Path) -> None:
    async with serving(refusing(429), hello) as upstream:
        async with place(settings(tmp_path / "s.db", upstream=upstream, provider={"max_retries": 2})) as served:
            await served.chat("A secret thing", useMemory=True)
        ((kind, payload, created),) = rows(tmp_path / "s-chat.db")
    assert kind == "openai_call"
    assert payload.pop("total_ms") >= payload.pop("ttft_ms") >= payload.pop("memory_ms") >= 0
    assert payload == {
        "model": "gpt-4o-mini",
        "provider_retry_count": 1,
        "tokens_in": 5,
        "tokens_out": 15,
        "offline": False,
        "finish_reason": "stop",
    }
    assert abs(datetime.fromisoformat(created).replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_chat_without_memory_has_no_memory_ms(tmp_path: Path) -> None:
    async with place(settings(tmp_path / "s.db")) as served:
        await served.chat("Hello")
    ((_, payload, _),) = rows(tmp_path / "s-chat.db")
    assert (payload["memory_ms"], payload["offline"]) == (None, True)


@pytest.mark.parametrize(("status", "code"), [(429, "RATE_LIMIT"), (500, "SERVER_ERROR")])
async def test_a_failure_leaves_its_code_and_its_retries(tmp_path: Path, status: int, code: str) -> None:
    async with serving(refusing(status)) as upstream:
        async with place(settings(tmp_path / "s.db", upstream=upstream, provider={"max_retries": 1})) as served:
            await served.chat("Hello")
        call, failure = rows(tmp_path / "s-chat.db")
    assert (call[0], call[1]["provider_retry_count"], call[1]["finish_reason"]) == ("openai_call", 1, "error")
    assert failure[:2] == ("error", {"code": code})


async def test_a_timeout_leaves_its_code(tmp_path: Path) -> None:
    async with place(settings(tmp_path / "s.db", server={"test_scenarios": True})) as served:
        await served.chat("Hello", {"X-Test-Scenario": "timeout"})
    assert rows(tmp_path / "s-chat.db")[-1][:2] == ("error", {"code": "OPENAI_TIMEOUT"})


def test_the_reports_are_by_the_hour_the_newest_first_and_no_older_than_asked(path: Path) -> None:
    for ago, retries in ((0, 0), (0, 2), (0, 1), (3, 0), (30, 9)):
        write(path, "openai_call", ago=timedelta(hours=ago), provider_retry_count=retries)
    for ago, code in ((0, "OPENAI_TIMEOUT"), (0, "RATE_LIMIT"), (0, "SERVER_ERROR"), (2, "RATE_LIMIT"), (25, "X")):
        write(path, "error", ago=timedelta(hours=ago), code=code)
    hours = [(datetime.now(UTC) - timedelta(hours=ago)).strftime("%Y-%m-%d %H:00:00") for ago in (0, 2, 3)]
    told = report(path, 24)
    assert told.retries == [RetryHour(hours[0], 1.0, 2, 2, 3), RetryHour(hours[2], 0.0, 0, 0, 1)]
    assert told.errors == [ErrorHour(hours[0], 1, 1, 3), ErrorHour(hours[1], 0, 1, 1)]
    assert report(path, 0.0).retries == []
    assert [hour.max_retries for hour in report(path, 48).retries] == [2, 0, 9]


async def test_rows_go_when_they_are_old(path: Path) -> None:
    for days in (KEPT_DAYS + 1, KEPT_DAYS - 1):
        write(path, "error", ago=timedelta(days=days), code=f"{days} days")
    file = ChatFile(path)
    await file.open()
    await TelemetryRows(file).record({"error": {"code": "now"}})
    await file.close()
    assert [payload["code"] for _, payload, _ in rows(path)] == [f"{KEPT_DAYS - 1} days", "now"]


def test_a_memory_store_and_a_missing_file_are_told(tmp_path: Path) -> None:
    for path, said in ((None, "memory store"), (tmp_path / "none-chat.db", "no server has run")):
        with pytest.raises(StoreUnavailable, match=said):
            report(path, 24)
    assert not list(tmp_path.iterdir())


Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sse_server", "telemetry", *arguments],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


async def test_the_command_reads_the_file_of_a_server_that_runs(tmp_path: Path, call: Call) -> None:
    async with place(settings(tmp_path / "s.db", server={"test_scenarios": True})) as served:
        await served.chat("Hello")
        await served.chat("Hello", {"X-Test-Scenario": "rate_limit"})
        told = call("--json", "--store-path", "s.db")
        assert told.returncode == 0, told.stderr
        said = msgspec.json.decode(told.stdout)
        ((retries,), (errors,)) = said["retries"], said["errors"]
        assert (retries["total_requests"], retries["requests_with_retries"]) == (2, 0)
        assert (retries["avg_retries"], retries["max_retries"]) == (0.0, 0)
        del errors["hour"]
        assert errors == {"timeout_errors": 0, "rate_limit_errors": 1, "total_errors": 1}


def test_the_command_prints_tables(path: Path, tmp_path: Path, call: Call) -> None:
    assert path == beside(tmp_path / "sse-server.db")
    assert call().stdout == "retries: no call in this time\nerrors: no failure in this time\n"
    write(path, "openai_call", ago=timedelta(0), provider_retry_count=1)
    write(path, "error", ago=timedelta(0), code="RATE_LIMIT")
    lines = [line.split("\t") for line in call("--hours", "1").stdout.splitlines()]
    assert [len(line) for line in lines] == [1, 5, 5, 1, 4, 4]
    assert lines[1][1:] == ["avg_retries", "max_retries", "requests_with_retries", "total_requests"]
    assert lines[2][1:] == ["1.00", "1", "1", "1"]
    terminal = Terminal("telemetry", folder=tmp_path, environ=environment())
    assert terminal.end() == 0
    assert "requests_with_retries" in terminal.text
    assert "rate_limit_errors" in terminal.text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--store", "memory"], 1, "memory store"),
        (["--store-path", "elsewhere.db"], 1, "elsewhere-chat.db"),
        (["--hours", "-1"], 2, "hours"),
        (["--set", "nonsense=1"], 2, "nonsense"),
    ],
)
def test_the_command_says_why_it_can_not(call: Call, arguments: list[str], code: int, said: str) -> None:
    told = call(*arguments)
    assert (told.returncode, told.stdout) == (code, "")
    assert said in told.stderr
    assert "Traceback" not in told.stderr


def test_a_file_that_is_no_telemetry_is_told(tmp_path: Path, call: Call) -> None:
    (tmp_path / "sse-server-chat.db").write_bytes(b"no database" * 100)
    told = call()
    assert told.returncode == 1
    assert "can't be read" in told.stderr
