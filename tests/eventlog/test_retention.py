"""Retention: ended jobs go by age and by size, a flood loses its oldest events, snapshots lose nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sse_server.eventlog import Claim, LogKey, Retention, Write
from sse_server.jobs import fold

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


def named(claim: Claim) -> tuple[LogKey, str]:
    """A job as `trim` names one that went."""
    spec = claim.record.spec
    return LogKey(spec.user, spec.session), spec.id


async def test_ended_jobs_go_when_they_are_too_old(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(age=60)) as store:
        bench = bench_of(store)
        old = [await bench.ended(session=session, ago=61) for session in ("s", "", "s")]
        fresh = await bench.ended(session="s", ago=30)
        running = await bench.running(session="s")
        await bench.submit()
        gone = await store.trim()
        assert sorted(gone, key=str) == sorted((named(claim) for claim in old), key=str)
        assert [await bench.gone(claim) for claim in [*old, fresh, running]] == [True] * 3 + [False] * 2
        assert [event.seq for event in await bench.events(KEY)] == [7, 8, 9, 10, 11]
        head = await store.head(KEY)
        assert head
        assert head.trimmed == 0, "erased jobs leave no gap"
        assert await store.head(bench.key(old[1].record.spec)) is None
        assert await store.trim() == []


async def test_a_trim_takes_any_number_of_jobs(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(age=60)) as store:
        bench = bench_of(store)
        old = [named(await bench.ended(ago=100 + n)) for n in range(250)]
        kept = await bench.ended()
        assert await store.trim() == old[::-1], "all of them, the longest ended first"
        assert not await bench.gone(kept)


async def test_the_oldest_ends_go_first_when_the_store_is_too_large(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(max_bytes=1_000_000)) as store:
        bench = bench_of(store)
        claims = []
        for n in range(10):
            claim = await bench.running()
            await bench.tokens(claim, *["x" * 10_000] * 20)
            claims.append((await bench.end(claim, ago=n), claim))
        active = await bench.running()
        await bench.tokens(active, *["x" * 10_000] * 20)
        gone = len(await store.trim())
        fate = [await bench.gone(claim) for _, claim in claims]
        assert 5 <= gone <= 9
        assert fate == [False] * (10 - gone) + [True] * gone, "the later in this list, the longer ended"
        assert not await bench.gone(active)
        assert await store.trim() == []


async def test_a_store_that_is_too_large_and_too_old_forgets_both(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(age=60, max_bytes=1_000_000)) as store:
        bench = bench_of(store)
        for ago in (300, 200, 100):
            claim = await bench.running()
            await bench.tokens(claim, *["x" * 10_000] * (100 if ago == 300 else 1))
            await bench.end(claim, ago=ago)
        kept = await bench.ended()
        assert len(await store.trim()) == 3
        assert not await bench.gone(kept)


async def test_active_jobs_are_never_forgotten_however_large_the_store(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(age=0, max_bytes=0)) as store:
        bench = bench_of(store)
        running = await bench.running()
        await bench.submit()
        assert await store.trim() == []
        await bench.end(running, ago=1)
        assert await store.trim() == [named(running)]
        assert len(await store.queued()) == 1


async def test_large_inputs_count(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    """Jobs whose events are few may still fill a store."""
    async with opened(kind, retention=Retention(max_bytes=1_000_000)) as store:
        bench = bench_of(store)
        for _ in range(10):
            spec = bench.spec()
            large = type(spec.input)(b'{"text":"' + b"x" * 200_000 + b'"}')
            spec = type(spec)(spec.id, spec.user, spec.session, spec.agent, large, spec.created, spec.timeout)
            await store.submit(spec, room=1, per_user=1)
            await bench.end(await bench.claim())
        assert 5 <= len(await store.trim()) <= 9


async def test_erased_and_trimmed_events_no_longer_count(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    async with opened(kind, retention=Retention(max_bytes=1_000_000, max_job_events=10)) as store:
        bench = bench_of(store)
        await bench.publish(KEY, *["x" * 10_000] * 50)
        for _ in range(5):
            claim = await bench.running(session="s")
            await bench.tokens(claim, *["x" * 10_000] * 50)
            await bench.end(claim)
            await store.erase(claim.record.spec.id)
        small = await bench.ended(session="s")
        assert await store.trim() == []
        assert not await bench.gone(small)


@pytest.mark.parametrize("at_once", [1, 7, 300])
async def test_a_flood_loses_its_oldest_events_and_readers_are_told(
    opened: Opened, bench_of: type[Bench], kind: str, at_once: int
) -> None:
    async with opened(kind, retention=Retention(max_job_events=100)) as store:
        bench = bench_of(store)
        claim = await bench.running(session="s")
        trimmed = trims = 0
        for n in range(0, 300, at_once):
            receipt = await bench.tokens(claim, *(str(i) for i in range(n, min(n + at_once, 300))))
            assert receipt
            page = await store.read(KEY, 0, 1000)
            assert page.head
            assert page.head.trimmed >= trimmed
            trims += page.head.trimmed > trimmed
            trimmed = page.head.trimmed
            assert [event.seq for event in page.events] == list(range(trimmed + 1, page.head.last + 1))
            assert page.passed == page.head.last
            assert min(100, page.head.last) <= len(page.events) <= 110
        assert 1 <= trims <= 20, "a tenth at a time, not an event at a time"


async def test_a_flood_of_many_writes_at_once_is_still_a_flood(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(max_job_events=100)) as store:
        bench = bench_of(store)
        claim = await bench.running(session="s")
        write = Write(KEY, [bench.draft("token", text="x")] * 10, claim.record.spec.id, claim.lease)
        for _ in range(3):
            await store.append([write] * 60)
            page = await store.read(KEY, 0, 1000)
            assert page.head
            assert [event.seq for event in page.events] == list(range(page.head.trimmed + 1, page.head.last + 1))
            assert 100 <= len(page.events) <= 110
        assert (await bench.record(claim)).state.work.text == "x" * 1800


@pytest.mark.parametrize("order", ["ab", "aba", "bab", "aabb", "abab"])
async def test_jobs_of_one_session_that_flood_it_together_write_on(
    opened: Opened, bench_of: type[Bench], kind: str, order: str
) -> None:
    """What one of them costs the other is taken once."""
    async with opened(kind, retention=Retention(max_job_events=10)) as store:
        bench = bench_of(store)
        claims = {name: await bench.running(session="s") for name in "ab"}
        for _ in range(3):
            writes = [
                Write(KEY, [bench.draft("token", text=name)] * 9, claims[name].record.spec.id, claims[name].lease)
                for name in order
            ]
            assert None not in await store.append(writes)
            events = await bench.events(KEY)
            kept = [[event.job_id for event in events].count(claim.record.spec.id) for claim in claims.values()]
            assert max(kept) >= 9
            assert max(kept) <= 11
            assert (await bench.figures(KEY)).events == sum(kept)
        for name, claim in claims.items():
            assert (await bench.record(claim)).state.work.text == name * 27 * order.count(name)


async def test_the_snapshot_keeps_what_the_trimmed_events_said(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(max_job_events=10)) as store:
        bench = bench_of(store)
        flood = await bench.running(session="s")
        quiet = await bench.running(session="s")
        ended = await bench.running(session="s")
        await bench.append(flood, bench.draft("insight", text="early"))
        await bench.tokens(quiet, "quiet")
        await bench.tokens(ended, "ended")
        await bench.end(ended)
        before = [(await bench.record(claim)).state for claim in (quiet, ended)]
        for n in range(100):
            await bench.tokens(flood, f"{n},")
        head = await store.head(KEY)
        assert head
        assert head.trimmed > ended.record.state.last
        assert [(await bench.record(claim)).state for claim in (quiet, ended)] == before
        state = (await bench.record(flood)).state
        assert state.work.text == "".join(f"{n}," for n in range(100))
        assert [insight.text for insight in state.work.insights] == ["early"]
        assert (state.first, state.last) == (1, head.last)
        assert await bench.tokens(quiet, "!")
        assert (await bench.record(quiet)).state.work.text == "quiet!"


async def test_a_job_whose_events_were_trimmed_can_be_retried_ended_and_erased(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(max_job_events=10)) as store:
        bench = bench_of(store)
        claim = await bench.running(session="s")
        await bench.tokens(claim, *"abcdefghijklmnopqrstuvwxyz")
        await bench.reset(claim)
        claim = await bench.claim()
        assert (await bench.record(claim)).state.work == fold([]).work
        await bench.tokens(claim, "again")
        await bench.end(claim)
        record = await bench.record(claim)
        assert (record.state.status, record.state.attempt, record.state.work.text) == ("succeeded", 2, "again")
        await store.erase(claim.record.spec.id)
        assert await store.head(KEY) is None
