"""The printed Python that publishes to a session runs in this process, under the printed names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import pytest

from sse_server import sse
from sse_server.broadcast import EnhancedSSEBroadcaster, Subscriber
from tests.seeds.documents import Documents
from tests.seeds.snippet import play

SESSION: Final = "talk"


async def test_a_simple_event_arrives(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    names = await play(documents["004 python 4"])
    async with broadcaster.subscribe(SESSION) as queue:
        await names["send_simple_event"](SESSION, "Hello")
        [(name, data)] = await drained(queue)
    assert (name, data["content"]) == ("message", "Hello")


async def test_built_events_tell_a_regeneration(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    async def steps(query: str) -> AsyncIterator[tuple[float, str]]:
        yield 50.0, query[:2]

    names = await play(documents["004 python 5"], ai_generation_process=steps, final_content="all of it")
    async with broadcaster.subscribe(SESSION) as queue:
        await names["regenerate_message"](SESSION, "m2", "m1", "What?")
        started, progress, completed = await drained(queue)
    assert started[0] == "message_regenerating"
    assert started[1].items() >= {"messageId": "m2", "originalMessageId": "m1", "userQuery": "What?"}.items()
    assert progress[0] == "regeneration_progress"
    assert progress[1].items() >= {"messageId": "m2", "progress": 50.0, "partialContent": "Wh"}.items()
    assert completed[0] == "message_regenerated"
    assert completed[1].items() >= {"messageId": "m2", "sessionId": SESSION, "content": "all of it"}.items()
    assert started[1]["taskId"] == progress[1]["taskId"] == completed[1]["taskId"]


async def test_a_built_event_is_complete(documents: Documents) -> None:
    """Where the one that is put together by hand forgets the task."""
    good, bad = documents["004 python 12"].split("\n\n")
    given = {"msg_id": "m1", "session_id": SESSION, "task_id": "t1", "content": "all of it"}
    built, by_hand = (await play(good, **given))["event"], (await play(bad, **given))["event"]
    assert built.type == by_hand["type"]
    assert built.data.items() >= by_hand["data"].items()
    assert built.data["taskId"] == "t1"


async def test_a_regeneration_that_fails_says_so(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    def fails(query: str) -> None:
        raise ValueError(query)

    names = await play(documents["004 python 5"], ai_generation_process=fails)
    async with broadcaster.subscribe(SESSION) as queue:
        with pytest.raises(ValueError, match="Why"):
            await names["regenerate_message"](SESSION, "m2", "m1", "Why?")
        _, (name, data) = await drained(queue)
    assert (name, data["error"]) == ("regeneration_error", "Why?")


async def test_trackers_tell_thoughts_and_progress(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    names = await play(documents["004 python 6"], final_content="the answer")
    async with broadcaster.subscribe(SESSION) as queue:
        await names["complex_ai_task"](SESSION, "why")
        told = await drained(queue)
    assert [name for name, _ in told] == [
        "thought_process_start",
        *["thought_process_step"] * 2,
        *["regeneration_progress"] * 2,
        "thought_process_complete",
        "message_regenerated",
    ]
    assert "why" in told[0][1]["thinkingAbout"]
    assert all(
        {"step", "reasoning", "messageId", "sessionId", "taskId", "timestamp"} <= told[n][1].keys() for n in (1, 2)
    )
    assert [told[n][1]["progress"] for n in (3, 4)] == [25.0, 75.0]
    assert told[5][1]["conclusion"]
    assert told[6][1]["content"] == "the answer"


async def test_trackers_tell_an_error(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    """Here the text that the document leaves out is missing."""
    names = await play(documents["004 python 6"])
    async with broadcaster.subscribe(SESSION) as queue:
        with pytest.raises(NameError):
            await names["complex_ai_task"](SESSION, "why")
        *_, (name, data) = await drained(queue)
    assert (name, "final_content" in data["error"]) == ("regeneration_error", True)


async def test_an_event_may_have_a_ttl_of_its_own(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    """Where the document leaves the data out, there is some."""
    text = documents["004 python 11"].replace("{...}", "{'messageId': 'm1'}")
    await play(text, broadcaster=broadcaster, session_id=SESSION)
    recent = await broadcaster.get_event_history(SESSION)
    assert [event.type for event in recent] == ["status_update", "message_regenerated"]


async def test_a_broadcast_that_fails_is_told_as_an_error(
    documents: Documents, broadcaster: EnhancedSSEBroadcaster
) -> None:
    """A reserved type can't be broadcast."""
    names = await play(documents["004 python 13"])
    await names["safe_broadcast"](SESSION, "connection", {})
    [event] = await broadcaster.get_event_history(SESSION)
    assert (event.type, event.data["originalEvent"]) == ("error", "connection")


async def test_a_batch_keeps_its_order(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    names = await play(documents["004 python 15"])
    await names["batch_broadcast"](SESSION, [{"type": "message", "data": {"n": n}} for n in range(20)])
    assert [event.data["n"] for event in await broadcaster.get_event_history(SESSION)] == list(range(20))


async def drained(queue: Subscriber) -> list[tuple[str, dict[str, Any]]]:
    """Name and data of each event that waits."""
    parser = sse.Parser()
    events = [event for _ in range(queue.qsize()) for event in parser.feed((await queue.get()).encode())]
    return [(event.type, msgspec.json.decode(event.data)) for event in events]
