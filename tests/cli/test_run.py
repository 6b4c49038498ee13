"""`run` and `watch` without a terminal: what they write, where, and what their exit codes tell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Call
from tests.client.server import Server, environment

RESUME = "Ada Lovelace\n\nExperience\nWrote Python services with asyncio for 10 years at Analytical Engines."
POSTING = "Backend Engineer\n\nRequirements\n- 5 years of Python\n- asyncio"


def test_a_job_that_succeeds_is_exit_0_and_reads_like_a_story(call: Call) -> None:
    ran = call("run", "count", "--to", "15")
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [
        "count is queued",
        "started",
        "[1/1] Counting: 0 %",
        "• tens: 0 can be divided by ten",
        "[1/1] Counting: 67 %",
        "• tens: 10 can be divided by ten",
        "[1/1] Counting: finished",
        "| 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 ",
        "counted: 15",
        "succeeded",
    ]
    assert re.fullmatch(r"job_\w+\n", ran.stderr)


def test_a_job_that_fails_is_exit_1(call: Call) -> None:
    ran = call("run", "fail")
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1] == "failed (no_luck): not your day"


def test_a_job_that_was_cancelled_is_exit_3_also_for_who_watches_it_later(call: Call) -> None:
    job_id = call("run", "hang", "--detach").stdout.strip()
    cancelled = call("cancel", job_id)
    assert cancelled.returncode == 0
    assert re.fullmatch(rf"{job_id} is cancelled; cancellation: stopped after \d+ ms\n", cancelled.stdout)
    watched = call("watch", job_id)
    assert watched.returncode == 3
    assert watched.stdout.splitlines()[-1] == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "cuont"], "did you mean 'count'?"),
        (["run", "count", "--to", "many"], "--to must be integer, not 'many'"),
        (["run", "count", "--too", "3"], "--too is no field of this agent's input: to, gate, gate_at, pace"),
        (["run", "count", "three"], "'three' is no option"),
        (["run", "count"], "$.input: Object missing required field `to`"),
        (["run", "tailor", "--resume", "not-there.txt"], "--resume: there is no file not-there.txt"),
        (["watch", "job_unknown"], "no such job"),
        (["cancel", "job_unknown"], "no such job"),
        (["jobs", "--status", "asleep"], "status"),
        (["jobs", "--url", "localhost"], "a server's URL begins with http"),
        (["walk"], "No such command"),
    ],
)
def test_a_mistake_in_the_call_is_exit_2_and_says_which(call: Call, arguments: list[str], said: str) -> None:
    called = call(*arguments)
    assert (called.returncode, called.stdout) == (2, "")
    assert said in called.stderr
    assert "Traceback" not in called.stderr


@pytest.mark.parametrize(
    "arguments", [["run", "count", "--to", "1"], ["watch", "job_x"], ["jobs"], ["cancel", "job_x"]]
)
def test_no_server_is_exit_4(call: Call, arguments: list[str]) -> None:
    called = call(*arguments, "--url", "http://127.0.0.1:1")
    assert (called.returncode, called.stdout) == (4, "")
    assert called.stderr == (
        "sse-server: can't connect to http://127.0.0.1:1; is a server running there? (sse-server serve starts one)\n"
    )


def test_json_is_the_events_and_nothing_else(call: Call) -> None:
    ran = call("run", "count", "--to", "15", "--json")
    events = [msgspec.json.decode(line) for line in ran.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["result"] == {"counted": 15}
    watched = call("watch", events[0]["job_id"], "--json")
    assert watched.stdout == ran.stdout


def test_watching_can_begin_behind_an_event(call: Call) -> None:
    job_id = msgspec.json.decode(call("run", "count", "--to", "3", "--json").stdout.splitlines()[0])["job_id"]
    (job,) = [
        one for one in map(msgspec.json.decode, call("jobs", "--json").stdout.splitlines()) if one["job_id"] == job_id
    ]
    last = job["last_event_id"]
    before = f"{last.rpartition('-')[0]}-{int(last.rpartition('-')[2]) - 1}"
    assert call("watch", job_id, "--after", before).stdout.splitlines() == ["counted: 3", "succeeded"]
    nothing = call("watch", job_id, "--after", last)
    assert (nothing.returncode, nothing.stdout) == (0, "")


def test_a_built_in_agent_runs_on_its_sample(call: Call) -> None:
    ran = call("run", "tailor")
    assert ran.returncode == 0
    assert "no input given: this is the sample that comes with tailor" in ran.stderr
    assert ran.stdout.splitlines()[-1] == "succeeded"
    assert "summary:" in ran.stdout.splitlines()


def test_a_text_field_takes_the_name_of_a_file(call: Call, tmp_path: Path) -> None:
    (tmp_path / "resume.txt").write_text(RESUME)
    (tmp_path / "posting.txt").write_text(POSTING)
    ran = call("run", "tailor", "--resume", "resume.txt", "--posting=posting.txt", "--json")
    assert ran.returncode == 0, ran.stderr
    result = msgspec.json.decode(ran.stdout.splitlines()[-1])["result"]
    assert result["posting_title"] == "Backend Engineer"


def test_the_input_can_come_whole_from_a_file_or_from_stdin(call: Call, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"text": "from a file", "times": 2}')
    result = {"text": "from a file", "times": 2, "loud": False, "tags": []}
    for arguments, stdin in [
        (["--input", "@input.json"], None),
        (["--input", "-"], '{"text": "from a file", "times": 2}'),
        (["--input", '{"text": "from a file"}', "--times", "2"], None),
    ]:
        ran = call("run", "echo", *arguments, "--json", input=stdin)
        assert msgspec.json.decode(ran.stdout.splitlines()[-1])["result"] == result


def test_detached_it_says_the_id_and_leaves(call: Call) -> None:
    detached = call("run", "hang", "--detach", "--session", "left-alone")
    assert detached.returncode == 0
    job_id = detached.stdout.strip()
    listed = call("jobs", "--session", "left-alone").stdout.splitlines()
    assert [line.split("\t")[:2] for line in listed] == [[job_id, "hang"]]
    assert call("cancel", job_id, "--wait", "10").returncode == 0


@pytest.mark.parametrize("command", ["run", "watch"])
def test_nothing_that_an_agent_says_commands_the_terminal(call: Call, command: str) -> None:
    ran = call("run", "ansi")
    if command == "watch":
        ran = call("watch", ran.stderr.strip())
    assert ran.returncode == 0
    assert "[bold]x[/bold]" in ran.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", ran.stdout + ran.stderr)


def test_no_variable_brings_control_codes_into_a_pipe(call: Call) -> None:
    ran = call("run", "count", "--to", "1", FORCE_COLOR="1", TERM="xterm-256color")
    assert ran.stdout.splitlines()[-1] == "succeeded"
    assert "\x1b" not in ran.stdout + ran.stderr


def test_a_reader_that_goes_away_is_no_traceback(server: Server, tmp_path: Path) -> None:
    command = f"{sys.executable} -m sse_server run count --to 500 --json | head -n 1"
    piped = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env=environment(SSE_SERVER_URL=server.url),
        capture_output=True,
        text=True,
        check=True,
    )
    assert piped.stdout.count("\n") == 1
    assert "Traceback" not in piped.stderr


def test_a_token_is_never_shown(call: Call) -> None:
    ran = call("run", "count", "--to", "1", SSE_SERVER_TOKEN="s3cret")
    assert ran.returncode == 0
    assert "s3cret" not in ran.stdout + ran.stderr
    assert "s3cret" not in call("run", "--help", SSE_SERVER_TOKEN="s3cret").stdout
