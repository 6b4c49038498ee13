"""Reads: every event once and in order from any cursor, through filters, and never more at once than is good."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sse_server.eventlog import PAGE_BYTES, SCAN_LIMIT, LogKey, Retention, Write
from sse_server.events import Event

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
