"""Regenerate, edit and delete: an answer at once, the rest in the session; and what is no message is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.access.place import rules
from tests.actions.place import ANN, BOB, Place, place

TASK = {"job_id", "session_id", "seq", "attempt", "timestamp", "type"}

SAID = {
    "regenerate": "Regeneration started, listen for SSE events",
    "edit": "Edit started, listen for SSE events",
    "delete": "Deletion started, listen for SSE events",
}
MORE: dict[str, dict[str, Any]] = {"regenerate": {"query": "why?"}, "edit": {"content": "new"}, "delete": {}}
ACTIONS = sorted(SAID)


@pytest.mark.parametrize("action", ACTIONS)
async def test_the_answer_comes_at_once_and_names_the_message(here: Place, action: str) -> None:
    answer = await here.act(action, sessionId="s", messageId="m1", **MORE[action])
    assert answer.status == 200
    assert answer.json == {"success": True, "messageId": "m1", "message": SAID[action]}
    (job,) = await here.jobs()
    assert answer.headers["Location"] == f"/api/jobs/{job['job_id']}"
    assert job["session_id"] == "s"


async def test_an_edit_is_told_to_the_session(here: Place) -> None:
    async with here.session("s") as reading:
        await here.act("edit", sessionId="s", messageId="m1", content="new")
        edited = await reading.until("message_edited")
        assert edited.data.keys() - TASK == {"messageId", "sessionId", "content"}
        assert (edited.data["messageId"], edited.data["sessionId"], edited.data["content"]) == ("m1", "s", "new")
        assert (await reading.until("done")).data["status"] == "succeeded"


async def test_a_deletion_is_told_to_the_session(here: Place) -> None:
    async with here.session("s") as reading:
        await here.act("delete", sessionId="s", messageId="m1")
        deleted = await reading.until("message_deleted")
        assert deleted.data.keys() - TASK == {"messageId", "sessionId", "deletedMessageIds"}
        assert deleted.data["deletedMessageIds"] == ["m1"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "named",
    [
        {"sessionId": "s", "messageId": "m1"},
        {"session_id": "s", "message_id": "m1"},
        {"sessionId": "s", "message_id": "m1"},
        {"sessionId": "s", "session_id": "s", "messageId": "m1", "message_id": "m1"},
    ],
)
async def test_names_may_be_written_in_either_way(here: Place, action: str, named: dict[str, str]) -> None:
    answer = await here.act(action, **named, **MORE[action])
    assert (answer.status, answer.json["messageId"]) == (200, "m1")
    assert [job["session_id"] for job in await here.jobs()] == ["s"]


GOOD = {"sessionId": "s", "messageId": "m1"}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"sessionId": "s"}, "$.messageId"),
        ({"messageId": "m1"}, "$.sessionId"),
        ({**GOOD, "session_id": "t"}, "$.sessionId"),
        ({**GOOD, "message_id": "m2"}, "$.messageId"),
        ({**GOOD, "messageId": ""}, "$.messageId"),
        ({**GOOD, "messageId": "x" * 129}, "$.messageId"),
        ({**GOOD, "messageId": 5}, "$.messageId"),
        ({**GOOD, "sessionId": ""}, "$.sessionId"),
        ({**GOOD, "sessionId": "a b"}, "$.sessionId"),
        ({**GOOD, "sessionId": "x" * 129}, "$.sessionId"),
        ({**GOOD, "sessionId": 5}, "$.sessionId"),
        ({**GOOD, "more": 1}, "$"),
        ([], "$"),
    ],
)
async def test_what_names_no_message_is_refused_where_it_is_wrong(
    here: Place, action: str, body: Any, path: str
) -> None:
    given = {**MORE[action], **body} if isinstance(body, dict) else body
    answer = await here.ask("POST", f"/api/chat_actions/{action}", json=given)
    assert answer.faults == [path]
    assert answer.json["errors"][0]["message"]
    assert not await here.jobs()


@pytest.mark.parametrize(
    ("action", "more", "path"),
    [
        ("edit", {}, "$"),
        ("edit", {"content": ""}, "$.content"),
        ("edit", {"content": "x" * 4001}, "$.content"),
        ("edit", {"content": None}, "$.content"),
        ("regenerate", {"query": ""}, "$.query"),
        ("regenerate", {"query": "x" * 4001}, "$.query"),
        ("regenerate", {"query": 5}, "$.query"),
        ("delete", {"content": "x"}, "$"),
    ],
)
async def test_a_text_that_is_empty_too_long_or_none_is_refused(
    here: Place, action: str, more: dict[str, Any], path: str
) -> None:
    answer = await here.act(action, **GOOD, **more)
    assert answer.faults == [path]
    assert not await here.jobs()


async def test_the_longest_text_is_taken(here: Place) -> None:
    assert (await here.act("edit", **GOOD, content="x" * 4000)).status == 200
    assert (await here.act("delete", sessionId="s" * 128, messageId="m" * 128)).status == 200


async def test_a_header_names_the_session_where_the_body_does_not(here: Place) -> None:
    answer = await here.ask("POST", "/api/chat_actions/delete", headers={"X-Session-Id": "h"}, json={"messageId": "m1"})
    assert answer.status == 200
    assert [job["session_id"] for job in await here.jobs()] == ["h"]
    answer = await here.ask(
        "POST", "/api/chat_actions/delete", headers={"X-Session-Id": "a b"}, json={"messageId": "m1"}
    )
    assert answer.faults == ["X-Session-Id"]


async def test_the_same_idempotency_key_does_not_act_twice(here: Place) -> None:
    body = {**GOOD, "query": "why?"}
    answers = [
        await here.ask("POST", "/api/chat_actions/regenerate", headers={"Idempotency-Key": "k"}, json=body)
        for _ in range(2)
    ]
    assert [answer.json["messageId"] for answer in answers] == ["m1", "m1"]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert len(await here.jobs()) == 1


async def test_two_users_with_one_session_name_act_each_in_their_own(here: Place) -> None:
    async with here.session("s", BOB) as bobs, here.session("s", ANN) as anns:
        await here.act("delete", ANN, sessionId="s", messageId="anns")
        await here.act("delete", BOB, sessionId="s", messageId="bobs")
        assert (await bobs.until("message_deleted")).data["messageId"] == "bobs"
        assert (await anns.until("message_deleted")).data["messageId"] == "anns"


async def test_more_than_may_be_started_is_429() -> None:
    busy = "/apps/puppet/users/ann/sessions/s/run?query=x"
    async with place(rules(limits={"jobs_per_user": 1})) as here, here.open(busy):
        await here.puppets.next()
        answer = await here.act("delete", **GOOD)
        assert (answer.status, answer.json["code"]) == (429, "too_many_jobs")
