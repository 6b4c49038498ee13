"""Published events: each for its own time, so many of a session, so many bytes of all; readers are told the truth."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import pytest

from sse_server.eventlog import SCAN_LIMIT, LogKey, Retention, Store, Write
from sse_server.events import Draft

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")
PAST = -1.0


async def standing(store: Store, key: LogKey = KEY) -> tuple[int, int, int]:
    """The head's `trimmed`, `evicted` and `last`."""
    head = await store.head(key)
    assert head
    return head.trimmed, head.evicted, head.last


async def test_an_event_comes_back_with_its_expiry(bench: Bench) -> None:
    draft = Draft("message", b"{}", 5, expires=2**61)
    await bench.store.append([Write(KEY, [draft, Draft("message", b"{}", 6)])])
    assert [event.expires for event in await bench.events(KEY)] == [2**61, 0]


async def test_an_event_past_its_time_is_left_out_and_its_number_stays_unused(bench: Bench) -> None:
    await bench.publish(KEY, "a")
    await bench.publish(KEY, "b", "c", ttl=PAST)
    await bench.publish(KEY, "d", ttl=3600)
    for trim in (False, True):
        if trim:
            await bench.store.trim()
        assert await bench.seqs(KEY) == [1, 4]
        for types in (None, ["message"], ["other"]):
            page = await bench.store.read(KEY, 1, 10, types=types)
            assert (len(page.events), page.passed) == (types != ["other"], 4)
        assert await standing(bench.store) == (0, 0, 4), "that is no gap"
    assert (await bench.publish(KEY, "e")).first == 5


async def test_a_limited_read_passes_over_what_has_expired(bench: Bench) -> None:
    for n in range(10):
        await bench.publish(KEY, str(n), ttl=3600 if n % 3 == 0 else PAST)
    page = await bench.store.read(KEY, 0, 2)
    assert ([event.seq for event in page.events], page.passed) == ([1, 4], 4)
    page = await bench.store.read(KEY, 4, 2)
    assert ([event.seq for event in page.events], page.passed) == ([7, 10], 10)


async def test_a_log_whose_every_event_has_expired_is_an_empty_page_at_its_end(bench: Bench) -> None:
    receipt = await bench.publish(KEY, "a", "b", ttl=PAST)
    for trim in (False, True):
        if trim:
            await bench.store.trim()
        page = await bench.store.read(KEY, 0, 10)
        assert (page.events, page.passed) == ([], 2)
        assert (await bench.head(KEY)).epoch == receipt.epoch
    assert (await bench.figures(KEY)).events == 0


async def test_a_read_looks_at_a_bounded_number_of_expired_events(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(max_history=10**6)) as store:
        bench = bench_of(store)
        await bench.publish(KEY, *["x"] * (SCAN_LIMIT + 10), ttl=PAST)
        await bench.publish(KEY, "seen")
        page = await store.read(KEY, 0, 10)
        assert (page.events, page.passed) == ([], SCAN_LIMIT)
        assert await bench.seqs(KEY) == [SCAN_LIMIT + 11]


async def test_an_event_expires_at_its_time_and_not_before(bench: Bench) -> None:
    expires = time.time_ns() // 1000 + 50_000
    await bench.store.append([Write(KEY, [Draft("message", b"{}", 5, expires=expires)])])
    while (await bench.store.read(KEY, 0, 1)).events:
        assert await bench.store.trim() == []
        await asyncio.sleep(0)
    assert time.time_ns() // 1000 >= expires
    await bench.store.trim()
    assert (await bench.figures(KEY)).events == 0


async def test_a_trim_takes_any_number_of_expired_events(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(max_history=10**6)) as store:
        bench = bench_of(store)
        for n in range(30):
            key = LogKey("ann", f"s{n % 3}")
            await bench.publish(key, *["x"] * 100, ttl=PAST)
            await bench.publish(key, "lasts", ttl=3600)
        await store.trim()
        for n in range(3):
            figures = await bench.figures(LogKey("ann", f"s{n}"))
            assert (figures.events, figures.bytes) == (10, 10 * len(b'{"text":"lasts"}'))


async def test_a_jobs_events_never_expire(bench: Bench) -> None:
    claim = await bench.running(session="s")
    draft = bench.draft("token", text="a")
    await bench.append(claim, Draft(draft.type, draft.body, draft.time, expires=1))
    await bench.store.trim()
    assert [(event.type, event.expires) for event in await bench.events(KEY)][-1] == ("token", 0)
    assert (await bench.record(claim)).state.work.text == "a"


@pytest.mark.parametrize("at_once", [1, 3, 7, 60])
async def test_the_latest_events_of_a_session_stay_exactly_and_at_once(
    opened: Opened, bench_of: type[Bench], kind: str, at_once: int
) -> None:
    async with opened(kind, retention=Retention(max_history=10)) as store:
        bench = bench_of(store)
        await bench.publish(LogKey("bob", "s"), "another's")
        for n in range(0, 60, at_once):
            await bench.publish(KEY, *map(str, range(n, n + at_once)))
            trimmed, evicted, last = await standing(store)
            assert await bench.seqs(KEY) == list(range(max(0, last - 10) + 1, last + 1))
            assert trimmed == evicted == max(0, last - 10)
        assert await bench.seqs(LogKey("bob", "s")) == [1]


async def test_no_limit_of_history_takes_a_jobs_event(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    """What went between a job's events is `evicted`, what went before all of them is `trimmed` too."""
    async with opened(kind, retention=Retention(max_history=2)) as store:
        bench = bench_of(store)
        await bench.publish(KEY, "1", "2", "3")
        assert await standing(store) == (1, 1, 3)
        claim = await bench.running(session="s")
        await bench.publish(KEY, "6")
        assert await standing(store) == (2, 2, 6)
        await bench.publish(KEY, "7", "8")
        assert await bench.seqs(KEY) == [4, 5, 7, 8]
        assert await standing(store) == (2, 6, 8)
        assert (await bench.record(claim)).head == await store.head(KEY)
        await bench.end(claim)
        await store.erase(claim.record.spec.id)
        assert await standing(store) == (2, 6, 9), "an erased job leaves no gap"
        await bench.publish(KEY, "10")
        assert await bench.seqs(KEY) == [8, 10]
        assert await standing(store) == (7, 7, 10), "a prefix again"


async def test_who_is_evicted_past_its_time_is_no_loss(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(max_history=2)) as store:
        bench = bench_of(store)
        await bench.publish(KEY, "1")
        await bench.publish(KEY, *"23456", ttl=PAST)
        assert await standing(store) == (1, 1, 6)
        assert (await bench.figures(KEY)).events == 2
        await bench.publish(KEY, "7", "8")
        assert (await bench.seqs(KEY), await standing(store)) == ([7, 8], (1, 1, 8))


async def test_a_jobs_flood_takes_the_published_events_before_it(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(max_job_events=10, max_history=3)) as store:
        bench = bench_of(store)
        await bench.publish(KEY, "1", "2", "3", "4")
        claim = await bench.running(session="s")
        await bench.publish(KEY, "7")
        await bench.tokens(claim, *"abcdefghijklmno")
        seqs = await bench.seqs(KEY)
        trimmed, evicted, last = await standing(store)
        assert seqs == list(range(trimmed + 1, last + 1))
        assert (evicted, (await bench.figures(KEY)).bytes) == (2, 0)
        await bench.publish(KEY, *"abc")
        assert await standing(store) == (trimmed, evicted, last + 3), "there was room for them"
        await bench.publish(KEY, "d")
        assert await standing(store) == (trimmed, last + 1, last + 4)


def sized(session: str, text: str) -> Write:
    """An event of 100 bytes."""
    return Write(LogKey("ann", session), [Draft("message", b'"%s"' % text.encode().ljust(98), 0)])


async def test_beyond_the_critical_size_what_came_first_goes_of_whichever_session(
    opened: Opened, bench_of: type[Bench], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(kind, retention=Retention(history_warning=600, history_critical=1000)) as store:
        bench = bench_of(store)
        claim = await bench.running(session="a")
        for session in "abacabbacd":
            await store.append([sized(session, "x")])
        before = [await bench.seqs(LogKey("ann", session)) for session in "abcd"]
        await store.trim()
        assert [await bench.seqs(LogKey("ann", session)) for session in "abcd"] == before, "1000 is not beyond 1000"
        await store.append([sized("d", "y")])
        await bench.tokens(claim, "x" * 5000)
        await store.trim()
        kept = [await bench.seqs(LogKey("ann", session)) for session in "abcd"]
        assert kept == [[1, 2, 6, 7], [2, 3], [2], [1, 2]], "of a b a c a b b a c d d the latest six, and the job"
        assert [await standing(store, LogKey("ann", session)) for session in "abcd"] == [
            (0, 5, 7),
            (1, 1, 3),
            (1, 1, 2),
            (0, 0, 2),
        ]
        assert (await store.sessions(9)).bytes == 600
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "1100 bytes" in warnings[-1].getMessage()


async def test_above_the_warning_nothing_goes_but_somebody_hears_of_it(
    opened: Opened, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(kind, retention=Retention(history_warning=200, history_critical=400)) as store:
        for n, warned in ((2, 0), (4, 1)):
            await store.append([sized("private name", "x"), sized("private name", "y")])
            await store.trim()
            assert (await store.sessions(1)).bytes == n * 100
            assert caplog.text.count("WARNING") == warned
    assert "private" not in caplog.text
    assert "ann" not in caplog.text


async def test_any_number_goes_until_the_warnings_size_is_left(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    limits = Retention(max_history=10**6, history_warning=10_000, history_critical=200_000)
    async with opened(kind, retention=limits) as store:
        bench = bench_of(store)
        for n in range(30):
            write = sized(f"s{n % 7}", "x")
            await store.append([Write(write.key, [*write.drafts] * 100)])
        await store.trim()
        sessions = await store.sessions(10)
        assert (sessions.bytes, sessions.events) == (10_000, 100)
        assert await bench.seqs(LogKey("ann", "s1")) == list(range(401, 501)), "the last one that was written to"
