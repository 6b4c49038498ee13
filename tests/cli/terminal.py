"""A terminal of the tests' own: what a command writes to it, and a key or two in return."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """A command on a pseudo-terminal of 40 lines by 100 columns. `raw` is all that it has written."""

    def __init__(self, *arguments: str, folder: Path, environ: Mapping[str, str]) -> None:
        self.raw = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execve(
                sys.executable, [sys.executable, "-m", "sse_server", *arguments], {**environ, "TERM": "xterm-256color"}
            )
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))

    @property
    def text(self) -> str:
        """What it has written, without what commands the terminal."""
        return CONTROLS.sub("", self.raw)

    def read_until(self, text: str) -> None:
        """Read until the text stands there."""
        while text not in self.text:
            assert self._read(), self.text

    def press_ctrl_c(self) -> None:
        """As somebody at the keyboard does it."""
        os.write(self._fd, b"\x03")

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self._fd)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self, seconds: float = 60) -> bool:
        readable, _, _ = select.select([self._fd], [], [], seconds)
        assert readable, self.text
        with contextlib.suppress(OSError):  # Linux's way to say that the other side is closed
            if data := os.read(self._fd, 64 * 1024):
                self.raw += data.decode(errors="replace")
                return True
        return False
