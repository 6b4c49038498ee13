"""Rates: so many starts a minute, at any minute, and nothing is remembered for longer."""

from __future__ import annotations

from typing import Any

import pytest

from sse_server.auth import Rate
from sse_server.auth.windows import Windows
from sse_server.errors import RateLimited


def starts_of(clock: Any, per_minute: int) -> Rate:
    return Rate(per_minute, "start jobs", clock=clock)


def taken(starts: Rate, user: str = "ann") -> bool:
    try:
        starts.take(user)
    except RateLimited:
        return False
    return True


def test_a_user_starts_so_many_jobs_a_minute_and_no_more(clock: Any) -> None:
    starts = starts_of(clock, 3)
    assert [taken(starts) for _ in range(5)] == [True, True, True, False, False]
    assert taken(starts, "bob")


def test_the_window_moves(clock: Any) -> None:
    """No burst at a minute's turn: any 60 seconds hold at most the limit."""
    starts, begun = starts_of(clock, 2), clock.now
    times = []
    for tick in range(200):
        clock.now = begun + tick
        times += [tick] * taken(starts)
    assert times == [0, 1, 60, 61, 120, 121, 180, 181]


def test_who_is_refused_is_told_when_to_come_back_and_that_is_true(clock: Any) -> None:
    starts = starts_of(clock, 2)
    assert taken(starts)
    clock.now += 20
    assert taken(starts)
    clock.now += 5
    with pytest.raises(RateLimited) as caught:
        starts.take("ann")
    assert caught.value.retry_after == pytest.approx(35)
    assert caught.value.status == 429
    clock.now += 34.9
    assert not taken(starts)
    clock.now += 0.1
    assert taken(starts)


def test_what_was_refused_does_not_count(clock: Any) -> None:
    starts = starts_of(clock, 1)
    assert taken(starts)
    for _ in range(59):
        clock.now += 1
        assert not taken(starts)
    clock.now += 1
    assert taken(starts)


def test_zero_is_no_limit(clock: Any) -> None:
    starts = starts_of(clock, 0)
    assert all(taken(starts) for _ in range(10_000))


@pytest.mark.parametrize(("one", "other"), [("a", "a/1"), ("a/2/1/minute", "a"), ("", "/")])
def test_users_whose_names_look_alike_are_counted_apart(one: str, other: str, clock: Any) -> None:
    starts = starts_of(clock, 1)
    assert taken(starts, one)
    assert taken(starts, other)


def test_idle_users_are_forgotten_and_a_busy_one_keeps_a_minute(clock: Any) -> None:
    windows = Windows(clock)
    for number in range(10_000):
        clock.now += 0.125
        assert windows.acquire_entry(f"user-{number}", 5, 60)
        assert windows.acquire_entry("busy", 1_000_000, 60)
    assert len(windows._moments) <= 481
    assert windows.get("busy") <= 480
    clock.now += 61
    assert windows.acquire_entry("new", 5, 60)
    assert list(windows._moments) == ["new"]


def test_the_storage_answers_what_the_library_asks(clock: Any) -> None:
    windows = Windows(clock)
    assert windows.acquire_entry("a", 5, 60, 3)
    assert not windows.acquire_entry("a", 5, 60, 3)
    assert windows.get_moving_window("a", 5, 60) == (clock.now, 3)
    assert windows.get_moving_window("b", 5, 60) == (clock.now, 0)
    windows.clear("a")
    assert (windows.get("a"), windows.check(), windows.reset()) == (0, True, 0)
    with pytest.raises(NotImplementedError):
        windows.incr("a", 60)
    with pytest.raises(NotImplementedError):
        windows.get_expiry("a")
