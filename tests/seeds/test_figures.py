"""The figures and sentences that the documents print are those of the server."""

from __future__ import annotations

import re
from typing import Final

import pytest

from sse_server.broadcast import BroadcasterConfig
from sse_server.config import Settings
from tests.seeds.documents import Documents
from tests.seeds.house import Visitor
from tests.seeds.snippet import play

SCENARIOS: Final = {"RATE_LIMIT": "rate_limit", "SERVER_ERROR": "server_error", "OPENAI_TIMEOUT": "timeout"}
"""How to make a chat fail in a way that the chat guide has a code for."""


def test_the_memory_s_defaults_are_the_printed_ones(documents: Documents) -> None:
    found = re.findall(r"(\w+): [\d.]+,? +// .* default ([\d.]+)", documents["001 typescript 4"])
    chat = Settings().chat
    ours = {
        "top_k": chat.memory_top_k,
        "memory_token_budget": chat.memory_token_budget,
        "clip_sentences": chat.clip_sentences,
        "min_relevance_score": chat.min_relevance_score,
    }
    assert {name: float(value) for name, value in found} == ours


def test_the_memory_is_given_up_after_the_printed_time(documents: Documents) -> None:
    [ms] = re.findall(r"resolve\(null\), (\d+)\)", documents["001 typescript 7"])
    assert Settings().chat.memory_timeout * 1000 == float(ms)


def test_the_heart_beats_as_often_as_printed(documents: Documents) -> None:
    [ms] = re.findall(r"sseHeartbeatMs \|\| (\d+);", documents["001 typescript 2"])
    assert Settings().stream.heartbeat_interval * 1000 == float(ms)


def test_a_browser_comes_back_after_the_printed_time(documents: Documents) -> None:
    [ms] = re.findall(r"DELAY = (\d+);", documents["003 typescript 3"])
    assert Settings().stream.retry_ms == int(ms)


def test_the_broadcaster_s_defaults_are_the_printed_ones(documents: Documents) -> None:
    """Where the troubleshooting guide changes one, it says what it was."""
    config = BroadcasterConfig()
    [history] = re.findall(r"max_history_per_session=\d+, +# \w+ from (\d+)", documents["000 python 8"])
    [queue] = re.findall(r"max_queue_size=\d+\) +# \w+ from (\d+)", documents["000 python 13"])
    assert (config.max_history_per_session, config.max_queue_size) == (int(history), int(queue))
    for name in ("000 python 3", "000 python 7"):
        for field, value in re.findall(r"(\w+)=([\d.]+)", documents[name]):
            assert getattr(config, field) == float(value)


def test_every_frontend_that_the_documents_name_is_let_in(documents: Documents) -> None:
    named = ("000 python 1", "000 python 12", "001 typescript 1", "003 python 4")
    origins = {origin for name in named for origin in re.findall(r"http://localhost:\d+", documents[name])}
    assert origins == set(Settings().cors.origins)


@pytest.mark.parametrize("name", ["000 python 10", "003 python 3"])
async def test_a_stream_has_the_printed_headers(name: str, documents: Documents, visitor: Visitor) -> None:
    wanted: dict[str, str] = (await play(documents[name]))["headers"]
    headers = await visitor.head("/sse/talk")
    assert {header: headers[header].split(",")[0] for header in wanted} == wanted


async def test_a_chat_that_fails_says_the_printed_sentence(documents: Documents, visitor: Visitor) -> None:
    found = re.findall(r"userMessage = '(.+?)';\s+errorCode = '(\w+)'", documents["001 typescript 5"])
    assert {code for _, code in found} == SCENARIOS.keys()
    for sentence, code in found:
        told = await visitor.stream("/api/v1/chat", {"message": "test"}, {"X-Test-Scenario": SCENARIOS[code]})
        assert told == [("token", {"text": sentence}), ("done", {"finish_reason": "error"})]
