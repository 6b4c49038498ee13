"""The messages of the panel: their fields, and frames that no text can break."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.panel.formatter import SSEFormatter
from sse_server.panel.surface import PanelSurface
from sse_server.sse import Parser, ServerSentEvent

AT = "2026-11-21T10:15:00.000000Z"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_fields_are_those_that_clients_read() -> None:
    assert SSEFormatter.text("hello", AT) == {"type": "text", "content": "hello", "timestamp": AT}
    assert SSEFormatter.tool_call("bmi", {"a": 1}, AT) == {
        "type": "tool_call",
        "tool": "bmi",
        "arguments": {"a": 1},
        "timestamp": AT,
    }
    assert SSEFormatter.specialist_update("units", "working", AT) == {
        "type": "specialist_update",
        "specialist": "units",
        "status": "working",
        "timestamp": AT,
    }


def test_without_a_timestamp_it_is_now() -> None:
    before = datetime.now(UTC)
    for message in (SSEFormatter.text(""), SSEFormatter.tool_call("t", {}), SSEFormatter.specialist_update("s", "x")):
        assert before <= datetime.fromisoformat(message["timestamp"]) <= datetime.now(UTC)


def test_a_frame_is_an_event_line_a_data_line_and_a_blank_one() -> None:
    assert SSEFormatter.format_message("done", {"status": "complete"}) == 'event: done\ndata: {"status":"complete"}\n\n'


@given(st.dictionaries(st.text(), JSON))
def test_no_text_breaks_a_frame(data: dict[str, Any]) -> None:
    frame = SSEFormatter.format_message("message", data)
    (event,) = Parser().feed(frame.encode())
    assert event == ServerSentEvent(frame.split("data: ", 1)[1][:-2], "message")
    mended = msgspec.json.decode(event.data)
    assert mended == data or any("\ufffd" in text for text in str(mended))


@pytest.mark.parametrize("name", ["", "a\nb", "a\r", "\0", "message\n\ndata: x"])
def test_a_type_that_is_not_one_line_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="one line of text"):
        SSEFormatter.format_message(name, {})


def test_a_heartbeat_is_a_comment_which_no_reader_takes_for_something_said() -> None:
    assert PanelSurface().heartbeat(1_704_074_400_000_000, 3) == b": heartbeat 1704074400000\n"
