"""What a process on this machine uses, from /proc: memory and processor time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from msgspec import Struct

TICKS: Final = os.sysconf("SC_CLK_TCK")
KIB: Final = 1024


class Usage(Struct, frozen=True):
    """`cpu` is in seconds since the process began, memory in bytes."""

    cpu: float
    memory: int
    peak: int


def usage(pid: int) -> Usage | None:
    """Of a process; None where there is none, or no /proc."""
    folder = Path(f"/proc/{pid}")
    try:
        times = (folder / "stat").read_text().rpartition(")")[2].split()
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        memory, peak = (int(lines[name].split()[0]) * KIB for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError):
        return None
    return Usage((int(times[11]) + int(times[12])) / TICKS, memory, peak)
