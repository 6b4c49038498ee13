"""Frames and the parser against WHATWG HTML, section 9.2, byte by byte."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.sse import Parser, ServerSentEvent, comment, frame, padding

Said = tuple[str, str, str]
"""Type, data and last event id of one event."""

EXAMPLES: dict[str, tuple[bytes, list[Said]]] = {
    "9.2.1, three messages": (
        b"data: This is the first message.\n\ndata: This is the second message, it\n"  # noqa: ISC004  (one stream)
        b"data: has two lines.\n\ndata: This is the third message.\n\n",
        [
            ("message", "This is the first message.", ""),
            ("message", "This is the second message, it\nhas two lines.", ""),
            ("message", "This is the third message.", ""),
        ],
    ),
    "9.2.1, event types": (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [("add", "73857293", ""), ("remove", "2153", ""), ("add", "113411", "")],
    ),
    "9.2.6, three lines of data": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("message", "YHOO\n+2\n10", "")]),
    "9.2.6, four blocks": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [("message", "first event", "1"), ("message", "second event", ""), ("message", " third event", "")],
    ),
    "9.2.6, the end of the stream dispatches nothing": (
        b"data\n\ndata\ndata\n\ndata:",
        [("message", "", ""), ("message", "\n", "")],
    ),
    "9.2.6, one space after the colon": (
        b"data:test\n\ndata: test\n\n",
        [("message", "test", ""), ("message", "test", "")],
    ),
    "a byte order mark is no part of the first field": (b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")]),
    "a second byte order mark is": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("message", "b", "")]),
    "a byte order mark elsewhere is": (b"\n\xef\xbb\xbfdata: a\n\ndata: b\n\n", [("message", "b", "")]),
    "line ends of all kinds": (
        b"data: a\r\ndata: b\rdata: c\ndata: d\r\n\r\ndata: e\r\rdata: f\n\rdata: g\r\n\n",
        [("message", "a\nb\nc\nd", ""), ("message", "e", ""), ("message", "f", ""), ("message", "g", "")],
    ),
    "an id with a NUL changes nothing": (
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid: 3\nid: \0\ndata: c\n\n",
        [("message", "a", "1"), ("message", "b", "1"), ("message", "c", "3")],
    ),
    "an id stays until another one": (
        b"id: 1\n\ndata: a\n\ndata: b\nid: 2\n\n",
        [("message", "a", "1"), ("message", "b", "2")],
    ),
    "a type without data is forgotten": (b"event: x\n\ndata: a\n\n", [("message", "a", "")]),
    "an empty type is a message": (b"event: x\nevent:\ndata: a\n\n", [("message", "a", "")]),
    "fields that nobody knows": (
        b"data : a\nDATA: b\n data: c\ndatax: d\nfoo\n:data: e\ndata: f: g\n\n",
        [("message", "f: g", "")],
    ),
    "text that no other rule splits": (
        "data: a\x0b\x0c\x1c\x85\u2028\u2029b\n\n".encode(),
        [("message", "a\x0b\x0c\x1c\x85\u2028\u2029b", "")],
    ),
    "what is no UTF-8 becomes U+FFFD": (b"data: \xff\xc3\n\n", [("message", "\ufffd\ufffd", "")]),
    "a comment within an event": (b"data: a\n: b\r\ndata: c\n\n", [("message", "a\nc", "")]),
}


def said(*chunks: bytes) -> list[Said]:
    """The events that one parser makes of the chunks."""
    parser = Parser()
    return [(event.type, event.data, event.id) for chunk in chunks for event in parser.feed(chunk)]


examples = pytest.mark.parametrize(("stream", "events"), EXAMPLES.values(), ids=EXAMPLES)


@examples
def test_the_examples_of_the_specification_parse(stream: bytes, events: list[Said]) -> None:
    assert said(stream) == events


@examples
def test_it_does_not_matter_where_the_bytes_are_cut(stream: bytes, events: list[Said]) -> None:
    assert said(*(stream[n : n + 1] for n in range(len(stream)))) == events
    for cut in range(len(stream) + 1):
        assert said(stream[:cut], b"", stream[cut:]) == events, f"cut at {cut}"
    pairs = combinations(range(len(stream) + 1), 2) if len(stream) <= 80 else ()
    for first, second in pairs:
        assert said(stream[:first], stream[first:second], stream[second:]) == events, f"cut at {first}, {second}"


@examples
def test_crlf_and_cr_end_lines_as_lf_does(stream: bytes, events: list[Said]) -> None:
    if b"\r" not in stream:
        assert said(stream.replace(b"\n", b"\r\n")) == events
        assert said(stream.replace(b"\n", b"\r")) == events


def test_an_empty_chunk_between_cr_and_lf_makes_no_second_line_end() -> None:
    assert said(b"data: a\r", b"", b"\ndata: b\r", b"", b"", b"\n\r", b"", b"\n") == [("message", "a\nb", "")]


def test_a_torn_event_is_never_dispatched_and_its_id_not_taken_over() -> None:
    stream = b"id: 1\ndata: a\n\ndata: b\nid: 2\n\n"
    whole = stream.index(b"data: b")
    for cut in range(whole, len(stream)):
        parser = Parser()
        assert [event.data for event in parser.feed(stream[:cut])] == ["a"]
        assert parser.last_event_id == "1"


def test_the_last_event_id_is_that_of_the_event_in_hand() -> None:
    parser = Parser(last_event_id="0")
    ids = [(event.id, parser.last_event_id) for event in parser.feed(b"data: a\n\ndata: b\nid: 7\n\ndata: c\n\n")]
    assert ids == [("0", "0"), ("7", "7"), ("7", "7")]


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        ("0", 0),
        ("2500", 2500),
        ("007", 7),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("1 ", None),
        (" 1", None),
        ("1_000", None),
        ("\u0661\u0662", None),
        ("\u00b2", None),
        ("9" * 5000, None),
    ],
)
def test_retry_is_ascii_digits_or_nothing(value: str, retry: int | None) -> None:
    parser = Parser()
    assert list(parser.feed(f"retry: {value}\n".encode())) == []
    assert parser.retry == retry


def test_retry_counts_at_once_and_makes_no_event() -> None:
    parser = Parser()
    assert list(parser.feed(b"retry: 10\n\nretry: 20\nretry: x\n")) == []
    assert parser.retry == 20


def test_comments_are_counted_and_nothing_else() -> None:
    parser = Parser()
    assert list(parser.feed(b":\n: a\n:data: b\n\n")) == []
    assert parser.comments == 3


def test_a_line_without_an_end_is_refused() -> None:
    parser = Parser(max_line=10)
    assert list(parser.feed(b"data: 1234")) == []
    with pytest.raises(ValueError, match="longer than 10"):
        list(parser.feed(b"5"))


def test_an_event_without_an_end_is_refused() -> None:
    parser = Parser(max_line=1000)
    assert list(parser.feed(b"data\n" * 250)) == []
    with pytest.raises(ValueError, match="longer than 1000"):
        list(parser.feed(b"data\n"))


def test_events_and_comments_in_any_number_are_not() -> None:
    parser = Parser(max_line=100)
    assert sum(1 for _ in parser.feed(b"data: 12345\n: 12345\n\n" * 1000)) == 1000


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
words = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)


@given(
    value=json_values,
    event=st.just("") | words,
    event_id=st.just("") | st.from_regex(r"[a-z0-9]{1,10}-[0-9]{1,9}", fullmatch=True),
    retry=st.none() | st.integers(0, 10**9),
    cuts=st.lists(st.integers(0, 200), max_size=4),
)
def test_a_frame_parses_back_wherever_it_is_cut(
    value: Any, event: str, event_id: str, retry: int | None, cuts: list[int]
) -> None:
    made = frame(msgspec.json.encode(value), event=event.encode(), event_id=event_id.encode(), retry=retry)
    places = [0, *sorted(min(cut, len(made)) for cut in cuts), len(made)]
    parser = Parser()
    events = [event for start, end in pairwise(places) for event in parser.feed(made[start:end])]
    assert len(events) == 1
    assert (events[0].type, events[0].id, parser.last_event_id) == (event or "message", event_id, event_id)
    assert msgspec.json.decode(events[0].data) == value
    assert parser.retry == retry


@given(st.lists(json_values, max_size=5))
def test_frames_in_a_row_are_events_in_a_row(values: list[Any]) -> None:
    stream = b"".join(frame(msgspec.json.encode(value), event_id=b"e-%d" % n) for n, value in enumerate(values, 1))
    assert [msgspec.json.decode(data) for _, data, _ in said(stream)] == values


def test_a_frame_has_its_id_last_and_its_lines_end_in_lf() -> None:
    made = frame(b"{}", event=b"done", event_id=b"e-1", retry=5)
    assert made == b"retry: 5\nevent: done\ndata: {}\nid: e-1\n\n"
    assert frame(b"{}") == b"data: {}\n\n"
    assert frame(b"{}", retry=0) == b"retry: 0\ndata: {}\n\n"


@given(st.text() | st.text(st.sampled_from("\r\n\0\ud800\u2028:a ")))
def test_a_comment_never_breaks_out_of_its_line(text: str) -> None:
    made = comment(text)
    assert made.startswith(b":")
    assert made.endswith(b"\n")
    assert made.count(b"\n") == 1
    assert b"\r" not in made
    assert b"\0" not in made
    parser = Parser()
    assert list(parser.feed(b"data: a\n" + made + b"\n")) == [ServerSentEvent("a")]
    assert parser.comments == 1


@pytest.mark.parametrize("size", [2, 3, 100, 2048, 4096, 16384])
def test_padding_is_one_comment_of_exactly_its_size(size: int) -> None:
    made = padding(size)
    assert len(made) == size
    parser = Parser()
    assert list(parser.feed(made)) == []
    assert parser.comments == 1
    assert list(parser.feed(b"data: a\n" + made + b"\n")) == [ServerSentEvent("a")]


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_padding_that_no_comment_fits_into_is_nothing(size: int) -> None:
    assert padding(size) == b""
