"""Starting a job by POST: the answer, the stream in the answer, and the same key twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.config import Jobs, Limits

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened

every_store = pytest.mark.parametrize("kind", ["memory", "sqlite"])
COUNT = {"agent": "count", "input": {"to": 3}}
STREAM = {"Accept": "text/event-stream"}


def key(value: str) -> dict[str, str]:
    return {"Idempotency-Key": value}


@every_store
async def test_a_start_is_answered_at_once_with_where_to_go_on(house: House) -> None:
    answer = await house.post({"agent": "puppet", "input": 1, "session_id": "s", "metadata": {"a": [1]}})
    assert answer.status == 202
    job = answer.json
    here = f"/api/jobs/{job['job_id']}"
    assert answer.headers["location"] == here
    assert "idempotent-replayed" not in answer.headers
    links = job.pop("links")
    assert links == {"self": here, "stream": f"{here}/stream", "events": f"{here}/events", "cancel": f"{here}/cancel"}
    assert job.pop("created_at").endswith("Z")
    assert job == {"job_id": job["job_id"], "session_id": "s", "agent": "puppet", "status": "queued"}
    assert (await house.get(here)).json["metadata"] == {"a": [1]}


@every_store
async def test_a_job_without_a_session_has_a_log_of_its_own(house: House) -> None:
    job_id = await house.job()
    assert (await house.get(f"/api/jobs/{job_id}")).json["session_id"] == job_id


@every_store
async def test_the_header_names_the_session_where_the_body_does_not(house: House) -> None:
    body: dict[str, Any] = {"agent": "puppet", "input": 1}
    named = await house.post(body, {"X-Session-Id": "from-header"})
    assert named.json["session_id"] == "from-header"
    both = await house.post(body | {"session_id": "from-body"}, {"X-Session-Id": "from-header"})
    assert both.json["session_id"] == "from-body"


@every_store
@pytest.mark.parametrize(
    "accept", ["text/event-stream", "TEXT/Event-Stream", "application/json, text/event-stream;q=0.9"]
)
async def test_a_start_that_accepts_a_stream_is_answered_with_it(accept: str, house: House) -> None:
    stream = await house.streamed_post(COUNT, {"Accept": accept})
    frames = await stream.all()
    job_id = frames[0].data["job_id"]
    assert stream.line.headers["location"] == stream.line.headers["content-location"] == f"/api/jobs/{job_id}/stream"
    assert [frame.type for frame in frames] == ["job_queued", "job_started", *["token"] * 3, "done"]
    assert await (await house.stream(job_id)).all() == frames


@every_store
async def test_a_stream_that_a_start_began_goes_on_by_get(house: House) -> None:
    stream = await house.streamed_post({"agent": "puppet", "input": 1})
    job_id = (await stream.next()).data["job_id"]
    actor = await house.stage.actor(job_id)
    await actor.say("a")
    await stream.until("token")
    await stream.close()
    line = await house.line()
    await line.ask("GET", stream.line.headers["content-location"], {"Last-Event-ID": stream.last_id})
    await actor.say("b")
    await line.read_head()
    actor.end()
    while await line.chunk():
        pass
    assert line.body.count(b'"type":"token"') == 1
    assert line.body.count(b'"type":"done"') == 1


@every_store
async def test_the_job_goes_on_when_its_starter_leaves(house: House) -> None:
    stream = await house.streamed_post({"agent": "puppet", "input": 1})
    job_id = (await stream.next()).data["job_id"]
    await stream.close()
    (await house.stage.actor(job_id)).end()
    assert (await (await house.stream(job_id)).all())[-1].data["status"] == "succeeded"


@every_store
async def test_where_asked_for_the_job_ends_when_its_starter_leaves(house: House) -> None:
    stream = await house.streamed_post({"agent": "puppet", "input": 1, "on_disconnect": "cancel"})
    job_id = (await stream.next()).data["job_id"]
    await house.stage.actor(job_id)
    stream.line.abort()
    page = await house.poll(job_id, types="done", wait=25)
    assert page["events"][0]["status"] == "cancelled"


# ---------------------------------------------------------------- the same key


@every_store
async def test_the_same_key_and_body_are_the_same_job(house: House) -> None:
    first, second = [await house.post(COUNT, key("k")) for _ in range(2)]
    assert first.status == second.status == 202
    assert first.json["job_id"] == second.json["job_id"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert len((await house.get("/api/jobs")).json["jobs"]) == 1


@every_store
async def test_the_same_key_many_times_at_once_is_one_job(house: House) -> None:
    answers = await asyncio.gather(*(house.post(COUNT, key("k")) for _ in range(20)))
    assert len({answer.json["job_id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1


@every_store
async def test_a_replayed_start_streams_from_the_beginning(house: House) -> None:
    first = await (await house.streamed_post(COUNT, key("k"))).all()
    again = await house.streamed_post(COUNT, key("k"))
    assert again.line.headers["idempotent-replayed"] == "true"
    assert again.line.headers["content-location"] == f"/api/jobs/{first[0].data['job_id']}/stream"
    assert await again.all() == first


@every_store
async def test_the_form_of_the_answer_may_differ_between_two_starts(house: House) -> None:
    job_id = (await house.post(COUNT, key("k"))).json["job_id"]
    stream = await house.streamed_post(COUNT, key("k"))
    assert (await stream.next()).data["job_id"] == job_id


@every_store
async def test_the_same_key_with_another_body_is_refused(house: House) -> None:
    await house.post(COUNT, key("k"))
    for body in ({"agent": "count", "input": {"to": 4}}, b'{"agent": "count", "input":{"to":3}}'):
        for headers in ({}, STREAM):
            answer = await house.post(body, key("k") | headers)
            assert (answer.status, answer.json["code"]) == (422, "idempotency_mismatch")


@every_store
async def test_another_key_is_another_job(house: House) -> None:
    jobs = {(await house.post(COUNT, key(name))).json["job_id"] for name in ("k", "K", "k ", "ключ", "k" * 255)}
    assert len(jobs) == 4  # a header's own end of blanks is no part of it


@every_store
@pytest.mark.parametrize("value", ["", "x" * 256, "a\tb", "a\x7fb", "\udcff"])
async def test_a_key_that_can_not_be_kept_is_refused(value: str, house: House) -> None:
    answer = await house.post(COUNT, key(value))
    assert (answer.status, answer.json["code"]) == (400, "invalid_input")
    assert (await house.get("/api/jobs")).json["jobs"] == []


@every_store
async def test_a_refused_start_is_not_remembered(kind: str, opened: Opened) -> None:
    async with opened(kind, limits=Limits(jobs_per_user=1)) as house:
        job_id, actor = await house.puppet()
        refused = await house.post(COUNT, key("k"))
        assert (refused.status, refused.json["code"]) == (429, "too_many_jobs")
        actor.end()
        await (await house.stream(job_id)).all()
        accepted = await house.post(COUNT, key("k"))
        assert accepted.status == 202
        assert "idempotent-replayed" not in accepted.headers


@every_store
async def test_a_bad_start_is_not_remembered_either(house: House) -> None:
    assert (await house.post({"agent": "strict", "input": 1}, key("k"))).status == 400
    assert (await house.post({"agent": "strict", "input": {"text": "a"}}, key("k"))).status == 202


@every_store
async def test_a_full_queue_is_no_hindrance_to_a_replay(kind: str, opened: Opened) -> None:
    async with opened(kind, jobs=Jobs(concurrency=1, queue_size=1, cancel_grace=0.5)) as house:
        running = await house.post({"agent": "puppet", "input": 1}, key("k"))
        await house.stage.actor(running.json["job_id"])
        await house.job()
        full = await house.post({"agent": "puppet", "input": 1})
        assert (full.status, full.json["code"]) == (503, "queue_full")
        assert int(full.headers["retry-after"]) > 0
        again = await house.post({"agent": "puppet", "input": 1}, key("k"))
        assert (again.status, again.json["job_id"]) == (202, running.json["job_id"])


@every_store
async def test_a_key_goes_with_its_job(house: House) -> None:
    stream = await house.streamed_post(COUNT, key("k"))
    job_id = (await stream.all())[0].data["job_id"]
    assert (await house.ask("DELETE", f"/api/jobs/{job_id}")).status == 204
    answer = await house.post(COUNT, key("k"))
    assert answer.status == 202
    assert answer.json["job_id"] != job_id
    assert "idempotent-replayed" not in answer.headers


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_key_outlives_a_restart(house: House) -> None:
    stream = await house.streamed_post(COUNT, key("k"))
    first = await stream.all()
    await house.restart()
    again = await house.streamed_post(COUNT, key("k"))
    assert again.line.headers["idempotent-replayed"] == "true"
    assert await again.all() == first
