"""What an agent holds while it works: `Job`, with everything that it can say to whoever watches."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import Any, Protocol

from msgspec import Struct

from sse_server.agents.cadence import paced
from sse_server.agents.fields import checked
from sse_server.agents.memory import Memory, Telemetry
from sse_server.agents.outbox import Outbox
from sse_server.agents.progress import Progress
from sse_server.agents.step import Step, ToolCall
from sse_server.config import Emission
from sse_server.encoding import encode_text
from sse_server.errors import InvalidEvent
from sse_server.events import Draft, without_none


class ModelUsage(Struct, frozen=True):
    """What one call of a model used; `retries` are those before it worked."""

    tokens_in: int
    tokens_out: int
    model: str
    cost_usd: float | None = None
    retries: int = 0


class Completion(Protocol):
    """A model's answer as it comes: text, then its usage."""

    usage: ModelUsage | None

    def __aiter__(self) -> AsyncIterator[str]: ...


class Provider(Protocol):
    """A model that completes a conversation of `{"role", "content"}` messages."""

    def stream(self, messages: list[dict[str, str]], *, max_tokens: int | None = None) -> Completion:
        """The answer; the call begins with the iteration, and ends with it."""


class Job:
    """One attempt at a job, as its agent sees it.

    No emitter is a coroutine. Each works from any thread, keeps that thread's order, and raises `JobCancelled` once the
    job is cancelled. Events are bounded on their way to the store: in a thread an emitter waits for room; on the loop
    it raises `OutboxFull`, and `flush`, `stream_text`, async generators and the ends of `async with` wait.
    """

    __slots__ = (
        *("_calls", "_progress", "attempt", "cadence", "id", "llm", "memory", "outbox", "request_id", "session_id"),
        *("telemetry", "__weakref__"),
    )

    def __init__(
        self,
        *,
        id: str,
        session_id: str,
        attempt: int,
        outbox: Outbox,
        cadence: Emission,
        llm: Provider | None = None,
        memory: Memory | None = None,
        telemetry: Telemetry | None = None,
        request_id: str = "",
    ) -> None:
        self.id = id
        self.session_id = session_id
        self.request_id = request_id
        """The request that started it: what the log lines of both can be found by."""
        self.attempt = attempt
        self.cadence = cadence
        self.llm = llm
        """The configured model, or None: then an agent does its work offline."""
        self.memory = memory
        """What the job's user said before, or None where nothing is kept."""
        self.telemetry = telemetry
        """Where figures about its calls go, or None where nobody wants them."""
        self.outbox = outbox
        self._progress = Progress()
        self._calls = count(1)

    @property
    def cancelled(self) -> bool:
        """True once the job shall stop; the next emit raises."""
        return self.outbox.closed

    def emit(self, /, type: str, **fields: object) -> None:
        """Write an event, of a type of the agent's own or of a known one with exactly its fields.

        Raises `InvalidEvent` for what the log can't hold, `JobCancelled`, and `OutboxFull` (on the loop only).
        """
        body = checked(type, fields)
        if type == "step_progress":
            # In the outbox's turn: of two threads that report a step, the later one must not tell less.
            self.outbox.put_in_turn(lambda: self._draft(type, checked(type, self._progress.raised(fields))))
        else:
            self.outbox.put(self._draft(type, body))

    def step(self, name: str, *, label: str | None = None, index: int | None = None, total: int | None = None) -> Step:
        """A step of the work, for `with` and `async with`; `index` (from 1) of `total` makes the job's percentage."""
        return Step(self.emit, self.outbox.patiently, name, label=label, index=index, total=total)

    def insight(
        self, text: str, *, step: str | None = None, category: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        """Something that a person wants to read now."""
        self.emit("insight", text=text, **without_none(step=step, category=category, data=data))

    def token(self, text: str, *, step: str | None = None, message_id: str | None = None) -> None:
        """A piece of the text that the job writes."""
        if step is None and message_id is None and type(text) is str:
            # Most events: any text is as it should be.
            self.outbox.put(Draft("token", encode_text(text), time.time_ns() // 1000, self.attempt))
        else:
            self.emit("token", text=text, **without_none(step=step, message_id=message_id))

    def tool(self, name: str, arguments: dict[str, Any]) -> ToolCall:
        """A tool's call, for `with` and `async with`; `.result(value)` says what it gave."""
        return ToolCall(self.emit, self.outbox.patiently, f"call_{self.attempt}_{next(self._calls)}", name, arguments)

    def specialist(self, name: str, status: str, message: str | None = None) -> None:
        """What one of several specialists is doing."""
        self.emit("specialist_update", specialist=name, status=status, **without_none(message=message))

    def usage(self, *, tokens_in: int, tokens_out: int, model: str, cost_usd: float | None = None) -> None:
        """What a call of a model used; without a `cost_usd` the price is not known."""
        self.emit("usage", tokens_in=tokens_in, tokens_out=tokens_out, cost_usd=cost_usd, model=model)

    def log(self, level: str, message: str) -> None:
        """A line for whoever watches how the job works; `level` is debug, info, warning or error."""
        if level not in ("debug", "info", "warning", "error"):
            raise InvalidEvent(f"a log level is debug, info, warning or error: not {level!r:.40}")
        self.emit("log", level=level, message=message)

    async def stream_text(
        self, chunks: AsyncIterable[str], *, step: str | None = None, expected_chars: int = 5000
    ) -> str:
        """Emit a text as it comes, and return it whole.

        Tokens go out every `emission.chars` characters or `emission.interval` seconds; with a `step`, its progress at
        least every `emission.progress_interval` seconds: `min(95, chars / expected_chars * 100)`.
        """
        written: list[str] = []
        length = 0
        async with aclosing(paced(chunks, self.cadence)) as pieces:
            async for piece in pieces:
                written.append(piece)
                length += len(piece)
                if piece:
                    await self.outbox.patiently(partial(self.token, piece, step=step))
                elif step is not None:
                    pct = min(95.0, length / max(1, expected_chars) * 100)
                    told = partial(self.emit, "step_progress", step=step, pct=pct, status="running")
                    await self.outbox.patiently(told)
        return "".join(written)

    async def flush(self) -> None:
        """Until all that was emitted so far is stored."""
        await self.outbox.flushed()

    def _draft(self, type: str, body: bytes) -> Draft:
        return Draft(type, body, time.time_ns() // 1000, self.attempt)
