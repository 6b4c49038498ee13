"""The provider against a real server on the loopback that speaks OpenAI's streaming wire format."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sse_server.agents import ModelUsage
from sse_server.agents import Provider as Model
from sse_server.chat.prices import cost
from sse_server.chat.provider import Provider, ProviderBusy, ProviderError, ProviderTimeout
from tests.chat.upstream import Answer, Upstream, garbled, hanging, hello, no_usage, refusing, serving, torn

KEY = "sk-loopback-0123456789abcdef"
MESSAGES = [{"role": "user", "content": "Say hello"}]
BOUND = 10.0


@asynccontextmanager
async def asking(upstream: Upstream, **options: Any) -> AsyncIterator[Provider]:
    provider = Provider(api_key=KEY, base_url=upstream.base_url, **options)
    try:
        yield provider
    finally:
        await provider.aclose()


async def test_an_answer_comes_in_chunks_and_ends_with_its_usage() -> None:
    async with serving(hello) as upstream, asking(upstream) as provider:
        completion = provider.stream(MESSAGES)
        assert [chunk async for chunk in completion] == ["Hello", ", world"]
        assert completion.usage == ModelUsage(
            tokens_in=5, tokens_out=15, model="gpt-4o-mini", cost_usd=0.00000975, retries=0
        )


async def test_the_request_asks_for_a_stream_with_usage_and_carries_the_key() -> None:
    async with serving(hello) as upstream, asking(upstream) as provider:
        async for _ in provider.stream(MESSAGES, max_tokens=7):
            pass
        (request,) = upstream.requests
        assert request["authorization"] == f"Bearer {KEY}"
        assert request["body"] == {
            "model": "gpt-4o-mini",
            "messages": MESSAGES,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 7,
        }


async def test_answers_one_after_another_share_a_connection() -> None:
    async with serving(hello) as upstream, asking(upstream) as provider:
        for _ in range(3):
            async for _ in provider.stream(MESSAGES):
                pass
        assert len(upstream.peers) == 1


async def test_a_retry_is_counted() -> None:
    async with serving(refusing(429), hello) as upstream, asking(upstream) as provider:
        completion = provider.stream(MESSAGES)
        assert "".join([chunk async for chunk in completion]) == "Hello, world"
        assert completion.retries == 1
        assert completion.usage is not None
        assert completion.usage.retries == 1


@pytest.mark.parametrize(
    ("status", "raised", "sentence"),
    [
        (500, ProviderError, "Server error, please try again later."),
        (429, ProviderBusy, "Overloaded, please try again soon."),
    ],
)
async def test_an_upstream_that_keeps_failing_is_an_error_for_its_user(
    status: int, raised: type[ProviderError], sentence: str
) -> None:
    async with serving(refusing(status)) as upstream, asking(upstream, max_retries=2) as provider:
        completion = provider.stream(MESSAGES)
        with pytest.raises(raised) as caught:
            await anext(completion)
        assert caught.value.detail == sentence
        assert (caught.value.retries, completion.retries, len(upstream.requests)) == (2, 2, 3)
        assert caught.value.upstream_status == status


async def test_a_refusal_that_no_retry_mends_is_not_retried() -> None:
    async with serving(refusing(401)) as upstream, asking(upstream) as provider:
        with pytest.raises(ProviderError) as caught:
            await anext(provider.stream(MESSAGES))
        assert (caught.value.upstream_status, len(upstream.requests)) == (401, 1)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_the_key_is_in_no_error(status: int) -> None:
    async with serving(refusing(status)) as upstream, asking(upstream, max_retries=0) as provider:
        with pytest.raises(ProviderError) as caught:
            await anext(provider.stream(MESSAGES))
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None


async def test_nobody_there_is_an_error_after_the_retries() -> None:
    provider = Provider(api_key=KEY, base_url="http://127.0.0.1:1/v1", max_retries=0)
    with pytest.raises(ProviderError):
        await anext(provider.stream(MESSAGES))
    await provider.aclose()


@pytest.mark.parametrize("answer", [torn, garbled])
async def test_an_answer_that_was_cut_short_is_an_error_and_not_an_answer(answer: Answer) -> None:
    async with serving(answer) as upstream, asking(upstream) as provider:
        completion = provider.stream(MESSAGES)
        assert await anext(completion) == "Hel"
        with pytest.raises(ProviderError):
            await anext(completion)


async def test_an_upstream_that_tells_no_usage_leaves_it_unknown() -> None:
    async with serving(no_usage) as upstream, asking(upstream) as provider:
        completion = provider.stream(MESSAGES)
        assert [chunk async for chunk in completion] == ["Hello"]
        assert completion.usage is None


async def test_an_answer_that_takes_too_long_times_out_and_is_closed() -> None:
    async with serving(hanging) as upstream, asking(upstream, timeout=1.0, max_retries=0) as provider:
        await provider.sdk()  # its import is no part of what is timed here
        completion = provider.stream(MESSAGES)
        with pytest.raises(ProviderTimeout):
            async for _ in completion:
                pass
        await asyncio.wait_for(upstream.disconnected.wait(), BOUND)


async def test_cancelling_the_reader_closes_the_upstream_at_once() -> None:
    async with serving(hanging) as upstream, asking(upstream) as provider:
        first = asyncio.Event()

        async def read() -> None:
            async for _ in provider.stream(MESSAGES):
                first.set()

        reader = asyncio.create_task(read())
        await asyncio.wait_for(first.wait(), BOUND)
        reader.cancel()
        await asyncio.wait_for(upstream.disconnected.wait(), BOUND)
        with pytest.raises(asyncio.CancelledError):
            await reader


async def test_closing_an_answer_closes_the_upstream_at_once() -> None:
    async with serving(hanging) as upstream, asking(upstream) as provider:
        completion = provider.stream(MESSAGES)
        assert await anext(completion) == "Hello"
        await completion.aclose()
        await asyncio.wait_for(upstream.disconnected.wait(), BOUND)


async def test_an_answer_may_be_read_by_a_task_a_chunk() -> None:
    async with serving(hello) as upstream, asking(upstream) as provider:
        model: Model = provider  # what an agent's `job.llm` is
        chunks = aiter(model.stream(MESSAGES))

        async def following() -> str:
            return await anext(chunks)

        assert [await asyncio.create_task(following()) for _ in range(2)] == ["Hello", ", world"]
        last = asyncio.create_task(following())
        await asyncio.wait([last])
        assert isinstance(last.exception(), StopAsyncIteration)


async def test_first_answers_at_the_same_time_share_one_pool() -> None:
    async with serving(hello) as upstream, asking(upstream) as provider:
        clients = await asyncio.gather(*(provider.sdk() for _ in range(5)))
        assert len({id(client) for client in clients}) == 1


def test_importing_the_provider_does_not_import_the_sdk() -> None:
    program = "import sys, sse_server.chat.provider; print('openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("model", "dollars"), [("gpt-4o-mini", 0.75), ("gpt-4o-mini-2024-07-18", 0.75), ("somebody-elses", None)]
)
def test_a_known_model_has_its_price_and_an_unknown_one_none(model: str, dollars: float | None) -> None:
    assert cost(model, tokens_in=1_000_000, tokens_out=1_000_000) == dollars
