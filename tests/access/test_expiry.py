"""What lets somebody read ends: their streams end with it, and say so; with a fresh one they go on and miss nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.access.place import ANN, Place, Reading, token


@asynccontextmanager
async def short_lived(place: Place, job: str) -> AsyncIterator[dict[str, Reading]]:
    """Streams of a job, each by something that soon expires."""
    job_id = job.rpartition("/")[2]
    async with AsyncExitStack() as stack:
        cookie = {"Cookie": f"access_token={token('ann', 2)}"}
        yield {
            "bearer": await stack.enter_async_context(place.stream(f"{job}/stream", token("ann", 2))),
            "cookie": await stack.enter_async_context(place.stream(f"{job}/stream?named=1", headers=cookie)),
            "ticket": await stack.enter_async_context(
                place.stream(f"{job}/stream?ticket={await place.ticket(ANN, 2, job_id=job_id)}")
            ),
        }


async def test_a_stream_ends_with_what_opened_it_and_a_fresh_one_goes_on(place: Place) -> None:
    job = await place.start(ANN)
    place.cue("before")
    async with short_lived(place, job) as streams:
        endings = await asyncio.gather(*(reading.until("reconnect") for reading in streams.values()))
        assert [ending["reason"] for ending in endings] == ["token_expired"] * 3
        assert [await reading.next() for reading in streams.values()] == [{}] * 3, "the server has closed them"
    place.cue("while away")
    ticket = await place.ticket(ANN, job_id=job.rpartition("/")[2])
    async with AsyncExitStack() as stack:
        resumed = [
            await stack.enter_async_context(
                place.stream(f"{job}/stream?ticket={ticket}", headers={"Last-Event-ID": reading.last_event_id})
            )
            for reading in streams.values()
        ]
        place.cue("after")
        place.curtain()
        await asyncio.gather(*(reading.until("done") for reading in resumed))
    polled = (await place.ask("GET", f"{job}/events?after=0", ANN)).json["events"]
    assert [event["text"] for event in polled if event["type"] == "token"] == ["before", "while away", "after"]
    for first, then in zip(streams.values(), resumed, strict=True):
        assert first.events + then.events == polled


async def test_a_stream_that_a_post_began_ends_with_its_token_and_its_job_does_not(place: Place) -> None:
    start = {"agent": "actor", "input": {}, "on_disconnect": "cancel"}
    async with place.stream("/api/jobs", token("ann", 2), method="POST", json=start) as reading:
        job = reading.headers["Content-Location"]
        assert (await reading.until("reconnect"))["reason"] == "token_expired"
        assert await reading.next() == {}
    place.curtain()
    async with place.stream(job, ANN, headers={"Last-Event-ID": reading.last_event_id}) as again:
        assert (await again.until("done"))["status"] == "succeeded", "whoever was sent away counts as present"


async def test_an_expired_ticket_opens_nothing(place: Place) -> None:
    job = await place.ended(ANN)
    ticket = await place.ticket(ANN, 1, job_id=job.rpartition("/")[2])
    async with place.stream(f"{await place.start(ANN)}/stream", token("ann", 1.2)) as clock:
        await clock.until("reconnect")
    for path in ("stream", "events"):
        assert (await place.ask("GET", f"{job}/{path}?ticket={ticket}")).told == (401, "unauthenticated")
