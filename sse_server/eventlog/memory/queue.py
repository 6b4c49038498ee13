"""The jobs that wait in memory, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct, field

from sse_server.eventlog import JobFilter, LogKey
from sse_server.eventlog.memory.log import Log
from sse_server.eventlog.order import fair_turn, now
from sse_server.events import RUNNER_TYPES, Event
from sse_server.jobs import JobSpec, JobState

FOLD: Final = 256
"""Events after which a job's work is folded, asked for or not: who asks has no more to wait for."""


class Entry(Struct):
    """A job with what only the store knows of it; `n` counts the submitted jobs, times are Unix microseconds.

    `key` names its log, `eventlog` is what it writes into: no other takes its place while the job is active. `events`
    and `bytes` say what that holds of it, `unfolded` is not in the state's work yet.
    """

    n: int
    spec: JobSpec
    key: LogKey
    eventlog: Log
    state: JobState
    epoch: str
    turn: int = 0
    ready_at: int = 0
    lease: str = ""
    worker: str = ""
    cancel_requested: bool = False
    events: int = 0
    bytes: int = 0
    unfolded: list[Event] = field(default_factory=list)

    def add(self, events: list[Event]) -> bool:
        """Take what its log has stored of it; whether its state has changed.

        The work is folded for who asks for it, at the latest after `FOLD`.
        """
        state, size, changed = self.state, 0, False
        for event in events:
            size += len(event.body)
            if event.type in RUNNER_TYPES:
                state.apply(event)
                changed = True
                if event.type == "attempt_reset":
                    self.unfolded.clear()
            else:
                self.unfolded.append(event)
        self.events += len(events)
        self.bytes += size
        state.last = events[-1].seq
        if not state.first:
            state.first = events[0].seq
        if len(self.unfolded) >= FOLD:
            self.fold()
        return changed

    def fold(self) -> None:
        """Bring the state's work up to date."""
        for event in self.unfolded:
            self.state.work.apply(event.type, event.body)
        self.unfolded.clear()

    def matches(self, which: JobFilter) -> bool:
        """Whether a listing shows it."""
        return (
            self.spec.user == which.user
            and (which.status is None or self.state.status == which.status)
            and (which.agent is None or self.spec.agent == which.agent)
            and (which.session is None or self.spec.session == which.session)
            and (which.before is None or self.spec.id < which.before)
        )


class Queue:
    """Round robin over the users who wait (`fair_turn`)."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, Entry]] = {}
        self._served = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[Entry]:
        for mine in self._waiting.values():
            yield from mine.values()

    def join(self, entry: Entry) -> None:
        """Wait behind the user's other jobs."""
        mine = self._waiting.setdefault(entry.spec.user, {})
        entry.turn = fair_turn(self._served, max((other.turn for other in mine.values()), default=0))
        mine[entry.spec.id] = entry

    def leave(self, entry: Entry) -> None:
        """Wait no longer; no matter if it did not."""
        mine = self._waiting.get(entry.spec.user, {})
        mine.pop(entry.spec.id, None)
        if not mine:
            self._waiting.pop(entry.spec.user, None)

    def next(self) -> Entry | None:
        """Take out the job whose turn it is, of those that may run now."""
        at = now()
        ready = (entry for entry in self if entry.ready_at <= at)
        entry = min(ready, key=lambda entry: (entry.turn, entry.n), default=None)
        if entry:
            self._served = max(self._served, entry.turn)
            self.leave(entry)
        return entry
