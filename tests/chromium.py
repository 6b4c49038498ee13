"""A real browser without a window, on one page."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Final, Self

BROWSER: Final = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
"""The system's own, of whichever name; None where there is none."""


class Chromium:
    """Opens `address`; what it keeps is in `home`."""

    def __init__(self, address: str, home: Path) -> None:
        flags = ["--headless=new", "--no-first-run", "--no-proxy-server", "--disable-gpu", "--disable-dev-shm-usage"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium's own sandbox does not work as root
        assert BROWSER
        self._command = [BROWSER, *flags, f"--user-data-dir={home}", address]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        nothing = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=nothing, stderr=nothing, start_new_session=True
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # it is many processes
        await self._process.wait()
