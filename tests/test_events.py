"""An event's id, its JSON form, and what the log takes as an event's fields."""

from __future__ import annotations

import itertools
import random
import string
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from sse_server.encoding import MAX_DEPTH, MAX_EVENT_BYTES, encode_fields, encode_text
from sse_server.errors import InvalidEvent
from sse_server.events import (
    CONTROL_TYPES,
    JOB_EVENTS,
    RUNNER_TYPES,
    SESSION_PATTERN,
    START,
    TYPE_PATTERN,
    AnyJobEvent,
    Event,
    EventId,
    timestamp,
    without_none,
)

EPOCHS = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=32)
EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)


def nested(depth: int) -> Any:
    """`depth` lists within one another."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@given(EPOCHS, st.integers(0, 10**18 - 1))
def test_an_event_id_reads_back(epoch: str, seq: int) -> None:
    assert EventId.parse(str(EventId(epoch, seq))) == EventId(epoch, seq)


def test_zero_is_the_cursor_before_any_event() -> None:
    assert EventId.parse("0") is START
    assert str(START) == "0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "00",
        "0\n",
        "-",
        "-1",
        "e-",
        "e-1\n",
        "\ne-1",
        " e-1",
        "e-1 ",
        "e -1",
        "e- 1",
        "e-+1",
        "e--1",
        "e-01",
        "e-1-1",
        "e-1.0",
        "e-1e3",
        "e-0x1",
        "e-1_0",
        "E-1",
        "é-1",
        "e-\u0661",
        "e-\uff11",
        "e-\u00b2",
        "e\u2010" + "1",
        "e-1\0",
        "e-1\ud800",
        "e" * 33 + "-1",
        "e-" + "9" * 19,
        "e-" + "9" * 100_000,
        "job_1.e-1",
        "null",
        "undefined",
    ],
    ids=itertools.count(),
)
def test_an_event_id_that_no_log_wrote_is_none(text: str) -> None:
    assert EventId.parse(text) is None


@given(st.text())
def test_any_text_is_an_event_id_that_reads_back_or_none(text: str) -> None:
    parsed = EventId.parse(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize("pattern", [TYPE_PATTERN, SESSION_PATTERN])
def test_names_have_no_line_end(pattern: Any) -> None:
    assert pattern.fullmatch("a")
    assert not pattern.fullmatch("a\n")
    assert not pattern.fullmatch("")
    assert not pattern.fullmatch("\u0430")  # a Cyrillic letter that looks like one of ours


def test_every_type_of_the_protocol_is_known() -> None:
    assert JOB_EVENTS.keys() == {
        "job_queued", "job_started", "step_progress", "insight", "token", "tool_call", "tool_result",
        "specialist_update", "usage", "log", "attempt_reset", "done",
    }  # fmt: skip
    assert set(JOB_EVENTS.values()) == set(get_args(AnyJobEvent))
    assert JOB_EVENTS.keys() >= RUNNER_TYPES
    assert JOB_EVENTS.keys().isdisjoint(CONTROL_TYPES)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))  # noqa: DTZ001  (Hypothesis asks for it)
def test_a_timestamp_is_rfc_3339_in_utc_with_microseconds(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    written = timestamp((moment - EPOCH_START) // timedelta(microseconds=1))
    assert len(written) == len("2026-01-01T00:00:00.000000Z")
    assert written.endswith("Z")
    assert datetime.fromisoformat(written) == moment


hostile = '\r\n\0\ud83d\ude00\ud800\u2028"\\/'
texts = st.text(st.characters(exclude_categories=[])) | st.text(st.sampled_from(hostile))
numbers = st.integers(-(2**53), 2**53) | st.floats()
scalars = st.none() | st.booleans() | numbers | texts | st.binary() | st.sets(st.integers())
fields = st.dictionaries(
    texts,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)),
    max_size=4,
)


@given(
    own=fields,
    type=st.from_regex(TYPE_PATTERN, fullmatch=True),
    session=st.from_regex(SESSION_PATTERN, fullmatch=True),
    numbers=st.tuples(st.integers(1, 10**18 - 1), st.integers(1, 9), st.integers(0, 4 * 10**15)),
)
def test_an_event_is_one_line_of_json_whatever_its_fields_hold(
    own: dict[str, Any], type: str, session: str, numbers: tuple[int, int, int]
) -> None:
    seq, attempt, time = numbers
    body = encode_fields(own)
    made = Event(seq, type, "job_1", attempt, time, body).json(session)
    assert not set(made) & {0x00, 0x0A, 0x0D}
    made.decode()
    read = msgspec.json.decode(made)
    envelope = {"type": type, "job_id": "job_1", "session_id": session, "seq": seq, "attempt": attempt}
    assert read == envelope | {"timestamp": timestamp(time)} | msgspec.json.decode(body)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        (["\ud83d", "\ude00"], ["\ufffd", "\ufffd"]),
        ({"\ud800": ("\ud800", {"\ud800"})}, {"\ufffd": ["\ufffd", ["\ufffd"]]}),
        (float("nan"), None),
        (float("inf"), None),
        (b"\x00\xff", "AP8="),
        ({1: {2.5: 1}}, {"1": {"2.5": 1}}),
        (2**64, 2**64),
        (Raw(b'{"a": 1,\r\n "b": [ ]}'), {"a": 1, "b": []}),
    ],
)
def test_fields_are_written_as_json_can_hold_them(value: Any, written: Any) -> None:
    body = encode_fields({"field": value})
    assert msgspec.json.decode(body) == {"field": written}
    assert b"\n" not in body


class Found(Struct):
    text: str
    more: Any = None


def test_a_lone_surrogate_is_mended_inside_structs_and_beside_raw_json() -> None:
    body = encode_fields({"found": Found("\ud800", more=Found("b")), "raw": Raw(b'{\n"a": 1}'), "set": {1}})
    assert msgspec.json.decode(body) == {
        "found": {"text": "\ufffd", "more": {"text": "b", "more": None}},
        "raw": {"a": 1},
        "set": [1],
    }


def endless() -> dict[str, Any]:
    """A dict that holds itself."""
    value: dict[str, Any] = {}
    value["self"] = value
    return value


@pytest.mark.parametrize(
    "value",
    [
        object(),
        ["\ud800", object()],
        endless(),
        ["\ud800", endless()],
        nested(100_000),
        ["\ud800", nested(100_000)],
        {(1, 2): 3},
        {None: 1},
        10**5000,
        Raw(b"{bad"),
        Raw(b""),
        Raw(b'"\xff"'),
        Raw(b"1 2"),
        ["\ud800", Raw(b"{bad")],
        Raw(b"[" * 100_000 + b"]" * 100_000),
        print,
        Found,
    ],
    ids=itertools.count(),
)
def test_what_is_no_json_is_an_invalid_event_and_nothing_else(value: Any) -> None:
    with pytest.raises(InvalidEvent):
        encode_fields({"field": value})


def test_an_event_has_its_largest_size() -> None:
    around = len(b'{"text":""}')
    assert len(encode_fields({"text": "x" * (MAX_EVENT_BYTES - around)})) == MAX_EVENT_BYTES
    with pytest.raises(InvalidEvent, match=str(MAX_EVENT_BYTES + 1)):
        encode_fields({"text": "x" * (MAX_EVENT_BYTES - around + 1)})


@given(texts)
def test_a_text_alone_is_written_as_it_is_among_other_fields(text: str) -> None:
    assert encode_text(text) == encode_fields({"text": text})


def test_a_text_alone_is_bounded_and_mended_too() -> None:
    around = len('{"text":""}')
    assert len(encode_text("x" * (MAX_EVENT_BYTES - around))) == MAX_EVENT_BYTES
    with pytest.raises(InvalidEvent, match=str(MAX_EVENT_BYTES + 1)):
        encode_text("x" * (MAX_EVENT_BYTES - around + 1))
    assert msgspec.json.decode(encode_text("a\ud800b")) == {"text": "a\ufffdb"}


def test_an_event_has_its_deepest_nesting() -> None:
    """The object of the fields counts: a reader's parser has to take all of it."""
    encode_fields({"field": nested(MAX_DEPTH - 1)})
    with pytest.raises(InvalidEvent, match=str(MAX_DEPTH)):
        encode_fields({"field": nested(MAX_DEPTH)})


def test_brackets_in_texts_and_brackets_in_rows_are_no_nesting() -> None:
    encode_fields({'["{\\': '[{"\\' * 1000, "row": [[], {}] * 1000, "tree": [nested(50)] * 5})


def deepest(value: Any) -> int:
    """The nesting of a value, counted the slow way."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(deepest, inner), default=0)


def test_nesting_is_counted_right() -> None:
    choose = random.Random(1)

    def grow(depth: int) -> Any:
        if depth == 0:
            return '["'
        branches = [grow(depth - 1)] + [grow(choose.randrange(min(depth, 3))) for _ in range(choose.randrange(3))]
        choose.shuffle(branches)
        return branches if choose.random() < 0.5 else {f'"{n}[': branch for n, branch in enumerate(branches)}

    for depth in [*range(MAX_DEPTH - 10, MAX_DEPTH + 10)] * 5:
        value = {"field": grow(depth)}
        if deepest(value) <= MAX_DEPTH:
            encode_fields(value)
        else:
            with pytest.raises(InvalidEvent):
                encode_fields(value)


def test_fields_that_are_none_can_be_left_out() -> None:
    assert without_none(a=1, b=None, c=0, d="") == {"a": 1, "c": 0, "d": ""}
