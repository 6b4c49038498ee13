"""What a view lets through, and what it makes of a flush."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sse_server.events import Event
from sse_server.hub import View
from sse_server.hub.view import Made

if TYPE_CHECKING:
    from tests.hub.conftest import Digits


def event(seq: int, type: str = "note", job_id: str = "") -> Event:
    return Event(seq, type, job_id, 1, 0, b"{}")


@pytest.mark.parametrize("size", [0, 1, 30, 31, 32, 5000])
def test_padding_is_one_comment_behind_the_frames_as_long_as_was_asked(size: int, digits: Digits) -> None:
    flushed = View(digits, "s", padding=32, chunked=False).flush(b"x" * size)
    assert flushed == b"x" * size + b":" + b" " * 30 + b"\n"


def test_a_chunk_says_its_own_length_padding_and_all(digits: Digits) -> None:
    for padding in (0, 32):
        flushed = View(digits, "s", padding=padding).flush(b"x")
        size, _, rest = flushed.partition(b"\r\n")
        assert rest.endswith(b"\r\n")
        assert len(rest) - 2 == int(size, 16) == 1 + padding


def test_done_passes_every_filter_of_types_and_none_of_jobs(digits: Digits) -> None:
    view = View(digits, "s", job_id="a", types=frozenset({"token"}))
    told = [event(1, "token", "a"), event(2, "log", "a"), event(3, "token", "b"), event(4, "done", "b")]
    assert view.render([*told, event(5, "done", "a")], "e") == (b"1 5 ", 0)


def test_only_its_own_jobs_done_ends_a_stream_and_nothing_stands_behind_it(digits: Digits) -> None:
    view = View(digits, "s", job_id="a", ends=True)
    told = [event(1, "token", "a"), event(2, "done", "b"), event(3, "done", "a"), event(4, "token", "a")]
    assert view.render(told, "e") == (b"1 3 ", 3)
    assert view.render(told[:2], "e") == (b"1 ", 0)
    assert View(digits, "s", job_id="a").render(told, "e") == (b"1 3 4 ", 0)


def test_equal_views_share_the_frames_of_an_event(digits: Digits) -> None:
    made: Made = {}
    assert View(digits, "s", types=frozenset({"note"})).render([event(7)], "e", made) == (b"7 ", 0)
    assert list(made.values()) == [b"7 "]
    made[digits, 7] = b"seven "
    assert View(type(digits)(), "s").render([event(7)], "e", made) == (b"seven ", 0)
    assert len(made) == 1
