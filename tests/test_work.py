"""What a snapshot keeps of a job's work is bounded, however much its agent says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from sse_server.encoding import encode_fields
from sse_server.jobs import MAX_ITEM_TEXT, MAX_ITEMS, MAX_TEXT, Work

Said = tuple[str, dict[str, Any]]


def worked(*said: Said) -> Work:
    """What the events add up to."""
    work = Work()
    for kind, fields in said:
        work.apply(kind, encode_fields(fields))
    return work


def token(text: str) -> Said:
    return "token", {"text": text}


def call(**more: Any) -> Said:
    return "tool_call", {"call_id": "1", "tool": "search", **more}


def result(**more: Any) -> Said:
    return "tool_result", {"call_id": "1", "tool": "search", **more}


def test_the_text_is_cut_from_the_front_beyond_its_bound() -> None:
    assert worked(token("x" * MAX_TEXT)).truncated is False
    work = worked(token("x"), token("y" * MAX_TEXT))
    assert (work.text, work.truncated) == ("y" * MAX_TEXT, True)
    work = worked(token("é" * (3 * MAX_TEXT)))
    assert (work.text, work.truncated) == ("é" * MAX_TEXT, True)


@given(st.lists(st.integers(0, MAX_TEXT), max_size=12), st.randoms(use_true_random=False))
def test_the_text_is_the_end_of_all_that_was_written_and_takes_a_bounded_room(lengths: list[int], random: Any) -> None:
    written = ""
    work = Work()
    for length in lengths:
        text = chr(random.randrange(97, 123)) * length
        written += text
        work.write(text)
        assert work.text == written[-MAX_TEXT:]
        assert work.truncated == (len(written) > MAX_TEXT)
        assert sum(map(len, work.pieces)) <= 2 * MAX_TEXT


def test_empty_tokens_take_no_room() -> None:
    assert worked(*[token("")] * 1000).pieces == []


MANY = MAX_ITEMS + 7
LONG = "x" * (MAX_ITEM_TEXT + 1)


@pytest.mark.parametrize(
    ("kind", "fields", "kept"),
    [
        ("step_progress", lambda n: {"step": str(n), "pct": 1, "status": "running"}, "steps"),
        ("insight", lambda n: {"text": str(n)}, "insights"),
        ("tool_call", lambda n: {"call_id": str(n), "tool": "t", "arguments": {}}, "tools"),
        ("specialist_update", lambda n: {"specialist": str(n), "status": "s"}, "specialists"),
    ],
)
def test_of_many_items_the_oldest_go(kind: str, fields: Any, kept: str) -> None:
    items = getattr(worked(*((kind, fields(n)) for n in range(MANY))), kept)
    names = [item.text for item in items] if isinstance(items, list) else list(items)
    assert names == [str(n) for n in range(MANY - MAX_ITEMS, MANY)]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("step_progress", {"step": LONG, "pct": 1, "status": LONG, "label": LONG, "message": LONG}),
        ("insight", {"text": LONG, "step": LONG, "category": LONG, "data": {"text": LONG}}),
        ("tool_call", {"call_id": LONG, "tool": LONG, "arguments": {"text": LONG}}),
        ("tool_result", {"call_id": LONG, "tool": LONG, "result": LONG, "error": LONG}),
        ("specialist_update", {"specialist": LONG, "status": LONG, "message": LONG}),
        ("usage", {"tokens_in": 1, "tokens_out": 1, "cost_usd": None, "model": LONG}),
    ],
)
def test_what_a_snapshot_keeps_of_one_event_is_bounded(kind: str, fields: dict[str, Any]) -> None:
    kept = msgspec.json.encode(worked((kind, fields)))
    assert len(kept) < 6 * MAX_ITEM_TEXT
    assert LONG.encode() not in kept


def test_a_large_value_of_a_tool_is_left_to_the_events() -> None:
    tool = worked(call(arguments={"text": LONG}), result(result=LONG)).tools["1"]
    assert (tool.arguments, tool.result) == (UNSET, UNSET)
    tool = worked(call(arguments={"q": 1}), result(result=LONG)).tools["1"]
    assert isinstance(tool.arguments, Raw)
    assert bytes(tool.arguments) == b'{"q":1}'
