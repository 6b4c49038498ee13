"""A process that appends without end and says what was acknowledged: one to be killed.

usage: python appender.py FILE
It prints `ready`, and then the last seq of each append, once that is stored.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from pathlib import Path

import msgspec

from sse_server.encoding import encode_fields
from sse_server.eventlog import Claim, LogKey, Write
from sse_server.eventlog.sqlite import SqliteStore
from sse_server.events import Draft
from sse_server.jobs import JobSpec, new_job_id

KEY = LogKey("ann", "s")


class Nobody:
    def log_changed(self, key: LogKey) -> None: ...

    def work_arrived(self) -> None: ...

    def cancel_requested(self, job_id: str) -> None: ...


async def main(file: str) -> None:
    store = SqliteStore(Path(file), commit_interval=0.0002)
    await store.open(Nobody())
    claims = await store.reclaim(str(os.getpid()), 60.0) or [await begin(store)]
    job_id, lease = claims[0].record.spec.id, claims[0].lease
    say("ready")
    n = claims[0].record.state.last
    while True:
        writes = []
        for _ in range(random.randrange(1, 6)):
            texts = [f"{n + i} " + "x" * random.choice([0, 10, 5000]) for i in range(random.randrange(1, 4))]
            n += len(texts)
            writes.append(Write(KEY, [draft(text) for text in texts], job_id, lease))
        async with asyncio.TaskGroup() as group:
            for write in writes:
                group.create_task(append(store, write))


async def begin(store: SqliteStore) -> Claim:
    created = time.time_ns() // 1000
    spec = JobSpec(new_job_id(created), KEY.user, KEY.session, "echo", msgspec.Raw(b"{}"), created, 60.0)
    await store.submit(spec, room=1, per_user=1)
    (claim,) = await store.claim(str(os.getpid()), 60.0)
    return claim


async def append(store: SqliteStore, write: Write) -> None:
    (receipt,) = await store.append([write])
    assert receipt
    say(receipt.first + len(write.drafts) - 1)


def draft(text: str) -> Draft:
    return Draft("token", encode_fields({"text": text}), time.time_ns() // 1000)


def say(word: object) -> None:
    os.write(1, f"{word}\n".encode())


asyncio.run(main(sys.argv[1]))
