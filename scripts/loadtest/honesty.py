"""What the load test found out about itself: whether it measured the server, or its own slowness."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from loadtest.plan import Plan
from loadtest.timeline import Timeline, milliseconds

BUSY: Final = 0.85
"""Share of a core from which on a worker has no time to be punctual."""
LATE: Final = 0.005
"""Seconds that a loop may be late (p99) before delays are its own."""
STARVED: Final = 0.1
"""Share of the time that a worker waits for a core where that is why it is late."""


class Instrument(Struct, frozen=True):
    """`cpu` is the mean share of a core that one worker used, `busiest` the largest in one second; lag in ms.

    `waited` is the share of the time that a worker was ready to run and had no core.
    """

    processes: int
    cpu: float
    busiest: float
    cpu_us_per_event: float | None
    waited: float
    lag_p50: float | None
    lag_p99: float | None
    lag_max: float | None
    bottleneck: bool
    says: list[str]


def instrument(plan: Plan, timeline: Timeline) -> Instrument:
    """Judge the run by how it went for the load test itself."""
    counts, lag = timeline.total.counts, timeline.total.times["lag"]
    wall = counts.wall or 1.0
    says = list(_says(plan, timeline, counts.waited / wall))
    return Instrument(
        processes=plan.processes,
        cpu=round(counts.cpu / wall, 4),
        busiest=round(timeline.busiest, 4),
        cpu_us_per_event=round(counts.cpu / counts.events * 1e6, 2) if counts.events else None,
        waited=round(counts.waited / wall, 4),
        lag_p50=milliseconds(lag.quantile(0.5)),
        lag_p99=milliseconds(lag.quantile(0.99)),
        lag_max=milliseconds(lag.longest or None),
        bottleneck=bool(says),
        says=says,
    )


def _says(plan: Plan, timeline: Timeline, waited: float) -> Iterator[str]:
    late = timeline.total.times["lag"].quantile(0.99) or 0.0
    delay = timeline.total.times["delay"].quantile(0.99) or 0.0
    if timeline.busiest > BUSY:
        yield (
            f"The load test was a bottleneck: in its busiest second a worker used {timeline.busiest:.0%} of a core, so"
            f" delays and rates are partly its own. Take more than --processes {plan.processes}, or a slower --ramp."
        )
    if late > LATE and late > delay / 5:
        yield (
            f"The load test was late by {late * 1000:.1f} ms (p99): of the delays (p99 {delay * 1000:.1f} ms) up to"
            " that much is its own."
        )
        if waited > STARVED:
            yield (
                f"It waited for a core {waited:.0%} of the time: this machine has too few for the server, the load test"
                " and what else runs on it. Run it on another machine than the server."
            )
