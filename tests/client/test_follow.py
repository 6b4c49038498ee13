"""Following a job over a line that holds."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from sse_server.client import Client, Event, LineStatus, Refused
from tests.client.server import counting


async def all_events(client: Client, job_id: str) -> list[Event]:
    """What polling says, to compare with."""
    events: list[Event] = []
    after, done = None, False
    while not done:
        page = await client.poll(job_id, after, wait=20)
        events += page.events
        after, done = page.next, page.done
    return events


async def ended(client: Client, to: int = 30) -> str:
    """The id of a job that has counted."""
    job_id = (await client.start("count", counting(to))).job_id
    await all_events(client, job_id)
    return job_id


async def test_a_live_job_is_followed_to_its_done(client: Client) -> None:
    started = await client.start("count", counting(30))
    statuses: list[LineStatus] = []
    followed = [event async for event in client.follow(started.job_id, on_status=statuses.append)]
    assert [event.type for event in followed[:2]] == ["job_queued", "job_started"]
    assert followed[-1].type == "done"
    assert followed[-1].data["result"] == {"counted": 30}
    assert [event.data["seq"] for event in followed] == list(range(1, len(followed) + 1))
    assert [status.state for status in statuses] == ["connected"]


async def test_a_stream_says_what_the_pages_say(client: Client) -> None:
    job_id = await ended(client)
    assert [event async for event in client.follow(job_id)] == await all_events(client, job_id)


async def test_following_goes_on_behind_any_event(client: Client) -> None:
    job_id = await ended(client)
    events = await all_events(client, job_id)
    for n, event in enumerate(events):
        assert [one async for one in client.follow(job_id, event.id)] == events[n + 1 :]


async def test_a_job_whose_done_was_seen_ends_at_once(client: Client) -> None:
    job_id = await ended(client)
    last = (await client.job(job_id)).last_event_id
    assert [event async for event in client.follow(job_id, last)] == []


async def test_only_the_types_that_were_asked_for_come_and_the_end(client: Client) -> None:
    job_id = await ended(client)
    followed = [event.type async for event in client.follow(job_id, types=["insight", "job_started"])]
    assert followed == ["job_started", "insight", "insight", "insight", "done"]


async def test_a_snapshot_stands_for_what_was_before(client: Client) -> None:
    job_id = await ended(client)
    snapshot, done = [event async for event in client.follow(job_id, replay="snapshot")]
    assert (snapshot.type, done.type) == ("snapshot", "done")
    assert snapshot.data["job"]["text"].startswith("0 1 2 3 ")
    assert snapshot.id == snapshot.data["last_event_id"]


async def test_a_cursor_of_another_life_is_told_as_a_gap(client: Client) -> None:
    job_id = await ended(client)
    gap, snapshot, done = [event async for event in client.follow(job_id, "nosuchepoch-7")]
    assert (gap.type, snapshot.type, done.type) == ("gap", "snapshot", "done")
    assert (gap.data["after"], gap.data["reason"], gap.id) == ("nosuchepoch-7", "epoch", "")


async def test_events_of_known_types_are_structs_too(client: Client) -> None:
    job_id = await ended(client)
    for event in [event async for event in client.follow(job_id)]:
        known = event.known()
        assert known is not None
        assert (known.seq, known.job_id) == (event.data["seq"], job_id)


async def test_leaving_early_leaves_nothing_open(client: Client) -> None:
    started = await client.start("hang", None)
    async with aclosing(client.follow(started.job_id)) as events:
        async for event in events:
            if event.type == "log":
                break
    cancelled = await client.cancel(started.job_id, wait=10)
    assert (cancelled.status, cancelled.cancellation) == ("cancelled", "stopped")


async def test_an_unknown_job_is_said_at_once(client: Client) -> None:
    with pytest.raises(Refused, match="no such job") as refused:
        [event async for event in client.follow("job_unknown")]
    assert (refused.value.status, refused.value.code, refused.value.passing) == (404, "not_found", False)
