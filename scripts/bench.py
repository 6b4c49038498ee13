"""How fast the server is, against the machine's bare limit and the usual choices, in one run.

usage: python scripts/bench.py [NAMES] [--quick] [--runs N] [--json FILE]
"""
# ruff: noqa: INP001, T201  (a script, and what it finds goes to the terminal)

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from pathlib import Path

import msgspec
from benches import delay, delivery, growth, idle, jobs, resume, startup
from benches.figures import Asked, Figure, show
from benches.servers import missing

BENCHES = {
    "delivery": delivery.measure,
    "delay": delay.measure,
    "jobs": jobs.measure,
    "idle": idle.measure,
    "resume": resume.measure,
    "growth": growth.measure,
    "startup": startup.measure,
}


def main() -> None:
    """Run the benches that were named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; none: all")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer runs, for a first look")
    parser.add_argument("--runs", type=int, help="paired runs of which the median counts")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args()
    if unknown := set(given.names) - BENCHES.keys():
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    if absent := missing():
        print(f"not installed, so not measured: {', '.join(absent)}. Install them: pip install --group bench")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asked = Asked(given.runs or (3 if given.quick else 5), given.quick)
    figures = run(given.names or list(BENCHES), asked)
    show(figures)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load {os.getloadavg()[0]:.1f}")
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))


def run(names: list[str], asked: Asked) -> list[Figure]:
    """Each bench in a loop of its own."""
    figures = []
    for name in names:
        began = time.perf_counter()
        figures += _loop().run(BENCHES[name](asked))
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return figures


def _loop() -> asyncio.Runner:
    try:
        import uvloop  # noqa: PLC0415  (not on every system)
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main()
