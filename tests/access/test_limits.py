"""What one user, and all together, may have: each limit has a code of its own, and says when to come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.access.place import ANN, BOB, Answer, Place

Open = Callable[..., Awaitable[Place]]
START = {"agent": "actor", "input": {}}


def soon(answer: Answer, at_most: int = 60) -> bool:
    """Whether it says when to come back, in whole seconds."""
    return 1 <= int(answer.headers["Retry-After"]) <= at_most


async def test_a_body_may_be_so_large_and_no_larger(open_place: Open) -> None:
    place = await open_place(server={"max_body_bytes": 1000})
    for size, told in ((1000, (400, "invalid_input")), (1001, (413, "too_large")), (60_000, (413, "too_large"))):
        for path in ("/api/jobs", "/api/tickets"):
            assert (await place.ask("POST", path, ANN, body=b" " * size)).told == told
    body = b'{"agent":"echo","input":{}}'.ljust(1000)
    assert (await place.ask("POST", "/api/jobs", ANN, body=body)).status == 202


async def test_who_is_nobody_sends_no_body(open_place: Open) -> None:
    """A stranger is refused before a byte of a body is kept."""
    place = await open_place(server={"max_body_bytes": 1000})
    assert (await place.ask("POST", "/api/jobs", body=b" " * 60_000)).told == (401, "unauthenticated")


async def test_a_compressed_body_is_not_unpacked(place: Place) -> None:
    """A few bytes may hide gigabytes."""
    answer = await place.ask("POST", "/api/jobs", ANN, headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8b\x08\x00")
    assert answer.status in {400, 415}


async def test_one_user_has_so_many_active_jobs_and_another_has_theirs(open_place: Open) -> None:
    place = await open_place(limits={"jobs_per_user": 2})
    jobs = [await place.start(ANN) for _ in range(2)]
    for accept in ("application/json", "text/event-stream"):
        refused = await place.ask("POST", "/api/jobs", ANN, headers={"Accept": accept}, json=START)
        assert refused.told == (429, "too_many_jobs")
        assert soon(refused)
    await place.start(BOB)
    place.curtain()
    for job in jobs:  # the first of them that is played ends
        await place.ask("POST", f"{job}/cancel?wait=5", ANN)
    assert (await place.ask("POST", "/api/jobs", ANN, json=START)).status == 202


async def test_one_user_starts_so_many_jobs_a_minute_and_another_theirs(open_place: Open) -> None:
    place = await open_place(limits={"starts_per_minute": 3})
    for _ in range(3):
        await place.ended(ANN)
    for _ in range(2):
        refused = await place.ask("POST", "/api/jobs", ANN, json={"agent": "echo", "input": {}})
        assert refused.told == (429, "rate_limited")
        assert soon(refused)
    await place.ended(BOB)
    assert (await place.ask("GET", "/api/jobs", ANN)).status == 200, "reading is not starting"


async def test_one_user_has_so_many_streams_and_another_has_theirs(open_place: Open) -> None:
    place = await open_place(limits={"streams_per_user": 2})
    job, bobs = await place.start(ANN), await place.start(BOB)
    ticket = await place.ticket(ANN, job_id=job.rpartition("/")[2])
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(place.stream(f"{job}/stream", ANN))
        await stack.enter_async_context(place.stream(f"{job}/stream?ticket={ticket}"))
        async with place.stream(f"{job}/stream", ANN) as third:
            said = await third.next()
            assert (said["type"], said["reason"]) == ("reconnect", "overloaded"), (
                "a browser would not return from a 429"
            )
            assert said["retry_ms"] > 0
            assert await third.next() == {}
        refused = await place.ask("POST", "/api/jobs", ANN, headers={"Accept": "text/event-stream"}, json=START)
        assert refused.told == (429, "too_many_streams")
        assert soon(refused)
        async with place.stream(f"{bobs}/stream", BOB) as theirs:
            assert (await theirs.next())["type"] == "job_queued"
        place.curtain()
        place.curtain()
        await first.until("done")
    async with place.stream(f"{job}/stream", ANN) as again:
        assert (await again.until("done"))["status"] == "succeeded", "a seat that was left is free"


async def test_a_refused_stream_starts_no_job(open_place: Open) -> None:
    place = await open_place(limits={"streams_per_user": 1})
    job = await place.start(ANN)
    async with place.stream(f"{job}/stream", ANN) as reading:
        await reading.next()
        await place.ask("POST", "/api/jobs", ANN, headers={"Accept": "text/event-stream"}, json=START)
    assert len((await place.ask("GET", "/api/jobs", ANN)).json["jobs"]) == 1


async def test_all_together_have_so_many_streams(open_place: Open) -> None:
    place = await open_place(limits={"streams": 1})
    job, bobs = await place.start(ANN), await place.start(BOB)
    async with place.stream(f"{job}/stream", ANN) as reading:
        await reading.next()
        async with place.stream(f"{bobs}/stream", BOB) as theirs:
            assert (await theirs.next())["reason"] == "overloaded"
        refused = await place.ask("POST", "/api/jobs", BOB, headers={"Accept": "text/event-stream"}, json=START)
        assert refused.told == (503, "overloaded")
        assert soon(refused)


async def test_the_queue_is_bounded_for_all(open_place: Open) -> None:
    place = await open_place(jobs={"concurrency": 1, "queue_size": 1})
    async with place.stream(f"{await place.start(ANN)}/stream", ANN) as reading:
        await reading.until("job_started")
    await place.start(BOB)
    refused = await place.ask("POST", "/api/jobs", BOB, json=START)
    assert refused.told == (503, "queue_full")
    assert soon(refused)


@pytest.mark.parametrize("path", ["/api/jobs/{}", "/api/jobs/{}/stream", "/api/jobs/{}/events", "/api/jobs/{}/cancel"])
async def test_odd_names_are_nobodys_jobs(place: Place, path: str) -> None:
    method = "POST" if path.endswith("cancel") else "GET"
    for name in (
        "%00",
        "%0a%0d",
        "..",
        "%2e%2e%2f",
        "%ff%fe",
        "%F0%9F%98%80",
        "x" * 4000,
        "'%20or%201=1--",
        "*",
        "None",
    ):
        answer = await place.ask(method, path.format(name), ANN)
        assert answer.told == (404, "not_found"), name
