"""Polling: the same events, fields and cursors as a stream; a poll may wait for the next event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.eventlog import LogKey

if TYPE_CHECKING:
    from tests.routes.conftest import House, Opened

Until = Callable[[Callable[[], Any]], Any]
pytestmark = pytest.mark.parametrize("kind", ["memory", "sqlite"])


def waits(house: House, session: str) -> Callable[[], bool]:
    """Whether a poll waits for that session's next event."""
    key = LogKey("anonymous", session)
    return lambda: bool((tail := house.server.hub._tails.get(key)) and tail._waiting)


async def test_a_page_has_the_events_the_next_cursor_and_how_the_job_is(house: House) -> None:
    job_id, actor = await house.puppet()
    await actor.say("a")
    page = await house.poll(job_id)
    epoch = page["next"].partition("-")[0]
    assert [event["type"] for event in page["events"]] == ["job_queued", "job_started", "token"]
    del page["events"]
    assert page == {"next": f"{epoch}-3", "done": False, "status": "running", "poll_after_ms": 1000}
    actor.end({"x": 1})
    stream = await house.stream(job_id, page["next"])
    frames = await stream.all()
    page = await house.poll(job_id, after=page["next"])
    assert page == {
        "events": [frames[-1].data],
        "next": f"{epoch}-4",
        "done": True,
        "status": "succeeded",
        "poll_after_ms": 0,
    }


async def test_a_poll_that_waits_is_answered_by_the_event(house: House, until: Until) -> None:
    job_id, actor = await house.puppet()
    cursor = (await house.poll(job_id))["next"]
    polls = [asyncio.create_task(house.poll(job_id, after=cursor, wait=25)) for _ in range(3)]
    await until(lambda: house.server.hub._tails and len(next(iter(house.server.hub._tails.values()))._waiting) == 3)
    await actor.say("at last")
    for page in await asyncio.gather(*polls):
        assert [event["text"] for event in page["events"]] == ["at last"]


async def test_a_poll_that_waits_in_vain_repeats_its_cursor(house: House) -> None:
    job_id, _ = await house.puppet()
    cursor = (await house.poll(job_id))["next"]
    page = await house.poll(job_id, after=cursor, wait=0.05)
    assert (page["events"], page["next"], page["done"]) == ([], cursor, False)


async def test_what_the_filter_leaves_out_does_not_answer_a_poll_but_moves_its_cursor(
    house: House, until: Until
) -> None:
    job_id, actor = await house.puppet()
    cursor = (await house.poll(job_id))["next"]
    poll = asyncio.create_task(house.poll(job_id, after=cursor, wait=25, types="insight"))
    await until(waits(house, job_id))
    await actor.say("not this", "nor this")
    await until(waits(house, job_id))
    assert not poll.done()
    actor.job.insight("this")
    page = await poll
    assert [event["type"] for event in page["events"]] == ["insight"]
    filtered = await house.poll(job_id, after=cursor, types="log")
    assert (filtered["events"], filtered["next"]) == ([], page["next"])


async def test_done_wakes_every_poll_whatever_it_filters(house: House, until: Until) -> None:
    job_id, actor = await house.puppet()
    cursor = (await house.poll(job_id))["next"]
    poll = asyncio.create_task(house.poll(job_id, after=cursor, wait=25, types="insight"))
    await until(waits(house, job_id))
    actor.end()
    page = await poll
    assert ([event["type"] for event in page["events"]], page["done"]) == (["done"], True)


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
async def test_a_page_is_never_longer_than_asked_and_says_that_more_is_there(limit: int, house: House) -> None:
    job_id = await house.counted(7)
    page = await house.poll(job_id, limit=limit)
    assert len(page["events"]) == min(limit, 10)
    assert page["done"] == (limit == 1000)
    assert page["poll_after_ms"] == 0


async def test_a_poll_behind_a_gap_begins_behind_its_snapshot(house: House) -> None:
    job_id, actor = await house.puppet()
    await actor.say("so far")
    page = await house.poll(job_id, after="nonsense", wait=25)
    assert page["events"] == []
    assert page["gap"]["reason"] == "unreadable"
    assert page["gap"]["after"] == "nonsense"
    assert page["snapshot"]["job"]["text"] == "so far"
    assert page["next"] == page["snapshot"]["last_event_id"]
    actor.end()
    await (await house.stream(job_id)).all()
    ended = await house.poll(job_id, after="nonsense")
    assert [event["type"] for event in ended["events"]] == ["done"]
    assert ended["done"] is True
    assert ended["snapshot"]["last_event_id"] == page["next"]


async def test_gap_and_snapshot_stand_only_where_there_is_a_gap(house: House) -> None:
    page = await house.poll(await house.counted(1))
    assert not {"gap", "snapshot"} & page.keys()


async def test_a_trimmed_page_is_a_gap(kind: str, opened: Opened) -> None:
    async with opened(kind, max_job_events=20) as house:
        job_id, actor = await house.puppet()
        await actor.say(*["x"] * 100)
        page = await house.poll(job_id, after="0")
        assert page["gap"]["reason"] == "trimmed"
        assert page["snapshot"]["job"]["text"] == "x" * 100
        kept = await house.poll(job_id)
        assert kept["events"][0]["seq"] > 70
        assert "gap" not in kept


async def test_an_unknown_session_is_an_empty_page(house: House) -> None:
    page = (await house.get("/api/sessions/nobody:knows.it_yet-1/events")).json
    assert page == {"events": [], "next": "0", "done": False, "poll_after_ms": 1000}
    again = (await house.get("/api/sessions/nobody:knows.it_yet-1/events", after="0", wait=0.01)).json
    assert (again["events"], again["next"]) == ([], "0")


async def test_a_poll_waits_for_a_session_that_is_not_there_yet(house: House, until: Until) -> None:
    poll = asyncio.create_task(house.get("/api/sessions/soon/events", wait=25))
    await until(waits(house, "soon"))
    job_id = await house.job(session_id="soon")
    page = (await poll).json
    assert page["events"][0]["job_id"] == job_id
    assert page["events"][0]["type"] == "job_queued"


async def test_a_session_is_never_done_and_has_no_status(house: House) -> None:
    await house.counted(1, session_id="mine")
    page = (await house.get("/api/sessions/mine/events")).json
    assert page["events"][-1]["type"] == "done"
    assert page["done"] is False
    assert "status" not in page
    empty = (await house.get("/api/sessions/mine/events", after=page["next"])).json
    assert (empty["events"], empty["done"], empty["next"]) == ([], False, page["next"])


@pytest.mark.parametrize(("cursor", "reason"), [("nonsense", "unreadable"), ("0123456789-1", "epoch")])
async def test_a_session_goes_on_behind_a_gap_with_every_event_kept(cursor: str, reason: str, house: House) -> None:
    await house.counted(3, session_id="mine")
    page = (await house.get("/api/sessions/mine/events", after=cursor)).json
    assert page["gap"]["reason"] == reason
    assert [event["seq"] for event in page["events"]] == [1, 2, 3, 4, 5, 6]
    assert "snapshot" not in page


async def test_a_cursor_on_a_session_that_is_not_there_is_a_gap(house: House) -> None:
    page = (await house.get("/api/sessions/nobody/events", after="0123456789-7", wait=25)).json
    assert page["gap"] == {"type": "gap", "after": "0123456789-7", "first_available": None, "reason": "epoch"}
    assert page["next"] == "0"


async def test_polls_that_wait_while_their_log_is_erased_go_on_waiting_for_the_next_one(
    house: House, until: Until
) -> None:
    job_id = await house.counted(1, session_id="mine")
    cursor = (await house.get("/api/sessions/mine/events")).json["next"]
    behind = asyncio.create_task(house.get("/api/sessions/mine/events", after=cursor, wait=25))
    await until(waits(house, "mine"))
    assert (await house.ask("DELETE", f"/api/jobs/{job_id}")).status == 204
    assert (await behind).json["gap"]["reason"] == "epoch"
    anew = asyncio.create_task(house.get("/api/sessions/mine/events", wait=25))
    await until(waits(house, "mine"))
    again = await house.job(session_id="mine")
    assert (await anew).json["events"][0]["job_id"] == again


async def test_a_client_that_leaves_a_waiting_poll_leaves_nothing_behind(house: House, until: Until) -> None:
    job_id, _ = await house.puppet()
    cursor = (await house.poll(job_id))["next"]
    lines = [await house.line() for _ in range(3)]
    for line in lines:
        await line.ask("GET", f"/api/jobs/{job_id}/events?after={cursor}&wait=25")
    await until(waits(house, job_id))
    for line in lines:
        line.abort()
    await until(house.idle)


async def test_a_poll_that_waits_is_answered_when_the_server_stops(house: House, until: Until) -> None:
    job_id, _ = await house.puppet()
    cursor = (await house.poll(job_id))["next"]
    session = asyncio.create_task(house.get("/api/sessions/other/events", wait=25))
    job = asyncio.create_task(house.poll(job_id, after=cursor, wait=25))
    await until(lambda: waits(house, "other")() and waits(house, job_id)())
    await house.restart()
    assert (await session).json["events"] == []
    assert [event["type"] for event in (await job)["events"]] == ["done"]


async def test_who_polls_too_slowly_to_see_it_all_still_sees_it_all(house: House) -> None:
    """Whatever comes between two pages is on the next one."""
    job_id, actor = await house.puppet()
    seen: list[str] = []
    cursor = "0"
    for n in range(20):
        await actor.say(*(f"{n}.{word}" for word in range(n)))
        page = await house.poll(job_id, after=cursor, limit=7, types="token")
        seen += [event["text"] for event in page["events"]]
        cursor = page["next"]
    actor.end()
    while not (page := await house.poll(job_id, after=cursor, limit=7, types="token", wait=25))["done"]:
        seen += [event["text"] for event in page["events"]]
        cursor = page["next"]
    seen += [event["text"] for event in page["events"][:-1]]
    assert seen == [f"{n}.{word}" for n in range(20) for word in range(n)]
