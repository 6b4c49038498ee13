"""Events as their author makes them: one frame each, whatever is in them, and the fields that clients look for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.broadcast import SSEEvent, SSEEventBuilder
from sse_server.errors import InvalidEvent
from sse_server.sse import Parser

TASK = ("m1", "s1", "t1")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_a_frame_has_type_data_and_id_in_this_order() -> None:
    assert SSEEvent("note", {"a": 1}, "e-1").to_sse_format() == 'event: note\ndata: {"a":1}\nid: e-1\n\n'
    assert SSEEvent("note", {}).to_sse_format() == "event: note\ndata: {}\n\n"


def test_what_only_a_server_publishes_can_still_be_written_as_a_frame() -> None:
    """The document's own endpoint begins with `connection` and sends `keepalive`."""
    assert SSEEvent(type="connection", data={"status": "connected"}).to_sse_format().startswith("event: connection\n")


TEXTS = st.text() | st.sampled_from(["\r", "\n", "\r\n", "\0", "\ud800", "\u2028", "data: x\n\n"])


@given(st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS)))
def test_no_data_can_break_a_frame(data: dict[str, Any]) -> None:
    text = SSEEvent("note", data).to_sse_format()
    (event,) = Parser().feed(text.encode())
    assert event.type == "note"
    assert text.count("\n") == 3
    assert "\r" not in text


@pytest.mark.parametrize("type", ["", "a\nb", "a b", "ä", "a" * 65, "1a", None, 5])
def test_a_type_that_no_frame_can_hold_is_refused(type: Any) -> None:
    with pytest.raises(InvalidEvent, match="type is a letter"):
        SSEEvent(type, {})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": []}, "data is a dict"),
        ({"data": None}, "data is a dict"),
        ({"data": {}, "id": "a\nb"}, "on one line"),
        ({"data": {}, "id": 5}, "on one line"),
        ({"data": {}, "ttl": "soon"}, "number of seconds"),
        ({"data": {}, "ttl": True}, "number of seconds"),
    ],
)
def test_fields_of_the_wrong_kind_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidEvent, match=said):
        SSEEvent("note", **fields)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "a dict of type and data"),
        ({"type": "note"}, "has a data"),
        ({}, "has a data and type"),
        ({"type": "note", "data": {}, "tll": 5}, "no 'tll'"),
    ],
)
def test_a_dict_that_is_no_event_says_what_is_wrong(given: Any, said: str) -> None:
    with pytest.raises(InvalidEvent, match=said):
        SSEEvent.of(given)


@pytest.mark.parametrize(
    ("built", "type", "fields"),
    [
        (
            SSEEventBuilder.message_regeneration_started(*TASK, original_message_id="m0", user_query="why?"),
            "message_regenerating",
            {"taskId": "t1", "originalMessageId": "m0", "userQuery": "why?"},
        ),
        (
            SSEEventBuilder.regeneration_progress(*TASK, progress=12.5, message="so far", partial_content="ab"),
            "regeneration_progress",
            {"taskId": "t1", "progress": 12.5, "message": "so far", "partialContent": "ab"},
        ),
        (
            SSEEventBuilder.message_regenerated(*TASK, content="all"),
            "message_regenerated",
            {"taskId": "t1", "content": "all"},
        ),
        (
            SSEEventBuilder.regeneration_error(*TASK, error="no"),
            "regeneration_error",
            {"taskId": "t1", "error": "no"},
        ),
        (SSEEventBuilder.message_edited("m1", "s1", "new"), "message_edited", {"content": "new"}),
        (SSEEventBuilder.message_deleted("m1", "s1", ["m1"]), "message_deleted", {"deletedMessageIds": ["m1"]}),
    ],
)
def test_a_built_event_has_the_fields_that_its_clients_look_for(
    built: SSEEvent, type: str, fields: dict[str, Any]
) -> None:
    assert built.type == type
    stamp = built.data["timestamp"]
    assert STAMP.fullmatch(stamp)
    assert built.data == {"messageId": "m1", "sessionId": "s1", "timestamp": stamp, **fields}


@pytest.mark.parametrize("progress", [-0.1, 100.1, float("nan"), "50", None, True])
def test_progress_is_a_percentage(progress: Any) -> None:
    with pytest.raises(InvalidEvent, match="percentage"):
        SSEEventBuilder.regeneration_progress(*TASK, progress, "", "")
