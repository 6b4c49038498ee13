"""Reads: every event once and in order from any cursor, through filters, and never more at once than is good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sse_server.eventlog import PAGE_BYTES, SCAN_LIMIT, LogKey, Retention, Write
from sse_server.events import Draft, Event

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


async def test_a_log_that_does_not_exist_is_an_empty_page_without_a_head(bench: Bench) -> None:
    page = await bench.store.read(KEY, 0, 10)
    assert (page.head, page.events, page.passed) == (None, [], 0)


async def test_from_every_cursor_the_rest_follows(bench: Bench) -> None:
    await bench.publish(KEY, *map(str, range(20)))
    for after in range(21):
        page = await bench.store.read(KEY, after, 100)
        assert [event.seq for event in page.events] == list(range(after + 1, 21))
        assert page.passed == 20


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 19, 20, 21])
async def test_pages_are_the_whole_cut_anywhere(bench: Bench, limit: int) -> None:
    await bench.publish(KEY, *map(str, range(20)))
    seqs: list[int] = []
    after = 0
    while after < 20:
        page = await bench.store.read(KEY, after, limit)
        assert 1 <= len(page.events) <= limit
        assert page.passed == page.events[-1].seq
        seqs += [event.seq for event in page.events]
        after = page.passed
    assert seqs == list(range(1, 21))


async def test_a_cursor_at_or_beyond_the_head_reads_nothing_and_stays(bench: Bench) -> None:
    await bench.publish(KEY, "a", "b")
    for after in (2, 3, 10**17):
        page = await bench.store.read(KEY, after, 10)
        assert (page.events, page.passed) == ([], after)
        assert page.head
        assert page.head.last == 2


async def test_a_filter_by_job_shows_that_jobs_events_and_passes_the_others(bench: Bench) -> None:
    ann = await bench.running(session="s")
    other = await bench.running(session="s")
    await bench.tokens(ann, "a")
    await bench.tokens(other, "b")
    page = await bench.store.read(KEY, 0, 10, job_id=ann.record.spec.id)
    assert [event.seq for event in page.events] == [1, 2, 5]
    assert page.passed == 6
    page = await bench.store.read(KEY, 0, 2, job_id=ann.record.spec.id)
    assert ([event.seq for event in page.events], page.passed) == ([1, 2], 2)
    page = await bench.store.read(KEY, 5, 10, job_id=ann.record.spec.id)
    assert (page.events, page.passed) == ([], 6)


async def test_a_filter_by_a_job_that_is_not_there_shows_nothing(bench: Bench) -> None:
    await bench.publish(KEY, "a")
    for job_id in ("job_unknown", ""):
        page = await bench.store.read(KEY, 0, 10, job_id=job_id, types=["token"])
        assert (page.events, page.passed) == ([], 1)


async def test_a_filter_by_type_lets_done_pass(bench: Bench) -> None:
    claim = await bench.running(session="s")
    await bench.append(claim, bench.draft("insight", text="i"), bench.draft("token", text="t"), bench.done())
    for types, seen in (
        (["token"], ["token", "done"]),
        (iter(["token", "insight"]), ["insight", "token", "done"]),
        ([], ["done"]),
        (["nothing"], ["done"]),
        (None, ["job_queued", "job_started", "insight", "token", "done"]),
    ):
        page = await bench.store.read(KEY, 0, 10, types=types)
        assert [event.type for event in page.events] == seen
        assert page.passed == 5


async def test_a_read_looks_at_a_bounded_number_of_events(bench: Bench) -> None:
    """One who looks for a needle goes on from `passed`, page after page, and finds it."""
    busy = await bench.running(session="s")
    texts = ["x"] * (SCAN_LIMIT + 10)
    await bench.tokens(busy, *texts)
    await bench.tokens(busy, *texts)
    needle = await bench.running(session="s")
    pages = []
    found: list[Event] = []
    after = 0
    for _ in range(3):
        page = await bench.store.read(KEY, after, 10, job_id=needle.record.spec.id)
        pages.append((after, page.passed))
        found += page.events
        after = page.passed
    head = await bench.store.head(KEY)
    assert head
    assert pages == [(0, SCAN_LIMIT), (SCAN_LIMIT, 2 * SCAN_LIMIT), (2 * SCAN_LIMIT, head.last)]
    assert [event.type for event in found] == ["job_queued", "job_started"]


@pytest.mark.parametrize("extra", [-1, 0, 1])
async def test_a_read_never_looks_further_than_it_says(
    opened: Opened, bench_of: type[Bench], kind: str, extra: int
) -> None:
    """At exactly the limit there may be more or not: `passed` is right in both cases."""
    async with opened(kind, retention=Retention(max_history=2 * SCAN_LIMIT)) as store:
        await bench_of(store).publish(KEY, *["x"] * (SCAN_LIMIT + extra))
        page = await store.read(KEY, 0, 10, types=["other"])
        assert (page.events, page.passed) == ([], SCAN_LIMIT + min(extra, 0))
        page = await store.read(KEY, page.passed, 10, types=["other"])
        assert page.passed == SCAN_LIMIT + extra


async def test_a_page_of_large_events_ends_early_and_the_next_one_goes_on(bench: Bench) -> None:
    claim = await bench.running(session="s")
    size = PAGE_BYTES // 4
    for n in range(10):
        await bench.tokens(claim, str(n) * size)
    for types in (None, ["token"]):
        events: list[Event] = []
        after = 2
        while after < 12:
            page = await bench.store.read(KEY, after, 1000, types=types)
            assert 1 <= len(page.events) <= 5
            assert page.passed == page.events[-1].seq
            events += page.events
            after = page.passed
        assert [event.body[9:10] for event in events] == [b"%d" % n for n in range(10)]


async def test_a_page_has_at_least_one_event_however_large(bench: Bench) -> None:
    draft = bench.draft("message", text="x" * 100)
    huge = type(draft)("message", b'{"text":"' + b"x" * (2 * PAGE_BYTES) + b'"}', draft.time)
    await bench.store.append([Write(KEY, [draft, huge, draft])])
    assert [event.seq for event in await bench.events(KEY)] == [1, 2, 3]


async def test_a_reader_beside_the_writer_sees_each_append_whole_and_everything_once(bench: Bench) -> None:
    claim = await bench.running(session="s")
    passed: list[int] = []
    seen: list[int] = []

    async def follow() -> None:
        after = 2
        while after < 2 + 150:
            page = await bench.store.read(KEY, after, 1000)
            seen.extend(event.seq for event in page.events)
            passed.append(after := page.passed)
            await asyncio.sleep(0)  # the store in memory never waits by itself

    reader = asyncio.create_task(follow())
    for n in range(50):
        receipt = await bench.tokens(claim, f"{n}a", f"{n}b", f"{n}c")
        head = await bench.store.head(KEY)
        assert receipt
        assert head
        assert head.last == receipt.first + 2, "what was acknowledged is there"
    await reader
    assert seen == list(range(3, 153))
    assert {(last - 2) % 3 for last in passed} == {0}


BODIES = [
    b"{}",
    b"",
    b"\x00",
    b'{"text":"a\\u0000b\\n\\"quoted\\" \\\\"}',
    '{"text":"häß 漢字 \U0001f680"}'.encode(),
    b'[[["],["],[",null,1e400',
    b'{"text":"two\nlines\r\n\r\n"}',
    b"\xff\xfe\x80 not UTF-8 \xc3",
    b"'; DROP TABLE events; --",
    b"\x00" * 5000,
    b"x" * 70_000,
    b"{}",
]
"""A store keeps bytes; that they are JSON is its callers' business."""


@pytest.mark.parametrize("limit", [1, 2, 5, len(BODIES), 1000, 10 * PAGE_BYTES])
async def test_bodies_of_any_shape_come_back_byte_for_byte(bench: Bench, limit: int) -> None:
    claim = await bench.running(session="s")
    drafts = [Draft("token", body, n, n) for n, body in enumerate(BODIES)]
    assert await bench.append(claim, *drafts)
    found: list[Event] = []
    after = 2
    while after < 2 + len(BODIES):
        page = await bench.store.read(KEY, after, limit)
        found += page.events
        after = page.passed
    job_id = claim.record.spec.id
    assert found == [Event(seq, d.type, job_id, d.attempt, d.time, d.body) for seq, d in enumerate(drafts, 3)]


async def test_a_page_ends_where_it_must_whatever_its_filter_and_the_sizes_of_its_bodies(bench: Bench) -> None:
    """Small bodies and large ones, some of them past their time, of two jobs and of none: as if read one by one."""
    jobs = [await bench.running(session="s") for _ in range(2)]
    ids = ["", *(claim.record.spec.id for claim in jobs)]
    sizes = [2, PAGE_BYTES // 4 - 1, PAGE_BYTES // 4, PAGE_BYTES // 4 + 1, PAGE_BYTES // 3, 10, PAGE_BYTES + 1, 3]
    for n in range(24):
        draft = Draft(("token", "note")[n % 2], b"%c" % (65 + n) * sizes[n % 8], n, expires=1 if n % 6 == 3 else 0)
        write = Write(KEY, [draft]) if n % 3 == 0 else Write(KEY, [draft], ids[n % 3], jobs[n % 3 - 1].lease)
        assert await bench.store.append([write]) != [None]
    every = [event for seq in range(28) for event in (await bench.store.read(KEY, seq, 1)).events]
    whole = {event.seq: event for event in every}
    assert len(whole) == 4 + 24 - 4, "four were published with a time that is over"
    for job_id in (None, *ids[1:]):
        for types in (None, ["token"], []):
            wanted = [
                event
                for event in whole.values()
                if job_id in {None, event.job_id} and (types is None or event.type in {*types, "done"})
            ]
            for limit in (1, 3, 4, 5, 500):
                for after in range(29):
                    page = await bench.store.read(KEY, after, limit, job_id=job_id, types=types)
                    assert (page.events, page.passed) == expected(wanted, after, limit)


def expected(wanted: list[Event], after: int, limit: int) -> tuple[list[Event], int]:
    """The page, and how far it looked, of a log that ends at 28."""
    page: list[Event] = []
    for event in wanted:
        if event.seq > after:
            page.append(event)
            if len(page) == limit or sum(len(event.body) for event in page) > PAGE_BYTES:
                return page, event.seq
    return page, max(after, 28)


async def test_what_is_over_counts_as_looked_at(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(max_history=3 * SCAN_LIMIT)) as store:
        bench = bench_of(store)
        over = Draft("message", b"{}", 1, expires=1)
        await store.append([Write(KEY, [over] * (SCAN_LIMIT - 1))])
        await bench.publish(KEY, "a", "b")
        first = await store.read(KEY, 0, 10)
        assert ([event.seq for event in first.events], first.passed) == ([SCAN_LIMIT], SCAN_LIMIT)
        second = await store.read(KEY, first.passed, 10)
        assert ([event.seq for event in second.events], second.passed) == ([SCAN_LIMIT + 1], SCAN_LIMIT + 1)


async def test_a_read_passes_a_hole_that_is_wider_than_it_may_look(bench: Bench) -> None:
    """What an erased job leaves unused is nothing to look at."""
    erased = await bench.running(session="s")
    await bench.tokens(erased, *["x"] * SCAN_LIMIT)
    other = await bench.running(session="s")
    await bench.tokens(erased, "x")
    await bench.end(erased)
    await bench.store.erase(erased.record.spec.id)
    last = SCAN_LIMIT + 6
    for after, types, seqs in ((0, None, [last - 3, last - 2]), (0, ["other"], []), (last, None, [])):
        page = await bench.store.read(KEY, after, 10, types=types)
        assert ([event.seq for event in page.events], page.passed) == (seqs, last)
    await bench.end(other)
    await bench.store.erase(other.record.spec.id)
    assert (await bench.store.read(KEY, 0, 10)).head is None
