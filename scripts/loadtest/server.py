"""A server of one's own: a real process on a free port, with the load agent and room for all that is asked."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec import Struct

from loadtest.failure import CanNotRun
from loadtest.plan import Plan

AGENT: Final = Path(__file__).with_name("agent.py")
SERVES: Final = re.compile(r" serves (http://\S+)$")
KEPT: Final = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT"})
STOP: Final = 40.0
"""Seconds that it gets to stop."""


class Own(Struct, frozen=True):
    """Where it answers, and its process."""

    url: str
    pid: int


def room(plan: Plan) -> dict[str, object]:
    """The settings without which its limits were measured, and not what it holds."""
    most = plan.asked_at_once + 100
    return {
        "jobs.concurrency": most,
        "jobs.queue_size": most,
        "jobs.max_timeout": 864_000,
        "limits.jobs_per_user": 2 * most,
        "limits.starts_per_minute": 0,
        "limits.streams_per_user": 2 * most,
        "limits.streams": 2 * most,
        "limits.connections": 2 * most,
        "server.backlog": 4096,
        "server.drain_timeout": 0.1,
        "store.max_job_events": max(100_000, plan.events + 100),
        "auth.leeway": 0,
    }


def secret_for(plan: Plan) -> str:
    """What its tokens are signed with; empty where nobody asks for tokens."""
    return plan.jwt_secret or (secrets.token_urlsafe(32) if plan.token_ttl else "")


@contextmanager
def own_server(plan: Plan, store: str, settings: Sequence[str]) -> Iterator[Own]:
    """Start it in a folder of its own, and stop it in the end. Raises `CanNotRun`."""
    options = [f"{name}={value}" for name, value in room(plan).items()] + list(settings)
    with tempfile.TemporaryDirectory(prefix="load-test-") as folder, (Path(folder) / "stderr").open("w+") as errors:
        process = subprocess.Popen(  # noqa: S603  (our own command)
            [
                *(sys.executable, "-m", "sse_server", "serve", str(AGENT), "--port", "0", "--store", store),
                *(word for option in options for word in ("--set", option)),
            ],
            cwd=folder,
            env=_environment(plan.jwt_secret),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for us
        )
        try:
            yield Own(_address(process, errors.name), process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()


def _address(process: subprocess.Popen[str], errors: str) -> str:
    for line in process.stdout or ():
        if found := SERVES.search(line.rstrip()):
            return found[1]
    process.wait()
    said = Path(errors).read_text().strip().splitlines()
    raise CanNotRun(f"the server did not start: {said[-1] if said else 'it said nothing'}")


def _environment(secret: str) -> dict[str, str]:
    """No setting of this shell's, so that two runs measure the same."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    package = find_spec("sse_server")
    if package is None or package.origin is None:
        raise CanNotRun("sse_server is not installed here: name a server that runs by --url")
    paths = [str(Path(package.origin).parents[1]), os.environ.get("PYTHONPATH", "")]
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return kept | ({"JWT_SECRET": secret} if secret else {})
