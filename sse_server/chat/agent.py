"""The agent `chat`: recalls, asks the model, streams its answer, and remembers both; offline it repeats what it heard.

Its log lines and its telemetry hold figures and codes, never what anybody wrote.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, to_builtins

from sse_server.agents import Agent, Job, ModelUsage, Recollection, Role, agent
from sse_server.chat import prompt
from sse_server.chat.prices import cost
from sse_server.chat.provider import ProviderBusy, ProviderError, ProviderTimeout
from sse_server.chat.relevance import estimated_tokens
from sse_server.chat.telemetry import OpenAICall
from sse_server.errors import JobCancelled, JobFailed

MAX_MESSAGE: Final = 4000
"""Characters of a message."""

Scenario = Literal["timeout", "rate_limit", "server_error"]
FAILURES: Final[dict[Scenario, type[ProviderError]]] = {
    "timeout": ProviderTimeout,
    "rate_limit": ProviderBusy,
    "server_error": ProviderError,
}

logger = logging.getLogger(__name__)


class ChatInput(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A message, and whether what was said before shall help to answer it."""

    message: Annotated[str, Meta(min_length=1, max_length=MAX_MESSAGE)]
    use_memory: bool = False
    test_scenario: (
        Annotated[Scenario, Meta(description="Fail this way; only where `server.test_scenarios` is on.")] | None
    ) = None


class ChatResult(Struct, frozen=True):
    """The whole answer."""

    text: str


def chat_at(model: str, *, scenarios: bool = False) -> Agent:
    """The agent; `model` is whose prices count where the upstream tells no usage, or where there is none."""

    @agent("chat", description="Answers a message, with what its user said before where that is wanted.")
    async def chat(input: ChatInput, job: Job) -> ChatResult:
        return await _Conversation(input, job, model, scenarios=scenarios).run()

    return chat


class _Conversation:
    """One message and its answer."""

    def __init__(self, input: ChatInput, job: Job, model: str, *, scenarios: bool) -> None:
        self._input = input
        self._job = job
        self._model = model
        self._scenario = input.test_scenario if scenarios else None
        self._began = time.monotonic()
        self._ttft: int | None = None
        self._memory: int | None = None

    async def run(self) -> ChatResult:
        try:
            recalled = await self._recall()
            text, usage = await self._answer(recalled)
        except ProviderError as error:
            await self._record_failure(error.reason, error.retries)
            failure = JobFailed(error.code, error.said)
        except (asyncio.CancelledError, JobCancelled):
            self._say("SSE stream error", logging.WARNING, code="CANCELLED", total_ms=self._elapsed())
            raise
        except Exception:
            await self._record_failure("SERVER_ERROR", 0)
            raise
        else:
            await self._remember(text)
            await self._record(usage)
            return ChatResult(text)
        raise failure

    async def _recall(self) -> Sequence[Recollection]:
        if not self._input.use_memory or self._job.memory is None:
            return []
        self._say("Retrieving memory context")
        since = self._elapsed()
        recalled = await self._job.memory.recall(self._input.message)
        self._memory = self._elapsed() - since
        self._say(
            "Memory retrieval completed",
            memory_ms=self._memory,
            results_count=len(recalled),
            total_tokens=sum(each.tokens for each in recalled),
        )
        return recalled

    async def _answer(self, recalled: Sequence[Recollection]) -> tuple[str, ModelUsage]:
        if self._scenario:
            raise FAILURES[self._scenario]
        if self._job.llm is None:
            text = await self._write(prompt.offline(self._input.message, recalled))
            asked = estimated_tokens(self._input.message) + sum(each.tokens for each in recalled)
            usage = self._estimated(asked, text)
        else:
            messages = prompt.messages(self._input.message, recalled)
            completion = self._job.llm.stream(messages)
            text = await self._write(aiter(completion))
            asked = sum(estimated_tokens(each["content"]) for each in messages)
            usage = completion.usage or self._estimated(asked, text)
        self._job.usage(
            tokens_in=usage.tokens_in, tokens_out=usage.tokens_out, model=usage.model, cost_usd=usage.cost_usd
        )
        return text, usage

    async def _write(self, chunks: AsyncIterator[str]) -> str:
        """The first chunk goes out at once, what follows at the pace of every stream of text."""
        try:
            first = await anext(chunks, "")
            self._ttft = self._elapsed()
            if first:
                self._job.token(first)
            return first + await self._job.stream_text(chunks)
        finally:
            if close := getattr(chunks, "aclose", None):
                await close()

    def _estimated(self, tokens_in: int, text: str) -> ModelUsage:
        tokens_out = estimated_tokens(text)
        price = cost(self._model, tokens_in=tokens_in, tokens_out=tokens_out)
        return ModelUsage(tokens_in, tokens_out, self._model, price)

    async def _remember(self, text: str) -> None:
        """Only where the user wants a memory: by asking for it, or by naming a session.

        An answer that was written offline says nothing that the message and the memory do not.
        """
        job = self._job
        if job.memory is None or not (self._input.use_memory or job.session_id != job.id):
            return
        said: dict[Role, str] = {"user": self._input.message}
        if job.llm and text:
            said["assistant"] = text
        await job.memory.remember(said)

    async def _record(self, usage: ModelUsage) -> None:
        call = OpenAICall(
            model=usage.model,
            provider_retry_count=usage.retries,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
            ttft_ms=self._ttft,
            memory_ms=self._memory,
            total_ms=self._elapsed(),
            offline=self._job.llm is None,
        )
        if self._job.telemetry:
            await self._job.telemetry.record({"openai_call": to_builtins(call)})
        self._say(
            "Chat completion finished",
            total_ms=call.total_ms,
            ttft_ms=call.ttft_ms,
            provider_retry_count=usage.retries,
            tokens_in=usage.tokens_in,
            tokens_out=usage.tokens_out,
        )

    async def _record_failure(self, code: str, retries: int) -> None:
        call = OpenAICall(
            model=self._model,
            provider_retry_count=retries,
            ttft_ms=self._ttft,
            memory_ms=self._memory,
            total_ms=self._elapsed(),
            offline=self._job.llm is None,
            finish_reason="error",
        )
        if self._job.telemetry:
            await self._job.telemetry.record({"openai_call": to_builtins(call), "error": {"code": code}})
        self._say("SSE stream error", logging.WARNING, code=code, provider_retry_count=retries, total_ms=call.total_ms)

    def _elapsed(self) -> int:
        """Milliseconds since it began."""
        return round((time.monotonic() - self._began) * 1000)

    def _say(self, line: str, level: int = logging.INFO, **figures: Any) -> None:
        job = self._job
        who = {"request_id": job.request_id, "job_id": job.id, "session_id": job.session_id}
        logger.log(level, line, extra=figures | who)
