"""Leases: who holds one writes, and of a worker that is gone another takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sse_server.jobs import fold

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench


async def test_the_next_attempt_has_another_lease_and_the_old_one_writes_no_more(bench: Bench) -> None:
    first = await bench.running()
    await bench.tokens(first, "a")
    await bench.reset(first)
    assert await bench.tokens(first, "b") is None
    second = await bench.claim()
    assert second.record.spec == first.record.spec
    assert second.lease != first.lease
    assert (second.record.state.attempt, second.record.state.attempt_seq) == (2, 5)
    assert await bench.tokens(first, "c") is None
    assert await bench.reset(first) is None
    assert await bench.end(first, "failed") is None
    assert await bench.tokens(second, "d")
    assert await bench.end(second)
    kinds = [event.type for event in await bench.events(bench.key(first.record.spec))]
    assert kinds == ["job_queued", "job_started", "token", "attempt_reset", "job_started", "token", "done"]


async def test_the_jobs_of_a_worker_that_is_gone_are_taken_over(bench: Bench) -> None:
    lost = [await bench.running() for _ in range(3)]
    ended = await bench.ended()
    waiting = await bench.submit()
    claims = await bench.store.reclaim("worker 2", 60.0)
    assert [claim.record.spec.id for claim in claims] == [claim.record.spec.id for claim in lost]
    assert all(claim.receipt is None and claim.record.state.status == "running" for claim in claims)
    for old, new in zip(lost, claims, strict=True):
        assert new.lease != old.lease
        assert await bench.tokens(old, "late") is None
        assert await bench.tokens(new, "goes on")
    assert (await bench.record(ended)).state.status == "succeeded"
    assert [record.spec.id for record in await bench.store.queued()] == [waiting.record.spec.id]


async def test_a_worker_takes_over_nothing_of_its_own(bench: Bench) -> None:
    claim = await bench.running()
    assert await bench.store.reclaim("worker", 60.0) == []
    assert await bench.tokens(claim, "a")


async def test_what_was_taken_over_is_not_taken_over_again(bench: Bench) -> None:
    await bench.running()
    assert len(await bench.store.reclaim("worker 2", 60.0)) == 1
    assert await bench.store.reclaim("worker 2", 60.0) == []


async def test_a_lease_that_is_renewed_stays_good(bench: Bench) -> None:
    claim = await bench.running()
    await bench.store.renew("worker", 60.0)
    assert await bench.tokens(claim, "a")


async def test_a_job_that_was_taken_over_can_be_tried_again(bench: Bench) -> None:
    await bench.running()
    (claim,) = await bench.store.reclaim("worker 2", 60.0)
    assert await bench.reset(claim)
    again = await bench.claim("worker 2")
    assert again.record.state.attempt == 2
    assert await bench.end(again)
    assert (await bench.record(again)).state == fold(await bench.events(bench.key(again.record.spec)))


async def test_a_wish_to_cancel_is_remembered_across_attempts(bench: Bench) -> None:
    claim = await bench.running()
    assert claim.record.cancel_requested is False
    await bench.store.request_cancel(claim.record.spec.id)
    await bench.store.request_cancel("job_unknown")
    assert (await bench.record(claim)).cancel_requested is True
    (claim,) = await bench.store.reclaim("worker 2", 60.0)
    assert claim.record.cancel_requested is True
    await bench.reset(claim)
    assert (await bench.claim()).record.cancel_requested is True
