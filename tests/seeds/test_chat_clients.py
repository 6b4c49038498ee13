"""The chat guide's clients, as printed: what each can do, and that what it can't do harms nothing."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from tests.chromium import Chromium
from tests.seeds.documents import Documents
from tests.seeds.front import Front
from tests.seeds.house import Visitor

WITH_EARS = """
class Ours extends ReconnectingEventSource {
  connect() {
    super.connect()
    const hear = ({ type, data, lastEventId }) => tell('event', { type, data: JSON.parse(data), id: lastEventId })
    for (const type of TYPES) this.eventSource.addEventListener(type, hear)
  }
}
new Ours(URL)
"""
"""The class itself only connects: whoever uses it listens."""


async def test_the_reconnecting_event_source_sees_a_session_again_from_its_beginning(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """It makes a new EventSource each time, which has no cursor: nothing is missing, and the ids tell what is old."""
    page = front.serve(documents["001 javascript 3"] + ears("/sse/talk", "connection", "message"))
    front.cuts = [2]
    await visitor.publish("talk", "message", content="first")
    async with Chromium(page, tmp_path):
        await front.until(lambda: len(seen(front)) == 1)
        await visitor.publish("talk", "message", content="while it was away")
        await front.until(lambda: len(seen(front)) == 3)
    first, again, new = seen(front)
    assert [first["data"]["content"], again["data"]["content"], new["data"]["content"]] == [
        "first",
        "first",
        "while it was away",
    ]
    assert first["id"] == again["id"] != new["id"]
    assert [visit.cursor for visit in front.visits[:2]] == ["", ""]
    assert ["SSE Connected"] in front.told("log")


async def test_the_reconnecting_event_source_never_stops_and_starts_nothing(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """It takes the end of a job's stream for an error: it sees the whole job again, and again, and it is one job."""
    job = await visitor.post("/api/jobs", {"agent": "walker", "input": [0]})
    page = front.serve(documents["001 javascript 3"] + ears(job["links"]["stream"], "message"))
    async with Chromium(page, tmp_path):
        await front.until(lambda: len([told for told in seen(front) if told["data"]["type"] == "done"]) == 3)
    story = [told["id"] for told in seen(front)]
    assert story[: len(story) // 3] * 3 == story
    assert [one["job_id"] for one in await visitor.jobs()] == [job["job_id"]]


def seen(front: Front) -> list[dict[str, dict[str, object]]]:
    """The messages that the page heard."""
    return [told for told in front.told("event") if told["type"] == "message"]


def ears(url: str, *types: str) -> str:
    """The user's part of the class, for a stream."""
    return WITH_EARS.replace("URL", f"'{url}'").replace("TYPES", msgspec.json.encode(types).decode())


async def test_an_event_source_with_a_method_and_a_body_is_refused_and_starts_nothing(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """It can't work as printed: an EventSource takes neither, and asks with GET. 405 makes it stop for good."""
    watch = "\neventSource.onerror = () => tell('state', eventSource.readyState)"
    async with Chromium(front.serve(documents["001 javascript 1"] + watch), tmp_path):
        await front.until(lambda: front.told("state"))
    assert front.told("state") == [2]
    assert [(visit.method, visit.path, visit.status) for visit in front.visits] == [("GET", "/api/v1/chat", 405)]
    assert await visitor.jobs() == []


async def test_the_mobile_reader_gets_a_whole_chat_and_calls_nobody(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """It can't work as printed: it looks for an event's name within the line of its data. The run is one, and whole."""
    use = """
    const token = TOKEN
    await streamChat('Hello', (text) => tell('token', text), (reason) => tell('done', reason))
    tell('over')
    """
    client = documents["001 javascript 2"] + use.replace("TOKEN", f"'{visitor.token}'")
    async with Chromium(front.serve(client), tmp_path):
        await front.until(lambda: front.told("over"))
    assert front.heard == [("over", None)], "no call, and every line of data was JSON"
    assert [(visit.method, visit.path, visit.status) for visit in front.visits] == [("POST", "/api/v1/chat", 200)]
    assert [job["status"] for job in await visitor.jobs()] == ["succeeded"]


async def test_with_the_name_from_the_line_before_the_mobile_reader_works(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """One word of it is changed: the event's name is looked for in what came, not in the line."""
    use = """
    const token = TOKEN
    await streamChat('Hello', (text) => tell('token', text), (reason) => tell('done', reason))
    """
    mended = documents["001 javascript 2"].replace("line.includes(", "lines[lines.indexOf(line) - 1].includes(")
    async with Chromium(front.serve(mended + use.replace("TOKEN", f"'{visitor.token}'")), tmp_path):
        await front.until(lambda: front.told("done"))
    assert front.told("done") == ["stop"]
    assert "Hello" in "".join(front.told("token"))


async def test_every_line_that_the_android_rule_takes_is_json(documents: Documents, visitor: Visitor) -> None:
    """Its prefix, the place where it cuts and its body are the printed ones."""
    code = documents["001 kotlin 1"]
    [prefix] = re.findall(r'line\.startsWith\("(.+?)"\)', code)
    [cut] = re.findall(r"line\.substring\((\d+)\)", code)
    [body] = re.findall(r'"""(.+)"""', code)
    told = await visitor.text("/api/v1/chat", body.replace("$message", "Hello").encode())
    data = [msgspec.json.decode(line[int(cut) :]) for line in told.splitlines() if line.startswith(prefix)]
    assert len(data) >= 3
    assert all(isinstance(one, dict) for one in data)
    assert data[-1] == {"finish_reason": "stop"}
