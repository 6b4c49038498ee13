"""From the command line to the exit code."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec.structs import replace

from loadtest.arguments import Call, parse
from loadtest.failure import CanNotRun
from loadtest.greeting import greet
from loadtest.page import page
from loadtest.plan import Plan
from loadtest.report import Report, report
from loadtest.run import Run
from loadtest.server import own_server, secret_for
from loadtest.text import lines
from loadtest.usage import usage

MET, MISSED, FAILED = 0, 1, 2
SPARE_FILES = 200
"""Open files beside the streams' sockets."""


def main(words: list[str]) -> int:
    """Run the load test; returns the exit code."""
    call = parse(words)
    try:
        _make_room(call.plan)
        with _server(call) as (plan, pid):
            greet(plan)
            run = Run(plan, pid)
            run.drive()
        result = report(plan, run, call.targets, own=not call.plan.url)
        _tell(call, result)
    except CanNotRun as error:
        sys.stderr.write(f"load_test.py: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    return MET if result.met else MISSED


@contextmanager
def _server(call: Call) -> Iterator[tuple[Plan, int]]:
    if call.plan.url:
        if call.pid and usage(call.pid) is None:
            raise CanNotRun(f"there is no process {call.pid} here whose memory and CPU could be told")
        yield call.plan, call.pid
        return
    plan = replace(call.plan, jwt_secret=secret_for(call.plan))
    with own_server(plan, call.store, call.settings) as own:
        yield replace(plan, url=own.url), own.pid


def _make_room(plan: Plan) -> None:
    """Let this process and those that it starts have a socket for each stream."""
    needed = plan.asked_at_once + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CanNotRun(
            f"{plan.asked_at_once} streams need {needed} open files, and the limit is {hard}: see ulimit -Hn"
        )
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else hard, hard))


def _tell(call: Call, result: Report) -> None:
    out = sys.stderr if call.json == "-" else sys.stdout
    out.write("".join(f"{line}\n" for line in lines(result)))
    try:
        if call.json:
            text = msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
            if call.json == "-":
                sys.stdout.write(text.decode())
            else:
                Path(call.json).write_bytes(text)
        if call.html:
            Path(call.html).write_text(page(result), encoding="utf-8")
    except OSError as error:
        raise CanNotRun(f"{error.filename} can't be written: {error.strerror}") from None
