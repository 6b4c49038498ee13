"""Who watches: jobs that are to end once nobody does (`on_disconnect`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from sse_server.eventlog import LogKey
from sse_server.hub import Ending
from sse_server.jobs import CancelAfter, JobSpec

RETURN: Final = 30.0
"""Seconds beyond its `retry` in which a reader comes back that the server itself, or polling, sent away."""


class _Guard(Struct):
    job_id: str
    patience: float
    armed: bool
    timer: asyncio.TimerHandle | None = None


class Presence:
    """`cancel` is called for a job that nobody has watched for as long as it asked; `retry` is in seconds."""

    def __init__(self, cancel: Callable[[str], None], *, retry: float) -> None:
        self._cancel = cancel
        self._retry = retry
        self._open: dict[LogKey, Counter[str | None]] = {}
        self._guards: dict[LogKey, dict[str, _Guard]] = {}

    def guard(self, spec: JobSpec) -> None:
        """Watch over the watchers of a job, unless it runs on without them."""
        policy, key = spec.on_disconnect, LogKey(spec.user, spec.session)
        if policy == "continue" or spec.id in self._guards.get(key, {}):
            return
        patience = policy.cancel_after if isinstance(policy, CancelAfter) else 0.0
        # `cancel` waits for the first stream; `cancel_after` counts from the job's creation.
        guard = _Guard(spec.id, patience, armed=policy != "cancel" or self._watched(key, spec.id))
        self._guards.setdefault(key, {})[spec.id] = guard
        if guard.armed and not self._watched(key, spec.id):
            self._count_down(guard, 0.0)

    def release(self, spec: JobSpec) -> None:
        """The job is over."""
        key = LogKey(spec.user, spec.session)
        guard = self._guards.get(key, {}).pop(spec.id, None)
        if guard and guard.timer:
            guard.timer.cancel()
        if key in self._guards and not self._guards[key]:
            del self._guards[key]

    def came(self, key: LogKey, job_id: str | None) -> None:
        """A stream opened."""
        self._enter(key, job_id, arms=True)

    def left(self, key: LogKey, job_id: str | None, ending: Ending) -> None:
        """A stream is over; one that the server ended may come back."""
        self._leave(key, job_id, 0.0 if ending == "gone" else self._retry + RETURN)

    @contextlib.contextmanager
    def polling(self, key: LogKey, job_id: str | None) -> Iterator[None]:
        """A poll is presence too, until the next one is due."""
        self._enter(key, job_id, arms=False)
        try:
            yield
        finally:
            self._leave(key, job_id, RETURN)

    def _enter(self, key: LogKey, job_id: str | None, *, arms: bool) -> None:
        self._open.setdefault(key, Counter())[job_id] += 1
        for guard in self._concerned(key, job_id):
            guard.armed = guard.armed or arms
            if guard.timer:
                guard.timer.cancel()
                guard.timer = None

    def _leave(self, key: LogKey, job_id: str | None, grace: float) -> None:
        counts = self._open[key]
        counts[job_id] -= 1
        if not counts[job_id]:
            del counts[job_id]
        if not counts:
            del self._open[key]
        for guard in self._concerned(key, job_id):
            if guard.armed and not self._watched(key, guard.job_id):
                self._count_down(guard, grace)

    def _concerned(self, key: LogKey, job_id: str | None) -> list[_Guard]:
        guards = self._guards.get(key, {})
        return [guard for guard in guards.values() if job_id in {None, guard.job_id}]

    def _watched(self, key: LogKey, job_id: str) -> bool:
        counts = self._open.get(key)
        return bool(counts and (counts[None] or counts[job_id]))

    def _count_down(self, guard: _Guard, grace: float) -> None:
        loop = asyncio.get_running_loop()
        guard.timer = loop.call_later(guard.patience + grace, self._cancel, guard.job_id)
