"""A worker: a process that holds a part of the crowd, so that whoever shows and draws does not disturb who reads."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec

from loadtest.crowd import Crowd
from loadtest.plan import Plan
from loadtest.tally import Tick

READY: Final = b"ready"


class Worker:
    """One of `of` processes; it reads from `begin` on.

    `news` is readable whenever there is a tick; EOF without an `over` means that it failed.
    """

    def __init__(self, plan: Plan, number: int, of: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.news, there = context.Pipe()
        arguments = (msgspec.msgpack.encode(plan), number, of, there)
        self._process = context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        there.close()

    def begin(self, began: float) -> None:
        """Let it begin at this Unix time."""
        with suppress(OSError):  # it failed: there will be no tick
            self.news.send_bytes(msgspec.msgpack.encode(began))

    def is_ready(self) -> bool:
        """Wait until it could begin; False where it failed."""
        try:
            return self.news.recv_bytes() == READY
        except (EOFError, ConnectionError):
            return False

    def tick(self) -> Tick | None:
        """The next news; None when there will be none."""
        try:
            return msgspec.msgpack.decode(self.news.recv_bytes(), type=Tick)
        except (EOFError, ConnectionError):
            return None

    def stop(self) -> None:
        """Ask it to end early."""
        with suppress(OSError):
            self.news.send_bytes(b"stop")

    def join(self) -> None:
        self._process.join()
        self.news.close()


def _work(plan: bytes, number: int, of: int, parent: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who says what follows
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_read(msgspec.msgpack.decode(plan, type=Plan), number, of, parent))


async def _read(plan: Plan, number: int, of: int, parent: Connection) -> None:
    crowd = Crowd(plan, number, of, lambda tick: parent.send_bytes(msgspec.msgpack.encode(tick)))
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_fail)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # what a load test keeps, it keeps to the end
    parent.send_bytes(READY)
    began = msgspec.msgpack.decode(parent.recv_bytes(), type=float)

    def told() -> None:
        loop.remove_reader(parent.fileno())
        crowd.stop()

    loop.add_reader(parent.fileno(), told)  # also when the parent is gone
    await crowd.run(began)


def _fail(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A fault of ours must never pass for one of the server's: tell it, and end without an `over`."""
    loop.default_exception_handler(context)
    loop.stop()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed."""
    try:
        import uvloop  # noqa: PLC0415  (not on every system)
    except ImportError:
        return None
    return uvloop.new_event_loop
