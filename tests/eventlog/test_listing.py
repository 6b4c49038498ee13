"""Listing jobs: newest first, filtered, page by page, each user their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sse_server.eventlog import JobFilter
from sse_server.jobs import Work

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench


async def ids(bench: Bench, **which: Any) -> list[str]:
    return [record.spec.id for record in await bench.store.jobs(JobFilter("ann", **which))]


async def test_jobs_are_listed_newest_first_and_only_ones_own(bench: Bench) -> None:
    assert await ids(bench) == []
    mine = [(await bench.submit()).record.spec.id for _ in range(3)]
    await bench.submit("bob")
    assert await ids(bench) == mine[::-1]


async def test_every_filter_narrows_the_list(bench: Bench) -> None:
    ended = await bench.ended(session="s")
    running = await bench.running(session="s", agent="other")
    queued = (await bench.submit()).record.spec
    first, second = ended.record.spec.id, running.record.spec.id
    assert await ids(bench, status="succeeded") == [first]
    assert await ids(bench, status="running") == [second]
    assert await ids(bench, status="queued") == [queued.id]
    assert await ids(bench, status="failed") == []
    assert await ids(bench, agent="echo") == [queued.id, first]
    assert await ids(bench, session="s") == [second, first]
    assert await ids(bench, session=queued.session) == [queued.id]
    assert await ids(bench, session="s", agent="echo", status="succeeded") == [first]
    assert await ids(bench, session="s", agent="echo", status="running") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_pages_are_the_whole_list(bench: Bench, limit: int) -> None:
    mine = [(await bench.submit()).record.spec.id for _ in range(7)]
    seen: list[str] = []
    while page := await ids(bench, limit=limit, before=seen[-1] if seen else None):
        assert len(page) <= limit
        seen += page
    assert seen == mine[::-1]


async def test_paging_goes_on_when_the_last_job_of_a_page_was_erased(bench: Bench) -> None:
    mine = [(await bench.ended()).record.spec.id for _ in range(6)]
    page = await ids(bench, limit=2)
    for job_id in page:
        await bench.store.erase(job_id)
    assert await ids(bench, limit=10, before=page[-1]) == mine[:4][::-1]


async def test_a_new_job_does_not_move_the_next_page(bench: Bench) -> None:
    mine = [(await bench.submit()).record.spec.id for _ in range(4)]
    page = await ids(bench, limit=2)
    await bench.submit()
    assert await ids(bench, before=page[-1]) == mine[:2][::-1]


async def test_an_ids_order_decides_whatever_the_order_of_submission(bench: Bench) -> None:
    """Two requests that came in one microsecond may reach the store the other way round."""
    specs = [bench.spec() for _ in range(4)]
    for spec in (specs[1], specs[0], specs[3], specs[2]):
        await bench.store.submit(spec, room=10, per_user=10)
    newest_first = [spec.id for spec in specs[::-1]]
    assert await ids(bench) == newest_first
    assert await ids(bench, limit=2) + await ids(bench, before=newest_first[1]) == newest_first


async def test_a_record_is_the_same_wherever_it_is_read(bench: Bench) -> None:
    claim = await bench.running(session="s")
    await bench.tokens(claim, "a")
    await bench.end(claim)
    record = await bench.record(claim, work=False)
    assert (await bench.store.jobs(JobFilter("ann"))) == [record]
    assert record.state.work == Work()
    assert record.head
    assert record.head.last == 4
    assert record.epoch == record.head.epoch == claim.record.epoch


async def test_a_record_is_a_copy(bench: Bench) -> None:
    """What a reader does to it changes nothing in the store."""
    claim = await bench.running()
    await bench.tokens(claim, "a")
    record = await bench.record(claim)
    record.state.status = "failed"
    record.state.work.write("b")
    again = await bench.record(claim)
    assert (again.state.status, again.state.work.text) == ("running", "a")


async def test_a_job_that_is_not_there_loads_as_none(bench: Bench) -> None:
    assert await bench.store.load("job_unknown") is None
    assert await bench.store.load("", work=True) is None
