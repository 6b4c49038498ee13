"""Who watches: jobs that are to end once nobody does (`on_disconnect`)."""

from __future__ import annotations

import asyncio
import contextlib
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
        self._guards: dict[LogKey, dict[str, _Guard]] = {}
        self._watching: dict[tuple[LogKey, str | None], int] = {}
        self._expected: dict[tuple[LogKey, str | None], asyncio.TimerHandle] = {}

    def guard(self, spec: JobSpec) -> None:
        """Watch over the watchers of a job, unless it runs on without them."""
        policy = spec.on_disconnect
        if policy == "continue":
            return
        key = LogKey(spec.user, spec.session)
        if spec.id in self._guards.get(key, {}):
            return
        patience = policy.cancel_after if isinstance(policy, CancelAfter) else 0.0
        # `cancel` waits for the first stream; `cancel_after` counts from the job's creation.
        guard = _Guard(spec.id, patience, armed=policy != "cancel" or self._watched(key, spec.id))
        self._guards.setdefault(key, {})[spec.id] = guard
        self._count_down(key, guard)

    def release(self, spec: JobSpec) -> None:
        """The job is over."""
        if spec.on_disconnect == "continue":
            return
        key = LogKey(spec.user, spec.session)
        guard = self._guards.get(key, {}).pop(spec.id, None)
        if guard and guard.timer:
            guard.timer.cancel()
        if key in self._guards and not self._guards[key]:
            del self._guards[key]

    def came(self, key: LogKey, job_id: str | None) -> None:
        """A stream opened."""
        self._enter(key, job_id)
        for guard in self._concerned(key, job_id):
            guard.armed = True

    def left(self, key: LogKey, job_id: str | None, ending: Ending) -> None:
        """A stream is over; one that the server ended may come back."""
        if ending != "gone":
            self._expect(key, job_id, self._retry + RETURN)
        self._leave(key, job_id)

    @contextlib.contextmanager
    def polling(self, key: LogKey, job_id: str | None) -> Iterator[None]:
        """A poll is presence too, until the next one is due."""
        self._enter(key, job_id)
        try:
            yield
        finally:
            self._expect(key, job_id, RETURN)
            self._leave(key, job_id)

    def _expect(self, key: LogKey, job_id: str | None, seconds: float) -> None:
        """A reader who may come back is there for so long, whoever else goes meanwhile."""
        if not self._concerned(key, job_id):
            return
        loop, until = asyncio.get_running_loop(), 0.0
        if before := self._expected.pop((key, job_id), None):
            until = before.when()
            before.cancel()
        else:
            self._enter(key, job_id)
        until = max(until, loop.time() + seconds)
        self._expected[key, job_id] = loop.call_at(until, self._stayed_away, key, job_id)

    def _stayed_away(self, key: LogKey, job_id: str | None) -> None:
        del self._expected[key, job_id]
        self._leave(key, job_id)

    def _enter(self, key: LogKey, job_id: str | None) -> None:
        self._watching[key, job_id] = self._watching.get((key, job_id), 0) + 1
        for guard in self._concerned(key, job_id):
            if guard.timer:
                guard.timer.cancel()
                guard.timer = None

    def _leave(self, key: LogKey, job_id: str | None) -> None:
        left = self._watching.pop((key, job_id)) - 1
        if left:
            self._watching[key, job_id] = left
        for guard in self._concerned(key, job_id):
            self._count_down(key, guard)

    def _concerned(self, key: LogKey, job_id: str | None) -> list[_Guard]:
        guards = self._guards.get(key)
        if not guards:
            return []
        return [guard for guard in guards.values() if job_id in {None, guard.job_id}]

    def _watched(self, key: LogKey, job_id: str) -> bool:
        return (key, None) in self._watching or (key, job_id) in self._watching

    def _count_down(self, key: LogKey, guard: _Guard) -> None:
        if guard.armed and not self._watched(key, guard.job_id):
            loop = asyncio.get_running_loop()
            guard.timer = loop.call_later(guard.patience, self._cancel, guard.job_id)
