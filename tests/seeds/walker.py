"""An agent that takes its time: it runs in a thread, starts another, and both emit."""

from __future__ import annotations

import time
from threading import Thread

from sse_server import Job, agent


@agent("walker")
def walk(input: list[float], job: Job) -> None:
    """Emits after each pause, from one thread and the other by turns."""
    for n, pause in enumerate(input):
        time.sleep(pause)
        if n % 2:
            other = Thread(target=job.token, args=[str(n)])
            other.start()
            other.join()
        else:
            job.token(str(n))
