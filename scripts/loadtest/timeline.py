"""The timeline: what every second of the run brought, from the ticks of all workers."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from loadtest.histogram import Histogram
from loadtest.tally import Tally, Tick
from loadtest.usage import Usage

LATE: Final = 5
"""Seconds after which no worker has news of a second any more."""
KEPT: Final = 20
"""Notes of the server that are kept: they are made once a second."""


class Point(Struct, frozen=True):
    """One second. Delays are in ms, null where no event came; `server_cpu` in cores, `server_memory` in bytes."""

    second: int
    open: int
    events: int
    delay_p50: float | None
    delay_p99: float | None
    delay_max: float | None
    errors: int
    cuts: int
    worker_cpu: float
    server_cpu: float | None = None
    server_memory: int | None = None


class Timeline:
    """`total` is the sum of all. Ticks are kept until their second is complete, so a run may last for days."""

    def __init__(self, workers: int) -> None:
        self.total = Tally()
        self.skew: tuple[float, float] | None = None
        self.busiest = 0.0
        """The largest share of a core that one worker used in one second."""
        self.open = [0] * workers
        self.peak = 0
        self._peaks = [0] * workers
        self._ticks: dict[int, list[Tick]] = {}
        self._points: list[Point] = []
        self._told = 0
        """The seconds before this one are points."""
        self._first: Usage | None = None
        self._server: list[tuple[float, Usage]] = []

    def add(self, tick: Tick) -> None:
        """Take a worker's news."""
        self.total.add(tick)
        self._ticks.setdefault(max(tick.second, self._told), []).append(tick)
        self.open[tick.worker] = tick.open
        self._peaks[tick.worker] = tick.peak
        self.peak = max(self.peak, sum(self._peaks))  # of several workers each one's most within a second
        if tick.counts.wall > 0.5:
            self.busiest = max(self.busiest, tick.counts.cpu / tick.counts.wall)
        if tick.skew:
            least, most = self.skew or tick.skew
            self.skew = max(least, tick.skew[0]), min(most, tick.skew[1])
        self._tell(self.latest - LATE)

    def server(self, second: float, used: Usage) -> None:
        """Note what the server has used by then."""
        self._first = self._first or used
        self._server = [*self._server[-KEPT:], (second, used)]

    @property
    def server_used(self) -> tuple[Usage, Usage] | None:
        """The first and the last note."""
        return (self._first, self._server[-1][1]) if self._first else None

    @property
    def latest(self) -> int:
        """The newest second that somebody told of."""
        return max(self._ticks, default=0)

    def events(self, second: int) -> int:
        """How many were delivered in one of the latest seconds."""
        return sum(tick.counts.events for tick in self._ticks.get(second, ()))

    def delay(self, second: int) -> Histogram:
        """The delays of one of the latest seconds."""
        together = Histogram.empty()
        for tick in self._ticks.get(second, ()):
            together.add(tick.times["delay"])
        return together

    def points(self) -> list[Point]:
        """All seconds, the first one first; a second that nobody told of is left out."""
        self._tell(self.latest + 1)
        return self._points

    def _tell(self, before: int) -> None:
        """Make points of the seconds before this one."""
        for second in sorted(second for second in self._ticks if second < before):
            self._points.append(self._point(second))
            del self._ticks[second]
        self._told = max(self._told, before)

    def _point(self, second: int) -> Point:
        ticks, delay = self._ticks[second], self.delay(second)
        cpu, memory = self._server_in(second)
        return Point(
            second=second,
            open=sum({tick.worker: tick.open for tick in ticks}.values()),
            events=self.events(second),
            delay_p50=milliseconds(delay.quantile(0.5)),
            delay_p99=milliseconds(delay.quantile(0.99)),
            delay_max=milliseconds(delay.longest or None),
            errors=sum(count for tick in ticks for key, count in tick.named.items() if key.startswith("errors/")),
            cuts=sum(tick.counts.cuts for tick in ticks),
            worker_cpu=round(sum(tick.counts.cpu for tick in ticks), 3),
            server_cpu=cpu,
            server_memory=memory,
        )

    def _server_in(self, second: int) -> tuple[float | None, int | None]:
        """Cores that the server used between the notes around a second, and its memory then."""
        before = [note for note in self._server if note[0] <= second + 0.5]
        after = [note for note in self._server if note[0] > second + 0.5]
        if not before or not after:
            return None, None
        (start, first), (end, last) = before[-1], after[0]
        return round((last.cpu - first.cpu) / (end - start), 3), last.memory


def milliseconds(seconds: float | None) -> float | None:
    """In ms, with three figures behind the point: a microsecond is the least that is told apart."""
    return None if seconds is None else round(seconds * 1000, 3)
