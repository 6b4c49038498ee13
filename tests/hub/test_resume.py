"""What a log says to a cursor."""

from __future__ import annotations

import msgspec
import pytest

from sse_server.eventlog import Head
from sse_server.events import EventId
from sse_server.hub import Cursor, Gap, judge

HEAD = Head("abc", 10, 20)


@pytest.mark.parametrize("text", ["abc-10", "abc-15", "abc-20"])
def test_a_cursor_goes_on_where_all_that_follows_is_kept(text: str) -> None:
    assert judge(Cursor.of(text), HEAD) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0", "trimmed"),
        ("abc-0", "trimmed"),
        ("abc-9", "trimmed"),
        ("abc-21", "ahead"),
        ("abc-999999999999999999", "ahead"),
        ("abd-15", "epoch"),
        ("abd-9", "epoch"),
        ("abc-9999999999999999999", "unreadable"),  # nineteen digits: no log counts so far
        ("abc-015", "unreadable"),
        ("abc--1", "unreadable"),
        ("abc-1.0", "unreadable"),
        ("abc-\u0661\u0665", "unreadable"),  # digits, but not of ours
        ("ABC-15", "unreadable"),
        ("abc-15\n", "unreadable"),
        ("abc-15\0", "unreadable"),
        (" abc-15", "unreadable"),
        ("-15", "unreadable"),
        ("15", "unreadable"),
        ("00", "unreadable"),
        ("x" * 10_000, "unreadable"),
    ],
)
def test_a_cursor_that_can_not_go_on_is_told_why_and_what_there_is(text: str, reason: str) -> None:
    assert judge(Cursor.of(text), HEAD) == Gap(text[:128], "abc-11", reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "reason"), [("0", None), ("abc-1", "epoch"), ("?", "unreadable")])
def test_a_log_that_is_not_there_misses_nothing_behind_the_start_alone(text: str, reason: str | None) -> None:
    gap = judge(Cursor.of(text), None)
    assert gap == (Gap(text, None, reason) if reason else None)  # type: ignore[arg-type]


def test_a_log_that_was_trimmed_whole_has_nothing_to_offer() -> None:
    assert judge(Cursor.of("0"), Head("abc", 20, 20)) == Gap("0", None, "trimmed")


def test_a_reader_who_sent_no_cursor_is_not_told_that_he_did() -> None:
    assert judge(Cursor.unsent(EventId("abc", 3)), HEAD) == Gap(None, "abc-11", "trimmed")


@pytest.mark.parametrize("sent", [b"\xff\xfe", b"\xed\xa0\x80", b"a\xf0\x9f"])
def test_a_gap_can_be_written_whatever_bytes_the_header_had(sent: bytes) -> None:
    gap = judge(Cursor.of(sent.decode("utf-8", "surrogateescape")), HEAD)
    assert gap
    assert gap.reason == "unreadable"
    assert msgspec.json.decode(msgspec.json.encode(gap), type=Gap) == gap
