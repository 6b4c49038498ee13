"""The server as a process: how it starts or refuses to, what it writes, and raw bytes on its socket."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import sse_server

AGENTS: Final = '''
from typing import Any

from sse_server import Job, agent


@agent("echo")
async def echo(input: Any, job: Job) -> Any:
    """Gives back what it takes."""
    return input


@agent("leak")
async def leak(input: Any, job: Job) -> None:
    """Fails, and its error holds what it was given."""
    raise RuntimeError(input)
'''


class Process:
    """`python -m sse_server serve` in a folder of its own, on a free port, with the settings of `--set`."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.port = 0
        self.output = ""
        """What it said on stdout until it listened."""
        self._stderr = folder / "stderr"
        self._folder = folder
        self._environ = environ
        self._command = [sys.executable, "-m", "sse_server", "serve", *options]
        if not any(option.startswith("server.port=") for option in options):
            self._command += ["--port", "0"]
        if not any(option.startswith("store.") for option in options):
            self._command += ["--store", "memory"]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        process = self._spawn()
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line
            if found := re.search(r" serves http://\S+:(\d+)$", line.strip()):
                self.port = int(found[1])
                return
        raise AssertionError(self.errors)

    def refused(self) -> str:
        """Start it, and return its last words: it must not come to listen."""
        process = self._spawn()
        said, _ = process.communicate(timeout=30)
        assert process.returncode in {1, 2}, (process.returncode, said, self.errors)
        assert " serves " not in said
        return self.errors

    def stop(self) -> str:
        """SIGTERM; all that it wrote to stderr."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0, self.errors
        return self.errors

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    @property
    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return self._stderr.read_text()

    async def talk(self, sent: bytes) -> bytes:
        """Send raw bytes, and return what comes back until the server hangs up."""
        async with self.connect() as (reader, writer), asyncio.timeout(20):
            writer.write(sent)
            return await reader.read()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection, to be used by hand."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _spawn(self) -> subprocess.Popen[str]:
        (self._folder / "agents.py").write_text(AGENTS)
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        environ = kept | {"PYTHONPATH": str(Path(sse_server.__file__).parents[1])} | self._environ
        with self._stderr.open("wb") as stderr:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=environ, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        return self._process


Run = Callable[..., Process]
"""Prepares a server with options of `serve` and variables of its environment."""
