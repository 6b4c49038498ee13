"""The agent `regenerate`: what it tells the session, what it writes with a model and without, and how it fails."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from aiohttp import web

from sse_server.actions.regenerate import EXPECTED, NOTHING_KNOWN
from sse_server.config import Settings
from tests.access.place import rules
from tests.actions.place import Frame, Place, place
from tests.chat.upstream import DONE, Upstream, cued, hello, opened, refusing, serving, text

QUERY = "How do I deploy a Flask app, and what does it cost?"
ORDER = [
    "message_regenerating",
    "thought_process_start",
    "thought_process_step",
    "regeneration_progress",
    "thought_process_complete",
    "message_regenerated",
]


def with_model(upstream: Upstream) -> Settings:
    return rules(provider={"base_url": upstream.base_url, "api_key": "sk-secret", "max_retries": 0})


async def told(here: Place, **body: Any) -> list[Frame]:
    """What the session sees of one regeneration, up to its `done`."""
    async with here.session("s") as reading:
        before = await here.jobs()
        if before:  # what is in the session's history
            for _ in before:
                await reading.until("done")
        assert (await here.act("regenerate", sessionId="s", messageId="m1", **body)).status == 200
        return await reading.frames_until("done")


def of(frames: list[Frame], type: str) -> list[Frame]:
    return [frame for frame in frames if frame.type == type]


async def test_the_session_sees_how_the_answer_comes_about(here: Place) -> None:
    frames = await told(here, query=QUERY)
    first_seen = dict.fromkeys(frame.type for frame in frames if frame.type in ORDER)
    assert sorted(first_seen) == sorted(ORDER)
    assert [kind for kind in first_seen if kind != "regeneration_progress"] == [
        kind for kind in ORDER if kind != "regeneration_progress"
    ]
    (job,) = await here.jobs()
    for frame in frames:
        if frame.type in ORDER:
            assert frame.data["messageId"] == "m1"
            assert frame.data["sessionId"] == frame.data["session_id"] == "s"
            assert frame.data["taskId"] == frame.data["job_id"] == job["job_id"]
    started, thinking = of(frames, "message_regenerating")[0], of(frames, "thought_process_start")[0]
    assert (started.data["originalMessageId"], started.data["userQuery"]) == ("m1", QUERY)
    assert thinking.data["thinkingAbout"] == QUERY


async def test_progress_rises_from_0_to_100_and_the_text_only_grows(here: Place) -> None:
    frames = await told(here, query=QUERY)
    progress = [frame.data["progress"] for frame in of(frames, "regeneration_progress")]
    texts = [frame.data["partialContent"] for frame in of(frames, "regeneration_progress")]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1]) == (0, 100)
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    (message,) = of(frames, "message_regenerated")
    assert message.data["content"] == texts[-1]
    assert frames[-1].data["result"] == {"messageId": "m1", "content": texts[-1]}


async def test_offline_the_same_question_gets_the_same_text_which_holds_the_question(here: Place) -> None:
    one, other = [of(await told(here, query=QUERY), "message_regenerated")[0].data["content"] for _ in range(2)]
    assert one == other
    assert QUERY in one
    assert "1. How do I deploy a Flask app" in one
    assert "2. what does it cost?" in one


async def test_a_model_writes_the_answer() -> None:
    async with serving(hello) as upstream, place(with_model(upstream)) as here:
        frames = await told(here, query=QUERY)
        assert of(frames, "message_regenerated")[0].data["content"] == "Hello, world"
        assert of(frames, "usage")[0].data["tokens_out"] == 15
        (asked,) = upstream.requests
        assert asked["body"]["messages"][-1] == {"role": "user", "content": QUERY}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (refusing(429), "provider_busy", "Overloaded, please try again soon."),
        (refusing(500), "provider_failed", "Server error, please try again later."),
    ],
)
async def test_a_model_that_fails_is_told_in_a_sentence_and_the_job_fails(answer: object, code: str, said: str) -> None:
    async with serving(answer) as upstream, place(with_model(upstream)) as here:  # type: ignore[arg-type]
        frames = await told(here, query=QUERY)
        (failed,) = of(frames, "regeneration_error")
        assert (failed.data["messageId"], failed.data["error"]) == ("m1", said)
        assert not of(frames, "message_regenerated")
        assert frames[-1].data["error"] == {"code": code, "message": said}
        assert "sk-secret" not in str(frames)


async def test_a_model_that_says_nothing_has_failed() -> None:
    async def nothing(_: Upstream, request: web.Request) -> web.StreamResponse:
        return await opened(request, text(" \n"), text(None, "stop"), DONE)

    async with serving(nothing) as upstream, place(with_model(upstream)) as here:
        frames = await told(here, query=QUERY)
        assert "no answer" in of(frames, "regeneration_error")[0].data["error"]
        assert frames[-1].data["error"]["code"] == "empty_answer"


async def test_of_a_long_text_the_end_is_shown_on_the_way_and_all_of_it_at_last() -> None:
    long = "".join(f"{n:06d} " for n in range(12_000))

    async def at_length(_: Upstream, request: web.Request) -> web.StreamResponse:
        return await opened(request, text(long), text(None, "stop"), DONE)

    async with serving(at_length) as upstream, place(with_model(upstream)) as here:
        frames = await told(here, query=QUERY)
        shown = [frame.data["partialContent"] for frame in of(frames, "regeneration_progress")]
        assert max(map(len, shown)) == 64 * 1024
        assert long.strip().endswith(shown[-1])
        assert of(frames, "message_regenerated")[0].data["content"] == long.strip()


async def test_a_slow_model_is_followed_while_it_writes() -> None:
    async with serving(cued) as upstream, place(with_model(upstream)) as here, here.session("s") as reading:
        await here.act("regenerate", sessionId="s", messageId="m1", query=QUERY)
        for end in (150, 300):
            upstream.cues.put_nowait("x" * 150)
            while (progress := await reading.until("regeneration_progress")).data["partialContent"] != "x" * end:
                pass
            assert progress.data["progress"] == round(end / EXPECTED * 100, 1)
        upstream.cues.put_nowait(None)
        assert (await reading.until("message_regenerated")).data["content"] == "x" * 300


async def test_a_cancelled_one_stops_asking_and_tells_of_no_message() -> None:
    async with serving(cued) as upstream, place(with_model(upstream)) as here, here.session("s") as reading:
        answer = await here.act("regenerate", sessionId="s", messageId="m1", query=QUERY)
        await upstream.asked.wait()
        await here.ask("POST", f"{answer.headers['Location']}/cancel")
        frames = await reading.frames_until("done")
        assert frames[-1].data["status"] == "cancelled"
        assert not of(frames, "message_regenerated") + of(frames, "regeneration_error")
        await upstream.disconnected.wait()


# ---------------------------------------------------------------- without its question


async def test_without_a_question_the_sessions_own_words_are_used(here: Place) -> None:
    await told(here, query=QUERY)
    again = await told(here)
    assert of(again, "message_regenerating")[0].data["userQuery"] == QUERY


async def test_without_a_question_a_known_message_is_worked_over(here: Place) -> None:
    await here.act("edit", sessionId="s", messageId="m1", content="Ship it on Friday")
    frames = await told(here)
    assert of(frames, "thought_process_start")[0].data["thinkingAbout"] == "Ship it on Friday"
    assert "Ship it on Friday" in of(frames, "message_regenerated")[0].data["content"]


async def test_a_published_message_is_known_too(here: Place) -> None:
    event = {"type": "message", "data": {"messageId": "m1", "content": "Published words"}}
    assert (await here.ask("POST", "/api/sessions/s/events", json=event)).status == 201
    assert "Published words" in of(await told(here), "message_regenerated")[0].data["content"]


async def test_a_known_message_of_any_length_is_cut_to_what_can_be_worked_over(here: Place) -> None:
    event = {"type": "message", "data": {"messageId": "m1", "content": "word " * 10_000}}
    await here.ask("POST", "/api/sessions/s/events", json=event)
    assert len(of(await told(here), "thought_process_start")[0].data["thinkingAbout"]) == 16_000


@pytest.mark.parametrize("data", [{"messageId": "m1", "content": 5}, {"messageId": ["m1"], "content": "x"}, {}])
async def test_what_somebody_published_in_another_shape_is_passed_over(here: Place, data: dict[str, object]) -> None:
    await here.ask("POST", "/api/sessions/s/events", json={"type": "message", "data": data})
    assert of(await told(here), "message_regenerated")[0].data["content"] == NOTHING_KNOWN


async def test_a_message_that_nobody_knows_is_answered_with_what_is_missing(here: Place) -> None:
    frames = await told(here)
    assert of(frames, "message_regenerated")[0].data["content"] == NOTHING_KNOWN
    assert of(frames, "message_regenerating")[0].data["userQuery"] == ""


async def test_a_deleted_message_is_known_no_more(here: Place) -> None:
    await told(here, query=QUERY)
    await here.act("delete", sessionId="s", messageId="m1")
    assert of(await told(here), "message_regenerated")[0].data["content"] == NOTHING_KNOWN


async def test_another_message_of_the_session_is_not_mistaken_for_it(here: Place) -> None:
    await here.act("edit", sessionId="s", messageId="other", content="Other words")
    assert of(await told(here), "message_regenerated")[0].data["content"] == NOTHING_KNOWN


async def test_as_a_job_of_its_own_it_makes_up_the_messages_id(here: Place) -> None:
    body = {"agent": "regenerate", "input": {"query": QUERY}}
    answer = await here.ask("POST", "/api/jobs", headers={"Accept": "text/event-stream"}, json=body)
    events = [msgspec.json.decode(block.split(b"data: ")[1].split(b"\n")[0]) for block in answer.blocks]
    done = events[-1]
    assert done["result"]["messageId"] == done["job_id"].replace("job_", "msg_")
