"""Steps and tool calls: what begins, may report, and ends, in order, whatever happens inside."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from sse_server.errors import InvalidEvent, JobCancelled, OutboxFull
from sse_server.events import without_none

Patiently = Callable[[Callable[[], None]], Awaitable[None]]
"""Emits as soon as there is room in the outbox."""


class _Block:
    """Both kinds of `with`; the asynchronous one waits for room in the outbox where it begins and ends."""

    def __init__(self, patiently: Patiently) -> None:
        self._patiently = patiently

    def _begin(self) -> None:
        raise NotImplementedError

    def _end(self, error: BaseException | None) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._end(None)
        else:
            # What goes wrong inside matters more than that nobody can be told of it any more.
            with contextlib.suppress(JobCancelled, OutboxFull):
                self._end(error)

    async def __aenter__(self) -> Self:
        await self._patiently(self._begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self._patiently(lambda: self._end(None))
        else:
            with contextlib.suppress(JobCancelled):
                await self._patiently(lambda: self._end(error))


class Step(_Block):
    """`started` at 0 %, then `running`, then `finished` at 100 %, or `failed` where it was."""

    def __init__(
        self,
        emit: Callable[..., None],
        patiently: Patiently,
        name: str,
        *,
        label: str | None,
        index: int | None,
        total: int | None,
    ) -> None:
        super().__init__(patiently)
        self.name = name
        self._emit = emit
        self._place = without_none(label=label, index=index, total=total)

    def progress(self, pct: float, message: str | None = None) -> None:
        """How far it is, 0 to 100; a lower value than before counts as that."""
        self._report(pct, "running", message)

    def _begin(self) -> None:
        self._report(0.0, "started")

    def _end(self, error: BaseException | None) -> None:
        if error is None:
            self._report(100.0, "finished")
        else:
            self._report(0.0, "failed")  # that is: where it was

    def _report(self, pct: float, status: str, message: str | None = None) -> None:
        number = _number(pct)
        if not 0 <= number <= 100:
            raise InvalidEvent(f"progress is a percentage from 0 to 100: not {pct!r:.40}")
        said = without_none(message=message)
        self._emit("step_progress", step=self.name, pct=number, status=status, **said, **self._place)


def _number(value: object) -> float:
    """The value as a float; what is none is no number either."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


class ToolCall(_Block):
    """`tool_call` where it begins, `tool_result` where it ends."""

    def __init__(
        self,
        emit: Callable[..., None],
        patiently: Patiently,
        call_id: str,
        name: str,
        arguments: dict[str, Any],
    ) -> None:
        super().__init__(patiently)
        self.call_id = call_id
        self._emit = emit
        self._name = name
        self._arguments = arguments
        self._outcome: dict[str, Any] = {}

    def result(self, value: object) -> None:
        """What the tool gave; any JSON."""
        self._outcome = {"result": value}

    def error(self, message: str) -> None:
        """Why the tool gave nothing, in words for whoever watches."""
        self._outcome = {"error": message}

    def _begin(self) -> None:
        self._emit("tool_call", call_id=self.call_id, tool=self._name, arguments=self._arguments)

    def _end(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            self._outcome = {"error": type(error).__name__}  # its text may hold what no user should see
        self._emit("tool_result", call_id=self.call_id, tool=self._name, **self._outcome)
