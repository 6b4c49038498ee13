"""Calling `scripts/load_test.py` as a person does, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tests.client.server import environment

SCRIPT = Path(__file__).parents[2] / "scripts" / "load_test.py"
AGENT = SCRIPT.parent / "loadtest" / "agent.py"

BUSY = ("--target", "ttft_p95=60000", "--target", "streams=1")
"""A test is about what is counted, and not about how busy this machine is."""


class Called(Struct):
    """How it ended: `report` is the JSON that it wrote, empty where it wrote none."""

    code: int
    said: str
    report: dict[str, Any]

    @property
    def counts(self) -> dict[str, Any]:
        """What was counted of streams, events and requests, in one."""
        return {**self.report["streams"], **self.report["events"], **self.report["requests"]}


async def begin(folder: Path, *words: str) -> Process:
    """Start it; its report goes to stdout, all else to stderr."""
    return await asyncio.create_subprocess_exec(
        sys.executable, SCRIPT, "--json", "-", *BUSY, *words, cwd=folder, env=environment(), stdout=PIPE, stderr=PIPE
    )


async def end(process: Process) -> Called:
    """Wait until it is over."""
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Called(process.returncode, err.decode(), msgspec.json.decode(out) if out else {})


async def call_load_test(folder: Path, *words: str) -> Called:
    return await end(await begin(folder, *words))
