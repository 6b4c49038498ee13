"""The trackers tell a session what a client of it waits for, in this order and with these fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sse_server.broadcast import Broadcaster, ProgressTracker, ThoughtProcessTracker
from sse_server.errors import InvalidEvent

PLACE = ("m1", "s1", "t1")


def told(frames: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Type and fields of each, without what all have."""
    common = {"messageId": "m1", "sessionId": "s1", "taskId": "t1"}
    found = []
    for frame in frames:
        fields = dict(frame.data)
        assert fields.pop("timestamp")
        assert common.items() <= fields.items()
        found.append((frame.type, {name: value for name, value in fields.items() if name not in common}))
    return found


async def test_thoughts_are_told_in_order(
    broadcaster: Broadcaster, rest_of: Callable[..., Awaitable[list[Any]]]
) -> None:
    subscriber = await broadcaster.add_subscriber("s1")
    tracker = ThoughtProcessTracker(message_id="m1", session_id="s1", task_id="t1", broadcaster=broadcaster)
    await tracker.start_thinking("why")
    await tracker.add_step(step="first", reasoning="because")
    await tracker.complete_thinking(conclusion="so")
    assert told(await rest_of(subscriber)) == [
        ("thought_process_start", {"thinkingAbout": "why"}),
        ("thought_process_step", {"step": "first", "reasoning": "because"}),
        ("thought_process_complete", {"conclusion": "so"}),
    ]


async def test_progress_ends_with_the_message_or_an_error(
    broadcaster: Broadcaster, rest_of: Callable[..., Awaitable[list[Any]]]
) -> None:
    subscriber = await broadcaster.add_subscriber("s1")
    tracker = ProgressTracker(*PLACE, broadcaster)
    await tracker.update_progress(progress=25.0, message="reading", partial_content="Let")
    await tracker.complete("Let it be")
    await tracker.error("no")
    assert told(await rest_of(subscriber)) == [
        ("regeneration_progress", {"progress": 25.0, "message": "reading", "partialContent": "Let"}),
        ("message_regenerated", {"content": "Let it be"}),
        ("regeneration_error", {"error": "no"}),
    ]


async def test_a_percentage_that_is_none_is_refused_and_nothing_is_told(broadcaster: Broadcaster) -> None:
    tracker = ProgressTracker(*PLACE, broadcaster)
    with pytest.raises(InvalidEvent):
        await tracker.update_progress(101.0, "", "")
    assert await broadcaster.get_event_history("s1") == []


async def test_a_tracker_tells_the_session_of_its_user(broadcaster: Broadcaster) -> None:
    await ProgressTracker(*PLACE, broadcaster, user="ann").complete("done")
    assert await broadcaster.get_event_history("s1") == []
    assert len(await broadcaster.get_event_history("s1", user="ann")) == 1
