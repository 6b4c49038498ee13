"""`POST /api/v1/chat` and what stands beside it, without a model."""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec
import pytest

from sse_server.auth import development_token
from sse_server.config import Auth
from tests.chat.place import SESSION, Place, place, settings

SECRET = "a-secret-of-more-than-thirty-two-bytes"


async def test_a_chat_is_tokens_then_usage_then_done(offline: Place) -> None:
    answer = await offline.chat("Hello, how are you?")
    assert answer.status == 200
    assert [kind for kind, _ in answer.frames] == ["token", "token", "usage", "done"]
    assert 'I understand you said: "Hello, how are you?". ' in answer.text
    assert answer.frames[-1][1] == {"finish_reason": "stop"}


async def test_the_figures_of_an_answer_without_a_model_are_estimates_at_the_models_price(offline: Place) -> None:
    usage = dict((await offline.chat("Hello, how are you?")).frames)["usage"]
    assert usage == {"tokens_in": 5, "tokens_out": 15, "cost_usd": 0.00000975, "model": "gpt-4o-mini"}


async def test_the_first_bytes_are_the_comment_and_every_comment_is_one_line_within_a_block(offline: Place) -> None:
    body = (await offline.chat("Hello")).body
    assert body.startswith(b": Connected to chat stream\nretry: 3000\n")
    assert all(b"data: " in block for block in body.split(b"\n\n") if block)


async def test_the_stream_has_the_headers_of_every_stream(offline: Place) -> None:
    headers = (await offline.chat("Hello")).headers
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"].startswith("no-cache, no-store, must-revalidate")
    assert (headers["X-Accel-Buffering"], headers["Proxy-Buffering"]) == ("no", "off")
    assert re.fullmatch(r"/api/jobs/job_\w+/stream", headers["Location"])


async def test_every_id_is_the_last_line_of_its_frame(offline: Place) -> None:
    blocks = (await offline.chat("Hello")).body.strip().split(b"\n\n")
    assert all(re.fullmatch(rb"id: \w+-\d+", block.split(b"\n")[-1]) for block in blocks)


@pytest.mark.parametrize("message", ["x", "x" * 4000, "\U0001f600" * 4000, "a\r\nb\u2028c\x00d", "data: x\n\nid: 9"])
async def test_any_message_of_1_to_4000_characters_is_taken_and_can_not_break_a_frame(
    offline: Place, message: str
) -> None:
    answer = await offline.chat(message)
    assert message in answer.text
    assert answer.body.count(b"\n\n") == 4


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"message": ""}, "$.message"),
        ({"message": "x" * 4001}, "$.message"),
        ({"message": 7}, "$.message"),
        ({"message": None}, "$.message"),
        ({"message": ["x"]}, "$.message"),
        ({}, "$"),
        ([], "$"),
        ("text", "$"),
        (b"{", "$"),
        (b"", "$"),
        (b'{"message": "\xff"}', "$"),
        ({"message": "x", "sessionId": "invalid"}, "$.sessionId"),
        ({"message": "x", "sessionId": "bad-format"}, "$.sessionId"),
        ({"message": "x", "sessionId": SESSION + "\n"}, "$.sessionId"),
        ({"message": "x", "sessionId": SESSION.upper()}, "$.sessionId"),
        ({"message": "x", "sessionId": SESSION.replace("2026", "२०२६")}, "$.sessionId"),
        ({"message": "x", "sessionId": ""}, "$.sessionId"),
        ({"message": "x", "sessionId": 1}, "$.sessionId"),
        ({"message": "x", "useMemory": "yes"}, "$.useMemory"),
        ({"message": "x", "useMemory": None}, "$.useMemory"),
        ({"message": "x", "session_id": SESSION}, "$"),
        ({"message": "x", "testScenario": "timeout"}, "$"),
    ],
)
async def test_a_body_that_is_no_chat_is_refused_and_told_why(offline: Place, body: Any, path: str) -> None:
    answer = await offline.send("POST", "/api/v1/chat", body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_input")
    (fault,) = answer.json["errors"]
    assert fault["path"] == path
    assert fault["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_other_methods_are_told_to_post(offline: Place, method: str) -> None:
    answer = await offline.send(method, "/api/v1/chat")
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert "GET" not in answer.headers["Allow"]


async def test_a_ping_says_whose_token_it_is() -> None:
    async with place(settings(auth={"jwt_secret": SECRET})) as served:
        token = development_token(Auth(jwt_secret=SECRET), "ann", now=time.time(), ttl=60, scopes=[])
        answer = await served.send("GET", "/api/v1/auth/ping", Authorization=f"Bearer {token}")
        assert answer.json == {"ok": True, "userId": "ann"}
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            assert (await served.send("GET", "/api/v1/auth/ping", **headers)).status == 401


async def test_a_chat_without_a_good_token_is_401_and_starts_nothing() -> None:
    async with place(settings(auth={"jwt_secret": SECRET})) as served:
        assert (await served.chat("Hello")).status == 401
        token = development_token(Auth(jwt_secret=SECRET), "ann", now=time.time(), ttl=60, scopes=[])
        mine = {"Authorization": f"Bearer {token}"}
        assert (await served.send("GET", "/api/jobs", **mine)).json["jobs"] == []
        assert (await served.chat("Hello", mine)).status == 200


async def test_without_authentication_a_ping_finds_anonymous(offline: Place) -> None:
    assert (await offline.send("GET", "/api/v1/auth/ping")).json == {"ok": True, "userId": "anonymous"}


async def test_the_same_key_and_body_answer_the_same_chat(offline: Place) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await offline.chat("Hello", key)
    again = await offline.chat("Hello", key)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.frames == first.frames
    assert (await offline.chat("Hello!", key)).status == 422


async def test_a_full_server_says_no_at_once_with_a_real_status() -> None:
    async with place(settings(limits={"starts_per_minute": 1})) as served:
        assert (await served.chat("Hello")).status == 200
        answer = await served.chat("Hello")
        assert (answer.status, answer.json["code"]) == (429, "rate_limited")
        assert int(answer.headers["Retry-After"]) >= 1


async def test_a_draining_server_says_no_with_a_real_status(offline: Place) -> None:
    offline.server.runner.draining = True
    answer = await offline.chat("Hello")
    assert (answer.status, answer.json["code"]) == (503, "draining")


async def test_a_chat_is_a_job_like_any_other(offline: Place) -> None:
    answer = await offline.chat("Hello", sessionId=SESSION)
    job = (await offline.send("GET", answer.headers["Location"].removesuffix("/stream"))).json
    assert (job["agent"], job["session_id"], job["status"]) == ("chat", SESSION, "succeeded")
    assert job["result"] == {"text": answer.text}
    started = await offline.send(
        "POST", "/api/jobs", {"agent": "chat", "input": {"message": "Hi"}}, Accept="text/event-stream"
    )
    assert [data["type"] for _, data in started.frames][-3:] == ["token", "usage", "done"]


async def test_two_chats_of_one_session_show_each_its_own_answer(offline: Place) -> None:
    first = await offline.chat("one", sessionId=SESSION)
    second = await offline.chat("two", sessionId=SESSION)
    assert "one" in first.text
    assert "one" not in second.text
    assert "two" in second.text


@pytest.mark.parametrize(
    ("scenario", "sentence"),
    [
        ("timeout", "Request timed out. Please try again with a shorter message."),
        ("rate_limit", "Overloaded, please try again soon."),
        ("server_error", "Server error, please try again later."),
    ],
)
async def test_a_test_scenario_fails_with_one_sentence_and_done(scenario: str, sentence: str) -> None:
    async with place(settings(server={"test_scenarios": True})) as served:
        answer = await served.chat("test", {"X-Test-Scenario": scenario})
        assert answer.frames == [("token", {"text": sentence}), ("done", {"finish_reason": "error"})]


async def test_an_unknown_test_scenario_is_refused() -> None:
    async with place(settings(server={"test_scenarios": True})) as served:
        answer = await served.chat("test", {"X-Test-Scenario": "flood"})
        assert answer.status == 400
        assert answer.json["errors"][0]["path"] == "X-Test-Scenario"


@pytest.mark.parametrize("scenario", ["timeout", "flood"])
async def test_a_test_scenario_means_nothing_where_they_are_off(offline: Place, scenario: str) -> None:
    assert (await offline.chat("test", {"X-Test-Scenario": scenario})).text


async def test_a_test_scenario_in_a_jobs_input_means_nothing_where_they_are_off(offline: Place) -> None:
    start = {"agent": "chat", "input": {"message": "Hi", "testScenario": "timeout"}}
    started = await offline.send("POST", "/api/jobs", start, Accept="text/event-stream")
    assert started.frames[-1][1]["status"] == "succeeded"


async def test_the_routes_are_described(offline: Place) -> None:
    described = (await offline.send("GET", "/openapi.json")).json["paths"]
    chat = described["/api/v1/chat"]["post"]
    assert "text/event-stream" in chat["responses"]["200"]["content"]
    assert "get" in described["/api/v1/auth/ping"]
    assert b"finish_reason" in msgspec.json.encode((await offline.send("GET", "/openapi.json")).json)
