"""What every store numbers in the same way: leases, epochs, the drafts that the queue itself writes, and fair turns."""

from __future__ import annotations

import time

from sse_server.encoding import encode_fields
from sse_server.entropy import new_word
from sse_server.events import Draft
from sse_server.jobs import JobSpec


def new_epoch() -> str:
    """A short random word for a new log."""
    return new_word()[:10]


def new_lease() -> str:
    """A word that only the holder of a job's attempt knows."""
    return new_word()


def now() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1000


def queued(spec: JobSpec, position: int) -> Draft:
    """The first event of a job; `position` jobs wait before it."""
    return Draft("job_queued", encode_fields({"agent": spec.agent, "position": position}), now())


def started(spec: JobSpec, attempt: int) -> Draft:
    """The first event of an attempt."""
    return Draft("job_started", encode_fields({"agent": spec.agent}), now(), attempt)


def fair_turn(served: int, latest_of_user: int) -> int:
    """The turn of a job that joins the queue; the lowest turn is claimed first (start-time fair queueing).

    `served` is the turn of the latest job that was claimed, `latest_of_user` the highest among the user's waiting jobs
    (0 = none). So users who wait take turns, however many jobs each has, and nobody overtakes one who waited longer.
    """
    return max(served, latest_of_user) + 1
