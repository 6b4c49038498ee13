"""The chat guide's commands, each with the outcome that the guide names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from unittest.mock import ANY

import msgspec

from tests.seeds.conftest import Require
from tests.seeds.documents import Command
from tests.seeds.house import House, Visitor, serving
from tests.seeds.printed import printed
from tests.seeds.shell import Ran, Shell, frames
from tests.seeds.upstream import WORDS, Upstream

REQUEST_ID: Final = re.compile(r"req_[0-9a-z]+")
HEARTBEAT: Final = re.compile(r"(?m)^: heartbeat (\d{13})$")


def whole(ran: Ran) -> str:
    """The text of a chat that streamed as the guide says; what else it holds is looked at."""
    assert (ran.code, ran.status, ran.headers["Content-Type"]) == (0, 200, "text/event-stream")
    assert ran.out.startswith(": Connected to chat stream\n")
    *tokens, (usage, cost), (last, end) = ran.frames
    assert tokens
    assert {name for name, _ in tokens} == {"token"}
    assert all(data.keys() == {"text"} for _, data in tokens)
    assert usage == "usage"
    assert cost.keys() == {"tokens_in", "tokens_out", "cost_usd", "model"}
    assert (last, end) == ("done", {"finish_reason": "stop"})
    return "".join(data["text"] for _, data in tokens)


@printed("001 bash 1.1")
async def test_a_chat_streams_what_the_guide_prints(command: Command, shell: Shell) -> None:
    """To the last digit of its cost; only the second sentence is this server's own."""
    ran = await shell.run(command.text)
    assert whole(ran)
    said, _, *ends = frames("\n".join(line.rstrip() for line in command.comments[1:]) + "\n\n")
    assert ran.frames == [said, ("token", {"text": ANY}), *ends]


@printed("001 bash 5.3", "001 bash 9.1", "001 bash 9.5")
async def test_a_valid_request_streams_to_its_end(command: Command, shell: Shell) -> None:
    """With a session and with memory too."""
    assert whole(await shell.run(command.text))


@printed("001 bash 2.1")
async def test_curl_itself_refuses_a_head_request_with_a_body(command: Command, shell: Shell, visitor: Visitor) -> None:
    """As printed the command can't work: it asks for HEAD (-I) and sends data (-d). Nothing is sent."""
    ran = await shell.run(command.text)
    assert (ran.code, ran.out) == (2, "")
    assert "You can only select one HTTP request method" in ran.err
    assert ran.head == []
    assert await visitor.jobs() == []


@printed("001 bash 2.1")
async def test_without_that_option_the_headers_are_those_that_are_printed(command: Command, shell: Shell) -> None:
    """Except for two: the origin is never a star, and the cache control says more than it did."""
    ran = await shell.run(command.text.replace("-I ", ""))
    assert ran.head[0] == command.comments[1]
    expected = dict(line.split(": ", 1) for line in command.comments[2:])
    assert expected.pop("access-control-allow-origin") == "*"
    assert "Access-Control-Allow-Origin" not in ran.headers
    assert REQUEST_ID.fullmatch(expected.pop("x-request-id"))
    assert REQUEST_ID.fullmatch(ran.headers["x-request-id"])
    assert ran.headers["cache-control"].startswith(expected.pop("cache-control"))
    assert expected.keys() == {"content-type", "connection", "x-accel-buffering", "proxy-buffering"}
    assert {name: ran.headers[name] for name in expected} == expected


@printed("001 bash 3.1")
async def test_heartbeats_come_while_the_model_thinks(command: Command, secret: str, tmp_path: Path) -> None:
    """Far more often than every ten seconds: the guide's variable says so."""
    async with Upstream() as upstream:
        with serving(tmp_path / "work", secret, **{"provider.base_url": upstream.address}) as house:
            shell = Shell(tmp_path, tmp_path, house.address, house.token("ann"))
            async with shell.watch(command.text) as output:
                await output.until(lambda text: len(HEARTBEAT.findall(text.partition(WORDS[0])[2])) >= 3)
                upstream.go.set()
                ran = await output.until(lambda text: '"finish_reason"' in text)
    told = [int(time) for time in HEARTBEAT.findall(ran.out)]
    assert told == sorted(set(told))


@printed("001 bash 4.1")
async def test_the_ping_says_who_the_token_is_for(command: Command, shell: Shell, visitor: Visitor) -> None:
    ran = await shell.run(command.text)
    assert (ran.code, ran.status, ran.json) == (0, 200, {"ok": True, "userId": visitor.name})


@printed("001 bash 4.2")
async def test_a_token_that_the_printed_script_makes_is_good(
    command: Command, house: House, shell: Shell, require: Require
) -> None:
    require(shutil.which("node"), "node is not installed")
    minted = await shell.run(command.text)
    assert minted.code == 0, minted.err
    asked = await shell.run(f"curl -H 'x-auth-token: {minted.out.strip()}' {house.address}/api/v1/auth/ping")
    assert asked.json == {"ok": True, "userId": "test-user-id"}


@printed("001 bash 5.1", "001 bash 9.2")
async def test_an_empty_message_fails_and_the_answer_says_why(command: Command, shell: Shell, visitor: Visitor) -> None:
    await fails(command, shell, visitor, "$.message")


@printed("001 bash 9.3")
async def test_a_message_that_is_too_long_fails_and_the_answer_says_why(
    command: Command, shell: Shell, visitor: Visitor
) -> None:
    assert "4000" in await fails(command, shell, visitor, "$.message")


@printed("001 bash 5.2", "001 bash 9.4")
async def test_a_session_id_of_another_form_fails_and_the_answer_says_why(
    command: Command, shell: Shell, visitor: Visitor
) -> None:
    await fails(command, shell, visitor, "$.sessionId")


async def fails(command: Command, shell: Shell, visitor: Visitor, path: str) -> str:
    """Run a command that is refused because of that field; what is said about it."""
    ran = await shell.run(command.text)
    assert (ran.code, ran.status, ran.json["code"]) == (0, 400, "invalid_input")
    assert ran.headers["Content-Type"].startswith("application/problem+json")
    [error] = ran.json["errors"]
    assert error["path"] == path
    assert error["message"]
    assert await visitor.jobs() == []
    return str(error["message"])


@printed("001 bash 6.1")
async def test_a_preflight_allows_the_frontend_to_post_with_a_token(command: Command, shell: Shell) -> None:
    ran = await shell.run(command.text)
    assert (ran.code, ran.status, ran.out) == (0, 200, "")
    assert ran.headers["Access-Control-Allow-Origin"] == "http://localhost:3001"
    assert ran.headers["Access-Control-Allow-Methods"] == "POST"
    allowed = ran.headers["Access-Control-Allow-Headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed


@printed("001 bash 8.1")
async def test_a_timeout_is_one_friendly_sentence_and_an_end(command: Command, shell: Shell) -> None:
    ran = await shell.run(command.text)
    (name, sentence), (last, end) = ran.frames
    said = [f"event: {name}", f"data: {compact(sentence)}", f"event: {last}", f"data: {compact(end)}"]
    assert said == list(command.comments[1:])


def compact(data: object) -> str:
    return msgspec.json.encode(data).decode()


@printed("001 bash 7.1")
async def test_the_log_tells_how_long_the_memory_took(command: Command, shell: Shell, visitor: Visitor) -> None:
    fields = msgspec.json.decode(command.comments[1])
    async with shell.watch(command.text) as output:
        await recall(visitor, "req_memory")
        ran = await output.until(lambda text: "req_memory" in text)
    [line] = [line for line in ran.out.splitlines() if "req_memory" in line]
    assert all(field in line for field in fields)


@printed("001 bash 10.1")
async def test_the_log_tells_the_story_of_a_chat(command: Command, shell: Shell, visitor: Visitor) -> None:
    """In the printed words, of which the printed pattern hides the second; the last is for streams that fail."""
    asked, looking, found, finished, failed = re.findall(r'"(.+?)" -', "\n".join(command.comments))
    async with shell.watch(command.text) as output:
        await recall(visitor, "req_good")
        await recall(visitor, "req_bad", {"X-Test-Scenario": "server_error"})
        ran = await output.until(lambda text: story(text, "req_bad", asked, found, failed))
    assert story(ran.out, "req_good", asked, found, finished)
    assert story((shell.folder / "logs" / "api.log").read_text(), "req_good", asked, looking, found, finished)


def story(log: str, request_id: str, *words: str) -> bool:
    """Whether the lines of this request say these, one each."""
    lines = [line for line in log.splitlines() if request_id in line]
    return len(lines) == len(words) and all(word in line for word, line in zip(words, lines, strict=True))


async def recall(visitor: Visitor, request_id: str, headers: Mapping[str, str] = {}) -> None:
    """Chat once, with memory."""
    body = {"message": "What did I say?", "useMemory": True}
    await visitor.text("/api/v1/chat", msgspec.json.encode(body), {"X-Request-Id": request_id, **headers})
