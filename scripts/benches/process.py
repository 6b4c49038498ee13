"""A server in a process of its own: started, asked what it cost, stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent


class Process:
    """`python *command`, in an empty folder; it says `http://…:PORT` once it listens. `took` is how long that was."""

    def __init__(self, *command: str, **environ: str) -> None:
        self._command = [sys.executable, *command]
        self._environ = environ
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.port = 0
        self.took = 0.0

    def __enter__(self) -> Self:
        began = time.perf_counter()
        with (Path(self._folder.name) / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self._folder.name,
                env=environ() | self._environ,
            )
        assert self._process.stdout
        for line in self._process.stdout:
            if found := re.search(rb"http://[^ ]+:(\d+)", line):
                self.port, self.took = int(found[1]), time.perf_counter() - began
                return self
        raise RuntimeError((Path(self._folder.name) / "stderr").read_text()[-2000:])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def cpu(self) -> float:
        """Seconds of a core that it has used, in all its threads."""
        return cpu_of(self.pid)

    def memory(self) -> float:
        """Bytes that it alone holds, its share of what others hold too included (PSS)."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        assert found
        return int(found[1]) * 1024


def cpu_of(pid: int | str) -> float:
    """Seconds of a core: to the nanosecond where the kernel counts so, else to its tick."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    counted = sum(int(task.read_text().split()[0]) for task in tasks)
    if counted:
        return counted / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environ() -> dict[str, str]:
    """Ours, and where the benches and the server's package are: PYTHONPATH, else the clone that this file is in."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH") or str(HERE.parents[1])])
    }
