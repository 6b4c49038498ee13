"""`GET /api/chat/stream` again: it finds the same answer, at every place, and never starts a second run."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from sse_server.agents import Job
from sse_server.jobs import CancelAfter
from tests.panel.place import ANN, BOB, SEVERAL, Place, place

COOKIE = {"Cookie": f"access_token={ANN}"}


async def test_every_id_names_the_job_and_the_opening_its_begin(here: Place) -> None:
    answer = await here.stream(SEVERAL)
    (job,) = await here.jobs()
    assert job["metadata"]["route"] == "panel"
    first, *others = [frame.id for frame in answer.frames]
    assert first == f"{job['job_id']}.0"
    assert all(each.startswith(f"{job['job_id']}.") for each in others)
    assert others[-1] == f"{job['job_id']}.{job['last_event_id']}"
    assert len(set(others)) == len(others)
    assert all(block.rsplit(b"\n", 1)[1].startswith(b"id: ") for block in answer.blocks)


async def test_who_comes_back_with_any_id_gets_the_rest(here: Place) -> None:
    whole = await here.stream(SEVERAL)
    for at, frame in enumerate(whole.frames[:-1]):
        again = await here.stream(SEVERAL, last=frame.id)
        assert again.blocks[1:] == whole.blocks[at + 1 :], frame
        assert again.frames[0].type == "connected"
    assert len(await here.jobs()) == 1


async def test_the_opening_of_a_reader_who_came_back_takes_nobody_back(here: Place) -> None:
    """An id there would be the reader's next Last-Event-ID, before any event has come."""
    whole = await here.stream("2+2")
    again = await here.stream("2+2", last=whole.frames[2].id)
    assert b"id:" not in again.blocks[0]
    assert whole.blocks[0].endswith(b".0")


async def test_who_has_seen_done_is_told_so_for_good(here: Place) -> None:
    whole = await here.stream("2+2")
    done = whole.frames[-1].id
    epoch, _, seq = done.rpartition("-")
    for last in (done, f"{epoch}-{int(seq) + 1}", f"{epoch}-{10**17}"):
        answer = await here.stream("2+2", last=last)
        assert (answer.status, answer.body) == (204, b"")
    assert len(await here.jobs()) == 1


async def test_who_comes_back_to_a_running_job_misses_nothing(stage: Place) -> None:
    async with stage.open("x") as reading:
        opening = await reading.until("connected")
        job, over = await stage.puppets.next()
        job.token("one")
        first = await reading.until("message")
        reading.leave()
    job.token("two")
    await job.flush()
    async with stage.open("x", last=first.id) as later, stage.open("x", last=opening.id) as begin:
        assert '"two"' in (await later.until("message")).data
        assert '"one"' in (await begin.until("message")).data
        job.token("three")
        assert '"three"' in (await later.until("message")).data
        over.set_result(None)
        for reader in (later, begin):
            assert (await reader.until("done")).data == '{"status":"complete"}'
            assert await reader.next() is None
    assert len(await stage.jobs()) == 1
    assert stage.puppets.waiting() == 0


async def test_an_id_counts_and_the_message_does_not(here: Place) -> None:
    whole = await here.stream("2+2")
    again = await here.stream("something else", last=whole.frames[0].id)
    assert again.blocks[1:] == whole.blocks[1:]
    assert len(await here.jobs()) == 1


@pytest.mark.parametrize("epoch", ["0", "zzz-1", "zzz-99999"])
async def test_a_job_of_somebody_else_does_not_exist(here: Place, epoch: str) -> None:
    whole = await here.stream("2+2")
    job_id = whole.frames[0].id.partition(".")[0]
    for last in (f"{job_id}.{epoch}", whole.frames[-1].id):
        answer = await here.stream("2+2", BOB, last=last)
        assert (answer.status, answer.code) == (404, "not_found")
    assert await here.jobs(BOB) == []


async def test_a_job_of_another_door_does_not_exist(here: Place) -> None:
    started = await here.ask("POST", "/api/jobs", json={"agent": "panel", "input": {"message": "2+2"}})
    post = await here.post("2+2")
    for job_id in (started.json["job_id"], post.headers["Location"].split("/")[3], "job_0123456789abcdef"):
        answer = await here.stream("2+2", last=f"{job_id}.0")
        assert (answer.status, answer.code) == (404, "not_found")
    assert len(await here.jobs()) == 2


@pytest.mark.parametrize(
    "last", ["x", "0", "5", "abc-5", "job_00.", "job_00.x", "job_00.a-01", "job_zz.0", ".0", "job_00 .0", "job_00.0 x"]
)
async def test_an_id_that_nobody_wrote_is_204_and_starts_nothing(here: Place, last: str) -> None:
    answer = await here.stream("2+2", last=last)
    assert (answer.status, answer.body) == (204, b"")
    assert await here.jobs() == []


async def test_requests_at_once_for_the_same_share_one_run(stage: Place) -> None:
    readers = [asyncio.create_task(stage.stream("same")) for _ in range(6)]
    job, over = await stage.puppets.next()
    await job.flush()
    while len(stage.server.hub.subscribers) < 6:  # noqa: ASYNC110  (each reader is there when it is there)
        await asyncio.sleep(0.001)
    job.token("one for all")
    over.set_result(None)
    answers = [await reader for reader in readers]
    assert len({answer.body for answer in answers}) == 1
    assert len(await stage.jobs()) == 1
    assert stage.puppets.waiting() == 0


async def test_another_question_or_another_user_is_another_run(stage: Place) -> None:
    async with stage.open("same") as one, stage.open("same", BOB) as other, stage.open("other") as third:
        for reader in (one, other, third):
            await reader.until("connected")
        jobs = {(await stage.puppets.next())[0].id for _ in range(3)}
        assert len({one.job_id, other.job_id, third.job_id} & jobs) == 3
    assert len(await stage.jobs()) == 2
    assert len(await stage.jobs(BOB)) == 1


async def test_a_get_does_not_join_a_job_of_another_door(stage: Place) -> None:
    async with stage.open("same", method="POST") as post:
        await post.until("connected")
        async with stage.open("same") as get:
            await get.until("connected")
            assert len(await stage.jobs()) == 2


async def test_an_ended_answer_is_not_joined_without_its_id(here: Place) -> None:
    one, other = await here.stream("2+2"), await here.stream("2+2")
    assert one.frames[0].id != other.frames[0].id
    assert len(await here.jobs()) == 2


async def test_nobody_watching_ends_the_job_after_a_while(stage: Place) -> None:
    async with stage.open("x") as reading:
        await reading.until("connected")
        record = await stage.server.store.load(reading.job_id, work=False)
        assert record
        assert record.spec.on_disconnect == CancelAfter(30)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://app.example.com", "Sec-Fetch-Site": "cross-site"}, 200),
    ],
)
async def test_with_a_cookie_only_a_page_of_ours_starts_a_run(
    here: Place, headers: dict[str, str], status: int
) -> None:
    answer = await here.ask("GET", "/api/chat/stream?message=2%2B2", None, headers=COOKIE | headers)
    assert answer.status == status
    if status == 403:
        assert answer.code == "forbidden"
    assert len(await here.jobs()) == (status == 200)


async def test_a_token_needs_no_proof_of_the_page(here: Place) -> None:
    assert (await here.stream("2+2", Sec_Fetch_Site="cross-site")).status == 200


async def test_a_post_with_a_cookie_needs_a_proof(here: Place) -> None:
    for headers, status in (({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-origin"}, 200)):
        answer = await here.ask("POST", "/api/chat/message", None, headers=COOKIE | headers, json={"message": "2+2"})
        assert answer.status == status


async def test_what_was_trimmed_is_told_and_the_rest_still_comes() -> None:
    async with place(store={"kind": "memory", "max_job_events": 8}) as here:
        async with here.open(SEVERAL) as reading:
            opening = await reading.until("connected")
            done = await reading.until("done")
        await here.server.store.trim()
        answer = await here.stream(SEVERAL, last=opening.id.replace(".0", f".{done.id.partition('.')[2][:-2]}1"))
        names = [frame.type for frame in answer.frames]
        assert names[:3] == ["connected", "gap", "snapshot"]
        assert names[-1] == "done"
        assert msgspec.json.decode(answer.frames[1].data)["reason"] == "trimmed"
        assert answer.frames[2].id.startswith(f"{reading.job_id}.")


async def test_streams_that_are_sent_away_again_and_again_make_one_whole() -> None:
    async with place(puppets=True, stream={"max_age": 0.05, "retry_ms": 1}) as stage:
        frames: list[tuple[str, str]] = []
        texts = [f"{n};" for n in range(6)]
        jobs: list[tuple[Job, asyncio.Future[Any]]] = []
        last = ""
        while not frames or frames[-1][0] != "done":
            async with stage.open("x", last=last) as reading:
                while frame := await reading.next():
                    last = frame.id or last
                    if frame.type in {"message", "done"}:
                        frames.append((frame.type, frame.data))
            if not jobs:
                jobs.append(await stage.puppets.next())
            job, over = jobs[0]
            if texts:
                job.token(texts.pop(0))
                await job.flush()
            elif not over.done():
                over.set_result(None)
        told = [msgspec.json.decode(data)["content"] for name, data in frames if name == "message"]
        assert told == [f"{n};" for n in range(6)]
        assert len(await stage.jobs()) == 1
