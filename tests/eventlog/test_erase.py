"""Erasing a job: its events go, its numbers stay unused, readers pass over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sse_server.errors import Conflict, NotFound
from sse_server.eventlog import LogKey

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench

KEY = LogKey("ann", "s")


async def test_an_active_job_is_a_conflict_and_stays(bench: Bench) -> None:
    queued = (await bench.submit()).record.spec
    with pytest.raises(Conflict):
        await bench.store.erase(queued.id)
    claim = await bench.claim()
    with pytest.raises(Conflict):
        await bench.store.erase(queued.id)
    assert await bench.tokens(claim, "a")


async def test_a_job_that_is_not_there_is_not_found(bench: Bench) -> None:
    ended = (await bench.ended()).record.spec
    await bench.store.erase(ended.id)
    for job_id in (ended.id, "job_unknown", ""):
        with pytest.raises(NotFound):
            await bench.store.erase(job_id)


async def test_its_numbers_stay_unused_and_readers_pass_over_them(bench: Bench) -> None:
    first = await bench.ended(session="s")
    middle = await bench.running(session="s")
    last = await bench.running(session="s")
    await bench.tokens(middle, "a")
    await bench.tokens(last, "b")
    await bench.end(middle)
    await bench.store.erase(middle.record.spec.id)
    assert [event.seq for event in await bench.events(KEY)] == [1, 2, 3, 6, 7, 9]
    head = await bench.store.head(KEY)
    assert head
    assert (head.trimmed, head.last, head.epoch) == (0, 10, first.record.epoch)
    page = await bench.store.read(KEY, 9, 10)
    assert (page.events, page.passed) == ([], 10)
    receipt = await bench.tokens(last, "c")
    assert receipt
    assert receipt.first == 11


async def test_it_is_gone_from_loads_and_lists_and_its_lease_is_worth_nothing(bench: Bench) -> None:
    claim = await bench.ended(session="s")
    await bench.store.erase(claim.record.spec.id)
    assert await bench.gone(claim)
    assert await bench.tokens(claim, "late") is None
    assert await bench.end(claim) is None
    assert await bench.store.queued() == []


async def test_a_log_goes_with_its_last_job_and_the_next_one_has_another_epoch(bench: Bench) -> None:
    claims = [await bench.ended(session="s") for _ in range(2)]
    await bench.store.erase(claims[0].record.spec.id)
    head = await bench.store.head(KEY)
    assert head
    await bench.store.erase(claims[1].record.spec.id)
    assert await bench.store.head(KEY) is None
    assert (await bench.store.read(KEY, 0, 10)).head is None
    anew = await bench.running(session="s")
    assert anew.record.epoch != head.epoch
    assert [event.seq for event in await bench.events(KEY)] == [1, 2]


async def test_a_log_with_events_of_no_job_stays(bench: Bench) -> None:
    claim = await bench.ended(session="s")
    await bench.publish(KEY, "a")
    await bench.store.erase(claim.record.spec.id)
    assert [event.seq for event in await bench.events(KEY)] == [4]


async def test_a_new_job_never_inherits_the_events_of_an_erased_one(bench: Bench) -> None:
    """Stores number jobs and logs inside, and may use a number again."""
    await bench.publish(KEY, "keeps the log")
    for n in range(5):
        claim = await bench.running(session="s")
        await bench.tokens(claim, f"{n}")
        record = await bench.record(claim)
        assert record.state.work.text == f"{n}"
        await bench.end(claim)
        await bench.store.erase(claim.record.spec.id)
    assert [event.seq for event in await bench.events(KEY)] == [1]
