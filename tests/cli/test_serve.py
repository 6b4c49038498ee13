"""`serve` and `check`: how a server starts, and the one sentence with which it does not."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sse_server import __version__
from tests.cli.conftest import Call
from tests.cli.terminal import Terminal
from tests.client.server import Start

MISTAKES = [
    (["--set", "stream.heartbeat=3"], "unknown setting 'stream.heartbeat'; the nearest is stream.heartbeat_interval"),
    (["--port", "many"], "server.port must be a whole number from 0 to 65535, not 'many'"),
    (["--store", "redis"], "store.kind must be one of"),
    (["--config", "not-there.toml"], "not-there.toml can't be read: No such file or directory"),
    (["not_there"], "can't import not_there"),
    (["not_there.py"], "not_there.py"),
    (["empty.py"], "empty.py has no agents"),
    (["--set", "heartbeat"], "--set takes section.key=value, not 'heartbeat'"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_wrong_settings_are_one_sentence_and_exit_2(
    call: Call, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty.py").write_text("")
    called = call("serve", *arguments)
    assert called.returncode == 2
    assert said in called.stderr
    assert "Traceback" not in called.stderr


def test_a_server_says_where_it_is_and_ends_well(start: Start, call: Call) -> None:
    served = start("--set", "stream.padding_bytes=16")
    assert call("jobs", "--url", served.url).returncode == 0
    assert served.stop() == 0


def test_what_it_says_at_the_start(terminal: Callable[..., Terminal]) -> None:
    served = terminal("serve", "--port", "0", "--store", "memory")
    served.read_until("written in: the command line")
    assert re.search(r"sse-server \S+.* serves http://127\.0\.0\.1:\d+\n", served.text)
    assert re.search(r"agents: (\w+, )*tailor", served.text)
    assert "store: memory" in served.text
    served.press_ctrl_c()
    assert served.end() == 0


def test_agents_are_modules_of_the_working_directory_too(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from sse_server import agent\n@agent('mine')\ndef mine(input: str, job: object) -> str:\n    return input\n"
    )
    (tmp_path / "config.toml").write_text('[agents]\nyours = "mine:mine"\n[store]\nkind = "memory"\n')
    checked = call("check", "mine")
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"agents: .*\bmine\b.*\byours\b", checked.stdout)


def test_a_port_that_is_taken_is_said(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        served = call("serve", "--port", str(port), "--store", "memory")
    assert served.returncode == 1
    assert f"can't listen on 127.0.0.1 port {port}" in served.stderr
    assert "Traceback" not in served.stderr


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["check"]])
def test_a_store_that_another_server_uses_is_said(start: Start, call: Call, command: list[str]) -> None:
    start(store="sqlite")
    called = call(*command)
    assert called.returncode == 1
    assert "another server" in called.stderr
    assert "Traceback" not in called.stderr


def test_check_shows_each_setting_and_its_origin_and_no_secret(call: Call) -> None:
    checked = call("check", "--set", "stream.retry_ms=7", OPENAI_API_KEY="sk-secret", LOG_LEVEL="debug")
    assert checked.returncode == 0, checked.stderr
    rows = [line.split("\t") for line in checked.stdout.splitlines() if line.count("\t") == 2]
    assert ["stream.retry_ms", "7", "the command line"] in rows
    assert ["log.level", "debug", "LOG_LEVEL"] in rows
    assert ["provider.api_key", "(secret)", "OPENAI_API_KEY"] in rows
    assert ["jobs.concurrency", "256", "default"] in rows
    assert "sk-secret" not in checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[-1] == "store: sqlite, opened and writable"


def test_check_says_what_is_wrong_with_the_store(call: Call, tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("this is no database, and long enough to be seen as none" * 20)
    checked = call("check", "--store-path", "no.db")
    assert checked.returncode == 1
    assert "no.db" in checked.stderr
    assert "Traceback" not in checked.stderr


def test_help_and_version_are_quick_and_import_no_server(call: Call) -> None:
    for arguments in (["--help"], ["run", "--help"], ["serve", "-h"]):
        helped = call(*arguments, PYTHONPROFILEIMPORTTIME="1")
        assert helped.returncode == 0
        assert "Usage: sse-server" in helped.stdout
        assert not re.search(r"\b(aiohttp|rich|sqlite3|sse_server\.(app|routes|client))\b", helped.stderr)
    told = call("--version", PYTHONPROFILEIMPORTTIME="1")
    assert told.stdout == f"sse-server {__version__}\n"
    assert not re.search(r"\b(aiohttp|pydantic|rich|sqlite3)\b", told.stderr)


LATE = "cryptography jwt limits openai prometheus_client pydantic sse_server.panel.specialists sse_server.tailor.words"
"""What a server needs only later, or never."""


@pytest.mark.parametrize(
    ("module", "others"),
    [("sse_server.cli.serve", LATE), ("sse_server", f"{LATE} aiohttp rich sqlite3 structlog typer")],
)
def test_no_start_and_no_agents_file_waits_for_what_others_need(module: str, others: str) -> None:
    program = f"import sys, {module}; print(sorted(set({others.split()!r}) & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
