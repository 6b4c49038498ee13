"""An ADK-style run: any agent that takes a query, told as thinking, growing text and a message; found again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec import Struct

from sse_server.agents import Job, agent
from sse_server.errors import JobFailed
from sse_server.jobs import CancelAfter
from tests.access.place import rules
from tests.actions.place import ANN, BOB, Frame, Place, place, run_path


class Query(Struct, forbid_unknown_fields=True):
    query: str


class Both(Struct, forbid_unknown_fields=True, rename="camel"):
    query: str
    message_id: str


class Message(Struct, forbid_unknown_fields=True):
    message: str


class Other(Struct, forbid_unknown_fields=True):
    posting: str


class Answer(Struct):
    content: str


@agent("writer")
async def writer(input: Query, job: Job) -> None:
    for word in input.query.split():
        job.token(f"{word} ")
        await job.flush()


@agent("many")
async def many(input: Query, job: Job) -> str:
    for n in range(int(input.query)):
        job.token(f"{n};")
        if n % 50 == 0:
            await job.flush()
    return "counted"


@agent("both")
async def both(input: Both, _: Job) -> Answer:
    return Answer(f"{input.query}/{input.message_id[:4]}")


@agent("listener")
async def listener(input: Message, _: Job) -> dict[str, str]:
    return {"heard": input.message}


@agent("parrot")
async def parrot(input: str, _: Job) -> str:
    return input


@agent("reader")
async def reader(_: Other, __: Job) -> None: ...


@agent("failing")
async def failing(_: Query, job: Job) -> None:
    job.token("so far")
    raise JobFailed("no_idea", "I do not know.")


@agent("broken")
async def broken(_: Query, __: Job) -> None:
    raise RuntimeError("secret")


@agent("twice", retries=1, backoff=0)
async def twice(_: Query, job: Job) -> None:
    job.token(f"attempt {job.attempt}")
    await job.flush()
    if job.attempt == 1:
        raise JobFailed("again", "Once more.", retry=True)


APPS = (writer, many, both, listener, parrot, reader, failing, broken, twice)


def types(frames: list[Frame]) -> list[str]:
    return [frame.type for frame in frames]


# ---------------------------------------------------------------- what is told


async def test_any_agent_is_told_as_thinking_growing_text_and_a_message() -> None:
    async with place(None, *APPS) as here:
        answer = await here.run("writer", "one two")
        (job,) = await here.jobs()
        opening, thinking, one, two, message = answer.frames
        assert (opening.type, opening.data["status"], opening.data["sessionId"]) == ("connection", "connected", "s")
        assert types(answer.frames[1:]) == [
            "thought_process_start",
            "regeneration_progress",
            "regeneration_progress",
            "message_regenerated",
        ]
        assert thinking.data["thinkingAbout"] == "one two"
        assert [frame.data["partialContent"] for frame in (one, two)] == ["one ", "one two "]
        assert message.data["content"] == "one two "
        place_ = {"messageId": job["job_id"].replace("job_", "msg_"), "sessionId": "s", "taskId": job["job_id"]}
        assert all(place_.items() <= frame.data.items() and frame.data["timestamp"] for frame in answer.frames[1:])


async def test_progress_is_a_percentage_that_never_falls() -> None:
    async with place(None, *APPS) as here:
        frames = (await here.run("many", "3000")).frames
        told = [frame.data["progress"] for frame in frames if frame.type == "regeneration_progress"]
        assert told == sorted(told)
        assert told[-1] == 95
        assert frames[-1].data["content"] == "counted"


async def test_regenerate_speaks_for_itself(here: Place) -> None:
    answer = await here.run("regenerate", "What is it?")
    seen = dict.fromkeys(types(answer.frames))
    assert list(seen)[:2] == ["connection", "thought_process_start"]
    assert list(seen)[-1] == "message_regenerated"
    assert seen.keys() == {
        "connection",
        "thought_process_start",
        "thought_process_step",
        "thought_process_complete",
        "regeneration_progress",
        "message_regenerated",
    }
    last_progress = [frame for frame in answer.frames if frame.type == "regeneration_progress"][-1]
    assert answer.frames[-1].data["content"] == last_progress.data["partialContent"]
    assert answer.frames[-1].data["messageId"] == last_progress.data["messageId"]


@pytest.mark.parametrize(
    ("app", "content"),
    [
        ("both", "hello/msg_"),
        ("listener", '{"heard":"hello"}'),
        ("parrot", "hello"),
    ],
)
async def test_the_query_comes_in_the_shape_that_the_app_takes(app: str, content: str) -> None:
    async with place(None, *APPS) as here:
        frames = (await here.run(app, "hello")).frames
        assert types(frames) == ["connection", "thought_process_start", "message_regenerated"]
        assert frames[-1].data["content"] == content


@pytest.mark.parametrize(("app", "said"), [("failing", "I do not know."), ("broken", "The agent failed.")])
async def test_a_failure_is_told_and_ends_the_stream(app: str, said: str) -> None:
    async with place(None, *APPS) as here:
        answer = await here.run(app, "x")
        assert types(answer.frames)[-1] == "error"
        assert answer.frames[-1].data.keys() == {"message", "timestamp"}
        assert answer.frames[-1].data["message"] == said
        assert b"secret" not in answer.body


async def test_a_cancelled_run_is_told_and_ends_the_stream(here: Place) -> None:
    async with here.open(run_path("puppet", "x")) as reading:
        _, job, _ = await here.puppets.next()
        await here.ask("POST", f"/api/jobs/{job.id}/cancel")
        assert (await reading.until("error")).data["message"] == "The run was cancelled."
        assert await reading.next() is None


async def test_an_attempt_that_begins_anew_begins_with_an_empty_text() -> None:
    async with place(None, *APPS) as here:
        frames = (await here.run("twice", "x")).frames
        texts = [frame.data["partialContent"] for frame in frames if frame.type == "regeneration_progress"]
        assert texts == ["attempt 1", "attempt 2"]
        assert frames[-1].data["content"] == "attempt 2"


async def test_the_run_is_a_job_of_the_session(here: Place) -> None:
    async with here.session("s") as session, here.open(run_path("puppet", "x")):
        asked, job, over = await here.puppets.next()
        assert asked == {"query": "x"}
        record = await here.server.store.load(job.id)
        assert record is not None
        assert (record.spec.session, record.spec.on_disconnect) == ("s", CancelAfter(30))
        job.token("seen by all")
        assert (await session.until("token")).data["text"] == "seen by all"
        over.set_result(None)


# ---------------------------------------------------------------- found again


@pytest.mark.parametrize("app", ["writer", "many", "regenerate", "failing", "twice"])
async def test_who_comes_back_with_any_id_gets_the_rest(app: str) -> None:
    async with place(None, *APPS) as here:
        query = "300" if app == "many" else "one two three"
        whole = await here.run(app, query)
        assert whole.frames[0].id.endswith(".0")
        for at, frame in enumerate(whole.frames[:-1]):
            again = await here.run(app, query, last=frame.id)
            assert again.blocks[1:] == whole.blocks[at + 1 :], frame
            assert b"id:" not in again.blocks[0]
        assert len(await here.jobs()) == 1


@pytest.mark.parametrize("app", ["writer", "regenerate", "failing"])
async def test_who_has_seen_the_end_is_told_so_for_good(app: str) -> None:
    async with place(None, *APPS) as here:
        whole = await here.run(app, "one")
        again = await here.run(app, "one", last=whole.frames[-1].id)
        assert (again.status, again.body) == (204, b"")
        assert len(await here.jobs()) == 1


async def test_who_comes_back_to_a_running_job_misses_nothing(here: Place) -> None:
    async with here.open(run_path("puppet", "x")) as reading:
        opening = await reading.until("connection")
        _, job, over = await here.puppets.next()
        job.token("one")
        first = await reading.until("regeneration_progress")
        reading.leave()
    job.token(" two")
    await job.flush()
    path = run_path("puppet", "x")
    async with here.open(path, last=first.id) as later, here.open(path, last=opening.id) as begin:
        assert (await later.until("regeneration_progress")).data["partialContent"] == "one two"
        assert (await begin.until("regeneration_progress")).data["partialContent"] == "one"
        job.token(" three")
        assert (await later.until("regeneration_progress")).data["partialContent"] == "one two three"
        over.set_result("done")
        for each in (later, begin):
            assert (await each.until("message_regenerated")).data["content"] == "done"
            assert await each.next() is None
    assert len(await here.jobs()) == 1


async def test_the_same_query_joins_a_run_that_is_active_and_another_begins_its_own(here: Place) -> None:
    async with here.open(run_path("puppet", "x")) as one, here.open(run_path("puppet", "x")) as other:
        _, job, over = await here.puppets.next()
        job.token("shared")
        for each in (one, other):
            assert (await each.until("regeneration_progress")).data["partialContent"] == "shared"
        async with here.open(run_path("puppet", "y")), here.open(run_path("puppet", "x", session="t")):
            for _ in range(2):
                await here.puppets.next()
        over.set_result(None)
    assert len(await here.jobs()) == 3


@pytest.mark.parametrize("last", ["x", "job_1", "job_1.", "job_1.zz", "5f0c2a91d4-17", ".0"])
async def test_an_id_that_nobody_gave_is_204_and_starts_nothing(here: Place, last: str) -> None:
    assert (await here.run("puppet", "x", last=last)).status == 204
    assert not await here.jobs()


async def test_a_job_of_another_door_or_user_is_not_found_and_nothing_starts(here: Place) -> None:
    started = await here.act("delete", sessionId="s", messageId="m1")
    job_id = started.headers["Location"].rpartition("/")[2]
    assert (await here.run("puppet", "x", last=f"{job_id}.0")).status == 404
    mine = (await here.run("regenerate", "x")).frames[0].id
    theirs = await here.ask("GET", run_path("regenerate", "x", user="bob"), bearer=BOB, headers={"Last-Event-ID": mine})
    assert theirs.status == 404
    assert len(await here.jobs(BOB)) == 0
    assert len(await here.jobs()) == 2


async def test_a_reader_whose_events_were_trimmed_gets_a_gap_and_the_whole_message() -> None:
    async with place(rules(store={"kind": "memory", "max_job_events": 20})) as here:
        async with here.open(run_path("puppet", "x")) as reading:
            _, job, over = await here.puppets.next()
            job.token("0;")
            first = await reading.until("regeneration_progress")
            reading.leave()
        for n in range(1, 100):
            job.token(f"{n};")
        await job.flush()
        async with here.open(run_path("puppet", "x"), last=first.id) as later:
            assert (await later.until("gap")).data["reason"] == "trimmed"
            snapshot = await later.until("snapshot")
            assert snapshot.id.startswith(f"{job.id}.")
            job.token("end")
            whole = "".join(f"{n};" for n in range(100)) + "end"
            assert (await later.until("regeneration_progress")).data["partialContent"] == whole
            over.set_result(None)
            assert (await later.until("message_regenerated")).data["content"] == whole


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("path", "status", "faults"),
    [
        (run_path("nobody", "x"), 404, None),
        (run_path("puppet", "x", user="bob"), 404, None),
        (run_path("puppet", None), 400, ["?"]),
        (run_path("puppet", ""), 400, ["?query"]),
        (run_path("puppet", "x" * 4001), 400, ["?query"]),
        (run_path("puppet", "x", session="a%20b"), 400, ["session_id"]),
        (run_path("puppet", "x", session="x" * 129), 400, ["session_id"]),
        (run_path("edit_message", "x"), 400, ["?query"]),
    ],
)
async def test_what_is_no_run_is_refused_and_starts_nothing(
    here: Place, path: str, status: int, faults: list[str] | None
) -> None:
    answer = await here.ask("GET", path)
    assert answer.status == status
    assert faults is None or answer.faults == faults
    assert not await here.jobs()


async def test_two_names_of_a_session_are_one_too_many(here: Place) -> None:
    answer = await here.ask("GET", run_path("puppet", "x"), headers={"X-Session-Id": "t"})
    assert answer.faults == ["X-Session-Id"]


async def test_the_longest_query_is_taken(here: Place) -> None:
    async with here.open(run_path("puppet", "x" * 4000)):
        asked, _, over = await here.puppets.next()
        assert asked == {"query": "x" * 4000}
        over.set_result(None)


async def test_without_authentication_the_path_may_name_anyone() -> None:
    async with place(rules(auth={"jwt_secret": "", "mode": "none"}), *APPS) as here:
        answer = await here.run("parrot", "hello", user="whoever")
        assert answer.frames[-1].data["content"] == "hello"
        assert answer.frames[0].data["userId"] == "anonymous"


async def test_a_cookie_alone_starts_nothing(here: Place) -> None:
    """A page of another origin could name this address in an image."""
    url = here._url(run_path("puppet", "x"))
    async with here.http.get(url, headers={"Cookie": f"access_token={ANN}"}) as answer:
        assert answer.status == 403
    assert not await here.jobs()


async def test_many_readers_of_one_run_each_get_all_of_it(here: Place) -> None:
    opened = asyncio.Barrier(51)

    async def read() -> list[Any]:
        async with here.open(run_path("puppet", "x")) as reading:
            await reading.until("connection")
            await opened.wait()
            return [frame.data for frame in await reading.frames_until("message_regenerated")]

    readers = [asyncio.create_task(read()) for _ in range(50)]
    _, job, over = await here.puppets.next()
    await opened.wait()
    for n in range(20):
        job.token(f"{n};")
        await job.flush()
    over.set_result(None)
    everybody = await asyncio.gather(*readers)
    assert all(one == everybody[0] for one in everybody)
    assert everybody[0][-1]["content"] == "".join(f"{n};" for n in range(20))
