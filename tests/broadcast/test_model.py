"""Whatever is published, cleared, cleaned and read, in whatever order: each event once, in order, or a gap says so.

An event with a ttl of a microsecond is past its time before anybody can look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, field

from sse_server.broadcast import Broadcaster, BroadcasterConfig, Subscriber

FrameOf = Callable[[str], Any]
Place = tuple[str, str]

PLACES: list[Place] = [("ann", "s"), ("bob", "s"), ("ann", "t")]
MOMENT = 1e-6
WARNING, CRITICAL = 4_000, 8_000
"""Bytes."""


class Publish(Struct, frozen=True):
    place: Place
    lasts: bool
    size: int


class Subscribe(Struct, frozen=True):
    place: Place


class Read(Struct, frozen=True):
    """Some frames of one of the subscribers."""

    which: int
    frames: int


class Leave(Struct, frozen=True):
    which: int


class Clear(Struct, frozen=True):
    place: Place


class Clean(Struct, frozen=True):
    pass


class LookBack(Struct, frozen=True):
    place: Place
    limit: int


places = st.sampled_from(PLACES)
numbers = st.integers(0, 20)
step = st.one_of(
    st.builds(Publish, places, st.booleans(), st.sampled_from([10, 1000])),
    st.builds(Publish, places, st.just(value=True), st.just(10)),
    st.builds(Subscribe, places),
    st.builds(Read, numbers, st.integers(1, 8)),
    st.builds(Leave, numbers),
    st.builds(Clear, places),
    st.builds(Clean),
    st.builds(LookBack, places, st.integers(1, 12)),
)
steps = st.lists(step, max_size=60) | st.lists(step, min_size=20, max_size=60)  # most of the first are short


class Reader(Struct):
    """What a subscriber owes: `due` are the lasting events from its begin on; `gap`, that it was just told of one."""

    subscriber: Subscriber
    place: Place
    due: list[int]
    gap: bool = False

    def take(self, frame: Any) -> None:
        """The next frame is the next one that is due, or some were told as a gap."""
        if frame.type == "gap":
            self.gap = True
            return
        n = frame.data["n"]
        assert n in self.due, f"{n} is not due (any more), of {self.due}"
        passed = self.due[: self.due.index(n)]
        assert self.gap or not passed, f"{passed} were passed over in silence"
        self.due = self.due[self.due.index(n) + 1 :]
        self.gap = False

    def is_done(self) -> bool:
        return self.gap or not self.due


class Model(Struct):
    """The truth about the sessions, and who reads them."""

    broadcaster: Broadcaster
    frame_of: FrameOf
    count: int = 0
    lasting: dict[Place, list[int]] = field(default_factory=lambda: {place: [] for place in PLACES})
    latest: dict[Place, list[int]] = field(default_factory=lambda: {place: [] for place in PLACES})
    readers: list[Reader] = field(default_factory=list)

    async def take(self, step: object) -> None:
        match step:
            case Publish():
                await self.publish(step)
            case Subscribe((user, name)):
                kept = await self.history(step.place, 1000)
                subscriber = await self.broadcaster.add_subscriber(name, user)
                assert subscriber.qsize() == len(kept)
                self.readers.append(Reader(subscriber, step.place, kept))
            case Read() if self.readers:
                reader = self.readers[step.which % len(self.readers)]
                for _ in range(step.frames):
                    if reader.subscriber.qsize() > 0:
                        reader.take(self.frame_of(await reader.subscriber.get(timeout=5)))
            case Leave() if self.readers:
                reader = self.readers.pop(step.which % len(self.readers))
                await self.broadcaster.remove_subscriber(reader.place[1], reader.subscriber, reader.place[0])
            case Clear((user, name)):
                await self.broadcaster.clear_session(name, user)
                self.lasting[step.place].clear()
                self.latest[step.place].clear()
            case Clean():
                await self.clean()
            case LookBack():
                await self.look_back(step)
            case _:
                pass

    async def publish(self, step: Publish) -> None:
        user, name = step.place
        self.count += 1
        event: dict[str, Any] = {"type": "note", "data": {"n": self.count, "text": "x" * step.size}}
        await self.broadcaster.broadcast_event(name, event if step.lasts else {**event, "ttl": MOMENT}, user)
        self.latest[step.place].append(self.count)
        if step.lasts:
            self.lasting[step.place].append(self.count)
            for reader in self.readers:
                if reader.place == step.place:
                    reader.due.append(self.count)

    async def clean(self) -> None:
        before = (await self.broadcaster.get_stats())["memoryUsageMB"] * 2**20
        await self.broadcaster._perform_cleanup()
        left = (await self.broadcaster.get_stats())["memoryUsageMB"] * 2**20
        assert left <= (WARNING if before > CRITICAL else before) + 1

    async def look_back(self, step: LookBack) -> None:
        shown = await self.history(step.place, step.limit)
        lasting = self.lasting[step.place]
        assert shown == lasting[len(lasting) - len(shown) :]
        assert len(shown) <= min(step.limit, self.broadcaster.config.max_history_per_session)

    async def history(self, place: Place, limit: int) -> list[int]:
        events = await self.broadcaster.get_event_history(place[1], limit, place[0])
        return [event.data["n"] for event in events]

    async def read_out(self) -> None:
        """In the end every reader has had everything, or was told."""
        for reader in self.readers:
            while reader.subscriber.qsize() > 0 or not reader.is_done():
                reader.take(self.frame_of(await reader.subscriber.get(timeout=10)))


def config(history: int) -> BroadcasterConfig:
    return BroadcasterConfig(
        max_history_per_session=history,
        memory_warning_threshold_mb=WARNING / 2**20,
        memory_critical_threshold_mb=CRITICAL / 2**20,
    )


async def check(opened: Any, taken: list[Any], history: int, frame_of: FrameOf) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        model = Model(await stack.enter_async_context(opened(folder, config(history))), frame_of)
        for step in taken:
            await model.take(step)
        await model.read_out()


@given(taken=steps, history=st.integers(1, 6))
@settings(max_examples=200)
def test_every_event_once_and_in_order_or_a_gap_in_memory(
    opened_memory: Any, frame_of: FrameOf, taken: list[Any], history: int
) -> None:
    asyncio.run(check(opened_memory, taken, history, frame_of))


@given(taken=steps, history=st.integers(1, 6))
@settings(max_examples=25)
def test_every_event_once_and_in_order_or_a_gap_in_sqlite(
    opened_sqlite: Any, frame_of: FrameOf, taken: list[Any], history: int
) -> None:
    asyncio.run(check(opened_sqlite, taken, history, frame_of))


def test_the_model_notices_what_is_passed_over() -> None:
    class Frame(Struct):
        type: str
        data: dict[str, int]

    reader = Reader(None, ("ann", "s"), [1, 2])  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="in silence"):
        reader.take(Frame("note", {"n": 2}))
