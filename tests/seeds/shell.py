"""A terminal, in which the documents' commands run as printed, with our address and token in place of theirs."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from multidict import CIMultiDict

from sse_server import sse
from tests.seeds.build import PACKAGES

CURLRC: Final = """
dump-header = "{head}"
noproxy = "*"
"""
"""It makes curl note the answer's head in a file, so that a command is run unchanged and its status is known."""
THEIR_ADDRESS: Final = re.compile(r"(?<!Origin: )http://localhost:(3000|8000)\b|https://your-service\.run\.app\b")
THEIR_TOKEN: Final = re.compile(r"\bYOUR_(JWT_)?TOKEN\b")


class Ran(Struct):
    """A command that has ended, or what is known of one that runs."""

    code: int | None
    out: str
    err: str
    head: list[str]

    @property
    def status(self) -> int:
        """The status that curl got."""
        return int(self.head[0].split()[1])

    @property
    def headers(self) -> CIMultiDict[str]:
        """The headers that curl got."""
        parts = [line.partition(":") for line in self.head[1:]]
        return CIMultiDict((name, value.strip()) for name, _, value in parts)

    @property
    def json(self) -> Any:
        """The output, which is JSON."""
        return msgspec.json.decode(self.out)

    @property
    def frames(self) -> list[tuple[str, Any]]:
        """The events of the output: name and data."""
        return frames(self.out)


class Shell:
    """`address` and `token` are ours; commands run in `folder`, and curl keeps its notes in `home`."""

    def __init__(self, folder: Path, home: Path, address: str, token: str) -> None:
        self.folder = folder
        self._head = home / "head"
        self._err = home / "stderr"
        self._address = address
        self._token = token
        ours = {"CURL_HOME": str(home), "TOKEN": token, "NODE_PATH": str(PACKAGES), "LC_ALL": "C.UTF-8"}
        self._environ = os.environ | ours
        (home / ".curlrc").write_text(CURLRC.format(head=self._head))

    def fitted(self, text: str) -> str:
        """A command with our address and token."""
        return THEIR_TOKEN.sub(self._token, THEIR_ADDRESS.sub(self._address, text))

    async def run(self, text: str) -> Ran:
        """Run a command to its end."""
        out = b""
        async with self._spawn(text, asyncio.subprocess.PIPE) as process:
            assert process.stdout
            try:
                async with asyncio.timeout(40):
                    while piece := await process.stdout.read(64 * 1024):
                        out += piece
                    await process.wait()
            except TimeoutError:
                raise AssertionError(f"it goes on and on: {self._ran(None, out.decode())}") from None
        return self._ran(process.returncode, out.decode())

    @asynccontextmanager
    async def watch(self, text: str) -> AsyncIterator[Output]:
        """Run a command whose output has no end, and stop it at the end of the block."""
        screen, terminal = pty.openpty()  # grep and curl hold nothing back from a terminal
        tty.setraw(terminal)
        reader = asyncio.StreamReader()
        with os.fdopen(screen, "rb", 0) as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            try:
                async with self._spawn(text, terminal):
                    os.close(terminal)
                    yield Output(reader, self._ran)
            finally:
                transport.close()

    def _ran(self, code: int | None, out: str) -> Ran:
        head = self._head.read_text().splitlines() if self._head.exists() else []
        return Ran(code, out, self._err.read_text(), [line for line in head if line])

    @asynccontextmanager
    async def _spawn(self, text: str, out: int) -> AsyncIterator[asyncio.subprocess.Process]:
        self._head.unlink(missing_ok=True)
        with self._err.open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                "sh",
                "-c",
                self.fitted(text),
                cwd=self.folder,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a pipeline is many processes
            await process.wait()


class Output:
    """What a running command has shown so far."""

    def __init__(self, reader: asyncio.StreamReader, ran: Callable[[None, str], Ran]) -> None:
        self._reader = reader
        self._ran = ran
        self.text = ""

    @property
    def so_far(self) -> Ran:
        """All that is known of it."""
        return self._ran(None, self.text)

    async def until(self, shown: Callable[[str], object]) -> Ran:
        """Return once its output makes this true."""
        async with asyncio.timeout(20):
            while not shown(self.text):
                self.text += (await self._reader.readline()).decode()
        return self.so_far

    async def event(self, name: str, **fields: object) -> dict[str, Any]:
        """The data of the first event of that name with these fields."""

        def found() -> list[dict[str, Any]]:
            return [data for told, data in frames(self.text) if told == name and fields.items() <= data.items()]

        await self.until(lambda _: found())
        return found()[0]


def frames(text: str) -> list[tuple[str, Any]]:
    """Name and data of each event of a stream."""
    return [(event.type, msgspec.json.decode(event.data)) for event in sse.Parser().feed(text.encode())]
