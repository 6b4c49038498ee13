"""What is published: stored, delivered at once, left out once its time is over, and missed aloud."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from sse_server.config import Stream
from sse_server.errors import InvalidEvent
from sse_server.eventlog import Head
from sse_server.eventlog.order import now
from sse_server.events import START, Draft, EventId
from sse_server.hub import Cursor, Gap, View, judge
from sse_server.published import published
from tests.hub.conftest import KEY, Digits

if TYPE_CHECKING:
    from tests.hub.conftest import Beating, Heart, Tape

Until = Callable[[Callable[[], Any]], Any]


class Steady(Digits, frozen=True):
    """Its heartbeats come every interval, and its opening is a whole block."""

    steady: ClassVar[bool] = True

    def opening(self, retry_ms: int, time: int) -> bytes:
        return b"hello \n\n"


async def on_gap(gap: Gap) -> None:
    raise AssertionError(gap)


def note(ttl: float = 60.0) -> Draft:
    return published("note", {}, now=now(), ttl=ttl)


async def test_what_is_published_is_stored_and_reaches_who_reads(heart: Heart, until: Until) -> None:
    reader = heart.read()
    await until(lambda: reader.at_rest)
    receipt = await heart.hub.publish(KEY, [note(), note()])
    assert (receipt.first, (await heart.head()).last) == (1, 2)
    await until(lambda: reader.tape.seqs == [1, 2])
    assert heart.hub.tally.events == {"custom": 2}


async def test_an_event_past_its_time_is_passed_over_also_in_the_tail(
    heart: Heart, tape_of: type[Tape], until: Until
) -> None:
    await heart.hub.publish(KEY, [note()])
    slow = heart.read(tape=tape_of(stuck=True))
    await until(lambda: slow.tape.seqs == [1])
    await heart.hub.publish(KEY, [note(1e-6), note()])
    assert [event.seq for event in slow.subscriber.tail.events] == [2, 3]
    slow.tape.room.set()
    await until(lambda: slow.tape.seqs[-1] == 3)
    assert slow.tape.seqs == [1, 3]
    assert not slow.gaps


async def test_an_opening_that_is_a_whole_block_needs_no_heartbeat_behind_it(
    heart: Heart, tape_of: type[Tape], until: Until
) -> None:
    said = {}
    for shape in (Steady(), Digits()):
        tape, view = tape_of(), View(shape, KEY.session, chunked=False)
        with heart.hub.subscribe(KEY, view, tape, Cursor.at(START)) as subscriber:
            subscriber.open(7)
            following = asyncio.create_task(subscriber.follow(Stream(), on_gap))
            await until(partial(getattr, subscriber, "live"))
            subscriber.end("gone")
            await following
        said[type(shape)] = tape.words
    assert said == {Steady: ["hello"], Digits: [":", "7", "(0)"]}


async def test_a_steady_surface_is_heard_of_however_much_is_said(beating: Beating) -> None:
    async with beating(heartbeat=0.05) as heart:
        steady = heart.read(view=View(Steady(), KEY.session, chunked=False))

        while sum(word.startswith("(") for word in steady.tape.words) < 3:
            await heart.hub.publish(KEY, [note()])
            await asyncio.sleep(0)  # nothing else waits here: the loop needs its turn


async def test_who_follows_is_known_by_log(heart: Heart, until: Until) -> None:
    readers = [heart.read(), heart.read()]
    await until(lambda: all(reader.at_rest for reader in readers))
    assert heart.hub.watched == {KEY: 2}


def test_a_reader_of_the_whole_session_misses_what_went_from_between_jobs() -> None:
    head = Head("abc", 10, 100, evicted=50)
    assert judge(Cursor.of("abc-20"), head) is None
    assert judge(Cursor.of("abc-20"), head, missed=50) == Gap("abc-20", "abc-21", "trimmed")
    assert judge(Cursor.of("abc-5"), head, missed=50) == Gap("abc-5", "abc-11", "trimmed")
    assert judge(Cursor.of("abc-50"), head, missed=50) is None


def test_a_cursor_of_the_life_before_a_clearing_hears_that_it_was_cleared() -> None:
    head = Head("new", 0, 3, cleared="old")
    assert judge(Cursor.of("old-9"), head) == Gap("old-9", "new-1", "cleared")
    assert judge(Cursor.of("older-9"), head) == Gap("older-9", "new-1", "epoch")
    assert judge(Cursor.at(EventId("old", 1)), Head("new", 0, 0, cleared="old")) == Gap("old-1", None, "cleared")


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf")])
def test_a_ttl_that_is_no_time_is_refused(ttl: float) -> None:
    with pytest.raises(InvalidEvent, match="ttl"):
        note(ttl)


def test_a_timestamp_is_added_where_there_is_none_and_what_is_there_stays() -> None:
    at = 1_700_000_000_000_000
    assert published("a", {"n": 1}, now=at, ttl=1).body == b'{"n":1,"timestamp":"2023-11-14T22:13:20.000000Z"}'
    assert published("a", {"timestamp": None}, now=at, ttl=2.5) == Draft(
        "a", b'{"timestamp":null}', at, expires=at + 2_500_000
    )
