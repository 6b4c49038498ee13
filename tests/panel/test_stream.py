"""`GET /api/chat/stream` and `POST /api/chat/message`: what they stream, and what they refuse."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import msgspec
import pytest

from sse_server.errors import JobFailed
from sse_server.panel.pace import Pace
from tests.panel.place import ANN, SEVERAL, Answer, Place, place

KEYS = {
    "text": {"type", "content", "timestamp"},
    "tool_call": {"type", "tool", "arguments", "timestamp"},
    "specialist_update": {"type", "specialist", "status", "timestamp"},
}


def messages(answer: Answer) -> list[dict[str, Any]]:
    return [msgspec.json.decode(frame.data) for frame in answer.frames if frame.type == "message"]


def said(answer: Answer) -> list[tuple[str, Any]]:
    return [(frame.type, msgspec.json.decode(frame.data)) for frame in answer.frames]


@pytest.fixture(params=["GET", "POST"])
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def asked(here: Place, method: str, message: str = SEVERAL) -> Answer:
    return await (here.stream(message) if method == "GET" else here.post(message))


async def test_connected_comes_first_then_messages_then_done(here: Place, method: str) -> None:
    answer = await asked(here, method)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    first, *between, last = said(answer)
    assert first == ("connected", {"status": "connected"})
    assert last == ("done", {"status": "complete"})
    assert {name for name, _ in between} == {"message"}
    assert answer.body.startswith(b": stream\nretry: 10\nevent: connected\n")


async def test_each_message_has_exactly_the_fields_of_its_type(here: Place, method: str) -> None:
    found = messages(await asked(here, method))
    assert {message["type"] for message in found} == KEYS.keys()
    assert all(message.keys() == KEYS[message["type"]] for message in found)
    assert {message["status"] for message in found if "status" in message} == {"started", "working", "finished"}
    (call,) = [message for message in found if message.get("tool") == "convert_units"]
    assert call["arguments"] == {"value": 5, "from": "mile", "to": "kilometre"}


async def test_the_texts_are_the_answer_of_the_job(here: Place, method: str) -> None:
    answer = await asked(here, method)
    text = "".join(message["content"] for message in messages(answer) if message["type"] == "text")
    (job,) = await here.jobs()
    assert text == job["result"]["answer"]
    assert "8.04672 kilometres" in text


async def test_a_timestamp_is_the_time_of_its_event(here: Place, method: str) -> None:
    found = messages(await asked(here, method))
    (job,) = await here.jobs()
    events = (await here.ask("GET", f"/api/jobs/{job['job_id']}/events")).json["events"]
    shown = [event for event in events if event["type"] in {"token", "tool_call", "specialist_update"}]
    assert [message["timestamp"] for message in found] == [event["timestamp"] for event in shown]
    times = [datetime.fromisoformat(message["timestamp"]) for message in found]
    assert times == sorted(times)


async def test_a_question_that_nobody_knows_is_answered_in_text(here: Place, method: str) -> None:
    answer = await asked(here, method, "test")
    assert {message["type"] for message in messages(answer)} == {"text"}
    assert "None of the specialists here knows about this" in messages(answer)[0]["content"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (JobFailed("no_luck", "No luck today."), "No luck today."),
        (KeyError("sk-secret"), "The agent failed."),
    ],
)
async def test_a_failure_is_an_error_and_then_done(stage: Place, method: str, error: Exception, told: str) -> None:
    answering = asyncio.create_task(asked(stage, method))
    job, over = await stage.puppets.next()
    job.token("So far")
    over.set_exception(error)
    answer = await answering
    assert said(answer)[2:] == [("error", {"error": told}), ("done", {"status": "error"})]
    assert b"\nid: " not in answer.blocks[-2], "who tore the two apart would never get done"
    assert b"sk-secret" not in answer.body


async def test_a_cancelled_question_is_an_error_too(stage: Place, method: str) -> None:
    answering = asyncio.create_task(asked(stage, method))
    job, _ = await stage.puppets.next()
    assert (await stage.ask("POST", f"/api/jobs/{job.id}/cancel?wait=10")).json["cancellation"] == "stopped"
    assert said(await answering)[1:] == [
        ("error", {"error": "The question was cancelled."}),
        ("done", {"status": "error"}),
    ]


async def test_a_cancel_in_the_middle_stops_all_specialists(method: str) -> None:
    """The first task of each is a minute away."""
    async with place(pace=Pace(task=60)) as here, here.open(SEVERAL, method=method) as reading:
        begun = [msgspec.json.decode((await reading.until("message")).data) for _ in range(3)]
        assert {(one["specialist"], one["status"]) for one in begun} == {
            ("units", "started"),
            ("body", "started"),
            ("calculator", "started"),
        }
        (job,) = await here.jobs()
        cancelled = await here.ask("POST", f"/api/jobs/{job['job_id']}/cancel?wait=10")
        assert cancelled.json["cancellation"] == "stopped"
        after = [frame.type async for frame in reading]
        assert after == ["error", "done"]


async def test_no_text_breaks_a_frame(stage: Place, method: str) -> None:
    nasty = 'a\nb\r\nc\rd\0e\u2028f"\\\n\ndata: x\nid: 9\n\n\ud83d'
    answering = asyncio.create_task(asked(stage, method))
    job, over = await stage.puppets.next()
    job.token(nasty)
    job.tool("t\n\nevent: done", {nasty: nasty}).__enter__()
    job.specialist(nasty, nasty)
    job.emit("own_type", text=nasty)
    job.insight("not shown here")
    over.set_result(None)
    answer = await answering
    mended = nasty.replace("\ud83d", "\ufffd")
    assert [frame.type for frame in answer.frames] == ["connected", "message", "message", "message", "done"]
    text, call, update = messages(answer)
    assert text["content"] == mended
    assert (call["tool"], call["arguments"]) == ("t\n\nevent: done", {mended: mended})
    assert (update["specialist"], update["status"]) == (mended, mended)


async def test_two_readers_get_the_same_bytes(stage: Place) -> None:
    readers = [asyncio.create_task(stage.stream("same")) for _ in range(2)]
    job, over = await stage.puppets.next()
    job.token("one")
    await job.flush()
    job.tool("t", {}).__enter__()
    over.set_result(None)
    one, other = [await reader for reader in readers]
    assert one.blocks == other.blocks


BAD_MESSAGES: list[tuple[object, str]] = [
    ("", "length >= 1"),
    ("x" * 4001, "length <= 4000"),
    (5, "got `int`"),
    (None, "got `null`"),
    (["x"], "got `array`"),
]


@pytest.mark.parametrize(("message", "why"), BAD_MESSAGES)
async def test_a_post_without_a_good_message_is_400(here: Place, message: object, why: str) -> None:
    answer = await here.post(message)
    assert (answer.status, answer.code) == (400, "invalid_input")
    (error,) = answer.json["errors"]
    assert error["path"] == "$.message"
    assert why in error["message"]
    assert await here.jobs() == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"message":"x","more":1}', b'{"message":"\\ud800"}', b"\xff"]
)
async def test_a_body_that_is_no_question_is_400(here: Place, body: bytes) -> None:
    answer = await here.ask("POST", "/api/chat/message", body=body)
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert await here.jobs() == []


@pytest.mark.parametrize("query", ["", "?", "?message=", f"?message={'x' * 4001}", "?message", "?msg=x"])
async def test_a_get_without_a_good_message_is_400(here: Place, query: str) -> None:
    answer = await here.ask("GET", f"/api/chat/stream{query}")
    assert (answer.status, answer.code) == (400, "invalid_input")
    assert answer.json["errors"][0]["path"].startswith(("?message", "?"))
    assert await here.jobs() == []


@pytest.mark.parametrize("message", ["x" * 4000, " ", "%", "+", "a&b=c", "\U0001f4a5" * 200, "٣ + 1"])
async def test_a_message_of_any_characters_is_taken(here: Place, method: str, message: str) -> None:
    assert said(await asked(here, method, message))[-1] == ("done", {"status": "complete"})


@pytest.mark.parametrize(
    ("wrong", "path", "allowed"),
    [
        ("HEAD", "/api/chat/stream", "GET"),
        ("POST", "/api/chat/stream", "GET"),
        ("HEAD", "/api/chat/message", "POST"),
        ("GET", "/api/chat/message", "POST"),
    ],
)
async def test_another_method_is_405(here: Place, wrong: str, path: str, allowed: str) -> None:
    answer = await here.ask(wrong, f"{path}?message=x")
    assert answer.status == 405
    assert allowed in answer.headers["Allow"]
    assert await here.jobs() == []


async def test_nobody_asks_without_a_token(here: Place) -> None:
    for answer in (await here.stream("2+2", None), await here.post("2+2", None), await here.stream("2+2", "x")):
        assert (answer.status, answer.code) == (401, "unauthenticated")


async def test_the_post_says_where_its_job_is_found(here: Place) -> None:
    answer = await here.post("2+2")
    (job,) = await here.jobs()
    assert answer.headers["Location"] == answer.headers["Content-Location"] == f"/api/jobs/{job['job_id']}/stream"
    stream = await here.ask("GET", answer.headers["Location"])
    assert msgspec.json.decode(stream.frames[-1].data)["status"] == "succeeded"
    assert [frame.id for frame in answer.frames][-1] == stream.frames[-1].id


async def test_who_leaves_a_post_ends_its_job(stage: Place) -> None:
    async with stage.open("x", method="POST") as reading:
        await reading.until("connected")
        job, _ = await stage.puppets.next()
        reading.leave()
    assert (await stage.ended(job.id))["status"] == "cancelled"


async def test_a_post_is_one_run_for_each_time_it_is_sent(here: Place) -> None:
    await here.post("2+2")
    await here.post("2+2")
    assert len(await here.jobs()) == 2


async def test_a_post_with_a_key_is_one_run(here: Place) -> None:
    key = {"Idempotency-Key": "once"}
    one, other = [await here.ask("POST", "/api/chat/message", json={"message": "2+2"}, headers=key) for _ in range(2)]
    assert one.blocks == other.blocks
    assert other.headers["Idempotent-Replayed"] == "true"
    changed = await here.ask("POST", "/api/chat/message", json={"message": "2+3"}, headers=key)
    assert (changed.status, changed.code) == (422, "idempotency_mismatch")
    assert len(await here.jobs()) == 1


async def test_a_full_house_is_told_in_a_get_and_refused_to_a_post() -> None:
    async with place(puppets=True, limits={"streams_per_user": 1}) as stage, stage.open("x") as reading:
        await reading.until("connected")
        refused = await stage.stream("y")
        assert refused.status == 200
        (frame,) = refused.frames
        assert frame.type == "reconnect"
        assert msgspec.json.decode(frame.data)["reason"] == "overloaded"
        post = await stage.post("y")
        assert (post.status, post.code) == (429, "too_many_streams")
        assert len(await stage.jobs()) == 1


async def test_the_routes_are_in_the_description(here: Place) -> None:
    paths = (await here.ask("GET", "/openapi.json")).json["paths"]
    for path, method in (("/api/chat/stream", "get"), ("/api/chat/message", "post")):
        operation = paths[path][method]
        frames = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]["anyOf"]
        assert {frame["properties"]["event"]["const"] for frame in frames} >= {"connected", "message", "error", "done"}
        assert operation["summary"].startswith("Ask the panel")
    (message,) = paths["/api/chat/stream"]["get"]["parameters"]
    assert (message["name"], message["required"], message["schema"]["maxLength"]) == ("message", True, 4000)
    assert {"204", "400", "401", "403", "404"} <= paths["/api/chat/stream"]["get"]["responses"].keys()
    agents = (await here.ask("GET", "/api/agents", ANN)).json["agents"]
    (panel,) = [one for one in agents if one["name"] == "panel"]
    assert "specialists" in panel["description"]
