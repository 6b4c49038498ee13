"""Looking at jobs, stopping and erasing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sse_server.config import Stream as StreamSettings

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened

pytestmark = pytest.mark.parametrize("kind", ["memory", "sqlite"])


async def test_jobs_are_listed_newest_first_page_by_page(house: House) -> None:
    started = [await house.job() for _ in range(7)]
    listed: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while query.get("cursor", "") is not None:
        page = (await house.get("/api/jobs", **query)).json
        assert len(page["jobs"]) <= 3
        listed += [job["job_id"] for job in page["jobs"]]
        query["cursor"] = page["next"]
    assert listed == started[::-1]


async def test_a_listing_may_be_of_one_status_agent_or_session(house: House) -> None:
    ended = await house.counted(1, session_id="a")
    running, _ = await house.puppet(session_id="b")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"status": "succeeded"}, [ended]),
        ({"status": "running"}, [running]),
        ({"status": "failed"}, []),
        ({"agent": "count"}, [ended]),
        ({"session_id": "b"}, [running]),
        ({"session_id": "b", "agent": "count"}, []),
    ]
    for query, found in cases:
        assert [job["job_id"] for job in (await house.get("/api/jobs", **query)).json["jobs"]] == found


async def test_a_job_shows_its_state_its_times_and_its_result(house: House) -> None:
    job_id, actor = await house.puppet(metadata={"for": "you"})
    await actor.say("so ", "far")
    job = (await house.get(f"/api/jobs/{job_id}")).json
    assert (job["status"], job["text"], job["metadata"]) == ("running", "so far", {"for": "you"})
    assert job["created_at"] <= job["started_at"]
    assert job["finished_at"] is None
    assert not {"result", "error"} & job.keys()
    assert job["last_event_id"] == (await house.poll(job_id))["next"]
    actor.end([1, None, {"a": "b"}])
    last = (await (await house.stream(job_id)).all())[-1]
    job = (await house.get(f"/api/jobs/{job_id}")).json
    assert (job["status"], job["result"], job["last_event_id"]) == ("succeeded", [1, None, {"a": "b"}], last.id)
    assert job["finished_at"] == last.data["timestamp"]


async def test_a_job_is_stopped_once_and_says_so_however_often_it_is_asked(house: House) -> None:
    job_id, _ = await house.puppet()
    for _ in range(3):
        answer = await house.post(b"", path=f"/api/jobs/{job_id}/cancel?wait=25")
        assert answer.status == 200
        assert (answer.json["job_id"], answer.json["status"]) == (job_id, "cancelled")
        assert answer.json["cancellation"] == "stopped"
        assert answer.json["cancellation_ms"] >= 0
    frames = await (await house.stream(job_id)).all()
    assert [frame.data["status"] for frame in frames if frame.type == "done"] == ["cancelled"]


async def test_an_ended_job_keeps_its_status_when_it_is_stopped(house: House) -> None:
    job_id = await house.counted(1)
    answer = await house.post(b"", path=f"/api/jobs/{job_id}/cancel")
    assert (answer.status, answer.json["status"], answer.json["cancellation"]) == (200, "succeeded", "stopped")


async def test_only_an_ended_job_can_be_erased_and_then_it_is_gone(house: House) -> None:
    job_id, actor = await house.puppet()
    answer = await house.ask("DELETE", f"/api/jobs/{job_id}")
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    actor.end()
    await (await house.stream(job_id)).all()
    answer = await house.ask("DELETE", f"/api/jobs/{job_id}")
    assert (answer.status, answer.body) == (204, b"")
    for path in (f"/api/jobs/{job_id}", f"/api/jobs/{job_id}/stream", f"/api/jobs/{job_id}/events"):
        assert (await house.get(path)).status == 404
    assert (await house.ask("DELETE", f"/api/jobs/{job_id}")).status == 404
    assert (await house.get("/api/jobs")).json["jobs"] == []


async def test_readers_of_a_session_pass_over_the_numbers_of_an_erased_job(house: House) -> None:
    erased = await house.counted(3, session_id="shared")
    kept = await house.counted(3, session_id="shared")
    cursor = (await house.poll(erased, limit=2))["next"]
    assert (await house.ask("DELETE", f"/api/jobs/{erased}")).status == 204
    frames = await (await house.stream(kept, cursor)).all()
    assert [frame.data["seq"] for frame in frames] == [7, 8, 9, 10, 11, 12]
    page = (await house.get("/api/sessions/shared/events", after=cursor)).json
    assert [event["seq"] for event in page["events"]] == [7, 8, 9, 10, 11, 12]
    assert "gap" not in page


async def test_agents_are_listed_with_the_schemas_of_what_they_take_and_give(house: House) -> None:
    agents = {agent["name"]: agent for agent in (await house.get("/api/agents")).json["agents"]}
    assert sorted(agents) == ["count", "puppet", "strict"]
    assert agents["strict"]["input"]["$defs"]["Particular"]["required"] == ["text"]
    assert agents["strict"]["result"] == {"type": "string"}


async def test_settings_of_any_size_serve_a_stream(kind: str, opened: Opened) -> None:
    async with opened(kind, stream=StreamSettings(write_timeout=1e12, heartbeat_interval=1e12, retry_ms=0)) as house:
        job_id = await house.counted(1)
        stream = await house.stream(job_id)
        assert (await stream.all())[-1].type == "done"
        assert stream.parser.retry == 0
