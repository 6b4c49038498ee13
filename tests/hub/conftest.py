"""A hub on a real store, with readers that a test holds up and lets go."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import pytest
from msgspec import Raw, Struct

from sse_server.config import Stream
from sse_server.encoding import encode_fields
from sse_server.eventlog import Claim, Head, LogKey, Receipt, Retention, Store, Write
from sse_server.eventlog.memory import MemoryStore
from sse_server.eventlog.order import now
from sse_server.events import START, Draft, Event, EventId
from sse_server.hub import Cursor, Ending, Gap, Hub, Subscriber, View
from sse_server.jobs import JobSpec, new_job_id

KEY = LogKey("ann", "notes")


class Digits(Struct, frozen=True):
    """A surface that a test reads at a glance: an event is its seq, a heartbeat the seq that it names, in brackets."""

    steady: ClassVar[bool] = False

    def opening(self, retry_ms: int, time: int) -> bytes:
        return b": %d\n" % retry_ms

    def frame(self, event: Event, session: str, epoch: str) -> bytes:
        return b"%d " % event.seq

    def heartbeat(self, time: int, last_seq: int) -> bytes:
        return b"(%d) " % last_seq


class Steady(Digits, frozen=True):
    """The same with a heartbeat every interval, as chats have it."""

    steady: ClassVar[bool] = True


class Tape:
    """A client. While it is `stuck` it takes nothing, and says so."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.writes: list[bytes] = []
        self.room = asyncio.Event()
        self.gone = self.finished = False
        self.kept = 0
        if not stuck:
            self.room.set()

    def write(self, data: bytes) -> bool:
        assert not self.finished, "behind the end of a response stands the next one"
        self.writes.append(data)
        self.kept = 0 if self.room.is_set() else self.kept + len(data)
        return self.room.is_set() and not self.gone

    def finish(self, data: bytes) -> None:
        self.write(data)
        self.finished = True

    async def drain(self) -> None:
        if self.gone:
            raise ConnectionResetError
        await self.room.wait()
        self.kept = 0

    def waiting(self) -> int:
        if self.gone:
            raise ConnectionResetError
        return self.kept

    @property
    def words(self) -> list[str]:
        return b"".join(self.writes).decode().split()

    @property
    def seqs(self) -> list[int]:
        return [int(word) for word in self.words if word.isdigit()]


class Pen:
    """Where events come from, as a job's outbox is."""

    def __init__(self, hub: Hub, claim: Claim | None = None) -> None:
        self._hub = hub
        self._claim = claim
        self._drafts: deque[Draft] = deque()
        self._settled: list[asyncio.Future[Receipt | None]] = []

    @property
    def job_id(self) -> str:
        return self._claim.record.spec.id if self._claim else ""

    def mark(self, *types: str) -> asyncio.Future[Receipt | None]:
        """Events that are to be stored; the future has the receipt."""
        body = encode_fields({"status": "failed", "finish_reason": "error"})  # what a `done` needs
        self._drafts.extend(Draft(kind, body, now()) for kind in types)
        future: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
        self._settled.append(future)
        self._hub.mark(self)
        return future

    def take(self, limit: int) -> Write | None:
        drafts = [self._drafts[n] for n in range(min(limit, len(self._drafts)))]
        if not drafts:
            return None
        if self._claim is None:
            return Write(KEY, drafts)
        spec = self._claim.record.spec
        return Write(LogKey(spec.user, spec.session), drafts, spec.id, self._claim.lease)

    def settle(self, write: Write, receipt: Receipt | None) -> None:
        for _ in write.drafts:
            self._drafts.popleft()
        if not self._drafts:
            for future in self._settled:
                future.set_result(receipt)
            self._settled.clear()


class Reader:
    """A subscriber with its tape, following in a task of its own."""

    def __init__(self, heart: Heart, subscriber: Subscriber, tape: Tape, limits: Stream, *, conflates: bool) -> None:
        self.tape = tape
        self.subscriber = subscriber
        self.gaps: list[Gap] = []
        self.lags = 0
        self._heart = heart
        self._task = asyncio.create_task(subscriber.follow(limits, self._on_gap, self._on_lag if conflates else None))

    async def _on_gap(self, gap: Gap) -> None:
        self.gaps.append(gap)
        await self._skip()

    async def _on_lag(self) -> None:
        self.lags += 1
        await self._skip()

    async def _skip(self) -> None:
        head = await self._heart.head()
        self.subscriber.send(b"<%d> " % head.last)
        self.subscriber.move(head.id)

    async def over(self) -> Ending:
        return await self._task

    @property
    def at_rest(self) -> bool:
        """Whether it is caught up and waits, or is over."""
        return self.subscriber.live or self._task.done()


class Heart:
    """The hub and its store. All events of no job go to one log."""

    def __init__(self, store: Store, stack: AsyncExitStack, *, heartbeat: float = 60.0) -> None:
        self.store = store
        self.hub = Hub(store, heartbeat=heartbeat)
        self.pen = Pen(self.hub)
        self._stack = stack

    async def publish(self, count: int = 1, type: str = "note") -> int:
        """Store so many events, at once; the seq of the first. The readers get them in turns to come."""
        receipt = await self.pen.mark(*[type] * count)
        assert receipt
        return receipt.first

    async def head(self) -> Head:
        head = await self.store.head(KEY)
        assert head
        return head

    async def cursor(self, seq: int) -> Cursor:
        return Cursor.at(EventId((await self.head()).epoch, seq))

    def read(
        self,
        cursor: Cursor | None = None,
        *,
        tape: Tape | None = None,
        view: View | None = None,
        limits: Stream | None = None,
        key: LogKey = KEY,
        conflates: bool = False,
    ) -> Reader:
        """Open a stream; behind no cursor from the start. It is over when the test is."""
        tape = tape or Tape()
        shown = view or View(Digits(), key.session, chunked=False)
        subscriber = self._stack.enter_context(self.hub.subscribe(key, shown, tape, cursor or Cursor.at(START)))
        reader = Reader(self, subscriber, tape, limits or Stream(), conflates=conflates)

        async def hang_up() -> None:
            subscriber.end("gone")
            tape.room.set()
            await reader.over()

        self._stack.push_async_callback(hang_up)
        return reader

    async def job(self, session: str = "notes") -> Pen:
        """A running job's pen; the log has its `job_queued` and `job_started` already."""
        job_id = new_job_id(now())
        spec = JobSpec(job_id, "ann", session, "any", Raw(b"1"), now(), 60.0)
        await self.store.submit(spec, room=100, per_user=100)
        (claim,) = await self.store.claim("me", 60.0)
        assert claim.record.spec.id == job_id
        return Pen(self.hub, claim)


async def until(condition: Callable[[], Any]) -> None:
    """Turn the loop until it is so."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  (it turns the loop, and asks after each turn)
            await asyncio.sleep(0)


@asynccontextmanager
async def beating(store: Store | None = None, *, heartbeat: float = 60.0, keep: int = 100_000) -> AsyncIterator[Heart]:
    """A hub that runs; at the end nothing of its readers is left in it."""
    async with AsyncExitStack() as stack:
        heart = Heart(
            store or MemoryStore(Retention(max_job_events=keep, max_history=10**6)), stack, heartbeat=heartbeat
        )
        heart.hub.start()
        stack.push_async_callback(heart.hub.close)
        async with AsyncExitStack() as readers:
            heart._stack = readers
            yield heart
        assert not heart.hub.subscribers
        assert not heart.hub._tails


Beating = Callable[..., AbstractAsyncContextManager[Heart]]


@pytest.fixture(scope="session", name="beating")
def _beating() -> Beating:
    return beating


@pytest.fixture(scope="session", name="until")
def _until() -> Callable[[Callable[[], Any]], Any]:
    return until


@pytest.fixture(scope="session")
def tape_of() -> type[Tape]:
    return Tape


@pytest.fixture(scope="session")
def digits() -> Digits:
    return Digits()


@pytest.fixture(scope="session")
def steady() -> Steady:
    return Steady()


@pytest.fixture
async def heart() -> AsyncIterator[Heart]:
    async with beating() as heart:
        yield heart
