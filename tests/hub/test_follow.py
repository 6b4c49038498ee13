"""A reader gets every event behind its cursor once and in order, or is told what it can't have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.eventlog import LogKey, Write
from sse_server.eventlog.order import now
from sse_server.events import START, Draft, EventId
from sse_server.hub import Cursor, View
from sse_server.hub.tail import MAX_EVENTS

if TYPE_CHECKING:
    from tests.hub.conftest import Beating, Digits, Heart, Reader, Steady, Tape

Until = Callable[[Callable[[], Any]], Any]


async def test_what_was_there_before_and_what_comes_later_reach_a_reader_in_one_row(heart: Heart, until: Until) -> None:
    await heart.publish(3)
    reader = heart.read()
    await until(lambda: reader.tape.seqs == [1, 2, 3])
    await heart.publish(2)
    await until(lambda: reader.tape.seqs == [1, 2, 3, 4, 5])


@pytest.mark.parametrize("after", range(8))
async def test_a_reader_gets_what_lies_behind_its_cursor(after: int, heart: Heart, until: Until) -> None:
    await heart.publish(7)
    reader = heart.read(await heart.cursor(after))
    await heart.publish(1)
    await until(lambda: reader.tape.seqs == list(range(after + 1, 9)))
    assert not reader.gaps


async def test_what_is_stored_together_leaves_in_one_write(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read()
    await until(lambda: reader.tape.seqs == [1])
    await heart.publish(20)
    await until(lambda: reader.tape.seqs[-1] == 21)
    assert len(reader.tape.writes) == 2


@pytest.mark.parametrize("burst", [MAX_EVENTS - 1, MAX_EVENTS, MAX_EVENTS + 1, 3 * MAX_EVENTS])
async def test_a_burst_that_no_tail_can_hold_loses_nothing(burst: int, heart: Heart, until: Until) -> None:
    await heart.publish()
    readers = [heart.read() for _ in range(3)]
    await until(lambda: all(reader.at_rest for reader in readers))
    await heart.publish(burst)
    await heart.publish(burst)
    await until(lambda: all(len(reader.tape.seqs) == 2 * burst + 1 for reader in readers))
    assert all(reader.tape.seqs == list(range(1, 2 * burst + 2)) for reader in readers)


async def test_six_hundred_readers_get_every_event_once(heart: Heart, until: Until) -> None:
    await heart.publish()
    readers = [heart.read() for _ in range(600)]
    await until(lambda: all(reader.at_rest for reader in readers))
    for _ in range(5):
        await heart.publish(3)
    await until(lambda: all(reader.tape.seqs[-1] == 16 for reader in readers))
    assert all(reader.tape.seqs == list(range(1, 17)) for reader in readers)


async def test_six_hundred_logs_that_grow_in_one_turn_all_reach_their_readers(heart: Heart, until: Until) -> None:
    keys = [LogKey("ann", f"log-{n}") for n in range(600)]
    readers = [heart.read(key=key) for key in keys]
    for _ in range(2):  # the first event of a log is read by its readers themselves
        await until(lambda: all(reader.at_rest for reader in readers))
        await asyncio.gather(*(heart.hub.publish(key, [Draft("note", b"{}", now())]) for key in keys))
    await until(lambda: all(reader.tape.seqs == [1, 2] for reader in readers))


async def test_a_large_fan_out_leaves_the_loop_free_between_its_slices(heart: Heart, until: Until) -> None:
    await heart.publish()
    readers = [heart.read() for _ in range(600)]
    await until(lambda: all(reader.at_rest for reader in readers))
    await heart.publish()
    reached: list[int] = []
    while not reached or reached[-1] < 600:
        reached.append(sum(2 in reader.tape.seqs for reader in readers))
        await asyncio.sleep(0)
    assert len(set(reached) - {0}) >= 3


async def test_readers_who_come_and_go_between_two_slices_disturb_nobody(heart: Heart, until: Until) -> None:
    await heart.publish()
    readers = [heart.read() for _ in range(600)]
    await until(lambda: all(reader.at_rest for reader in readers))
    for n in range(6):
        await heart.publish()
        for reader in readers[n * 90 : n * 90 + 90]:
            reader.subscriber.end("gone")
        readers.append(heart.read())
        await asyncio.sleep(0)
    stayed = readers[540:]
    await until(lambda: all(reader.at_rest and reader.tape.seqs[-1:] == [7] for reader in stayed))
    assert all(reader.tape.seqs == list(range(1, 8)) for reader in stayed)
    for reader in readers[:540]:
        assert reader.tape.seqs == list(range(1, len(reader.tape.seqs) + 1))


async def test_a_stream_of_a_job_ends_with_its_done_and_shows_no_other_job(
    heart: Heart, digits: Digits, until: Until
) -> None:
    one, other = await heart.job(), await heart.job()  # 1 to 4
    view = View(digits, "notes", job_id=one.job_id, ends=True, chunked=False)
    early = heart.read(view=view)
    await other.mark("token")
    await one.mark("token")
    await other.mark("token", "done")
    await one.mark("done")
    late = heart.read(view=view)
    assert await early.over() == await late.over() == "done"
    assert early.tape.seqs == late.tape.seqs == [1, 2, 6, 9]
    await heart.publish()
    await until(lambda: not heart.hub._due)
    assert early.tape.seqs == [1, 2, 6, 9]


async def test_what_a_filter_leaves_out_is_passed_in_silence_and_counted(
    beating: Beating, digits: Digits, until: Until
) -> None:
    async with beating(heartbeat=0.02) as heart:
        await heart.publish(4, "dull")
        view = View(digits, "notes", types=frozenset({"bright"}), chunked=False)
        reader = heart.read(view=view)
        await until(lambda: reader.tape.words)
        assert reader.tape.words[0] == "(4)"  # nothing to say yet, and it says so at once
        await heart.publish(2, "dull")
        await until(lambda: reader.tape.words[-1] == "(6)")
        await heart.publish(1, "bright")
        await until(lambda: 7 in reader.tape.seqs)


async def test_a_stream_with_something_to_say_opens_with_it(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read()
    await until(lambda: reader.at_rest)
    assert reader.tape.words == ["1"]


async def test_a_stream_that_speaks_gets_no_heartbeat(beating: Beating, digits: Digits, until: Until) -> None:
    async with beating(heartbeat=0.05) as heart:
        await heart.publish()
        idle = heart.read(view=View(digits, "notes", types=frozenset({"dull"}), chunked=False))
        busy = heart.read()
        await until(lambda: busy.at_rest and idle.at_rest)
        while len(idle.tape.words) < 4:
            await heart.publish()
            await asyncio.sleep(0.01)
        assert not [word for word in busy.tape.words if word.startswith("(")]
        assert not idle.tape.seqs


async def test_a_stream_ends_when_its_time_is_up(beating: Beating, until: Until) -> None:
    async with beating(heartbeat=0.02) as heart:
        await heart.publish()
        reader = heart.read()
        await until(lambda: reader.at_rest)
        reader.subscriber.deadline = (asyncio.get_running_loop().time(), "max_age")
        assert await reader.over() == "max_age"


async def test_the_first_reason_for_an_end_is_the_one_that_counts(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read()
    await until(lambda: reader.at_rest)
    reader.subscriber.end("max_age")
    reader.subscriber.end("draining")
    assert await reader.over() == "max_age"


@pytest.mark.parametrize("cursor", ["zzz-1", "?", "{epoch}-9"])
async def test_a_cursor_that_can_not_go_on_leads_behind_a_gap_to_the_head(
    cursor: str, heart: Heart, until: Until
) -> None:
    await heart.publish(5)
    reader = heart.read(Cursor.of(cursor.format(epoch=(await heart.head()).epoch)))
    await until(lambda: reader.at_rest)
    await heart.publish()
    await until(lambda: 6 in reader.tape.seqs)
    assert len(reader.gaps) == 1
    assert reader.tape.words == ["<5>", "6"]


async def test_what_is_trimmed_under_a_reader_who_lags_is_a_gap_to_him(
    beating: Beating, tape_of: type[Tape], until: Until
) -> None:
    async with beating(keep=20) as heart:
        job = await heart.job()
        await job.mark(*["token"] * 8)
        reader = heart.read(tape=tape_of(stuck=True))
        await until(lambda: reader.tape.seqs == list(range(1, 11)))
        await job.mark(*["token"] * (2 * MAX_EVENTS))  # fewer than that, and the tail still had them all
        head = await heart.head()
        assert head.trimmed > 10
        reader.tape.room.set()
        await until(lambda: reader.at_rest)
        assert [(gap.after, gap.reason) for gap in reader.gaps] == [(str(EventId(head.epoch, 10)), "trimmed")]
        assert reader.tape.words[10:] == [f"<{head.last}>"]


async def test_a_reader_of_a_log_that_is_not_there_yet_sees_it_begin(heart: Heart, until: Until) -> None:
    reader = heart.read(Cursor.at(START))
    await until(lambda: reader.at_rest)
    assert reader.tape.words == ["(0)"]
    await heart.publish(2)
    await until(lambda: reader.tape.seqs == [1, 2])
    assert not reader.gaps


async def test_a_log_that_is_erased_and_begun_anew_is_a_gap_to_who_followed_the_old_one(
    heart: Heart, until: Until
) -> None:
    job = await heart.job()
    await job.mark("done")
    old = await heart.head()
    reader = heart.read()
    await until(lambda: reader.at_rest)
    job_id = job.job_id
    await heart.store.erase(job_id)
    again = await heart.job()  # in the same session: a log of another epoch
    await again.mark("token")
    await until(lambda: reader.gaps)
    assert [(gap.after, gap.reason) for gap in reader.gaps] == [(str(old.id), "epoch")]
    await again.mark("token")
    await until(lambda: reader.tape.seqs[-1:] == [4])


async def test_what_another_process_stored_is_read_once_its_word_comes(heart: Heart, until: Until) -> None:
    await heart.publish()
    readers = [heart.read() for _ in range(3)]
    await until(lambda: all(reader.at_rest for reader in readers))
    draft = Draft("note", b"{}", 0)
    await heart.store.append([Write(readers[0].subscriber.tail.key, [draft, draft])])
    heart.hub.changed(readers[0].subscriber.tail.key)
    await heart.publish()
    await until(lambda: all(reader.tape.seqs == [1, 2, 3, 4] for reader in readers))


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_in_whatever_order_the_news_come_the_events_are_in_theirs(
    order: tuple[int, ...], heart: Heart, until: Until
) -> None:
    """Two tasks that appended may be woken the one or the other first."""
    await heart.publish()
    reader = heart.read()
    await until(lambda: reader.at_rest)
    write = Write(reader.subscriber.tail.key, [Draft("note", b"{}", 0)] * 2)
    receipts = await heart.store.append([write] * 4)
    for n in order:
        receipt = receipts[n]
        assert receipt
        heart.hub.stored(write, receipt)
        if n % 2:
            await asyncio.sleep(0)
    await until(lambda: reader.at_rest and reader.tape.seqs[-1] == 9)
    assert reader.tape.seqs == list(range(1, 10))


async def test_who_reads_an_erased_job_is_let_go(heart: Heart, digits: Digits, until: Until) -> None:
    one, other = await heart.job(), await heart.job()
    job_id = one.job_id
    await one.mark("done")
    reader = heart.read(await heart.cursor(5), view=View(digits, "notes", job_id=job_id, ends=True, chunked=False))
    await until(lambda: reader.at_rest)  # behind the done: it waits for what never comes
    await heart.store.erase(job_id)
    heart.hub.erased(reader.subscriber.tail.key, job_id)
    assert await reader.over() == "gone"
    await other.mark("done")


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from([1, 2, 3, 50, 600])),
        st.tuples(st.just("read"), st.floats(0, 1)),
        st.tuples(st.sampled_from(["hold", "release", "resume", "leave"]), st.integers(0, 9)),
        st.tuples(st.just("turn"), st.integers(1, 6)),
    ),
    max_size=25,
)


@given(OPERATIONS)
async def test_whatever_is_interleaved_no_reader_misses_or_repeats_an_event(
    beating: Beating, until: Until, operations: list[tuple[str, float]]
) -> None:
    """Publishing, subscribing at any place, stopping to read, going on, and coming back behind the last event seen."""
    async with beating() as heart:
        await heart.publish()
        readers: list[tuple[int, Reader]] = []
        for what, figure in operations:
            if what == "publish":
                await heart.publish(int(figure))
            elif what == "turn":
                for _ in range(int(figure)):
                    await asyncio.sleep(0)
            elif what == "read":
                after = round(figure * (await heart.head()).last)
                readers.append((after, heart.read(await heart.cursor(after))))
            elif readers:
                readers += await _trouble(heart, what, int(figure), *readers[int(figure) % len(readers)])
        for _, reader in readers:
            reader.tape.room.set()
        await until(lambda: all(reader.at_rest for _, reader in readers))
        last = (await heart.head()).last
        for after, reader in readers:
            there, whole = reader.tape.seqs, range(after + 1, last + 1)
            assert there == list(whole if reader.subscriber.ending is None else whole[: len(there)])
            assert not reader.gaps


async def _trouble(heart: Heart, what: str, n: int, after: int, reader: Reader) -> list[tuple[int, Reader]]:
    """What a reader may do; one who comes back is another reader."""
    if what == "hold":
        reader.tape.room.clear()
    elif what == "release":
        reader.tape.room.set()
    else:
        reader.subscriber.end("gone")
    if what != "resume":
        return []
    seen = reader.tape.seqs[: n * 7]  # less than what was written: the rest was lost with the line
    position = seen[-1] if seen else after
    return [(position, heart.read(await heart.cursor(position)))]


async def test_no_heartbeat_comes_behind_the_end_that_a_client_has_still_to_take(
    beating: Beating, tape_of: type[Tape], steady: Steady, until: Until
) -> None:
    async with beating(heartbeat=0.02) as heart:
        job = await heart.job()
        view = View(steady, "notes", job_id=job.job_id, ends=True, chunked=False)
        slow, other = heart.read(view=view, tape=tape_of(stuck=True)), heart.read()
        await job.mark("done")
        await until(lambda: slow.tape.finished)
        before = len(other.tape.writes)
        await until(lambda: len(other.tape.writes) > before + 3)  # the beats of one who still reads
        slow.tape.room.set()
        assert await slow.over() == "done"
