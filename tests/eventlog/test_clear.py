"""Clearing a session: every event goes, ended jobs stay, and readers of the old log can be told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sse_server.errors import Conflict, NotFound
from sse_server.eventlog import Head, LogKey, Retention
from sse_server.events import START

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


async def test_a_cleared_session_is_unknown_and_its_new_epoch_remembers_the_old_one(
    opened: Opened, bench_of: type[Bench], kind: str
) -> None:
    async with opened(kind, retention=Retention(max_history=2)) as store:
        bench = bench_of(store)
        before = await bench.publish(KEY, "a", "b", "c")
        await bench.publish(LogKey("bob", "s"), "another's")
        await store.clear(KEY)
        head = await bench.head(KEY)
        assert head == Head(head.epoch, 0, 0, 0, before.epoch)
        assert head.epoch != before.epoch
        page = await store.read(KEY, 0, 10)
        assert (page.head, page.events, page.passed) == (head, [], 0)
        assert await store.figures(KEY) is None
        assert [figures.key.user for figures in (await store.sessions(9)).latest] == ["bob"]
        assert await bench.seqs(LogKey("bob", "s")) == [1]


async def test_what_nobody_knows_cannot_be_cleared(bench: Bench) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            await bench.store.clear(KEY)
    await bench.publish(KEY, "a")
    await bench.store.clear(KEY)
    head = await bench.head(KEY)
    with pytest.raises(NotFound):
        await bench.store.clear(KEY)
    assert await bench.head(KEY) == head


async def test_an_active_job_is_a_conflict_and_nothing_is_cleared(bench: Bench) -> None:
    await bench.publish(KEY, "a")
    await bench.submit(session="s")
    with pytest.raises(Conflict):
        await bench.store.clear(KEY)
    claim = await bench.claim()
    with pytest.raises(Conflict):
        await bench.store.clear(KEY)
    await bench.tokens(claim, "b")
    assert await bench.seqs(KEY) == [1, 2, 3, 4]
    await bench.end(claim)
    await bench.store.clear(KEY)
    assert await bench.seqs(KEY) == []


async def test_ended_jobs_stay_whole_without_their_events(bench: Bench) -> None:
    claim = await bench.running(session="s")
    await bench.append(claim, bench.draft("insight", text="found"), bench.draft("token", text="said"))
    await bench.end(claim)
    before = await bench.record(claim)
    await bench.store.clear(KEY)
    after = await bench.record(claim)
    assert (after.state, after.epoch) == (before.state, before.epoch)
    assert after.state.work.text == "said"
    assert not before.done_is_gone
    assert after.done_is_gone
    assert after.begin == START
    figures = await bench.figures(KEY)
    assert (figures.events, figures.bytes, figures.last, figures.jobs) == (0, 0, 0, 1)


async def test_the_session_goes_on_from_one_and_old_jobs_have_no_part_in_it(bench: Bench) -> None:
    old = await bench.ended(session="s")
    await bench.publish(KEY, "a")
    await bench.store.clear(KEY)
    epoch = (await bench.head(KEY)).epoch
    new = await bench.running(session="s")
    await bench.tokens(new, "b")
    assert new.record.epoch == epoch
    assert (await bench.publish(KEY, "c")).epoch == epoch
    await bench.store.erase(old.record.spec.id)
    assert await bench.seqs(KEY) == [1, 2, 3, 4]
    assert (await bench.record(new)).state.work.text == "b"
    figures = await bench.figures(KEY)
    assert (figures.events, figures.jobs) == (4, 1)


async def test_a_log_remembers_the_epoch_before_the_last_clear(bench: Bench) -> None:
    epochs = []
    for _ in range(3):
        epochs.append((await bench.publish(KEY, "a")).epoch)
        await bench.store.clear(KEY)
    assert len(set(epochs)) == 3
    assert (await bench.head(KEY)).cleared == epochs[-1]


async def test_a_cleared_log_goes_with_its_last_job(bench: Bench) -> None:
    claim = await bench.ended(session="s")
    await bench.store.clear(KEY)
    await bench.store.erase(claim.record.spec.id)
    assert await bench.store.head(KEY) is None


async def test_what_is_cleared_no_longer_counts(opened: Opened, bench_of: type[Bench], kind: str) -> None:
    limits = Retention(max_history=3, max_bytes=1_000_000, history_warning=50_000, history_critical=50_000)
    async with opened(kind, retention=limits) as store:
        bench = bench_of(store)
        for _ in range(5):
            claim = await bench.running(session="s")
            await bench.tokens(claim, *["x" * 10_000] * 50)
            await bench.end(claim)
            await bench.publish(KEY, *["x" * 10_000] * 3)
            await store.clear(KEY)
        await bench.publish(KEY, *["x" * 10_000] * 3)
        assert await store.trim() == []
        assert await bench.seqs(KEY) == [1, 2, 3]
        assert (await store.sessions(1)).bytes == 3 * len(b'{"text":""}' + b"x" * 10_000)


async def test_a_clear_among_appends_parts_them_cleanly(bench: Bench) -> None:
    """Whoever was before it is gone, whoever came after it is there: nobody is torn."""
    await bench.publish(KEY, "first")

    async def publish(n: int) -> str:
        return (await bench.publish(KEY, f"{n}a", f"{n}b")).epoch

    async def clear() -> str:
        await bench.store.clear(KEY)
        return ""

    epochs = await asyncio.gather(*(clear() if n == 20 else publish(n) for n in range(40)))
    head = await bench.head(KEY)
    after = [n for n, epoch in enumerate(epochs) if epoch == head.epoch]
    events = await bench.events(KEY)
    assert [event.seq for event in events] == list(range(1, 2 * len(after) + 1)), "dense"
    texts = [event.body for event in events]
    assert texts == [b'{"text":"%d%s"}' % (n, part) for n in after for part in (b"a", b"b")]
    assert {epoch for epoch in epochs if epoch} == {head.cleared, head.epoch}
