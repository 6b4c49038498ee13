"""A job's state is the fold of its events, at any moment, in the same transaction."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from sse_server.encoding import encode_fields
from sse_server.eventlog import LogKey
from sse_server.eventlog.memory import MemoryStore
from sse_server.eventlog.memory.queue import FOLD
from sse_server.events import Draft, Event
from sse_server.jobs import fold

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench

KEY = LogKey("ann", "s")


def work(choose: random.Random, n: int) -> Draft:
    """One event of an agent, of any type, some of them malformed."""
    said: list[tuple[str, dict[str, Any]]] = [
        ("token", {"text": f"{n} "}),
        ("token", {"text": n}),
        ("step_progress", {"step": f"s{n % 7}", "pct": n % 100, "status": "running", "job_pct": n % 90}),
        ("step_progress", {"step": f"s{n % 7}", "pct": 1, "status": "failed", "message": "m" * 5000}),
        ("insight", {"text": f"i{n}", "data": {"n": n}}),
        ("tool_call", {"call_id": f"c{n % 9}", "tool": "t", "arguments": {"n": n}}),
        ("tool_result", {"call_id": f"c{n % 9}", "tool": "t", "result": [n] * (n % 2000)}),
        ("specialist_update", {"specialist": f"p{n % 3}", "status": "busy"}),
        ("usage", {"tokens_in": n, "tokens_out": 1, "cost_usd": 0.25, "model": "m"}),
        ("own_type", {"n": n}),
    ]
    kind, fields = choose.choice(said)
    return Draft(kind, encode_fields(fields), 1_000_000 + n)


async def test_a_job_that_nobody_asks_for_is_folded_now_and_then(bench_of: type[Bench]) -> None:
    """Else who asks first would hold the loop for all that the job ever wrote."""
    store = MemoryStore()
    bench = bench_of(store)
    claim = await bench.running()
    for n in range(3 * FOLD):
        assert await bench.tokens(claim, f"{n} ")
        assert len(store._jobs[claim.record.spec.id].unfolded) < FOLD
    assert (await bench.record(claim)).state.work.text == "".join(f"{n} " for n in range(3 * FOLD))


async def test_the_state_is_the_fold_of_the_events_at_every_moment(bench: Bench) -> None:
    """Over several checkpoints, attempts and batches of any size, with another job between."""
    choose = random.Random(20)
    other = await bench.running(session="s")
    claim = await bench.running(session="s")
    n = 0
    for batch in [1, 2, 499, 1, 1, 498, 500, 3, 1200, 1, 7]:
        assert await bench.append(claim, *(work(choose, n := n + 1) for _ in range(batch)))
        await bench.tokens(other, "x")
        await same(bench, claim.record.spec.id)
        if batch in {499, 3, 1200}:
            assert await bench.reset(claim)
            await same(bench, claim.record.spec.id)
            claim = await bench.claim()
            await same(bench, claim.record.spec.id)
    await bench.end(claim)
    await same(bench, claim.record.spec.id)
    assert (await bench.record(other)).state.work.text == "x" * 11


async def same(bench: Bench, job_id: str) -> None:
    """The store's state and the fold of what a reader reads are one, and of one moment."""
    record = await bench.store.load(job_id, work=True)
    assert record
    assert record.head
    mine = [event for event in await bench.events(KEY) if event.job_id == job_id]
    assert record.state == fold(mine)
    assert record.state.last == mine[-1].seq <= record.head.last


async def test_done_is_kept_whole(bench: Bench) -> None:
    claim = await bench.running(session="s")
    draft = bench.done(result={"text": "é", "items": [1, 2.5, None]})
    receipt = await bench.append(claim, draft)
    assert receipt
    for record in (await bench.record(claim), await bench.record(claim, work=False)):
        done = record.state.done
        assert done
        assert done.event == Event(receipt.first, "done", claim.record.spec.id, 1, draft.time, draft.body)
        assert bytes(done.ending.result) == b'{"text":"\xc3\xa9","items":[1,2.5,null]}'  # type: ignore[arg-type]
        assert (await bench.events(KEY))[-1] == done.event


async def test_an_attempt_begins_where_its_job_started_stands(bench: Bench) -> None:
    claim = await bench.running(session="s")
    assert claim.record.state.attempt_seq == 2
    started = claim.record.state.started
    await bench.tokens(claim, "a")
    await bench.reset(claim)
    claim = await bench.claim()
    state = claim.record.state
    assert (state.attempt, state.attempt_seq, state.started) == (2, 5, started)
    assert [event.attempt for event in await bench.events(KEY)] == [1, 1, 1, 2, 2]


async def test_a_malformed_event_is_stored_and_adds_nothing(bench: Bench) -> None:
    claim = await bench.running(session="s")
    await bench.tokens(claim, "a")
    before = (await bench.record(claim)).state.work
    assert await bench.append(claim, bench.draft("token", text=5), bench.draft("usage", tokens_in=-1))
    assert (await bench.record(claim)).state.work == before
    assert [event.type for event in await bench.events(KEY)][-2:] == ["token", "usage"]
    assert await bench.end(claim)
