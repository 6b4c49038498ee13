"""What is counted while the load runs. A worker counts in one of these and sends what is new once a second."""

from __future__ import annotations

from typing import Self

from msgspec import Struct, field
from msgspec.structs import fields

from loadtest.histogram import Histogram, Sparse


class Counts(Struct):
    """Plain numbers, all of them sums."""

    events: int = 0
    bytes: int = 0
    begun: int = 0
    whole: int = 0
    flawed: int = 0
    broken: int = 0
    unfinished: int = 0
    lost: int = 0
    repeated: int = 0
    reordered: int = 0
    misnumbered: int = 0
    gaps: int = 0
    attempts: int = 0
    requests: int = 0
    starts: int = 0
    attaches: int = 0
    polls: int = 0
    retries: int = 0
    cuts: int = 0
    cpu: float = 0.0
    """Seconds of a core that the worker used."""
    waited: float = 0.0
    """Seconds that the worker was ready to run and had no core."""
    wall: float = 0.0

    def add(self, other: Counts) -> None:
        for each in fields(Counts):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def drain(self) -> Counts:
        """What was counted since the last drain."""
        taken = Counts()
        for each in fields(Counts):
            setattr(taken, each.name, getattr(self, each.name))
            setattr(self, each.name, each.default)
        return taken


TIMES = ("connect", "first_byte", "first_token", "delay", "catch_up", "slow", "lasted", "lag")
"""connect, first_byte, first_token: of a request, an answer, a stream. delay: from emission to arrival, on an open
stream; catch_up: of events emitted before the stream was (re)opened; slow: of the readers that are slow on purpose.
lasted: of a stream that ended. lag: how late the worker's own loop was."""


class Tally(Struct):
    """`named` counts what has a name: `reconnects`, `errors` and `endings`, each `kind/code`."""

    counts: Counts = field(default_factory=Counts)
    times: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram.empty() for name in TIMES})
    named: dict[str, int] = {}

    def name(self, kind: str, code: str) -> None:
        """Count one more of a kind by its code."""
        key = f"{kind}/{code}"
        self.named[key] = self.named.get(key, 0) + 1

    def drain(self) -> tuple[Counts, dict[str, Sparse], dict[str, int]]:
        named, self.named = self.named, {}
        return self.counts.drain(), {name: times.drain() for name, times in self.times.items()}, named

    def add(self, tick: Tick) -> Self:
        self.counts.add(tick.counts)
        for name, times in tick.times.items():
            self.times[name].add(times)
        for key, count in tick.named.items():
            self.named[key] = self.named.get(key, 0) + count
        return self

    def of(self, kind: str) -> dict[str, int]:
        """The counts of one kind by code, most first."""
        found = {key.partition("/")[2]: count for key, count in self.named.items() if key.startswith(f"{kind}/")}
        return dict(sorted(found.items(), key=lambda item: -item[1]))


class Gauge(Struct):
    """Streams that are open now, and the most there were at once since it was read."""

    open: int = 0
    peak: int = 0

    def up(self) -> None:
        self.open += 1
        self.peak = max(self.peak, self.open)

    def down(self) -> None:
        self.open -= 1

    def drain(self) -> tuple[int, int]:
        """Now, and the most since the last drain."""
        peak, self.peak = self.peak, self.open
        return self.open, peak


class Tick(Struct, frozen=True):
    """One worker's news of one second. `open` streams now, `peak` at most; `skew` bounds the server's clock."""

    worker: int
    second: int
    open: int
    peak: int
    counts: Counts
    times: dict[str, Sparse]
    named: dict[str, int]
    skew: tuple[float, float] | None
    over: bool
