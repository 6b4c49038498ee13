"""A server that is no good: it does one thing wrong with one event of each job, and the load test must notice."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self

Fault = Literal["none", "lose", "repeat", "reorder", "misnumber", "no_end", "resume_late", "resume_early", "unclosed"]
AT = 7
"""The event that it happens to."""
LAST = 12
AGENTS = b'{"agents": [{"name": "load"}]}'


class FakeServer:
    """It streams what a POST starts; with a fault of resuming it breaks the stream at `AT`."""

    def __init__(self, fault: Fault = "none", tls: ssl.SSLContext | None = None, *, ahead: float = 0.0) -> None:
        self._fault = fault
        self._tls = tls
        self._ahead = ahead  # seconds that its clock is ahead of ours
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"https://localhost:{port}" if self._tls else f"http://127.0.0.1:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                await self._answer(await reader.readuntil(b"\r\n\r\n"), reader, writer)
        writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"GET /api/agents"):
            length = b"Content-Length: %d\r\n\r\n" % len(AGENTS)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + AGENTS)
            return
        if length_line := re.search(rb"(?i)content-length: (\d+)", head):
            await reader.readexactly(int(length_line[1]))
        cursor = re.search(rb"(?i)last-event-id: e-(\d+)", head)
        after = int(cursor[1]) if cursor else 0
        if self._fault == "no_end" and after >= LAST - 1:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            return
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Location: /api/jobs/job_1/stream\r\n\r\n"
        )
        for frame in self._frames(after):
            writer.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            await writer.drain()
        if self._fault != "unclosed":
            writer.write(b"0\r\n\r\n")

    def _frames(self, after: int) -> Iterator[bytes]:
        yield b": stream\nretry: 10\n"
        for seq, id_seq in self._numbers(after):
            yield self._frame(seq, id_seq)

    def _numbers(self, after: int) -> Iterator[tuple[int, int]]:
        """The seqs and the ids' numbers of the events, in the order in which they are sent."""
        resumes = self._fault in {"resume_late", "resume_early"}
        first = after + 1
        if after and resumes:
            first += 1 if self._fault == "resume_late" else -1
        seqs = list(range(first, LAST + 1))
        match self._fault:
            case "lose":
                seqs.remove(AT)
            case "repeat":
                seqs.insert(seqs.index(AT), AT)
            case "reorder":
                at = seqs.index(AT)
                seqs[at : at + 2] = [AT + 1, AT]
            case "no_end":
                seqs.remove(LAST)
            case "resume_late" | "resume_early" if not after:
                seqs = seqs[:AT]
        for seq in seqs:
            yield seq, seq + (self._fault == "misnumber" and seq == AT)

    def _frame(self, seq: int, id_seq: int) -> bytes:
        kind = {1: "job_queued", 2: "job_started", LAST: "done"}.get(seq, "token")
        now = datetime.fromtimestamp(datetime.now(UTC).timestamp() + self._ahead, UTC)
        more = '"status":"succeeded","finish_reason":"stop"' if kind == "done" else '"text":"x"'
        return (
            f'data: {{"type":"{kind}","job_id":"job_1","session_id":"job_1","seq":{seq},"attempt":1,'
            f'"timestamp":"{now:%Y-%m-%dT%H:%M:%S.%f}Z",{more}}}\nid: e-{id_seq}\n\n'
        ).encode()
