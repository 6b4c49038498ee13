"""What comes at once is stored by a few statements, and comes out as if one had come after the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from sse_server.eventlog import IdempotencyKey, LogKey, Retention, Submitted, Write
from sse_server.eventlog.sqlite import SqliteStore
from tests.eventlog.test_sqlite_writer import held_up

if TYPE_CHECKING:
    from tests.eventlog.conftest import Bench, Opened


def key(name: str, digest: bytes = b"digest", user: str = "ann") -> IdempotencyKey:
    return IdempotencyKey(user, "POST /api/jobs", name, digest)


ASKED: list[dict[str, Any]] = [
    {"session": "a", "worker": "w"},
    {"session": "a", "worker": "w"},
    {"session": "b", "worker": "w", "once": key("one")},
    {"session": "c", "worker": "w", "once": key("one")},
    {"session": "d", "worker": "w", "once": key("one", b"another")},
    {"session": "a", "user": "bob", "worker": "w", "once": key("one", user="bob")},
    {"session": "e", "per_user": 3},
    {"session": "e", "per_user": 4},
    {"session": "f", "worker": "w"},
    {"session": "a", "user": "bob", "worker": "w"},
    {"session": "b", "user": "bob"},
    {"session": "a", "user": "eve", "room": 4},
    {"session": "a", "user": "eve", "room": 5},
    {"session": "b", "user": "eve", "once": key("two", user="eve")},
    {"session": "c", "user": "eve", "once": key("two", user="eve")},
    {"session": "a", "user": "kim", "per_user": 1},
    {"session": "b", "user": "kim", "per_user": 1},
    {"session": "c", "user": "kim"},
    {"session": "a", "user": "kim"},
]


def told(outcome: Submitted | BaseException) -> tuple[Any, ...]:
    """What a start came to, but for what is random."""
    if not isinstance(outcome, Submitted):
        return (getattr(outcome, "code", outcome),)
    record, receipt, claim = outcome.record, outcome.receipt, outcome.claim
    return (
        (
            record.spec.user,
            record.spec.session,
            record.state.status,
            record.state.first,
            record.head and record.head.last,
        ),
        receipt and receipt.first,
        [(draft.type, draft.body) for draft in outcome.drafts],
        claim and claim.record.state.last,
    )


async def left(bench: Bench) -> tuple[Any, ...]:
    """What stands in the logs, and in which order those who wait are claimed."""
    places = [LogKey(user, session) for user in ("ann", "bob", "eve", "kim") for session in "abcdef"]
    logs = [[(event.seq, event.type) for event in await bench.events(place)] for place in places]
    waiting = [claim.record.spec for claim in await bench.store.claim("w", 60.0, 100)]
    return logs, [(spec.user, spec.session) for spec in waiting]


async def test_starts_that_come_at_once_are_admitted_as_one_after_the_other(
    opened: Opened, bench_of: type[Bench]
) -> None:
    async with opened("memory") as memory, opened("sqlite") as sqlite:
        assert isinstance(sqlite, SqliteStore)
        one, other = bench_of(memory), bench_of(sqlite)
        expected = [(await asyncio.gather(one.submit(**asked), return_exceptions=True))[0] for asked in ASKED]
        statements: list[str] = []
        sqlite._connections[0].set_trace_callback(statements.append)
        async with held_up(sqlite, until=len(ASKED)):
            starts = asyncio.gather(*(other.submit(**asked) for asked in ASKED), return_exceptions=True)
        outcomes = await starts
        assert "ROLLBACK" not in statements, "else they would be tried again one by one"
        assert [told(outcome) for outcome in outcomes] == [told(outcome) for outcome in expected]
        assert {type(outcome).__name__ for outcome in outcomes} == {
            *("Submitted", "IdempotencyMismatch", "TooManyJobs", "QueueFull")
        }
        assert await left(other) == await left(one)


async def test_one_start_that_can_not_be_stored_fails_none_that_comes_with_it(
    opened: Opened, bench_of: type[Bench]
) -> None:
    async with opened("sqlite") as store:
        assert isinstance(store, SqliteStore)
        bench = bench_of(store)
        specs = [bench.spec(session=name) for name in ("a", "\ud800", "b")]
        async with held_up(store, until=len(specs)):
            submits = (store.submit(spec, room=100, per_user=100, worker="w", lease_for=60.0) for spec in specs)
            starts = asyncio.gather(*submits, return_exceptions=True)
        outcomes = await starts
        assert [isinstance(outcome, Submitted) for outcome in outcomes] == [True, False, True]
        for name in "ab":
            assert len(await bench.events(LogKey("ann", name))) == 2


@pytest.mark.parametrize("jobs", [1, 2, 31, 100])
async def test_jobs_that_begin_and_end_at_once_are_stored_by_a_few_statements(
    opened: Opened, bench_of: type[Bench], jobs: int
) -> None:
    async with opened("sqlite", retention=Retention()) as store:
        assert isinstance(store, SqliteStore)
        bench = bench_of(store)
        statements: list[str] = []
        store._connections[0].set_trace_callback(statements.append)
        async with held_up(store, until=jobs):
            starts = asyncio.gather(*(bench.submit(worker="w") for _ in range(jobs)))
        claims = [submitted.claim for submitted in await starts]
        ends = [
            Write(
                bench.key(claim.record.spec),
                [bench.draft("token", text="t"), bench.done()],
                claim.record.spec.id,
                claim.lease,
            )
            for claim in claims
            if claim
        ]
        assert all(await store.append(ends))
        store._connections[0].set_trace_callback(None)
        assert len(statements) <= 50
        for claim in claims:
            assert claim
            record = await bench.record(claim)
            assert (record.state.status, record.state.last, record.state.work.text) == ("succeeded", 4, "t")
            assert record.state.done
            assert msgspec.json.decode(record.state.done.event.body)["status"] == "succeeded"
            assert record.head
            assert (record.head.last, (await bench.figures(bench.key(record.spec))).jobs) == (4, 1)
