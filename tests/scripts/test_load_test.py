"""`scripts/load_test.py` against a real server: what it counts is what happened, and its exit code is its verdict."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.client.server import Server
from tests.scripts.calling import AGENT, begin, end
from tests.scripts.conftest import LoadTest

SMALL = ("--streams", "6", "--events", "20", "--rate", "40", "--ramp", "0.2")
AROUND = 3
"""Events of a job beside its tokens: queued, started, done."""


@pytest.mark.parametrize(("transport", "store"), [("sse", "memory"), ("eventsource", "sqlite"), ("poll", "memory")])
async def test_a_clean_run_counts_every_event_once_and_exits_0(load_test: LoadTest, transport: str, store: str) -> None:
    called = await load_test(*SMALL, "--transport", transport, "--store", store)
    assert called.code == 0, called.said
    counts = called.counts
    assert (counts["begun"], counts["whole"], counts["most_at_once"]) == (6, 6, 6)
    assert counts["delivered"] == 6 * (20 + AROUND)
    assert (counts["lost"], counts["repeated"], counts["reordered"], counts["misnumbered"]) == (0, 0, 0, 0)
    assert called.report["errors"] == {}
    assert called.report["endings"] == {"succeeded": 6}
    assert called.report["times"]["delay"]["p50"] < 1000
    assert called.report["server"]["memory_peak"] > 10_000_000
    assert {"sse": counts["attaches"] == 0, "eventsource": counts["attaches"] == 6, "poll": counts["polls"] > 6}[
        transport
    ]


async def test_lines_that_are_cut_lose_nothing_and_are_no_errors(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "6", "--events", "60", "--rate", "40", "--ramp", "0.2", "--transport", "mix"),
        *("--cut-rate", "20", "--pause", "0.02"),
    )
    assert called.code == 0, called.said
    counts = called.counts
    assert counts["cuts"] > 0
    assert called.report["reconnects"]["cut"] > 0
    assert (counts["whole"], counts["delivered"]) == (6, 6 * (60 + AROUND))
    assert (counts["lost"], counts["repeated"], counts["reordered"], counts["retries"]) == (0, 0, 0, 0)


async def test_a_stream_that_is_cut_while_nothing_was_due_is_not_given_up(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "3", "--events", "2", "--rate", "0.5", "--ramp", "0", "--cut-rate", "6", "--pause", "0"),
        *("--give-up", "0", "--transport", "eventsource"),
    )
    assert called.code == 0, called.said
    assert called.counts["whole"] == 3
    assert called.counts["cuts"] > 0


async def test_many_readers_of_one_job_each_get_all_of_it(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "1", "--readers", "12", "--events", "20", "--rate", "20", "--ramp", "0.3", "--transport", "mix")
    )
    assert called.code == 0, called.said
    assert (called.counts["starts"], called.counts["whole"]) == (1, 12)
    assert called.counts["delivered"] == 12 * (20 + AROUND)


async def test_with_a_duration_an_ended_stream_begins_the_next_job(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "4", "--events", "10", "--rate", "50", "--burst", "5", "--ramp", "0", "--duration", "2"),
        *("--processes", "2"),
    )
    assert called.code == 0, called.said
    assert called.counts["begun"] > 8
    assert called.counts["whole"] == called.counts["begun"]
    assert called.report["instrument"]["processes"] == 2


async def test_a_run_ends_with_its_time_also_where_jobs_do_not(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "3", "--events", "1000", "--rate", "20", "--ramp", "0", "--transport", "mix"),
        *("--duration", "1", "--linger", "0.2"),
    )
    assert called.counts["unfinished"] == 3
    assert called.counts["lost"] == 0
    assert called.report["seconds"] < 10


async def test_tokens_that_expire_in_mid_stream_are_renewed_and_nothing_is_lost(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "3", "--events", "50", "--rate", "11", "--ramp", "0.1", "--transport", "mix"),
        *("--token-ttl", "3", "--pause", "0.02"),
    )
    assert called.code == 0, called.said
    assert called.report["reconnects"]["token_expired"] > 0
    assert called.counts["delivered"] == 3 * (50 + AROUND)
    assert called.report["errors"] == {}


async def test_what_slow_readers_wait_for_stands_apart(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "4", "--events", "20", "--rate", "40", "--ramp", "0.1"),
        *("--slow", "0.5", "--slow-rate", "3000"),
    )
    assert called.code == 0, called.said
    times = called.report["times"]
    assert times["slow"]["p50"] > times["delay"]["p99"]
    assert times["slow"]["count"] == times["delay"]["count"] + times["catch_up"]["count"] == 2 * (20 + AROUND)
    assert times["first_token"]["count"] == 2


async def test_a_server_that_is_killed_and_comes_back_is_followed_into_the_next_attempt(
    tmp_path: Path, server: Server
) -> None:
    running = await begin(
        tmp_path,
        *("--url", server.url, "--streams", "3", "--transport", "mix", "--events", "60", "--rate", "20"),
        *("--ramp", "0", "--pause", "0.05"),
    )
    await until_jobs_run(server.url, 3)
    server.kill()
    server.start()
    called = await end(running)
    counts = called.counts
    assert (counts["whole"], counts["lost"], counts["repeated"], counts["reordered"]) == (3, 0, 0, 0), called.said
    assert counts["attempts"] == 3
    assert counts["retries"] > 0
    assert called.code == 1, "so many retries miss a target"


async def test_ctrl_c_ends_the_run_and_reports_what_was_seen(tmp_path: Path, server: Server) -> None:
    running = await begin(
        tmp_path,
        *("--url", server.url, "--streams", "3", "--events", "1000", "--rate", "20", "--ramp", "0"),
    )
    await until_jobs_run(server.url, 3)
    running.send_signal(signal.SIGINT)
    called = await end(running)
    assert called.report["interrupted"]
    assert called.counts["unfinished"] == 3
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/api/jobs") as answer:
        jobs = (await answer.json())["jobs"]
    assert {job["status"] for job in jobs} == {"cancelled"}, "it leaves no job behind"


async def test_a_target_that_is_missed_is_exit_code_1_and_the_others_are_told(load_test: LoadTest) -> None:
    names = ("delay_p50", "events_per_s", "server_memory", "ttft_p95")
    values = ("0.001", "1000000", "1", "60000")
    asked = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
    called = await load_test(*SMALL, *(word for target in asked for word in ("--target", target)))
    assert called.code == 1
    assert {check["name"] for check in called.report["checks"] if not check["met"]} == set(names[:3])
    assert "MISSED delay_p50 < 0.001 ms: " in called.said
    assert "met    ttft_p95 < 60,000 ms: " in called.said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--streams", "0"], "'0' is not a whole number from 1 on"),
        (["--rate", "fast"], "'fast' is not a number above 0"),
        (["--slow", "2"], "'2' is not a share from 0 to 1"),
        (["--url", "ftp://example.com"], "--url takes an http or https address"),
        (["--target", "speed=1"], "there is no figure 'speed'"),
        (["--target", "delay_p99"], "'' is not a number"),
        (["--header", "X-A"], "'X-A' is not name:value"),
        (["--header", "X-Session-Id: s"], "each job needs a log of its own"),
        (["--input", "{"], "that is no JSON"),
        (["--input", "@nothing.json"], "'nothing.json' can't be read: No such file"),
        (["--agent", "tailor"], "name it by --url"),
        (["--url", "http://127.0.0.1:1", "--agent", "tailor"], "--agent needs its --input"),
        (["--url", "http://127.0.0.1:1", "--store", "sqlite"], "--store and --set are for a server of its own"),
        (["--url", "http://127.0.0.1:1", "--token-ttl", "5"], "--token-ttl needs the server's --jwt-secret"),
        (["--url", "http://127.0.0.1:1", "--pid", "99999999"], "there is no process 99999999 here"),
        (["--html", "nowhere/report.html"], "'nowhere/report.html' can't be written"),
        (["--streams", "1", "--processes", "2"], "--processes can't be more than --streams"),
        (["--stream", "1"], "unrecognized arguments: --stream"),
        (["--url", "http://127.0.0.1:1"], "nothing answers at http://127.0.0.1:1"),
        (["--set", "jobs.nonsense=1"], "the server did not start: "),
    ],
)
async def test_a_call_that_can_not_be_meant_is_exit_code_2_and_a_sentence(
    load_test: LoadTest, words: list[str], sentence: str
) -> None:
    called = await load_test(*words)
    assert called.code == 2
    assert sentence in called.said
    assert "Traceback" not in called.said


async def test_any_agent_of_the_server_may_do_the_work(load_test: LoadTest, server: Server) -> None:
    called = await load_test(
        *("--url", server.url, "--agent", "count", "--input", '{"to": 30, "pace": 0.01}', "--streams", "4"),
        *("--ramp", "0", "--header", "X-Anything: goes"),
    )
    assert called.code == 0, called.said
    assert called.report["agent"] == "count"
    assert called.counts["delivered"] > 4 * 30


async def test_an_agent_that_is_not_there_is_named_beside_those_that_are(load_test: LoadTest, server: Server) -> None:
    called = await load_test("--url", server.url, "--agent", "lod", "--input", "{}")
    assert called.code == 2
    assert "has no agent 'lod': name one by --agent" in called.said
    assert "count" in called.said


async def test_a_server_that_asks_for_tokens_gets_them_or_is_left_alone(load_test: LoadTest, tmp_path: Path) -> None:
    secret = "kfA2mVx0pQ9rTz7LbN4cWe1uYh8sJd5gXo3i"
    server = Server(tmp_path, str(AGENT), "--set", f"auth.jwt_secret={secret}")
    try:
        server.start()
        refused = await load_test("--url", server.url, "--token", "none.of.these")
        called = await load_test("--url", server.url, *SMALL, "--jwt-secret", secret, "--users", "2")
    finally:
        server.close()
    assert refused.code == 2
    assert "does not take this token" in refused.said
    assert called.code == 0, called.said
    assert called.counts["whole"] == 6


async def test_jobs_that_fail_are_errors_by_their_code(load_test: LoadTest, server: Server) -> None:
    called = await load_test("--url", server.url, "--agent", "fail", "--input", "null", "--streams", "2", "--ramp", "0")
    assert called.code == 1
    assert called.report["errors"] == {"job_no_luck": 2}
    assert called.report["endings"] == {"failed": 2}


async def test_limits_of_the_server_are_told_by_their_codes(load_test: LoadTest) -> None:
    called = await load_test(
        *("--streams", "6", "--events", "20", "--rate", "10", "--ramp", "0", "--give-up", "0"),
        *("--set", "limits.jobs_per_user=2"),
    )
    assert called.code == 1
    assert called.report["errors"] == {"too_many_jobs": 4}
    assert (called.counts["whole"], called.counts["broken"]) == (2, 4)


async def until_jobs_run(url: str, number: int) -> None:
    """Wait until so many jobs have written more than that they began."""
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/api/jobs", params={"status": "running"}) as answer:
                jobs = (await answer.json())["jobs"]
            if sum(int(job["last_event_id"].rpartition("-")[2]) > 5 for job in jobs) >= number:
                return
            await asyncio.sleep(0.02)
