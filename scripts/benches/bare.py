"""The machine's limit: a server that writes one prebuilt chunk to every connection, and does nothing else.

usage: python -m benches.bare asyncio|uvloop
"""
# ruff: noqa: T201  (it says where it listens)

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

from benches.pace import TEXT, publish

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Cache-Control: no-store\r\nDate: Sat, 01 Jan 2028 00:00:00 GMT\r\n\r\n"
)
EVENT = {"type": "token", "job_id": f"job_{1:030}", "session_id": "s-1", "seq": 1, "attempt": 1}
DATA = json.dumps(EVENT | {"timestamp": "2028-01-01T00:00:00.000000Z", "text": TEXT}, separators=(",", ":")).encode()
FRAME = b"data: %b\nid: 0123456789-1\n\n" % DATA
CHUNK = b"%x\r\n%b\r\n" % (len(FRAME), FRAME)

streams: dict[str, list[asyncio.WriteTransport]] = defaultdict(list)
publishing: set[asyncio.Task[None]] = set()


class Connection(asyncio.Protocol):
    """Knows two requests: a log's stream, and an order to publish to all."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        url = urlsplit(data.split(b" ", 2)[1].decode())
        if url.path == "/publish":
            asked = {name: float(values[0]) for name, values in parse_qs(url.query).items()}
            task = asyncio.get_running_loop().create_task(self._publish(asked))
            publishing.add(task)
            task.add_done_callback(publishing.discard)
        else:
            streams[url.path].append(self._transport)
            self._transport.write(HEAD)

    async def _publish(self, asked: dict[str, float]) -> None:
        def emit_to(those: list[asyncio.WriteTransport]) -> None:
            for transport in those:
                transport.write(CHUNK)

        emits = [lambda those=those: emit_to(those) for those in streams.values()]
        await publish(emits, int(asked["count"]), asked["rate"], int(asked["burst"]))
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self._transport.close()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
