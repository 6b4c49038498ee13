"""Once and in order: whatever happens to the line, a reader that comes back misses and repeats nothing."""

from __future__ import annotations

import asyncio
import random
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sse_server import config as c
from tests.promises.conftest import Reading, Wire, running

Op = tuple[str, int]
PLANS = st.lists(
    st.tuples(st.sampled_from(["emit", "read", "read", "stale", "restart"]), st.integers(1, 60)),
    min_size=3,
    max_size=14,
)


@pytest.mark.parametrize("by", ["header", "query"])
async def test_a_stream_cut_at_every_event_and_resumed_gives_the_same_list(wire: Wire, by: str) -> None:
    job = await wire.start("burst", 25)
    whole = await wire.read(job)
    assert whole.logged == await wire.all(job)
    for cut in range(1, len(whole.events)):
        first = await wire.read(job, most=cut)
        rest = await (
            wire.read(job, first.cursor) if by == "header" else wire.read(job, query=f"?after={first.cursor}")
        )
        assert first.logged + rest.logged == whole.logged


async def test_random_cuts_while_the_job_runs_lose_and_repeat_nothing(wire: Wire) -> None:
    dice = random.Random(7)
    job = await wire.start("burst", 4000)
    seen, cursor, status = [], "", 200
    while status == 200:
        reading = await wire.read(job, cursor, size=dice.randint(1, 90_000))
        seen += reading.logged
        cursor, status = reading.cursor, reading.status
    assert status == 204
    assert seen == await wire.all(job)
    assert [event["text"] for event in seen if event["type"] == "token"] == [f"{n} é\r\n\u2028" for n in range(4000)]


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
async def test_polling_pages_equal_the_stream_and_a_client_may_change_at_any_page(wire: Wire, limit: int) -> None:
    job = await wire.start("burst", 20)
    whole = (await wire.read(job)).logged
    assert await wire.all(job, limit) == whole
    page = await wire.poll(job, "0", limit)
    assert page["events"] + (await wire.read(job, page["next"])).logged == whole
    reading = await wire.read(job, most=9)
    assert reading.logged + (await wire.poll(job, reading.cursor, 1000))["events"] == whole


async def test_many_readers_get_every_event_of_a_burst_that_no_tail_holds(wire: Wire) -> None:
    job = await wire.start("puppet", {})
    readers = [asyncio.create_task(wire.read(job)) for _ in range(270)]
    while len(wire.server.hub.subscribers) < 270:
        await wire.poll(job)
    await wire.order(job, 600)
    await wire.order(job, 0)
    whole = await wire.all(job)
    assert all(reading.logged == whole for reading in await asyncio.gather(*readers))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(plan=PLANS)
def test_append_trim_resume_and_restart_in_any_order_lose_nothing_silently(
    plan: list[Op], tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(_follow(plan, tmp_path_factory.mktemp("plan")))


async def _follow(plan: list[Op], folder: Path) -> None:
    """A job and its reader for each life of the server; every reader goes on to its job's end, also after a restart."""
    lives = [list(group) for restart, group in groupby(plan, lambda op: op[0] == "restart") if not restart]
    readers: list[Reader] = []
    for life in [*lives, []]:
        async with running(folder, store=c.Store(path=str(folder / "log.db"), max_job_events=40)) as wire:
            for reader in readers:
                await reader.to_the_end(wire)
            if life:
                reader = Reader(await wire.start("puppet", {}, session_id="shared"))
                readers.append(reader)
                for op, count in life:
                    await reader.do(wire, op, count)
    for reader in readers:
        check(reader.seen, reader.emitted)


class Reader:
    """Follows one job; `seen` are the numbers that it got, and where it was told of a gap."""

    def __init__(self, job: str) -> None:
        self.job = job
        self.cursor = ""
        self.emitted = 0
        self.seen: list[int | str] = []

    async def do(self, wire: Wire, op: str, count: int) -> None:
        match op:
            case "emit":
                await wire.order(self.job, count)
                self.emitted += count
                while len((await wire.all_so_far(self.job)).split()) < self.emitted:
                    pass
            case "read":
                await self.read(wire, count)
            case _:
                stale = Reader(self.job)
                stale.cursor = self.cursor and f"{self.cursor.partition('-')[0]}-1"
                await stale.read(wire, count)
                check(stale.seen)

    async def read(self, wire: Wire, count: int) -> None:
        """As many as there are, at most: more than that may never come."""
        page = await wire.poll(self.job, self.cursor, 1000)
        there = len(page["events"]) + (2 if "gap" in page else 0)
        if there:
            self.take(await wire.read(self.job, self.cursor, most=min(count, there)))

    async def to_the_end(self, wire: Wire) -> None:
        status = 200
        while status == 200:
            reading = await wire.read(self.job, self.cursor)
            self.take(reading)
            status = reading.status

    def take(self, reading: Reading) -> None:
        self.cursor = reading.cursor
        for one in reading.data:
            if one["type"] == "token":
                self.seen.append(int(one["text"]))
            elif one["type"] == "gap":
                self.seen.append("gap")


def check(seen: list[int | str], emitted: int | None = None) -> None:
    """Numbers follow one another, up to the last, but where a gap was told."""
    expected: int | None = None  # a reader without a cursor gets what is kept, and that is no gap
    for one in seen:
        assert one == "gap" or expected in {None, one}, seen
        expected = None if one == "gap" else int(one) + 1
    if emitted is not None:
        assert expected in {None, emitted}, seen
