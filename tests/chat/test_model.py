"""Chats with a model: a real upstream on the loopback that streams, dawdles, fails, and sees its connection close."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from tests.chat.place import BOUND, Place, place, settings
from tests.chat.upstream import (
    Answer,
    Upstream,
    cued,
    garbled,
    hanging,
    hello,
    no_usage,
    opened,
    refusing,
    serving,
    silent,
    text,
    torn,
)

SERVER_ERROR = ("token", {"text": "Server error, please try again later."})
BUSY = ("token", {"text": "Overloaded, please try again soon."})
TIMEOUT = ("token", {"text": "Request timed out. Please try again with a shorter message."})
FAILED = ("done", {"finish_reason": "error"})


async def test_the_models_answer_is_streamed_with_its_usage() -> None:
    async with serving(hello) as upstream, place(settings(upstream=upstream)) as served:
        answer = await served.chat("Say hello")
        assert answer.text == "Hello, world"
        usage = {"tokens_in": 5, "tokens_out": 15, "cost_usd": 0.00000975, "model": "gpt-4o-mini"}
        assert answer.frames[-2:] == [("usage", usage), ("done", {"finish_reason": "stop"})]
        (request,) = upstream.requests
        assert request["body"]["messages"][-1] == {"role": "user", "content": "Say hello"}
        assert request["body"]["messages"][0]["role"] == "system"


async def test_the_first_chat_does_not_wait_for_the_sdk_to_be_imported() -> None:
    async with serving(hello) as upstream, place(settings(upstream=upstream)) as served:
        assert served.server.llm is not None
        assert served.server.llm._sdk is not None


async def test_the_comment_is_there_before_the_model_has_answered() -> None:
    async with serving(silent) as upstream, place(settings(upstream=upstream)) as served:
        chat = await served.open("Hello")
        assert (await chat.until(b"\n")).startswith(b": Connected to chat stream\n")
        chat.leave()


async def test_the_first_token_goes_out_while_the_model_still_writes() -> None:
    async with serving(cued) as upstream, place(settings(upstream=upstream)) as served:
        chat = await served.open("Hello")
        upstream.cues.put_nowait("First")
        assert b'data: {"text":"First"}' in await chat.until(b"First")
        upstream.cues.put_nowait(", then the rest")
        upstream.cues.put_nowait(None)
        answer = await chat.end()
        assert answer.text == "First, then the rest"


async def test_the_first_token_does_not_wait_for_the_cadence() -> None:
    slow = {"interval": BOUND * 10, "chars": 1000}
    async with serving(cued) as upstream, place(settings(upstream=upstream, emission=slow)) as served:
        chat = await served.open("Hello")
        upstream.cues.put_nowait("First")
        await chat.until(b"First")
        chat.leave()


@pytest.mark.parametrize("answer", [silent, hanging])
async def test_a_client_that_leaves_cancels_the_upstream_request_within_100_ms(answer: Answer) -> None:
    took = []
    async with serving(answer) as upstream, place(settings(upstream=upstream)) as served:
        for _ in range(3):  # the best of three: the machine may be busy, the promise is the server's
            upstream.disconnected.clear()
            upstream.asked.clear()
            chat = await served.open("Hello")
            await asyncio.wait_for(upstream.asked.wait(), BOUND)
            if answer is hanging:
                await chat.until(b"Hello")
            left = time.monotonic()
            chat.leave()
            await asyncio.wait_for(upstream.disconnected.wait(), BOUND)
            took.append(upstream.left_at - left)
        assert min(took) < 0.1, took
        jobs = await _ended(served, 3)
        assert [job["status"] for job in jobs] == ["cancelled"] * 3


async def _ended(served: Place, count: int) -> list[dict[str, object]]:
    """All jobs, once they have ended."""
    async with asyncio.timeout(BOUND):
        while True:
            jobs: list[dict[str, object]] = (await served.send("GET", "/api/jobs")).json["jobs"]
            for job in jobs:
                await served.send("GET", f"/api/jobs/{job['job_id']}/events?types=done&wait=5")
            if len(jobs) == count and all(job["status"] not in {"queued", "running"} for job in jobs):
                return jobs


@pytest.mark.parametrize(
    ("answer", "frames"),
    [
        (refusing(429), [BUSY, FAILED]),
        (refusing(500), [SERVER_ERROR, FAILED]),
        (refusing(503), [SERVER_ERROR, FAILED]),
        (refusing(401), [SERVER_ERROR, FAILED]),
        (refusing(400), [SERVER_ERROR, FAILED]),
        (torn, [("token", {"text": "Hel"}), SERVER_ERROR, FAILED]),
        (garbled, [("token", {"text": "Hel"}), SERVER_ERROR, FAILED]),
    ],
)
async def test_a_failure_of_the_model_is_one_sentence_and_done(
    answer: Answer, frames: list[tuple[str, object]]
) -> None:
    async with serving(answer) as upstream, place(settings(upstream=upstream)) as served:
        assert (await served.chat("Hello")).frames == frames


@pytest.mark.parametrize("answer", [silent, hanging])
async def test_a_model_that_takes_too_long_is_one_sentence_and_done(answer: Answer) -> None:
    async with (
        serving(answer) as upstream,
        place(settings(upstream=upstream, provider={"timeout": 1.0})) as served,
    ):
        assert (await served.chat("Hello")).frames[-2:] == [TIMEOUT, FAILED]
        await asyncio.wait_for(upstream.disconnected.wait(), BOUND)


async def test_a_chat_that_its_job_cut_off_is_one_sentence_and_done() -> None:
    async with serving(silent) as upstream, place(settings(upstream=upstream, jobs={"timeout": 0.5})) as served:
        assert (await served.chat("Hello")).frames == [TIMEOUT, FAILED]


async def test_a_failure_is_not_retried_as_a_job() -> None:
    async with serving(refusing(500), hello) as upstream, place(settings(upstream=upstream)) as served:
        assert (await served.chat("Hello")).frames[-1] == FAILED
        assert len(upstream.requests) == 1


async def test_the_upstreams_words_reach_nobody() -> None:
    async with serving(refusing(500)) as upstream, place(settings(upstream=upstream)) as served:
        answer = await served.chat("Hello")
        job = await served.send("GET", answer.headers["Location"].removesuffix("/stream"))
        assert job.json["error"] == {"code": "provider_failed", "message": "Server error, please try again later."}
        assert b"Refused" not in answer.body + job.body


async def test_nobody_upstream_is_one_sentence_and_done() -> None:
    async with place(settings(provider={"base_url": "http://127.0.0.1:1/v1", "max_retries": 0})) as served:
        assert (await served.chat("Hello")).frames == [SERVER_ERROR, FAILED]


async def test_a_model_that_tells_no_usage_gets_an_estimate() -> None:
    async with serving(no_usage) as upstream, place(settings(upstream=upstream)) as served:
        usage = dict((await served.chat("Hello")).frames)["usage"]
        assert usage["tokens_out"] == 2
        assert usage["tokens_in"] > 2
        assert usage["cost_usd"] > 0


async def test_an_empty_answer_is_a_whole_one() -> None:
    async def nothing(_: Upstream, request: web.Request) -> web.StreamResponse:
        return await opened(request, text(None, "stop"))

    async with serving(nothing) as upstream, place(settings(upstream=upstream)) as served:
        answer = await served.chat("Hello")
        assert answer.text == ""
        assert [kind for kind, _ in answer.frames] == ["usage", "done"]


async def test_heartbeats_are_comments_and_come_while_nothing_else_does() -> None:
    often = {"heartbeat_interval": 0.05}
    async with serving(hanging) as upstream, place(settings(upstream=upstream, stream=often)) as served:
        chat = await served.open("Hello")
        await chat.until(b"Hello")
        start = len(chat.body)
        before = time.time() * 1000
        while chat.body[start:].count(b": heartbeat ") < 3:
            await chat.until(chat.body)
            chat.body += await chat.answer.content.readany()
        stamps = [int(line[12:]) for line in chat.body[start:].splitlines() if line.startswith(b": heartbeat ")]
        assert stamps == sorted(set(stamps))
        assert all(before - 1000 < stamp < time.time() * 1000 + 1 for stamp in stamps)
        chat.leave()


async def test_heartbeats_come_while_tokens_do() -> None:
    async def chatty(_: Upstream, request: web.Request) -> web.StreamResponse:
        response = await opened(request)
        while True:
            await response.write(text("word " * 30))
            await asyncio.sleep(0.01)  # a model's pace

    often = {"heartbeat_interval": 0.1}
    async with serving(chatty) as upstream, place(settings(upstream=upstream, stream=often)) as served:
        chat = await served.open("Tell me a long story")
        await chat.until(b"word")
        start = len(chat.body)
        while chat.body[start:].count(b": heartbeat ") < 3:
            chat.body += await asyncio.wait_for(chat.answer.content.readany(), BOUND)
        heartbeats = chat.body[start:].split(b": heartbeat ")
        assert all(part.count(b"event: token") > 1 for part in heartbeats[1:-1])
        chat.leave()


async def test_a_cancelled_chat_says_so() -> None:
    async with serving(hanging) as upstream, place(settings(upstream=upstream)) as served:
        chat = await served.open("Hello")
        await chat.until(b"Hello")
        location = chat.answer.headers["Location"].removesuffix("/stream")
        await served.send("POST", f"{location}/cancel")
        answer = await chat.end()
        assert answer.frames[-1] == ("done", {"finish_reason": "cancelled"})
        assert answer.tokens == ["Hello"]


async def test_a_hundred_chats_at_once_are_each_whole() -> None:
    async with serving(hello) as upstream, place(settings(upstream=upstream)) as served:
        answers = await asyncio.gather(*(served.chat(f"Message {n}", useMemory=True) for n in range(100)))
        assert [answer.text for answer in answers] == ["Hello, world"] * 100
        assert len(upstream.requests) == 100
        asked = {request["body"]["messages"][-1]["content"] for request in upstream.requests}
        assert asked == {f"Message {n}" for n in range(100)}
