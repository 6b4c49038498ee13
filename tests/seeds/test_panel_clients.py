"""The multi-agent guide's clients and its command: one run each, seen once and to its end, whatever the line does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.chromium import Chromium
from tests.seeds.build import javascript
from tests.seeds.documents import Command, Documents
from tests.seeds.front import DOWN, Front
from tests.seeds.house import CALM, House, Visitor, serving
from tests.seeds.printed import printed
from tests.seeds.shell import Shell

QUESTION: Final = "test message"
"""What the printed use of the class asks."""
MUCH: Final = "My BMI at 80 kg and 1.80 m, and how far are 10 miles in km?"
"""Two specialists have to work for this."""
FOR_LONG: Final = [0.1] * 300
"""Seconds between what another job emits: it ends early, by a cancel."""

Payload = dict[str, Any]
Fit = Callable[[Payload], bool]


@pytest.fixture(scope="module")
def narrow_house(tmp_path_factory: pytest.TempPathFactory, secret: str) -> Iterator[House]:
    """A server that runs one job at a time: while that one runs, a panel is active and says nothing yet."""
    with serving(tmp_path_factory.mktemp("narrow") / "work", secret, **CALM, **{"jobs.concurrency": "1"}) as house:
        yield house


@pytest.fixture
async def visitor(narrow_house: House, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    async with Visitor(narrow_house, request.node.name) as visitor:
        yield visitor


@pytest.fixture
def fits(documents: Documents) -> Fit:
    """Whether a payload is made as the printed formatter makes it."""
    printed_names: dict[str, Any] = {"json": msgspec.json, "datetime": datetime}
    exec(documents["003 python 2"], printed_names)
    make = printed_names["SSEFormatter"]
    models = [make.text(""), make.tool_call("", {}), make.specialist_update("", "")]
    shapes = {model["type"]: {name: type(value) for name, value in model.items()} for model in models}
    return lambda payload: {name: type(value) for name, value in payload.items()} == shapes.get(payload["type"])


@printed("003 bash 1.1")
async def test_a_panel_streams_its_work_between_connected_and_done(
    command: Command, open_shell: Shell, fits: Fit
) -> None:
    ran = await open_shell.run(command.text)
    assert (ran.code, ran.status, ran.headers["Content-Type"]) == (0, 200, "text/event-stream")
    first, *work, last = ran.frames
    assert (first[0], first[1]["status"]) == ("connected", "connected")
    assert last == ("done", {"status": "complete"})
    assert {name for name, _ in work} == {"message"}
    assert all(fits(payload) for _, payload in work)


async def test_the_event_source_class_gets_one_whole_run(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path, fits: Fit
) -> None:
    """With the use of it that is printed."""
    async with Chromium(front.serve(service(documents)), tmp_path):
        await front.until(lambda: ["Complete"] in front.told("log"))
    assert len(front.visits) == 1
    assert all(fits(payload) for payload in received(front))
    assert "text" in {payload["type"] for payload in received(front)}
    assert [job["status"] for job in await visitor.jobs()] == ["succeeded"]


@pytest.mark.parametrize("frames", [1, 2, 4])
async def test_a_torn_stream_goes_on_where_it_was(
    frames: int, documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """The browser comes back with the id of what it saw: it gets the rest of the same run."""
    front.cuts = [frames]
    async with Chromium(front.serve(service(documents)), tmp_path):
        await front.until(lambda: ["Complete"] in front.told("log"))
    [job] = await visitor.jobs()
    first, second = front.visits
    assert (first.cursor, second.cursor.partition(".")[0]) == ("", job["job_id"])
    events = (await visitor.get(f"/api/jobs/{job['job_id']}/events"))["events"]
    assert [payload["content"] for payload in received(front)] == [e["text"] for e in events if e["type"] == "token"]


async def test_a_new_event_source_that_forgot_its_id_joins_the_run_that_is_active(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """The class makes one once the browser has given up, as it does after a 502."""
    other = await visitor.post("/api/jobs", {"agent": "walker", "input": FOR_LONG})
    front.cuts = [1, DOWN]
    async with Chromium(front.serve(service(documents)), tmp_path):
        await front.until(lambda: [visit.status for visit in front.visits] == [200, 502, 200])
        await visitor.post(other["links"]["cancel"], {})
        await front.until(lambda: ["Complete"] in front.told("log"))
    assert front.told("error") == [["Error:", "Connection closed"]]
    assert [bool(visit.cursor) for visit in front.visits] == [False, True, False]
    assert [job["agent"] for job in await visitor.jobs()] == ["panel", "walker"]


async def test_the_reconnecting_event_source_joins_a_run_that_is_active_and_starts_another_one_after_it(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """It can't do better as printed: it hears no event, forgets the id, and takes every end for an error."""
    other = await visitor.post("/api/jobs", {"agent": "walker", "input": FOR_LONG})
    front.cuts = [1]
    use = f"\nnew ReconnectingEventSource('/api/chat/stream?message={QUESTION}')"
    async with Chromium(front.serve(documents["001 javascript 3"] + use), tmp_path):
        await front.until(lambda: [visit.status for visit in front.visits] == [200, 200])
        await visitor.post(other["links"]["cancel"], {})
        await front.until(lambda: len(front.visits) == 3 and front.visits[2].status)
    assert [visit.cursor for visit in front.visits[:3]] == ["", "", ""]
    assert [job["agent"] for job in await visitor.jobs()][-3:] == ["panel", "panel", "walker"]


async def test_the_fetch_reader_gets_one_whole_run(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path, fits: Fit
) -> None:
    """It splits the stream on blank lines, and takes every event's data alike."""
    use = "\nawait streamChat(QUESTION, (data) => tell('update', data))\ntell('over')"
    client = javascript(documents["003 typescript 2"] + use.replace("QUESTION", f"'{MUCH}'"))
    async with Chromium(front.serve(client), tmp_path):
        await front.until(lambda: front.told("over"))
    connected, *work, done = front.told("update")
    assert (connected["status"], done) == ("connected", {"status": "complete"})
    assert all(fits(payload) for payload in work)
    assert {payload["type"] for payload in work} == {"text", "tool_call", "specialist_update"}
    assert [job["status"] for job in await visitor.jobs()] == ["succeeded"]


def service(documents: Documents) -> str:
    """The class and its use, as printed."""
    return javascript(documents["003 typescript 1"] + documents["003 typescript 5"])


def received(front: Front) -> list[Payload]:
    """What the page's `onMessage` got."""
    return [said[1] for said in front.told("log") if said[0] == "Received:"]
