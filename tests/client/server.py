"""The real server in a process of its own, with agents that a test can hold up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sse_server

AGENTS = '''
import asyncio
from pathlib import Path
from typing import Any

from msgspec import Struct
from sse_server import Job, JobFailed, agent


class Count(Struct, forbid_unknown_fields=True):
    to: int
    gate: str = ""
    gate_at: int = -1
    pace: float = 0.0


@agent("count", retries=5, backoff=0.01)
async def count(input: Count, job: Job) -> dict[str, int]:
    """Counts; at `gate_at` it waits until the file `gate` is there."""
    with job.step("counting", label="Counting", index=1, total=1) as step:
        for n in range(input.to):
            if n == input.gate_at:
                await job.flush()
                while not Path(input.gate).exists():
                    await asyncio.sleep(0.002)
            job.token(f"{n} ")
            if n % 10 == 0:
                step.progress(100 * n / input.to)
                job.insight(f"{n} can be divided by ten", category="tens")
            await asyncio.sleep(input.pace)
    return {"counted": input.to}


@agent("hang")
async def hang(input: Any, job: Job) -> None:
    """Works until somebody cancels it."""
    job.log("info", "working")
    await asyncio.Event().wait()


@agent("fail")
async def fail(input: Any, job: Job) -> None:
    """Fails."""
    raise JobFailed("no_luck", "not your day")


class Said(Struct, forbid_unknown_fields=True):
    text: str
    times: int = 1
    loud: bool = False
    tags: list[str] = []


@agent("echo")
async def echo(input: Said, job: Job) -> Said:
    """Gives back what it takes."""
    return input


@agent("say")
async def say(input: str, job: Job) -> str:
    """Says it."""
    job.token(input)
    return input


@agent("ansi")
async def ansi(input: Any, job: Job) -> dict[str, str]:
    """Tries to command a terminal."""
    nasty = "\\x1b]0;owned\\x07\\x1b[2J\\r\\x9b31m[bold]x[/bold]"
    with job.step(nasty, label=nasty):
        job.insight(nasty, category=nasty)
        job.token(nasty + "\\n")
        job.emit("mine", text=nasty)
    return {nasty: nasty}
'''


class Server:
    """`sse-server serve` in `folder`. Once started, it keeps its port over every restart."""

    def __init__(self, folder: Path, *options: str, store: str = "memory") -> None:
        self.folder = folder
        self.port = 0
        self._options = (*options, "--store", store)
        self._process: subprocess.Popen[str] | None = None
        (folder / "agents.py").write_text(AGENTS)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        serve = [sys.executable, "-m", "sse_server", "serve", "agents.py", "--port", str(self.port), *self._options]
        with (self.folder / "stderr").open("ab") as stderr:
            self._process = subprocess.Popen(
                serve, cwd=self.folder, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r" serves http://127\.0\.0\.1:(\d+)$", line.strip()):
                self.port = int(found[1])
                return
        raise AssertionError((self.folder / "stderr").read_text())

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process:
            self.kill()

    def _end(self, sign: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None
        assert process.stdout is not None
        process.send_signal(sign)
        code = process.wait(60)
        process.stdout.close()
        return code


Start = Callable[..., Server]
"""Starts a server of a test's own, with options of `serve`."""


def environment(**more: str) -> dict[str, str]:
    """An environment in which the same package is found, and no platform or setting of this machine."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return kept | {"PYTHONPATH": str(Path(sse_server.__file__).parents[1]), "COLUMNS": "100"} | more


def counting(to: int, **fields: Any) -> dict[str, Any]:
    """The input of `count`."""
    return {"to": to, **fields}
