"""Appends: one transaction each, numbered densely, and refused to whoever has no lease."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sse_server.eventlog import LogKey, Write
from sse_server.jobs import fold

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened

KEY = LogKey("ann", "s")


async def test_seq_is_dense_from_one_on(bench: Bench) -> None:
    claim = await bench.running(session="s")
    first = await bench.tokens(claim, "a", "b")
    published = await bench.publish(KEY, "c", "d", "e")
    last = await bench.tokens(claim, "f")
    assert first
    assert last
    assert [first.first, published.first, last.first] == [3, 5, 8]
    events = await bench.events(KEY)
    assert [event.seq for event in events] == list(range(1, 9))
    assert {first.epoch, published.epoch, last.epoch, claim.record.epoch} == {claim.record.epoch}


async def test_what_was_appended_is_what_is_read(bench: Bench) -> None:
    claim = await bench.running(session="s")
    drafts = [bench.draft("token", text="é\n\0\u2028"), bench.draft("own_type", 7), bench.draft("log", data={"a": [1]})]
    receipt = await bench.append(claim, *drafts)
    assert receipt
    events = await bench.events(KEY, after=receipt.first - 1)
    job_id = claim.record.spec.id
    assert [(e.type, e.body, e.time, e.attempt, e.job_id) for e in events] == [
        (draft.type, draft.body, draft.time, draft.attempt, job_id) for draft in drafts
    ]


async def test_events_of_no_job_have_no_job_id(bench: Bench) -> None:
    await bench.publish(KEY, "a")
    assert [(event.seq, event.job_id) for event in await bench.events(KEY)] == [(1, "")]


async def test_one_append_may_write_to_many_logs_and_jobs(bench: Bench) -> None:
    claims = [await bench.running(user, "s") for user in ("ann", "bob", "ann")]
    writes = [
        Write(bench.key(claim.record.spec), [bench.draft("token", text=str(n))] * 2, claim.record.spec.id, claim.lease)
        for n, claim in enumerate(claims)
    ]
    receipts = await bench.store.append([*writes, Write(KEY, [bench.draft("message")])])
    assert [receipt and receipt.first for receipt in receipts] == [5, 3, 7, 9]
    assert [event.seq for event in await bench.events(KEY)] == list(range(1, 10))


async def test_concurrent_appends_are_dense_and_keep_the_order_of_each_writer(bench: Bench) -> None:
    claims = [await bench.running(session="s") for _ in range(5)]

    async def write(n: int) -> list[int]:
        receipts = [await bench.tokens(claims[n], f"{n}.{i}", "x") for i in range(20)]
        return [receipt.first for receipt in receipts if receipt]

    firsts = await asyncio.gather(*map(write, range(5)))
    events = await bench.events(KEY)
    assert [event.seq for event in events] == list(range(1, 10 + 5 * 40 + 1))
    for n, numbers in enumerate(firsts):
        assert len(numbers) == 20
        assert numbers == sorted(numbers)
        texts = [event.body for event in events if event.seq in numbers]
        assert texts == [b'{"text":"%d.%d"}' % (n, i) for i in range(20)]


async def test_users_never_meet_in_sessions_of_one_name(bench: Bench) -> None:
    ann = await bench.publish(LogKey("ann", "s"), "a")
    bob = await bench.publish(LogKey("bob", "s"), "b")
    assert (ann.first, bob.first) == (1, 1)
    assert ann.epoch != bob.epoch
    assert [event.body for event in await bench.events(LogKey("bob", "s"))] == [b'{"text":"b"}']


@pytest.mark.parametrize("user", ["", "a b", "é\U0001f600", "a'; DROP TABLE logs; --", "%", "a\0b", "a" * 10_000])
async def test_a_user_may_be_any_text(bench: Bench, user: str) -> None:
    await bench.publish(LogKey("a", "s"), "other")
    claim = await bench.running(user, "s")
    await bench.end(claim)
    key = LogKey(user, "s")
    assert [event.type for event in await bench.events(key)] == ["job_queued", "job_started", "done"]
    assert (await bench.record(claim)).spec.user == user


async def test_a_job_without_its_lease_is_fenced(bench: Bench) -> None:
    claim = await bench.running(session="s")
    spec = claim.record.spec
    draft = bench.draft("token", text="a")
    for lease in ("", "x", claim.lease + "x", claim.lease[:-1]):
        assert await bench.store.append([Write(KEY, [draft], spec.id, lease)]) == [None]
    assert await bench.store.append([Write(KEY, [draft], "job_unknown", claim.lease)]) == [None]
    assert await bench.store.append([Write(LogKey("bob", "s"), [draft], "job_unknown", "")]) == [None]
    assert await bench.store.head(LogKey("bob", "s")) is None
    assert [event.type for event in await bench.events(KEY)] == ["job_queued", "job_started"]


async def test_a_fenced_write_does_not_hold_back_its_neighbours(bench: Bench) -> None:
    claim = await bench.running(session="s")
    other = await bench.running(session="s")
    draft = bench.draft("token", text="a")
    receipts = await bench.store.append(
        [
            Write(KEY, [draft], claim.record.spec.id, "stale"),
            Write(KEY, [draft], other.record.spec.id, other.lease),
            Write(KEY, [draft], claim.record.spec.id, claim.lease),
        ]
    )
    assert [receipt and receipt.first for receipt in receipts] == [None, 5, 6]


async def test_done_is_the_last_event_and_there_is_one(bench: Bench) -> None:
    claim = await bench.running(session="s")
    spec = claim.record.spec
    receipts = await bench.store.append(
        [
            Write(KEY, [bench.draft("token", text="a"), bench.done()], spec.id, claim.lease),
            Write(KEY, [bench.done("failed")], spec.id, claim.lease),
            Write(KEY, [bench.draft("token", text="b")], spec.id, claim.lease),
            Write(KEY, [bench.done("failed")], spec.id, ""),
        ]
    )
    assert [bool(receipt) for receipt in receipts] == [True, False, False, False]
    assert await bench.tokens(claim, "c") is None
    assert [event.type for event in await bench.events(KEY)] == ["job_queued", "job_started", "token", "done"]
    assert (await bench.record(claim)).state.status == "succeeded"


async def test_of_many_who_end_a_job_at_once_one_does(bench: Bench) -> None:
    claim = await bench.running(session="s")
    receipts = await asyncio.gather(*(bench.end(claim, status) for status in ["succeeded", "failed", "cancelled"] * 5))
    assert [bool(receipt) for receipt in receipts].count(True) == 1
    assert [event.type for event in await bench.events(KEY)].count("done") == 1


async def test_a_write_behind_its_jobs_end_in_the_same_append_is_fenced(bench: Bench) -> None:
    claim, other = [await bench.running(session="s") for _ in range(2)]
    spec = claim.record.spec
    said, done = bench.draft("token", text="a"), bench.done()
    ours = [Write(KEY, drafts, spec.id, claim.lease) for drafts in ([said], [said, done], [said], [done])]
    theirs = Write(KEY, [said], other.record.spec.id, other.lease)
    receipts = await bench.store.append([*ours[:2], theirs, *ours[2:], theirs])
    assert [receipt and receipt.first for receipt in receipts] == [5, 6, 8, None, None, 9]
    assert [event.type for event in await bench.events(KEY, 4)] == ["token", "token", "done", "token", "token"]
    assert (await bench.record(claim)).state.work.text == "aa"
    assert (await bench.record(other)).state.work.text == "aa"


async def test_a_job_that_waits_again_in_the_same_append_has_no_lease(bench: Bench) -> None:
    claim = await bench.running(session="s")
    job_id, state = claim.record.spec.id, claim.record.state
    reset = bench.draft("attempt_reset", 2, from_seq=state.attempt_seq, reason="error")
    said, done = bench.draft("token", text="a"), bench.done("cancelled")
    held, free = [
        [Write(KEY, drafts, job_id, lease) for drafts in ([said, reset], [said], [done])] for lease in (claim.lease, "")
    ]
    receipts = await bench.store.append([free[2], held[0], held[1], held[2], free[2], free[1]])
    assert [receipt and receipt.first for receipt in receipts] == [None, 3, None, None, 5, None]
    record = await bench.record(claim)
    assert (record.state.status, record.state.attempt, record.state.last) == ("cancelled", 2, 5)
    assert record.state == fold(await bench.events(KEY))
    assert await bench.store.queued() == []


async def test_jobs_of_one_session_that_end_together_leave_none_active(bench: Bench) -> None:
    claims = [await bench.running(session="s") for _ in range(3)]
    writes = [Write(KEY, [bench.done()], claim.record.spec.id, claim.lease) for claim in claims]
    receipts = await bench.store.append(writes)
    assert [receipt and receipt.first for receipt in receipts] == [7, 8, 9]
    for claim in claims:
        record = await bench.record(claim)
        assert record.state == fold(e for e in await bench.events(KEY) if e.job_id == claim.record.spec.id)
    await bench.store.clear(KEY)


async def test_nothing_can_be_written_behind_a_jobs_end_or_without_events(bench: Bench) -> None:
    done, token = bench.done(), bench.draft("token", text="a")
    reset = bench.draft("attempt_reset", 2, from_seq=1, reason="error")
    for drafts in ([], [done, token], [done, done], [token, reset, token], [reset, done]):
        with pytest.raises(ValueError, match="end"):
            Write(KEY, drafts, "job_1", "lease")


async def test_a_jobs_write_goes_to_the_jobs_log(bench: Bench) -> None:
    claim = await bench.running(session="s")
    spec = claim.record.spec
    await bench.store.append([Write(LogKey("bob", "t"), [bench.draft("token", text="a")], spec.id, claim.lease)])
    assert await bench.store.head(LogKey("bob", "t")) is None
    assert fold(await bench.events(KEY)) == (await bench.record(claim)).state


async def test_the_head_says_where_the_log_stands(bench: Bench) -> None:
    assert await bench.store.head(KEY) is None
    receipt = await bench.publish(KEY, "a", "b")
    head = await bench.store.head(KEY)
    assert head is not None
    assert (head.epoch, head.trimmed, head.last) == (receipt.epoch, 0, 2)
    assert str(head.id) == f"{receipt.epoch}-2"


async def test_the_secret_is_32_bytes_and_stays(bench: Bench, opened: Opened, kind: str) -> None:
    secret = await bench.store.secret()
    assert len(secret) == 32
    assert await bench.store.secret() == secret
    async with opened(kind) as another:
        assert await another.secret() != secret


async def test_a_store_that_is_open_can_be_pinged(bench: Bench) -> None:
    await bench.store.ping()
    assert await bench.store.head(KEY) is None
