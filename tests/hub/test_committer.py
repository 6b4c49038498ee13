"""The one task that appends: what it gathers, and what it does where the store fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from sse_server.errors import StoreUnavailable
from sse_server.eventlog import Receipt, Write
from sse_server.eventlog.memory import MemoryStore
from sse_server.hub import committer
from sse_server.hub.committer import BATCH

if TYPE_CHECKING:
    from tests.hub.conftest import Beating, Heart

Until = Callable[[Callable[[], Any]], Any]


class Troubled(MemoryStore):
    """A store that fails as a test says: at all, or at writes of one type."""

    down = False
    poison = ""
    appended = 0

    async def append(self, writes: Sequence[Write]) -> list[Receipt | None]:
        self.appended += 1
        if self.down:
            raise StoreUnavailable("the disk is full")
        if any(draft.type == self.poison for write in writes for draft in write.drafts):
            raise OverflowError("no such number")
        return await super().append(writes)


async def test_what_many_sources_have_at_once_is_one_append(beating: Beating) -> None:
    async with beating(store := Troubled()) as heart:
        jobs = [await heart.job(f"s{n}") for n in range(10)]
        await asyncio.gather(*(job.mark("token") for job in jobs))
        assert store.appended == 1


async def test_a_flood_leaves_room_for_the_others(heart: Heart) -> None:
    flood, other = await heart.job("one"), await heart.job("two")
    flooded = flood.mark(*["token"] * 3 * BATCH)
    await other.mark("token")
    assert not flooded.done()
    await flooded


async def test_while_the_store_is_down_events_wait_and_nobody_reads_them(
    beating: Beating, until: Until, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(committer, "RETRY", (0.001,))
    async with beating(store := Troubled()) as heart:
        await heart.publish()
        reader = heart.read()
        await until(lambda: reader.at_rest)
        store.down = True
        stored = heart.pen.mark("note")
        await until(lambda: store.appended > 4)
        assert not stored.done()
        assert reader.tape.seqs == [1]
        store.down = False
        await stored
        await until(lambda: reader.tape.seqs == [1, 2])
    assert "the disk is full" in caplog.text


async def test_events_that_can_not_be_stored_stop_no_others(beating: Beating, caplog: pytest.LogCaptureFixture) -> None:
    async with beating(store := Troubled()) as heart:
        bad, good = await heart.job("one"), await heart.job("two")
        store.poison = "token"
        refused, stored = bad.mark("token"), good.mark("log")
        assert await stored
        assert await refused is None
        assert await good.mark("done")
    assert "can't be stored" in caplog.text


async def test_a_store_that_does_not_come_back_does_not_keep_the_server_from_stopping(
    beating: Beating, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(committer, "RETRY", (0.001, 0.001))
    async with beating(store := Troubled()) as heart:
        store.down = True
        lost = heart.pen.mark("note")
        await heart.hub.close()
        assert await lost is None
        assert store.appended > 2
    assert "not stored" in caplog.text


async def test_closing_stores_and_delivers_what_was_marked_before(heart: Heart, until: Until) -> None:
    await heart.publish()
    reader = heart.read()
    await until(lambda: reader.at_rest)
    stored = heart.pen.mark(*["note"] * 2 * BATCH)
    await heart.hub.close()
    assert stored.done()
    await until(lambda: len(reader.tape.seqs) == 2 * BATCH + 1)
