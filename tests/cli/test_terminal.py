"""`run` and `watch` on a terminal: live bars, the line's losses, and Ctrl-C."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Call
from tests.cli.terminal import Terminal
from tests.client.server import Server, Start

Open = Callable[..., Terminal]


def status_of(job_id: str, call: Call) -> str:
    listed = dict(line.split("\t")[:3:2] for line in call("jobs", "--limit", "1000").stdout.splitlines())
    return listed[job_id]


def job_of(terminal: Terminal) -> str:
    found = re.search(r"job_\w+", terminal.text)
    assert found
    return found[0]


def test_a_job_is_shown_live_while_it_works(terminal: Open, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    shown = terminal("run", "count", "--to", "40", "--gate", f"{gate}", "--gate-at", "21")
    shown.read_until("50 %")
    shown.read_until("18 19 20")
    assert "succeeded" not in shown.text
    assert "━" in shown.text
    assert "• tens: 20 can be divided by ten" in shown.text
    gate.touch()
    assert shown.end() == 0
    assert "100 %" in shown.text
    assert "38 39" in shown.text
    assert shown.text.rstrip().endswith("counted: 40\nsucceeded")


def test_a_lost_line_is_said_and_so_is_that_nothing_was_missed(terminal: Open, start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    served = start(store="sqlite")
    shown = terminal("run", "count", "--to", "30", "--gate", f"{gate}", "--gate-at", "15", url=served.url)
    shown.read_until("13 14")
    served.kill()
    shown.read_until("line lost (the connection broke), resuming in")
    gate.touch()
    served.start()
    assert shown.end() == 0
    assert "resumed, nothing missed" in shown.text
    assert "attempt 2 started" in shown.text
    assert shown.text.rstrip().endswith("succeeded")


def test_ctrl_c_leaves_the_job_running_and_says_how_to_watch_it(terminal: Open, call: Call, server: Server) -> None:
    shown = terminal("run", "hang")
    shown.read_until("working")
    shown.press_ctrl_c()
    assert shown.end() == 130
    job_id = job_of(shown)
    assert f"{job_id} runs on; to see it again: sse-server watch {job_id} --url {server.url}" in shown.text
    assert status_of(job_id, call) == "running"
    watched = terminal("watch", job_id)
    watched.read_until("working")
    watched.press_ctrl_c()
    assert watched.end() == 130
    assert call("cancel", job_id).returncode == 0


def test_ctrl_c_cancels_where_it_was_asked_to(terminal: Open, call: Call) -> None:
    shown = terminal("run", "--cancel-on-interrupt", "hang")
    shown.read_until("working")
    shown.press_ctrl_c()
    assert shown.end() == 3
    assert shown.text.rstrip().endswith("cancelled")
    assert status_of(job_of(shown), call) == "cancelled"


def test_nothing_that_an_agent_says_commands_the_terminal(terminal: Open) -> None:
    shown = terminal("run", "ansi")
    assert shown.end() == 0
    assert "owned" in shown.text
    assert "\x1b]" not in shown.raw
    assert "\x1b[2J" not in shown.raw
    assert "\x07" not in shown.raw
    assert "\x9b" not in shown.raw


def test_jobs_and_settings_are_tables_on_a_terminal(terminal: Open) -> None:
    jobs = terminal("jobs")
    assert jobs.end() == 0
    assert re.search(r"job +agent +status +attempt +created", jobs.text)
    settings = terminal("check", "--store", "memory")
    assert settings.end() == 0
    assert re.search(r"store\.kind +memory +the command line", settings.text)
