"""What is seen while it runs: bars on a terminal, else a plain line now and then. All of it goes to stderr."""

from __future__ import annotations

from contextlib import ExitStack
from time import monotonic
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from loadtest.plan import Plan
from loadtest.timeline import Timeline

EVERY: Final = 5.0
"""Seconds between two plain lines."""
REDRAW: Final = 0.5


class Screen:
    """`show` may be called as often as one likes."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            expand=True,
        )
        at_once = plan.asked_at_once
        self._open = self._bars.add_task("streams", total=at_once, said="")
        self._done = self._bars.add_task("time" if plan.duration else "done", total=plan.duration or at_once, said="")
        self._said_at = monotonic()
        self._exits = ExitStack()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = self._exits.enter_context(Live(console=self._console, auto_refresh=False, transient=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    def show(self, timeline: Timeline, second: float) -> None:
        """Draw, if it is time to."""
        if monotonic() - self._said_at < (REDRAW if self._live else EVERY):
            return
        self._said_at = monotonic()
        if self._live is None:
            self._console.print(f"{second:6.1f} s  {news(timeline)}", soft_wrap=True)
            return
        counts, now_open = timeline.total.counts, sum(timeline.open)
        ended = counts.whole + counts.flawed + counts.broken
        self._bars.update(self._open, completed=now_open, said=f"{now_open:,} open")
        self._bars.update(self._done, completed=second if self._plan.duration else ended, said=f"{ended:,} ended")
        self._live.update(Group(self._bars, Text(news(timeline))), refresh=True)


def news(timeline: Timeline) -> str:
    """The latest whole second, and what went wrong so far."""
    latest, counts = timeline.latest, timeline.total.counts
    delay = timeline.delay(latest)
    p50, p99 = ((delay.quantile(share) or 0.0) * 1000 for share in (0.5, 0.99))
    errors = sum(timeline.total.of("errors").values())
    return (
        f"{sum(timeline.open):,} open, {timeline.events(latest):,} events/s, delay {p50:.1f} ms (p99 {p99:.1f});"
        f" {counts.whole:,} whole, {counts.lost} lost, {counts.repeated} repeated, {counts.reordered} reordered,"
        f" {errors} errors, {sum(timeline.total.of('reconnects').values())} reconnects"
    )
