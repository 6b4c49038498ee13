"""From the command line to the first answer, and what an agent's file waits for `import sse_server`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benches.figures import Asked, Figure
from benches.process import environ
from benches.readers import call
from benches.servers import Ours, get

IMPORT = "import time; t = time.perf_counter(); import sse_server; print(time.perf_counter() - t)"


async def measure(asked: Asked) -> list[Figure]:
    """Medians; the files are in the page cache, and the bytecode is there."""
    runs = max(3, asked.runs)
    imports = [_import() for _ in range(runs)]
    starts = [await _start() for _ in range(runs)]
    return [
        Figure(bench="start-up", what="to the first answer", value=statistics.median(starts), unit="s", most=0.6),
        Figure(bench="start-up", what="import sse_server", value=statistics.median(imports), unit="s", most=0.15),
    ]


def _import() -> float:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True, env=environ())
    return float(done.stdout)


async def _start() -> float:
    began = time.perf_counter()
    with Ours("sqlite") as server:
        await call(server.port, get("/health", Connection="close"))
        return time.perf_counter() - began
