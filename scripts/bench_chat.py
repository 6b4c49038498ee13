"""How soon a chat answers: time to the first token of many chats at once, and what its memory costs in a large file.

usage: python scripts/bench_chat.py [--streams 100] [--messages 100000] [--think 0] [--set SECTION.KEY=VALUE ...]

The server runs as it is shipped, in a process of its own; the model is a server in this process that begins its answer
`--think` seconds after it was asked, and writes for eight. So many streams are open all the time: whenever one
ends, the next chat begins. What is measured is from the request to the first token, as the client sees it.
"""
# ruff: noqa: INP001, T201  (a script, and what it finds goes to the terminal)

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import ClientSession, TCPConnector, web
from msgspec import Raw

from sse_server.chat import messages
from sse_server.chat.file import ChatFile, beside
from sse_server.chat.memory import Memories
from sse_server.chat.messages import Message
from sse_server.config import Chat
from sse_server.jobs import JobSpec

USER = "anonymous"
CHUNKS = 120
ANSWER = 8.0
ROUNDS = 2
WORDS = [
    f"{'bcdfghklmnprstvz'[n % 16]}{'aeiou'[n % 5]}{'lmnrst'[n % 6]}{'aeiou'[n // 7 % 5]}{n}" for n in range(20_000)
]
OFTEN = list(itertools.accumulate(1 / (n + 1) for n in range(len(WORDS))))
"""Words as languages have them: a few very often, most hardly ever."""


def text(rng: random.Random, count: int) -> str:
    """So many words."""
    return " ".join(rng.choices(WORDS, cum_weights=OFTEN, k=count))


@asynccontextmanager
async def model(think: float) -> AsyncIterator[str]:
    """An upstream on loopback, by its base URL."""

    def chunk(content: str, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
        fields = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return b"data: " + msgspec.json.encode(fields) + b"\n\n"

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        await asyncio.sleep(think)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(CHUNKS):
            await response.write(chunk("some words "))
            await asyncio.sleep(ANSWER / CHUNKS)
        await response.write(chunk("", "stop") + b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


@asynccontextmanager
async def server(folder: Path, base_url: str, said: Sequence[str]) -> AsyncIterator[str]:
    """The server, by its address."""
    options = [option for each in (f"provider.base_url={base_url}", *said) for option in ("--set", each)]
    command = [sys.executable, "-m", "sse_server", "serve", "--port", "0", "--store-path", "s.db", *options]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with (folder / "stderr").open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=stderr
        )
    assert process.stdout is not None
    found = re.search(rb"http://\S+", await process.stdout.readline())
    if found is None:
        raise SystemExit((folder / "stderr").read_text())
    yield found[0].decode()
    process.terminate()
    await process.communicate()


async def first_token(http: ClientSession, url: str, message: str, *, memory: bool) -> float:
    """Milliseconds from the request to the first token; the chat is read to its end, which must be a good one."""
    body = msgspec.json.encode({"message": message, "useMemory": memory})
    began, first, last = time.perf_counter(), 0.0, b""
    async with http.post(f"{url}/api/v1/chat", data=body) as answer:
        async for piece in answer.content.iter_any():
            last = (last + piece)[-200:]
            if not first and b"event: token" in last:
                first = time.perf_counter()
    assert b'{"finish_reason":"stop"}' in last, last
    return (first - began) * 1000


async def crowd(http: ClientSession, url: str, streams: int, *, memory: bool) -> list[float]:
    """So many streams open at once, for some rounds; they begin one after another, as people do."""
    rng = random.Random(2)  # noqa: S311  (the same each time)

    async def one(number: int) -> list[float]:
        await asyncio.sleep(ANSWER * number / streams)
        return [await first_token(http, url, text(rng, 6), memory=memory) for _ in range(ROUNDS)]

    return [took for each in await asyncio.gather(*map(one, range(streams))) for took in each]


def show(what: str, target: float, measured: Sequence[float]) -> None:
    """One line: half, most and all of them, in milliseconds."""
    ranked = sorted(measured)
    p50, p95, most = (ranked[min(len(ranked) - 1, int(len(ranked) * share))] for share in (0.5, 0.95, 1))
    verdict = "met" if most < target else "MISSED" if p95 >= target else "missed by the slowest"
    print(f"{what:52} {p50:8.1f} {p95:8.1f} {most:8.1f}  < {target:.0f} {verdict}")


async def fill(path: Path, count: int) -> None:
    """So many messages of one user, and a tenth as many of others."""
    rng = random.Random(1)  # noqa: S311  (the same each time)

    def write(connection: sqlite3.Connection) -> None:
        for n in range(count + count // 10):
            user = USER if n % 11 else f"user{n}"
            messages.keep(connection, Message(user, f"s{n % 100}", "job", "user", text(rng, 20) + ".", n))

    file = ChatFile(path)
    await file.open()
    await file.write(write)
    await file.close()


async def recall(path: Path, questions: Sequence[str]) -> list[float]:
    """Milliseconds of each recall, one after another, as a chat does it."""
    file = ChatFile(path)
    await file.open()
    memory = Memories(file, Chat(memory_top_k=10, memory_timeout=60)).of(JobSpec("j", USER, "s7", "chat", Raw(), 0, 1))
    took = []
    for question in questions:
        began = time.perf_counter()
        await memory.recall(question)
        took.append((time.perf_counter() - began) * 1000)
    await file.close()
    return took


async def main(streams: int, count: int, think: float, said: Sequence[str]) -> None:
    """Print a line a figure."""
    rng = random.Random(2)  # noqa: S311
    print(f"{'milliseconds':52} {'p50':>8} {'p95':>8} {'max':>8}  target")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = beside(folder / "s.db")
        await fill(path, count)
        for words in (1, 4, 12, 40):
            questions = [text(rng, words) for _ in range(50)]
            show(f"recall, {count} messages, {words} words asked", 200, await recall(path, questions))
        common = await recall(path, [" ".join(WORDS[: n + 1]) for n in range(32)])
        show(f"recall, {count} messages, the commonest words", 200, common)
        async with (
            model(think) as base_url,
            server(folder, base_url, said) as url,
            ClientSession(connector=TCPConnector(limit=0)) as http,
        ):
            for memory, target in ((False, 350), (True, 500)):
                what = "with memory" if memory else "without memory"
                alone = [await first_token(http, url, text(rng, 6), memory=memory) for _ in range(4)]
                show(f"first token {what}, one stream", target, alone)
                show(f"first token {what}, {streams} streams", target, await crowd(http, url, streams, memory=memory))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--think", type=float, default=0.0)
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    given = parser.parse_args()
    asyncio.run(main(given.streams, given.messages, given.think, given.set))
