"""A runner with its hub and its store, and nobody at the doors: `works` says in short words what a server does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from sse_server.agents import Agent, Registry
from sse_server.config import Emission, Jobs
from sse_server.eventlog import IdempotencyKey, LogKey, Record, Store
from sse_server.eventlog.memory import MemoryStore
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.hub import Hub
from sse_server.jobs import JobSpec, OnDisconnect, new_job_id
from sse_server.runner import Cancellation, Means, Runner

Told = dict[str, Any]
"""An event as a reader gets it: its own fields, `type`, `seq` and `attempt`."""


class Nobody:
    """Hears of other processes, and there are none."""

    def log_changed(self, key: LogKey) -> None: ...

    def work_arrived(self) -> None: ...

    def cancel_requested(self, job_id: str) -> None: ...


def whole(events: Sequence[Told], *, attempts: int = 1) -> None:
    """A job's story from its first event to its one `done`, of at most so many attempts."""
    types = [event["type"] for event in events]
    assert types[0] == "job_queued"
    assert types.count("done") == 1
    assert types[-1] == "done"
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs))
    assert types.count("attempt_reset") < attempts
    attempt = started = 1
    for before, event in zip([events[0], *events], events, strict=False):
        if event["type"] == "attempt_reset":
            attempt += 1
            assert event["from_seq"] == started
        if event["type"] == "job_started":
            assert before["type"] in {"job_queued", "attempt_reset"}
            started = event["seq"]
        assert event["attempt"] == attempt


class Works:
    """Events are read as any reader reads them: from the hub's log, behind a cursor."""

    def __init__(self, store: Store, runner: Runner, hub: Hub) -> None:
        self.store = store
        self.runner = runner
        self.hub = hub
        self._created = count(time.time_ns() // 1000)

    def spec(
        self,
        agent: str,
        input: object = None,
        *,
        user: str = "ann",
        session: str = "",
        timeout: float = 60.0,
        on_disconnect: OnDisconnect = "continue",
    ) -> JobSpec:
        job_id = new_job_id(created := next(self._created))
        raw = msgspec.Raw(msgspec.json.encode(input))
        return JobSpec(job_id, user, session or job_id, agent, raw, created, timeout, on_disconnect)

    async def submit(
        self, agent: str, input: object = None, *, once: IdempotencyKey | None = None, **options: Any
    ) -> JobSpec:
        spec = self.spec(agent, input, **options)
        return (await self.runner.submit(spec, once)).record.spec

    async def told(self, spec: JobSpec, until: str) -> list[Told]:
        """The job's events up to the one of that type, and perhaps more."""
        key, events = LogKey(spec.user, spec.session), list[Told]()
        with self.hub.tail(key) as tail:
            after = 0
            while not any(event["type"] == until for event in events):
                page = await self.store.read(key, after, 1000, job_id=spec.id)
                events += [
                    {"type": e.type, "seq": e.seq, "attempt": e.attempt, **msgspec.json.decode(e.body)}
                    for e in page.events
                ]
                after = page.passed
                tail.learn(page.head)
                if not page.events:
                    await tail.grown(after, 3600)
            return events

    async def ended(self, spec: JobSpec, *, attempts: int = 1) -> list[Told]:
        """The job's whole story; the last event is how it ended."""
        events = await self.told(spec, "done")
        whole(events, attempts=attempts)
        return events

    async def record(self, spec: JobSpec) -> Record:
        record = await self.store.load(spec.id, work=True)
        assert record is not None
        return record

    async def cancel(self, spec: JobSpec, *, wait: float = 0.0) -> Cancellation:
        return await self.runner.cancel(await self.record(spec), wait=wait)

    async def idle(self) -> None:
        """No agent's code runs any more."""
        while self.runner._slots.attempts:
            await asyncio.gather(*(attempt.stopped.wait() for attempt in self.runner._slots.attempts.values()))
            await asyncio.sleep(0)


@asynccontextmanager
async def works(
    *agents: Agent,
    path: Path | None = None,
    per_user: int = 1000,
    drain: float = 0.0,
    cadence: Emission | None = None,
    **rules: Any,
) -> AsyncIterator[Works]:
    """A memory store, or SQLite in the file `path`. `drain` is what running jobs get at the end."""
    store: Store = SqliteStore(path, commit_interval=0) if path else MemoryStore()
    hub = Hub(store, heartbeat=3600)
    runner = Runner(
        store,
        hub,
        Registry(agents),
        Jobs(**{"cancel_grace": 0.05, **rules}),
        Means(cadence=cadence or Emission()),
        per_user=per_user,
        retry=3.0,
    )
    await store.open(Nobody())
    hub.start()
    await runner.start()
    try:
        yield Works(store, runner, hub)
    finally:
        await runner.drain(drain)
        await hub.close()
        await store.close()


@pytest.fixture
def gate() -> Iterator[Event]:
    """Holds threads until the test opens it; at its end at the latest."""
    event = Event()
    yield event
    event.set()
