"""The run: puts the load on, watches, and gathers what the workers tell."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from time import time
from types import FrameType
from typing import Final

from loadtest.failure import CanNotRun
from loadtest.plan import Plan
from loadtest.screen import Screen
from loadtest.timeline import Timeline
from loadtest.usage import usage
from loadtest.worker import Worker

LOOK: Final = 0.25
"""Seconds between two looks at the workers, the server and the screen."""
SOON: Final = 0.05
"""Seconds until all workers have heard when to begin."""
FAILED: Final = "a worker of the load test failed; what it said stands above"


class Run:
    """`timeline` is what came of it; `interrupted` whether somebody ended it with Ctrl-C."""

    def __init__(self, plan: Plan, pid: int) -> None:
        self.timeline = Timeline(plan.processes)
        self.interrupted = False
        self.seconds = 0.0
        self.began = 0.0
        self._plan = plan
        self._pid = pid
        self._looked_at = 0.0
        self._workers: list[Worker] = []

    def drive(self) -> None:
        """Run to the end. Raises `CanNotRun` where a worker fails."""
        with self._interruptible(), Screen(self._plan) as screen:
            self._workers = [Worker(self._plan, number, self._plan.processes) for number in range(self._plan.processes)]
            if not all(worker.is_ready() for worker in self._workers):
                raise CanNotRun(FAILED)
            self.began = time() + SOON
            for worker in self._workers:
                worker.begin(self.began)
            left = {worker.news: worker for worker in self._workers}
            while left:
                self._look()
                for news in wait(list(left), LOOK):
                    worker = left[news]  # type: ignore[index]
                    tick = worker.tick()
                    if tick is None:
                        self._stop()
                        raise CanNotRun(FAILED)
                    self.timeline.add(tick)
                    if tick.over:
                        del left[worker.news]
                        worker.join()
                screen.show(self.timeline, self._second)
            self.seconds = self._second
            self._look(at_once=True)

    @property
    def _second(self) -> float:
        return max(0.001, time() - self.began)

    def _look(self, *, at_once: bool = False) -> None:
        """Note what the server uses, once a second."""
        now = self._second
        if self._pid and (at_once or not self._looked_at or now - self._looked_at >= 1.0):
            self._looked_at = now
            if used := usage(self._pid):
                self.timeline.server(now, used)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C ends the run and reports; the second one ends the program."""

        def told(_: int, __: FrameType | None) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            self._stop()

        before = signal.signal(signal.SIGINT, told)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
