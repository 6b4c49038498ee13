"""The provider: answers of any OpenAI-compatible server, streamed through the official SDK over one pool.

The SDK costs half a second to import, so that happens at the first call and in a thread. What is raised here is worded
here: an upstream error may quote the API key, so its text, its request and its traceback go no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

import msgspec
from msgspec import Struct, field

from sse_server.agents import ModelUsage
from sse_server.chat.prices import cost
from sse_server.errors import ServerError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI: Final = "https://api.openai.com/v1"
KEPT_ALIVE: Final = 50
"""Idle connections that stay open to the provider."""

Reason = Literal["RATE_LIMIT", "SERVER_ERROR", "OPENAI_TIMEOUT"]


class ProviderError(ServerError):
    """The provider gave no answer, or only a part of one. `detail` is a sentence for the user who waits."""

    code, status, title = "provider_failed", 502, "Provider Failed"
    reason: ClassVar[Reason] = "SERVER_ERROR"
    said: ClassVar[str] = "Server error, please try again later."

    def __init__(self, *, retries: int = 0, upstream_status: int | None = None) -> None:
        super().__init__(self.said)
        self.retries = retries
        self.upstream_status = upstream_status


class ProviderBusy(ProviderError):
    code = "provider_busy"
    reason = "RATE_LIMIT"
    said = "Overloaded, please try again soon."


class ProviderTimeout(ProviderError):
    code, status = "provider_timeout", 504
    reason = "OPENAI_TIMEOUT"
    said = "Request timed out. Please try again with a shorter message."


class Provider:
    """One upstream and one model. `timeout` is the seconds that a whole answer may take, its retries included."""

    def __init__(
        self,
        *,
        api_key: str = "",
        base_url: str = "",
        model: str = "gpt-4o-mini",
        timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        self.model = model
        self.timeout = timeout
        self._api_key = api_key
        self._base_url = base_url or OPENAI
        self._max_retries = max_retries
        self._sdk: AsyncOpenAI | None = None
        self._opening = asyncio.Lock()

    def stream(self, messages: list[dict[str, str]], *, max_tokens: int | None = None) -> Completion:
        """The answer to `messages` (`role`, `content` each) as it is made; nothing is sent before the first `anext`."""
        return Completion(self, messages, max_tokens)

    async def aclose(self) -> None:
        """Close the pool; answers under way fail."""
        if self._sdk is not None:
            await self._sdk.close()

    async def sdk(self) -> AsyncOpenAI:
        """The SDK's client, made when it is first asked for."""
        async with self._opening:
            if self._sdk is None:
                self._sdk = await asyncio.to_thread(self._open)
        return self._sdk

    def length(self, max_tokens: int | None) -> dict[str, int]:
        """The limit under the name that the upstream knows: OpenAI's own newer models refuse the older name."""
        if max_tokens is None:
            return {}
        return {"max_completion_tokens" if self._base_url == OPENAI else "max_tokens": max_tokens}

    def _open(self) -> AsyncOpenAI:
        import httpx2  # noqa: PLC0415  (see the module's sentence)
        import openai  # noqa: PLC0415

        return openai.AsyncOpenAI(
            api_key=self._api_key or "none",  # a server of one's own asks for no key, the SDK does
            base_url=self._base_url,
            timeout=openai.Timeout(self.timeout, connect=min(5.0, self.timeout)),
            max_retries=self._max_retries,
            http_client=openai.DefaultAsyncHttpxClient(limits=httpx2.Limits(max_keepalive_connections=KEPT_ALIVE)),
        )


class _Delta(Struct):
    content: str | None = None


class _Choice(Struct):
    delta: _Delta = field(default_factory=_Delta)
    finish_reason: str | None = None


class _Usage(Struct):
    prompt_tokens: int
    completion_tokens: int


class _Chunk(Struct):
    """What is read of a `chat.completion.chunk`."""

    choices: list[_Choice] = []
    usage: _Usage | None = None


class Completion:
    """One answer, chunk by chunk. Once it has ended, `usage` says what it took (None if the upstream does not tell).

    Cancelling the task that reads, or `aclose`, closes the upstream's response at once.
    """

    def __init__(self, provider: Provider, messages: list[dict[str, str]], max_tokens: int | None) -> None:
        self.usage: ModelUsage | None = None
        self.retries = 0
        self._provider = provider
        self._chunks = self._read(messages, max_tokens)
        self._deadline: float | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._provider.timeout
        try:
            async with asyncio.timeout_at(self._deadline):
                return await anext(self._chunks)
        except TimeoutError:
            pass
        raise ProviderTimeout(retries=self.retries)

    async def aclose(self) -> None:
        """Give up the rest of the answer."""
        await self._chunks.aclose()

    async def _read(self, messages: list[dict[str, str]], max_tokens: int | None) -> AsyncGenerator[str]:
        sdk = await self._provider.sdk()
        from openai import AsyncStream, OpenAIError  # noqa: PLC0415  (it is there now)

        body = {
            "model": self._provider.model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        try:
            # Its own method for this makes a model of each chunk, which costs ten times what all the rest of it does.
            stream = await sdk.post(
                "/chat/completions",
                body=body | self._provider.length(max_tokens),
                cast_to=object,
                stream=True,
                stream_cls=AsyncStream[object],
            )
            self.retries = _retries(stream.response.request)
            finished = False
            async with stream:
                async for data in stream:
                    chunk = msgspec.convert(data, _Chunk)
                    if chunk.usage is not None:
                        self.usage = self._count(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                    for choice in chunk.choices:
                        finished = finished or choice.finish_reason is not None
                        if choice.delta.content:
                            yield choice.delta.content
            failure = None if finished else ProviderError(retries=self.retries)
        except (OpenAIError, ValueError) as error:  # ValueError: the stream's JSON was torn
            failure = _reworded(error, self.retries)
        # Raised outside the except block: there it would carry the upstream's error along as its context.
        if failure is not None:
            self.retries = failure.retries
            raise failure

    def _count(self, tokens_in: int, tokens_out: int) -> ModelUsage:
        model = self._provider.model
        price = cost(model, tokens_in=tokens_in, tokens_out=tokens_out)
        return ModelUsage(tokens_in, tokens_out, model, price, self.retries)


def _retries(request: Any) -> int:
    """How often the SDK had tried before this request: it says so in a header of each."""
    return int(request.headers.get("x-stainless-retry-count", 0))


def _reworded(error: Exception, retries: int) -> ProviderError:
    import openai  # noqa: PLC0415  (it is there now)

    request = getattr(error, "request", None)
    retries = retries if request is None else _retries(request)
    match error:
        case openai.APITimeoutError():
            return ProviderTimeout(retries=retries)
        case openai.RateLimitError():
            return ProviderBusy(retries=retries, upstream_status=429)
        case openai.APIStatusError():
            return ProviderError(retries=retries, upstream_status=error.status_code)
        case _:
            return ProviderError(retries=retries)
