"""The text so far: it only grows, is told the same when an event is rendered again, and costs no square."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.actions import telling
from sse_server.actions.telling import Telling
from sse_server.events import Event
from sse_server.jobs import MAX_TEXT


def token(seq: int, text: str, time: int = 0) -> Event:
    return Event(seq, "token", "job_1", 1, time, msgspec.json.encode({"text": text}))


def reset(seq: int) -> Event:
    return Event(seq, "attempt_reset", "job_1", 2, 0, b'{"from_seq":1,"reason":"error"}')


def test_each_piece_of_a_short_text_is_told_with_all_before_it() -> None:
    told = Telling()
    assert [told.hear(token(n, word)) for n, word in enumerate(["Hello", " ", "world"], 1)] == [
        "Hello",
        "Hello ",
        "Hello world",
    ]


def test_an_event_that_says_nothing_is_not_told() -> None:
    told = Telling()
    assert told.hear(token(1, "")) is None
    assert told.hear(Event(2, "insight", "job_1", 1, 0, b"{}")) is None
    assert told.text == ""


@given(
    pieces=st.lists(st.tuples(st.text(min_size=1, max_size=30), st.integers(0, 200_000)), max_size=60),
    again=st.lists(st.integers(0, 59)),
)
def test_whatever_is_rendered_again_is_told_as_before(pieces: list[tuple[str, int]], again: list[int]) -> None:
    told, at = Telling(), 0
    events = []
    for seq, (text, pause) in enumerate(pieces, 1):
        at += pause
        events.append(token(seq, text, at))
    first = [told.hear(event) for event in events]
    whole = "".join(text for text, _ in pieces)
    assert told.text == whole
    texts = [text for text in first if text is not None]
    assert texts == sorted(texts, key=len)
    assert all(whole.startswith(text) for text in texts)
    for n in again:
        if n < len(events):
            assert told.hear(events[n]) == first[n]
    assert told.text == whole


def test_who_hears_from_the_begin_up_to_any_place_goes_on_with_the_same_frames() -> None:
    events = [token(n, "x" * (n % 7), n * 50_000) for n in range(1, 200)]
    whole = Telling()
    frames = [whole.hear(event) for event in events]
    for cut in range(0, len(events), 13):
        later = Telling()
        for event in events[:cut]:
            later.hear(event)
        assert [later.hear(event) for event in events[cut:]] == frames[cut:]


def test_a_flood_of_small_pieces_costs_little_more_than_its_text() -> None:
    told = Telling()
    sent = sum(len(told.hear(token(n, "x")) or "") for n in range(1, 50_001))
    assert sent < 20 * 50_000


def test_a_slow_text_is_told_after_a_pause_however_little_came() -> None:
    told = Telling()
    told.hear(token(1, "x" * 10_000))
    assert told.hear(token(2, "y", telling.PAUSE - 1)) is None
    assert told.hear(token(3, "y", telling.PAUSE)) == "x" * 10_000 + "yy"


def test_an_attempt_that_begins_anew_begins_with_an_empty_text() -> None:
    told = Telling()
    told.hear(token(1, "void"))
    assert told.hear(reset(2)) is None
    assert told.hear(token(3, "new")) == "new"
    assert told.hear(reset(2)) is None
    assert told.text == "new"


def test_a_long_text_is_cut_from_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MAX_CONTENT", 2 * MAX_TEXT)
    told = Telling()
    for n in range(1, 6):
        shown = told.hear(token(n, str(n) * MAX_TEXT))
        assert shown == str(n) * MAX_TEXT
    assert told.text == "4" * MAX_TEXT + "5" * MAX_TEXT
    assert told.hear(token(4, "")) == "4" * MAX_TEXT


def test_only_so_many_events_can_be_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "REMEMBERED", 2)
    told = Telling()
    for n in range(1, 5):
        told.hear(token(n, "x" * n))
    assert [told.hear(token(n, "")) for n in range(1, 5)] == [None, None, "x" * 6, "x" * 10]
