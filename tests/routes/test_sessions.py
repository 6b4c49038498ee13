"""Sessions: what is published is followed, resumed, polled, counted and cleared, beside the events of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sse_server.config import Limits, Sessions, Stream
from sse_server.published import RESERVED

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened
    from tests.routes.conftest import Stream as Reading

every_store = pytest.mark.parametrize("kind", ["memory", "sqlite"])
DOORS = ["/sse", "/agent_network_sse", "/api/sse", "/api/sse/agent_network_sse"]


async def contents(stream: Reading, count: int) -> list[Any]:
    return [(await stream.next()).data["content"] for _ in range(count)]


async def poll(house: House, session: str, **query: Any) -> Any:
    answer = await house.get(f"/api/sessions/{session}/events", **query)
    assert answer.status == 200, answer.body
    return answer.json


@pytest.mark.parametrize("door", DOORS)
async def test_every_door_opens_with_a_connection_then_what_was_published_then_what_is(house: House, door: str) -> None:
    first = await house.publish("s", content="before")
    stream = await house.session("s", door=door)
    opening = stream.frames[0]
    assert list(opening.data) == ["status", "sessionId", "userId", "timestamp"]
    assert (opening.data["status"], opening.data["sessionId"], opening.data["userId"]) == (
        "connected",
        "s",
        "anonymous",
    )
    assert opening.id == ""
    assert stream.parser.retry == 3000
    assert (await stream.next()).id == first
    second = await house.publish("s", "status_update", content="after")
    frame = await stream.next()
    assert (frame.id, frame.name, frame.data["content"]) == (second, "status_update", "after")


async def test_the_frame_holds_the_published_object_itself_and_a_timestamp_where_it_had_none(house: House) -> None:
    stream = await house.session("s")
    await house.publish("s", b=1, a={"type": "x", "seq": None}, timestamp="mine")
    await house.publish("s", "Any.Type:1-x", text="a\r\n\r\ndata: b\u2028")
    mine, other = await stream.next(), await stream.next()
    assert mine.data == {"b": 1, "a": {"type": "x", "seq": None}, "timestamp": "mine"}
    assert other.name == "Any.Type:1-x"
    assert other.data.keys() == {"text", "timestamp"}
    assert other.data["text"] == "a\r\n\r\ndata: b\u2028"


@every_store
async def test_a_session_stream_cut_at_every_event_and_resumed_gives_the_same_list(house: House) -> None:
    job_id = await house.counted(2, session_id="s")
    ids = [await house.publish("s", content=n) for n in range(4)]
    everything = await house.session("s")
    while everything.last_id != ids[-1]:
        await everything.next()
    whole = everything.frames[1:]
    assert [frame.type for frame in whole] == [
        "job_queued",
        "job_started",
        "token",
        "token",
        "done",
        *["message"] * 4,
    ]
    assert whole[0].data["job_id"] == job_id
    for n, frame in enumerate(whole[:-1]):
        resumed = await house.session("s", frame.id)
        assert [await resumed.next() for _ in whole[n + 1 :]] == whole[n + 1 :]
        await resumed.close()


@every_store
async def test_polling_lists_the_same_events_under_the_same_ids(house: House) -> None:
    await house.counted(1, session_id="s")
    ids = [await house.publish("s", content=n) for n in range(3)]
    page = await poll(house, "s")
    assert [event.get("id") for event in page["events"][-3:]] == ids
    assert page["events"][-1] == {
        "id": ids[-1],
        "seq": 7,
        "type": "message",
        "data": {"content": 2, "timestamp": page["events"][-1]["timestamp"]},
        "timestamp": page["events"][-1]["timestamp"],
    }
    assert page["events"][0]["type"] == "job_queued"
    assert (page["next"], page["done"]) == (ids[-1], False)
    paged, after = [], "0"
    while (piece := await poll(house, "s", after=after, limit=2))["events"]:
        paged += piece["events"]
        after = piece["next"]
    assert paged == page["events"]


async def test_types_filter_what_is_published_too(house: House) -> None:
    stream = await house.session("s", types="b,C.d")
    for kind in ("a", "b", "C.d", "a", "b"):
        await house.publish("s", kind)
    assert [(await stream.next()).name for _ in range(3)] == ["b", "C.d", "b"]
    assert [event["type"] for event in (await poll(house, "s", types="b"))["events"]] == ["b", "b"]


async def test_replay_none_shows_only_what_comes(house: House) -> None:
    await house.publish("s", content="old")
    stream = await house.session("s", replay="none")
    await house.publish("s", content="new")
    assert await contents(stream, 1) == ["new"]


@every_store
async def test_an_expired_event_is_left_out_and_that_is_no_gap(house: House) -> None:
    ids = [await house.publish("s", content="kept")]
    await house.publish("s", ttl=1e-6, content="gone")
    ids.append(await house.publish("s", content="kept too"))
    for stream in (await house.session("s"), await house.session("s", "0")):
        assert await contents(stream, 2) == ["kept", "kept too"]
    assert await contents(await house.session("s", ids[0]), 1) == ["kept too"]
    page = await poll(house, "s", after=ids[0])
    assert [event["id"] for event in page["events"]] == ids[1:]
    assert "gap" not in page


@every_store
async def test_a_session_keeps_so_many_published_events_and_says_what_it_let_go(opened: Opened, kind: str) -> None:
    async with opened(kind, sessions=Sessions(max_history=3)) as house:
        ids = [await house.publish("s", content=n) for n in range(5)]
        assert await contents(await house.session("s"), 3) == [2, 3, 4]
        late = await house.session("s", ids[0])
        assert (await late.next()).data == {
            "type": "gap",
            "after": ids[0],
            "first_available": ids[2],
            "reason": "trimmed",
        }
        assert await contents(late, 3) == [2, 3, 4]
        page = await poll(house, "s", after=ids[0])
        assert page["gap"]["first_available"] == ids[2]
        assert [event["id"] for event in page["events"]] == ids[2:]
        assert await contents(await house.session("s", ids[1]), 3) == [2, 3, 4], "nothing behind the second is missing"


@every_store
async def test_what_goes_from_between_a_jobs_events_is_a_gap_for_the_session_and_none_for_the_job(
    opened: Opened, kind: str
) -> None:
    async with opened(kind, sessions=Sessions(max_history=2)) as house:
        job_id, actor = await house.puppet(session_id="s")
        ids = [await house.publish("s", content=n) for n in range(2)]
        await actor.say("between")
        ids += [await house.publish("s", content=n) for n in range(2, 5)]
        actor.end()
        await (await house.stream(job_id, types="done")).all()

        late = await house.session("s", ids[0])
        gap = await late.next()
        assert (gap.type, gap.data["reason"]) == ("gap", "trimmed")
        assert [(await late.next()).type for _ in range(4)] == ["token", "message", "message", "done"]
        fresh = await house.session("s")
        assert [(await fresh.next()).type for _ in range(3)] == ["job_queued", "job_started", "token"]
        job = await (await house.stream(job_id, "0")).all()
        assert [frame.type for frame in job] == ["job_queued", "job_started", "token", "done"]

        gap = (await poll(house, "s", after=ids[0]))["gap"]
        assert (gap["reason"], gap["first_available"]) == ("trimmed", late.frames[1].data["first_available"])
        assert "gap" not in await poll(house, "s")
        pages, after = [], ids[0]
        while (page := await poll(house, "s", after=after, limit=1))["events"]:
            pages.append(page["events"][0]["type"])
            after = page["next"]
        assert pages == ["token", "message", "message", "done"], "a reader a page at a time comes through"


@every_store
async def test_a_cleared_session_says_so_to_who_reads_and_begins_anew(house: House) -> None:
    job_id = await house.counted(1, session_id="s")
    old = await house.publish("s", content="old")
    stream = await house.session("s", replay="none")
    assert (await house.ask("DELETE", "/api/sessions/s")).status == 204
    gap = await stream.next()
    assert (gap.type, gap.data["reason"]) == ("gap", "cleared"), "at once, not with the next event"
    new = await house.publish("s", content="new")
    assert await contents(stream, 1) == ["new"]
    late = await house.session("s", old)
    assert (await late.next()).data["reason"] == "cleared"
    assert (await late.next()).id == new
    assert (await poll(house, "s", after=old))["gap"]["reason"] == "cleared"
    frames = await (await house.stream(job_id)).all()
    assert [frame.type for frame in frames][-1] == "done", "the job keeps its end"
    assert (await house.get(f"/api/jobs/{job_id}")).json["result"] == {"counted": 1}


@every_store
async def test_a_session_with_an_active_job_can_not_be_cleared(house: House) -> None:
    job_id, actor = await house.puppet(session_id="s")
    answer = await house.ask("DELETE", "/api/sessions/s")
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    actor.end()
    await (await house.stream(job_id, types="done")).all()
    assert (await house.ask("DELETE", "/api/sessions/s")).status == 204


@every_store
async def test_an_unknown_session_streams_and_polls_and_has_no_figures(house: House) -> None:
    assert (await poll(house, "s"))["next"] == "0"
    for method in ("GET", "DELETE"):
        assert (await house.ask(method, "/api/sessions/s")).status == 404
    stream = await house.session("s")
    await house.publish("s", content="first")
    assert await contents(stream, 1) == ["first"]
    assert (await house.ask("DELETE", "/api/sessions/s")).status == 204
    for method in ("GET", "DELETE"):
        assert (await house.ask(method, "/api/sessions/s")).status == 404, "a cleared session is an unknown one"


@every_store
async def test_the_figures_count_what_is_there(house: House) -> None:
    await house.counted(2, session_id="s")
    await house.publish("s", content="x")
    stream = await house.session("s", replay="none")
    figures = (await house.get("/api/sessions/s")).json
    assert figures["subscribers"] == 1
    assert (figures["historySize"], figures["jobs"], figures["lastSeq"]) == (6, 1, 6)
    assert 0 < figures["memoryBytes"] < 200
    stats = (await house.get("/sse/stats")).json
    assert (stats["totalSessions"], stats["totalEvents"], stats["totalSubscribers"]) == (1, 6, 1)
    assert stats["sessionStats"] == {"s": figures}
    assert stats["metrics"]["eventsByType"] == {"job_queued": 1, "job_started": 1, "token": 2, "done": 1, "message": 1}
    await stream.close()


async def test_metrics_are_what_prometheus_reads(house: House) -> None:
    await house.publish("s", content="x")
    await house.publish("s", "of_my_own")
    await house.publish("s", "another")
    await house.session("s")
    answer = await house.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = answer.body.decode().splitlines()
    assert "sse_connections_total 1.0" in lines
    assert 'sse_events_total{event_type="message"} 1.0' in lines
    assert 'sse_events_total{event_type="custom"} 2.0' in lines, "labels that publishers choose have no bound"
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


async def test_an_idle_session_hears_a_keepalive_and_its_end_a_disconnection(opened: Opened) -> None:
    async with opened(stream=Stream(heartbeat_interval=0.05, max_age=0.5)) as house:
        stream = await house.session("s")
        keepalive = await stream.next()
        assert (keepalive.type, list(keepalive.data)) == ("keepalive", ["timestamp"])
        frames = await stream.all()
        gone, reconnect = frames[-2:]
        assert (gone.type, gone.data["status"], gone.data["sessionId"]) == ("connection", "disconnected", "s")
        assert (reconnect.type, reconnect.data["reason"]) == ("reconnect", "max_age")


@pytest.mark.parametrize("type", [*sorted(RESERVED), "", "a\nb", "a\r", "a b", "1a", "_a", "é", "x" * 65, "a\0"])
async def test_a_type_that_can_not_be_published_is_refused_and_writes_nothing(house: House, type: str) -> None:
    answer = await house.post({"type": type, "data": {}}, path="/api/sessions/s/events")
    assert (answer.status, answer.json["code"]) == (400, "invalid_input")
    assert answer.json["errors"][0]["message"]
    assert (await poll(house, "s"))["next"] == "0"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"type": "a", "data": []}, "$.data"),
        ({"type": "a", "data": "x"}, "$.data"),
        ({"type": "a", "data": None}, "$.data"),
        ({"type": "a"}, "$"),
        ({"type": 1, "data": {}}, "$.type"),
        ({"type": "a", "data": {}, "ttl": 0}, "$.ttl"),
        ({"type": "a", "data": {}, "ttl": -1}, "$.ttl"),
        ({"type": "a", "data": {}, "ttl": 1e308}, "$.ttl"),
        ({"type": "a", "data": {}, "ttl": 604_801}, "$.ttl"),
        ({"type": "a", "data": {}, "ttl": "60"}, "$.ttl"),
        ({"type": "a", "data": {}, "more": 1}, "$"),
        (b'{"type":"a","data":{},"ttl":1e999}', "$.ttl"),
        (b'{"type":"a","data":{},"ttl":NaN}', "$"),
        (b'{"type":"a","data":' + b'{"a":' * 120 + b"1" + b"}" * 121, "$"),
    ],
)
async def test_what_can_not_be_published_is_refused_with_its_path(house: House, body: Any, path: str) -> None:
    answer = await house.post(body, path="/api/sessions/s/events")
    assert answer.status == 400
    assert answer.json["errors"][0]["path"].startswith(path)
    assert (await poll(house, "s"))["next"] == "0"


async def test_a_request_that_names_two_sessions_is_refused(house: House) -> None:
    for path in [*(f"{door}/s" for door in DOORS), "/api/sessions/s", "/api/sessions/s/events"]:
        assert (await house.get(path, {"X-Session-Id": "other"})).status == 400
    stream = await house.session("s", headers={"X-Session-Id": "s"})
    await stream.close()


async def test_what_only_a_jobs_stream_can_is_refused(house: House) -> None:
    for query in ("replay=snapshot", "conflate=1"):
        assert (await house.get(f"/sse/s?{query}")).status == 400
    line = await house.line()
    assert (await (await line.ask("HEAD", "/sse/s")).read_head()).status == 405
    assert (await house.get("/sse/a%20b")).status == 400


async def test_a_stream_of_a_session_named_stats_has_another_door(house: House) -> None:
    assert "totalSessions" in (await house.get("/sse/stats")).json
    stream = await house.session("stats", door="/agent_network_sse")
    await house.publish("stats", content="x")
    assert await contents(stream, 1) == ["x"]


async def test_a_user_publishes_so_many_events_a_minute_and_is_told_when_to_go_on(opened: Opened) -> None:
    async with opened(limits=Limits(publishes_per_minute=2)) as house:
        for _ in range(2):
            await house.publish("s")
        answer = await house.post({"type": "a", "data": {}}, path="/api/sessions/s/events")
        assert (answer.status, answer.json["code"]) == (429, "rate_limited")
        assert 0 < int(answer.headers["retry-after"]) <= 60
        assert (await poll(house, "s"))["events"][-1]["seq"] == 2
