"""A reader who does not keep up holds back nobody, is held in bounds, and loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.config import Stream
from sse_server.hub import View

if TYPE_CHECKING:
    from tests.hub.conftest import Digits, Heart, Tape

Until = Callable[[Callable[[], Any]], Any]


async def test_nothing_more_is_written_to_a_reader_who_does_not_take_it(heart: Heart, until: Until) -> None:
    """One event at a time: he is caught up whenever somebody looks, and yet his bytes must not pile up."""
    await heart.publish()
    stuck, quick = heart.read(), heart.read()
    await until(lambda: stuck.at_rest and quick.at_rest)
    stuck.tape.room.clear()
    for _ in range(50):
        await heart.publish()
    await until(lambda: quick.tape.seqs[-1] == 51)
    assert len(stuck.tape.writes) == 2
    stuck.tape.room.set()
    await until(lambda: stuck.tape.seqs[-1] == 51)
    assert stuck.tape.seqs == quick.tape.seqs == list(range(1, 52))


async def test_a_run_that_is_on_its_way_to_a_reader_who_parts_is_not_written_twice(heart: Heart, until: Until) -> None:
    """600 readers, each told to slow down at each write: while they read the log again, slices are still due."""
    await heart.publish()
    readers = [heart.read() for _ in range(600)]
    await until(lambda: all(reader.at_rest for reader in readers))
    for reader in readers:
        reader.tape.write = slow(reader.tape)  # type: ignore[method-assign,assignment]
    for _ in range(4):
        await heart.publish(2)
    await until(lambda: all(reader.tape.seqs[-1] == 9 and reader.at_rest for reader in readers))
    assert [r.tape.seqs for r in readers if r.tape.seqs != list(range(1, 10))] == []


def slow(tape: Tape) -> Callable[[bytes], bool]:
    """It takes everything, and says each time that it can't take more."""

    def write(data: bytes) -> bool:
        tape.writes.append(data)
        return False

    return write


async def test_a_reader_who_takes_nothing_is_sent_away(heart: Heart, tape_of: type[Tape]) -> None:
    await heart.publish()
    reader = heart.read(tape=tape_of(stuck=True), limits=Stream(write_timeout=0.01))
    assert await reader.over() == "slow_consumer"


async def test_a_live_reader_who_stops_taking_is_sent_away_too(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read(limits=Stream(write_timeout=0.01))
    await until(lambda: reader.at_rest)
    reader.tape.room.clear()
    await heart.publish()
    assert await reader.over() == "slow_consumer"
    assert reader.tape.seqs == [1, 2]


async def test_a_reader_who_takes_a_little_now_and_then_is_only_slow(
    heart: Heart, tape_of: type[Tape], until: Until
) -> None:
    """`write_timeout` is for who reads nothing: a large event over a thin line takes as long as it takes."""
    await heart.publish(100)
    tape = tape_of(stuck=True)
    waited, drain = 0, tape.drain

    async def bit_by_bit() -> None:
        nonlocal waited
        waited += 1
        tape.kept -= 1
        if waited > 5:
            tape.room.set()
        await drain()

    tape.drain = bit_by_bit  # type: ignore[method-assign]
    reader = heart.read(tape=tape, limits=Stream(write_timeout=0.01))
    await until(lambda: reader.at_rest)
    assert reader.subscriber.ending is None
    assert waited > 5
    assert reader.tape.seqs == list(range(1, 101))


async def test_a_reader_who_lags_too_far_is_sent_away(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read(limits=Stream(max_lag_events=10))
    await until(lambda: reader.at_rest)
    reader.tape.room.clear()
    await heart.publish(1)
    await until(lambda: reader.tape.kept)
    await heart.publish(11)
    reader.tape.room.set()
    assert await reader.over() == "slow_consumer"
    assert reader.tape.seqs == [1, 2]


async def test_a_reader_who_conflates_skips_what_he_missed_and_stays(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read(limits=Stream(max_lag_events=10), conflates=True)
    await until(lambda: reader.at_rest)
    reader.tape.room.clear()
    await heart.publish(1)
    await until(lambda: reader.tape.kept)
    await heart.publish(11)
    reader.tape.room.set()
    await until(lambda: reader.at_rest and reader.lags)
    await heart.publish()
    await until(lambda: 14 in reader.tape.seqs)
    assert reader.tape.words == ["1", "2", "<13>", "14"]
    assert reader.lags == 1


async def test_who_comes_back_from_far_behind_does_not_lag(heart: Heart, until: Until) -> None:
    await heart.publish(2000)
    reader = heart.read(limits=Stream(max_lag_events=10))
    await until(lambda: len(reader.tape.seqs) == 2000)
    assert reader.subscriber.ending is None


async def test_the_end_of_a_job_waits_for_who_has_still_to_take_it(heart: Heart, digits: Digits, until: Until) -> None:
    """A large `done` reaches a slow reader: he is given the time that any event is given."""
    job = await heart.job()
    reader = heart.read(view=View(digits, "notes", job_id=job.job_id, ends=True))
    await until(lambda: reader.at_rest)
    reader.tape.room.clear()
    await job.mark("done")
    for _ in range(20):
        await asyncio.sleep(0)
    assert reader.subscriber.ending == "done"
    assert not reader.at_rest
    reader.tape.room.set()
    assert await reader.over() == "done"


async def test_a_reader_who_went_away_is_gone(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read()
    await until(lambda: reader.at_rest)
    reader.tape.gone = True
    await heart.publish()
    assert await reader.over() == "gone"


@pytest.mark.parametrize("events", [0, 600])
async def test_a_slow_reader_costs_a_cursor_and_no_copy_of_events(events: int, heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read()
    await until(lambda: reader.at_rest)
    reader.tape.room.clear()
    await heart.publish()
    await until(lambda: reader.tape.kept and not reader.subscriber.live)
    kept = {name: getattr(reader.subscriber, name) for name in reader.subscriber.__slots__}
    for _ in range(events):
        await heart.publish()
    now = {name: getattr(reader.subscriber, name) for name in reader.subscriber.__slots__}
    assert now | {"_parted": kept["_parted"]} == kept
