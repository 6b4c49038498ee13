"""Idempotency keys: the same key and body lead to the same job, however often and however close together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sse_server.errors import IdempotencyMismatch, QueueFull, TooManyJobs
from sse_server.eventlog import IdempotencyKey, Retention

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

ONCE = IdempotencyKey("ann", "POST /api/jobs", "key", b"digest")


async def test_the_same_key_and_body_lead_to_the_same_job(bench: Bench) -> None:
    first = await bench.submit(once=ONCE)
    again = await bench.submit(once=ONCE)
    assert first.receipt
    assert again.receipt is None
    assert again.record.spec == first.record.spec
    assert len(await bench.store.queued()) == 1


async def test_a_replay_shows_the_job_as_it_is_now_and_needs_no_room(bench: Bench) -> None:
    await bench.submit(once=ONCE)
    claim = await bench.claim()
    assert (await bench.submit(once=ONCE, room=0, per_user=0)).record.state.status == "running"
    await bench.end(claim)
    replayed = (await bench.submit(once=ONCE, room=0, per_user=0)).record
    assert replayed.state.status == "succeeded"
    assert replayed.head
    assert replayed.head.last == 3


async def test_another_body_is_a_mismatch_and_starts_nothing(bench: Bench) -> None:
    await bench.submit(once=ONCE)
    other = IdempotencyKey(ONCE.user, ONCE.route, ONCE.key, b"other")
    with pytest.raises(IdempotencyMismatch) as refused:
        await bench.submit(once=other)
    assert refused.value.status == 422
    assert len(await bench.store.queued()) == 1


async def test_a_key_belongs_to_its_user_and_route(bench: Bench) -> None:
    keys = [
        ONCE,
        IdempotencyKey("bob", ONCE.route, ONCE.key, b"1"),
        IdempotencyKey("ann", "POST /api/v1/chat", ONCE.key, b"2"),
        IdempotencyKey("ann", ONCE.route, "Key", b"3"),
    ]
    jobs = {(await bench.submit(once=key)).record.spec.id for key in keys}
    assert len(jobs) == 4


async def test_many_at_once_are_one_job(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.submit(once=ONCE) for _ in range(20)))
    assert len({answer.record.spec.id for answer in answers}) == 1
    assert [bool(answer.receipt) for answer in answers].count(True) == 1


async def test_a_refused_start_is_not_remembered(bench: Bench) -> None:
    with pytest.raises(QueueFull):
        await bench.submit(once=ONCE, room=0)
    with pytest.raises(TooManyJobs):
        await bench.submit(once=ONCE, per_user=0)
    other_body = IdempotencyKey(ONCE.user, ONCE.route, ONCE.key, b"other")
    assert (await bench.submit(once=other_body)).receipt


async def test_a_key_goes_with_its_job(bench: Bench) -> None:
    first = await bench.submit(once=ONCE)
    claim = await bench.claim()
    await bench.end(claim)
    await bench.store.erase(claim.record.spec.id)
    again = await bench.submit(once=IdempotencyKey(ONCE.user, ONCE.route, ONCE.key, b"other"))
    assert again.receipt
    assert again.record.spec.id != first.record.spec.id


@pytest.mark.parametrize("trim", [True, False])
async def test_a_key_goes_when_its_time_is_over(opened: Opened, bench_of: type[Bench], kind: str, trim: bool) -> None:
    async with opened(kind, retention=Retention(idempotency=0)) as store:
        bench = bench_of(store)
        first = await bench.submit(once=ONCE)
        if trim:
            await store.trim()
        again = await bench.submit(once=ONCE)
        assert again.receipt
        assert again.record.spec.id != first.record.spec.id


async def test_a_trim_keeps_the_keys_that_are_good(bench: Bench) -> None:
    await bench.submit(once=ONCE)
    await bench.store.trim()
    assert (await bench.submit(once=ONCE)).receipt is None
