"""The tail of a log: what waits for it, and what it costs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sse_server.eventlog import Head, LogKey
from sse_server.events import Event
from sse_server.hub import Tail
from sse_server.hub.tail import MAX_BYTES, MAX_EVENTS, MOST_EVENTS

if TYPE_CHECKING:
    from tests.hub.conftest import Beating, Heart

Until = Callable[[Callable[[], Any]], Any]
KEY = LogKey("ann", "notes")


def events(*seqs: int, size: int = 2) -> list[Event]:
    return [Event(seq, "note", "", 1, 0, b"x" * size) for seq in seqs]


def held(tail: Tail) -> list[int]:
    return [event.seq for event in tail.events]


def test_a_tail_holds_the_latest_events_and_no_more_than_it_may() -> None:
    tail = Tail(KEY, {})
    tail.push(events(*range(1, 3 * MAX_EVENTS)), "e")
    assert held(tail) == list(range(2 * MAX_EVENTS, 3 * MAX_EVENTS))
    tail.push(events(*range(3 * MAX_EVENTS, 3 * MAX_EVENTS + 10), size=MAX_BYTES // 4), "e")
    assert len(held(tail)) == 4
    tail.push(events(3 * MAX_EVENTS + 10, size=2 * MAX_BYTES), "e")
    assert len(held(tail)) == 1  # the latest one stays, however large


def test_a_tail_that_grows_event_by_event_stays_near_its_bound() -> None:
    tail = Tail(KEY, {})
    for seq in range(1, 3 * MAX_EVENTS):
        tail.push(events(seq), "e")
        assert held(tail)[-1] == seq
        assert len(tail.events) <= MOST_EVENTS
    assert len(tail.events) >= MAX_EVENTS


def test_what_was_seen_is_passed_over_and_a_hole_forgets_what_stands_before_it() -> None:
    tail = Tail(KEY, {})
    tail.push(events(1, 2, 3), "e")
    tail.push(events(2, 3, 4), "e")
    assert held(tail) == [1, 2, 3, 4]
    tail.push(events(7, 8), "e")
    assert held(tail) == [7, 8]
    tail.push(events(5, 6), "e")  # came late; the log has it
    assert held(tail) == [7, 8]
    assert tail.last == 8


def test_a_tail_answers_only_with_all_that_follows() -> None:
    tail = Tail(KEY, {})
    assert tail.after(0) is None
    tail.push(events(5, 6, 7), "e")
    assert tail.after(3) is None
    page = tail.after(4)
    assert page
    assert ([event.seq for event in page.events], page.passed) == ([5, 6, 7], 7)
    page = tail.after(7)
    assert page
    assert page.events == []
    assert tail.after(8) is None  # beyond what it knows


def test_another_epoch_begins_anew() -> None:
    tail = Tail(KEY, {})
    tail.push(events(1, 2), "old")
    tail.push(events(1), "new")
    assert (tail.epoch, held(tail)) == ("new", [1])


async def test_who_waits_is_woken_by_what_comes() -> None:
    tail = Tail(KEY, {})
    tail.learn(Head("e", 0, 5))
    waiting = [asyncio.ensure_future(tail.grown(5, 30)) for _ in range(3)]
    await asyncio.sleep(0)
    tail.push(events(6), "e")
    await asyncio.gather(*waiting)
    assert not tail._waiting


async def test_who_waits_for_what_is_there_already_does_not_wait() -> None:
    tail = Tail(KEY, {})
    tail.push(events(1, 2), "e")
    await tail.grown(1, 30)


async def test_waiting_has_an_end() -> None:
    tail = Tail(KEY, {})
    tail.learn(None)
    await tail.grown(0, 0.001)
    assert not tail._waiting


async def test_a_log_that_is_gone_is_noticed_and_then_waited_for() -> None:
    """Whoever waits on a log that was erased must wait: to look again at once, for ever, would stop the server."""
    tail = Tail(KEY, {})
    tail.push(events(1, 2, 3), "old")
    tail.learn(None)  # a reader found no log
    await tail.grown(0, 30)  # look again
    tail.learn(None)
    waiting = asyncio.ensure_future(tail.grown(0, 30))
    await asyncio.sleep(0)
    assert not waiting.done()
    tail.push(events(1), "new")
    await waiting


async def test_who_waits_is_let_go_when_the_hub_closes(beating: Beating, until: Until) -> None:
    async with beating() as heart:
        with heart.hub.tail(KEY) as tail:
            tail.learn(None)
            waiting = asyncio.ensure_future(tail.grown(0, 30))
            await until(lambda: tail._waiting)
            await heart.hub.close()
            await waiting


async def test_a_log_that_nobody_follows_has_no_tail(heart: Heart) -> None:
    await heart.publish()
    with heart.hub.tail(KEY), heart.hub.tail(KEY):
        assert list(heart.hub._tails) == [KEY]
    assert not heart.hub._tails
    await heart.publish()
    assert not heart.hub._tails


async def test_a_thousand_readers_at_rest_cost_the_same_on_a_long_log_and_on_a_short_one(
    beating: Beating, until: Until
) -> None:
    assert await _objects(beating, until, 2000) <= 1.02 * await _objects(beating, until, 100)


async def _objects(beating: Beating, until: Until, length: int) -> int:
    """How many objects a thousand readers keep alive who have read a log of that length."""
    async with beating() as heart:
        await heart.publish(length)
        gc.collect()
        before = len(gc.get_objects())
        readers = [heart.read() for _ in range(1000)]
        await until(lambda: all(reader.at_rest for reader in readers))
        assert all(reader.tape.seqs[-1] == length for reader in readers)
        for reader in readers:
            reader.tape.writes.clear()
        await asyncio.sleep(0)  # the loop throws away the timers that were cancelled
        gc.collect()
        return len(gc.get_objects()) - before
