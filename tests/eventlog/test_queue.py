"""The queue: full means no, users take turns, nobody starves."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_server.errors import QueueFull, TooManyJobs
from sse_server.eventlog import IdempotencyKey, LogKey

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened


async def order(bench: Bench, jobs: int) -> list[str]:
    """The users of the next claims."""
    return [(await bench.claim()).record.spec.user for _ in range(jobs)]


async def test_a_submitted_job_is_queued_and_says_who_is_before_it(bench: Bench) -> None:
    for position in range(3):
        submitted = await bench.submit(session="s")
        record, receipt, (draft,) = submitted.record, submitted.receipt, submitted.drafts
        assert msgspec.json.decode(draft.body) == {"agent": "echo", "position": position}
        assert (record.state.status, record.state.first, record.state.attempt) == ("queued", position + 1, 1)
        assert receipt
        assert (receipt.first, receipt.epoch) == (position + 1, record.epoch)
        assert record.head
        assert record.head.last == position + 1
    waiting = {record.spec.id for record in await bench.store.queued()}
    assert waiting == {event.job_id for event in await bench.events(LogKey("ann", "s"))}
    assert len(waiting) == 3


async def test_a_claimed_job_runs_and_says_so(bench: Bench) -> None:
    submitted = await bench.submit()
    claim = await bench.claim()
    assert claim.record.spec == submitted.record.spec
    assert (claim.record.state.status, claim.record.state.attempt_seq) == ("running", 2)
    assert claim.lease
    assert claim.draft
    assert claim.draft.type == "job_started"
    assert claim.receipt
    assert claim.receipt.first == 2
    assert await bench.store.queued() == []
    assert await bench.store.claim("worker", 60.0) == []


async def test_where_nobody_waits_a_worker_has_the_job_that_it_submits(bench: Bench) -> None:
    """As if it had been queued and claimed, in a new log and in one that has jobs already."""
    for first in (1, 3):
        submitted = await bench.submit(session="s", worker="worker")
        record, claim = submitted.record, submitted.claim
        assert (record.state.status, record.state.first, record.state.last) == ("queued", first, first)
        assert record.head
        assert claim
        assert (claim.draft, claim.receipt) == (None, None)
        assert claim.record.head
        assert submitted.receipt
        assert submitted.receipt.first == first
        assert [draft.type for draft in submitted.drafts] == ["job_queued", "job_started"]
        assert (record.head.last, claim.record.head.last) == (first, first + 1)
        state = claim.record.state
        assert (state.status, state.attempt, state.attempt_seq) == ("running", 1, first + 1)
        assert state.started == submitted.drafts[1].time
        assert (await bench.record(claim, work=False)) == claim.record
    assert [event.type for event in await bench.events(LogKey("ann", "s"))] == ["job_queued", "job_started"] * 2
    assert await bench.store.queued() == []
    assert await bench.store.claim("worker", 60.0) == []


async def test_a_job_that_its_worker_has_is_fenced_ended_and_given_up_like_any_other(bench: Bench) -> None:
    claim = (await bench.submit(worker="worker")).claim
    assert claim
    assert await bench.append(msgspec.structs.replace(claim, lease=""), bench.draft("token", text="x")) is None
    assert await bench.tokens(claim, "mine")
    await bench.reset(claim)
    again = await bench.claim()
    assert (again.record.spec.id, again.record.state.attempt) == (claim.record.spec.id, 2)
    assert await bench.tokens(claim, "too late") is None
    assert await bench.end(again)
    assert (await bench.record(again)).state.last == 6


async def test_a_job_whose_worker_died_at_once_is_taken_over(bench: Bench) -> None:
    claim = (await bench.submit(worker="worker")).claim
    assert claim
    assert await bench.store.reclaim("worker", 60.0) == []
    (taken,) = await bench.store.reclaim("another", 60.0)
    assert taken.record.spec.id == claim.record.spec.id
    assert await bench.tokens(claim, "too late") is None


async def test_nobody_overtakes_those_who_wait(bench: Bench) -> None:
    waiting = await bench.submit()
    behind = await bench.submit("bob", worker="worker")
    assert behind.claim is None
    assert behind.receipt
    assert {record.spec.id for record in await bench.store.queued()} == {waiting.record.spec.id, behind.record.spec.id}
    assert await order(bench, 2) == ["ann", "bob"]


async def test_a_worker_gets_no_job_that_is_refused_or_was_submitted_before(bench: Bench) -> None:
    once = IdempotencyKey("ann", "POST /api/jobs", "key", b"digest")
    claim = (await bench.submit(worker="worker", once=once)).claim
    again = await bench.submit(worker="worker", once=once)
    assert claim
    assert (again.record.spec.id, again.claim, again.receipt) == (claim.record.spec.id, None, None)
    with pytest.raises(TooManyJobs):
        await bench.submit(worker="worker", per_user=1)
    with pytest.raises(QueueFull):
        await bench.submit(worker="worker", room=0)
    assert len(await bench.store.reclaim("another", 60.0)) == 1


async def test_nothing_waits_nothing_is_claimed(bench: Bench) -> None:
    assert await bench.store.claim("worker", 60.0) == []
    await bench.ended()
    assert await bench.store.claim("worker", 60.0) == []


async def test_a_full_queue_says_no_at_once_and_leaves_no_trace(bench: Bench) -> None:
    kept = [await bench.submit(room=2) for _ in range(2)]
    with pytest.raises(QueueFull) as refused:
        await bench.submit("bob", "s", room=2)
    assert (refused.value.status, refused.value.code, bool(refused.value.retry_after)) == (503, "queue_full", True)
    assert len(await bench.store.queued()) == 2
    assert await bench.store.head(LogKey("bob", "s")) is None
    await bench.claim()
    await bench.submit(room=2)
    assert kept


async def test_a_user_has_so_many_active_jobs_and_no_more(bench: Bench) -> None:
    claim = await bench.running()
    await bench.submit(per_user=2)
    with pytest.raises(TooManyJobs) as refused:
        await bench.submit(per_user=2)
    assert (refused.value.status, bool(refused.value.retry_after)) == (429, True)
    await bench.submit("bob", per_user=2)
    await bench.end(claim)
    await bench.submit(per_user=2)


async def test_no_room_at_all_takes_no_job(bench: Bench) -> None:
    with pytest.raises(QueueFull):
        await bench.submit(room=0)
    with pytest.raises(TooManyJobs):
        await bench.submit(per_user=0)


async def test_of_many_at_once_exactly_as_many_as_fit_are_taken(bench: Bench) -> None:
    answers = await asyncio.gather(*(bench.submit(room=5) for _ in range(20)), return_exceptions=True)
    assert Counter(type(answer).__name__ for answer in answers) == {"Submitted": 5, "QueueFull": 15}


async def test_a_job_is_claimed_once(bench: Bench) -> None:
    for _ in range(10):
        await bench.submit()
    answers = await asyncio.gather(*(bench.store.claim(f"worker {n}", 60.0, n % 3 + 1) for n in range(30)))
    claims = [claim for answer in answers for claim in answer]
    jobs = [claim.record.spec.id for claim in claims]
    assert len(jobs) == len(set(jobs)) == 10
    assert len({claim.lease for claim in claims}) == 10


async def test_jobs_that_are_claimed_together_are_each_as_if_claimed_alone(bench: Bench) -> None:
    """Two of one session among them: each has its own number, and its record stands behind its own start."""
    for user, session in (("ann", "s"), ("ann", "s"), ("ann", ""), ("bob", "b")):
        await bench.submit(user, session)
    first, *others = claims = await bench.store.claim("worker", 60.0, 3)
    assert [claim.record.spec.user for claim in claims] == ["ann", "bob", "ann"]
    assert first.record.head
    for claim in claims:
        record, receipt = claim.record, claim.receipt
        assert receipt
        assert record.head
        assert (record.state.status, record.state.attempt_seq, record.state.last) == (
            "running",
            receipt.first,
            receipt.first,
        )
        assert record.state.started == claim.draft.time if claim.draft else False
        assert (record.head.epoch, record.head.last) == (receipt.epoch, receipt.first)
        assert record.head.epoch == record.epoch == receipt.epoch
        assert await bench.tokens(claim, "mine")
        assert (await bench.record(claim)).state.first == record.state.first
    assert [claim.receipt and claim.receipt.first for claim in (first, others[1])] == [3, 4]
    assert [event.type for event in await bench.events(LogKey("ann", "s"))] == [
        *("job_queued", "job_queued", "job_started", "job_started", "token", "token")
    ]
    assert [claim.record.spec.user for claim in await bench.store.claim("worker", 60.0, 9)] == ["ann"]
    assert await bench.store.claim("worker", 60.0, 9) == []


async def test_one_users_jobs_are_taken_in_the_order_they_came(bench: Bench) -> None:
    submitted = [(await bench.submit()).record.spec.id for _ in range(5)]
    assert [(await bench.claim()).record.spec.id for _ in range(5)] == submitted


async def test_users_who_wait_take_turns(bench: Bench) -> None:
    for user, jobs in {"ann": 4, "bob": 2, "eve": 3}.items():
        for _ in range(jobs):
            await bench.submit(user)
    assert await order(bench, 9) == ["ann", "bob", "eve"] * 2 + ["ann", "eve", "ann"]


async def test_who_comes_late_does_not_wait_behind_a_flood(bench: Bench) -> None:
    for _ in range(20):
        await bench.submit("flood")
    await order(bench, 5)
    await bench.submit("late")
    assert "late" in await order(bench, 2)


async def test_who_comes_late_does_not_push_ahead_for_ever(bench: Bench) -> None:
    """One who always has a new job gets every second turn, not all of them."""
    for _ in range(6):
        await bench.submit("patient")
    claimed = []
    for _ in range(12):
        await bench.submit("eager")
        claimed += await order(bench, 1)
    assert Counter(claimed) == {"patient": 6, "eager": 6}


async def test_within_a_turn_who_came_first_goes_first_whatever_the_sessions(bench: Bench) -> None:
    """A job in a long log came no later than one in a new log."""
    await bench.publish(LogKey("ann", "long"), *["x"] * 50)
    await bench.submit("ann", "long")
    await bench.submit("bob")
    assert await order(bench, 2) == ["ann", "bob"]


async def test_a_job_that_ended_while_it_waited_is_not_claimed(bench: Bench) -> None:
    first, second = await bench.submit(), await bench.submit()
    spec = first.record.spec
    claim = await bench.claim()
    await bench.reset(claim)
    assert len(await bench.store.queued()) == 2
    receipt = await bench.append(msgspec.structs.replace(claim, lease=""), bench.done("cancelled"))
    assert receipt
    assert [record.spec.id for record in await bench.store.queued()] == [second.record.spec.id]
    assert (await bench.claim()).record.spec.id == second.record.spec.id
    assert await bench.store.claim("worker", 60.0) == []
    record = await bench.store.load(spec.id)
    assert record
    assert record.state.status == "cancelled"


async def test_an_event_that_is_no_turn_does_not_cost_a_waiting_job_its_place(bench: Bench) -> None:
    await bench.submit("ann")
    waiting = await bench.submit("bob")
    for user in ("ann", "eve", "joe"):
        await bench.submit(user)
    spec = waiting.record.spec
    claim = await bench.claim()
    assert claim.record.spec.user == "ann"
    assert await bench.append(
        msgspec.structs.replace(claim, record=waiting.record, lease=""), bench.draft("log", level="info", message="m")
    )
    assert (await bench.claim()).record.spec.id == spec.id


async def test_a_retried_job_waits_its_turn_among_its_users_jobs(bench: Bench) -> None:
    claim = await bench.running()
    second = await bench.submit()
    await bench.reset(claim)
    assert [(await bench.claim()).record.spec.id for _ in range(2)] == [second.record.spec.id, claim.record.spec.id]


async def test_a_retry_may_have_to_wait_and_holds_back_nobody(bench: Bench) -> None:
    claim = await bench.running()
    await bench.reset(claim, delay=3600)
    assert await bench.store.claim("worker", 60.0) == []
    assert [record.spec.id for record in await bench.store.queued()] == [claim.record.spec.id]
    other = await bench.submit()
    assert (await bench.claim()).record.spec.id == other.record.spec.id
    assert await bench.store.claim("worker", 60.0) == []


@settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["submit", "submit", "submit", "claim", "end"]), st.sampled_from("abcd")), max_size=40
    )
)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_no_user_is_served_twice_while_another_waits_longer(
    opened: Opened, bench_of: type[Bench], kind: str, steps: list[tuple[str, Any]]
) -> None:
    """Of two users who both wait all the while, neither is ever two claims ahead of the other."""
    async with opened(kind) as store:
        bench = bench_of(store)
        waiting: Counter[str] = Counter()
        since: dict[str, Counter[str]] = {}
        for step, user in steps:
            if step == "submit":
                await bench.submit(user)
                waiting[user] += 1
                since.setdefault(user, Counter())
            elif waiting.total():
                claimed = (await bench.claim()).record.spec.user
                waiting[claimed] -= 1
                for other, seen in since.items():
                    if other != claimed:
                        seen[claimed] += 1
                        assert seen[claimed] <= 2, f"{other} waits while {claimed} is served"
                since[claimed] = Counter()
                if not waiting[claimed]:
                    del since[claimed]
