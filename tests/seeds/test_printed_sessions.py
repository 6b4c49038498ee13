"""The printed Python that sets up, looks at and serves sessions runs in this process, under the printed names."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import AsyncIterator
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import msgspec
import pytest

from sse_server import sse
from sse_server.broadcast import BroadcasterConfig, EnhancedSSEBroadcaster, Subscriber
from tests.seeds.documents import Documents
from tests.seeds.snippet import play

SESSION: Final = "talk"


async def test_a_broadcaster_takes_every_printed_setting(documents: Documents) -> None:
    names = await play(documents["004 python 1"])
    assert isinstance(names["custom_config"], BroadcasterConfig)
    for name in ("000 python 3", "000 python 7", "000 python 8"):
        names = await play(documents[name])
        assert isinstance(names["config"], BroadcasterConfig)


async def test_a_session_is_created_looked_at_and_cleared(
    documents: Documents, broadcaster: EnhancedSSEBroadcaster
) -> None:
    names = await play(documents["004 python 7"])
    unknown = {"sessionId": SESSION, "subscribers": 0, "historySize": 0, "active": False}
    assert await names["get_session_stats"](SESSION) == unknown
    await names["create_session"](SESSION)
    assert await names["get_session_stats"](SESSION) == unknown | {"active": True}
    async with broadcaster.subscribe(SESSION):
        await broadcaster.broadcast_event(SESSION, {"type": "message", "data": {}})
        assert (await names["get_session_stats"](SESSION)).items() >= {"subscribers": 1, "historySize": 1}.items()
    await names["clear_session"](SESSION)
    assert (await names["get_session_stats"](SESSION))["historySize"] == 0


async def test_recent_events_have_the_printed_fields(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    names = await play(documents["004 python 8"])
    for n in range(3):
        await broadcaster.broadcast_event(SESSION, {"type": "message", "data": {"n": n}})
    recent = await names["get_recent_events"](SESSION, 2)
    assert [(event["type"], event["data"]["n"]) for event in recent] == [("message", 1), ("message", 2)]
    assert all(event["id"] and event["timestamp"] for event in recent)


async def test_figures_are_printed_as_the_guide_prints_them(
    documents: Documents, broadcaster: EnhancedSSEBroadcaster, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"broadcaster": broadcaster, "session_id": SESSION, "event": {}, "config": broadcaster.config}
    await broadcaster.broadcast_event(SESSION, {"type": "message", "data": {}})
    async with broadcaster.subscribe(SESSION):
        for name in ("000 python 2", "000 python 4", "000 python 5"):
            await play(documents[name], **given)
    said = capsys.readouterr().out.splitlines()
    assert said[:4] == [
        f"Session {SESSION} has 1 subscribers",
        f"{SESSION}: 1/500",
        "Total sessions: 1",
        "Total events: 1",
    ]


async def test_a_throttle_on_the_history_lets_events_through(
    documents: Documents, broadcaster: EnhancedSSEBroadcaster
) -> None:
    names = await play(documents["000 python 13"], broadcaster=broadcaster)
    await names["broadcast_with_throttle"](SESSION, {"type": "message", "data": {}})
    assert len(await broadcaster.get_event_history(SESSION)) == 1


async def test_the_printed_gauge_reads_the_figures(documents: Documents, broadcaster: EnhancedSSEBroadcaster) -> None:
    """Without waiting for them: `get_stats()` may be awaited, and need not."""
    names = await play(
        documents["000 python 14"],
        app=Door(),
        Response=lambda content, media_type: (content, media_type),
    )
    async with broadcaster.subscribe(SESSION):
        exposition, _ = names["metrics"]()
    assert b"\nsse_connections_total 1.0\n" in exposition


async def test_a_context_manager_gives_events_one_by_one(
    documents: Documents, broadcaster: EnhancedSSEBroadcaster
) -> None:
    stream = f"async def stream():\n{textwrap.indent(documents['004 python 10'], '    ')}"
    names = await play(stream, broadcaster=broadcaster, session_id=SESSION)
    events = names["stream"]()
    await broadcaster.broadcast_event(SESSION, {"type": "message", "data": {"text": "one"}})
    assert "one" in await anext(events)
    await events.aclose()
    assert broadcaster.get_stats()["totalSubscribers"] == 0


async def test_a_background_regeneration_reports_to_its_session(
    documents: Documents, broadcaster: EnhancedSSEBroadcaster
) -> None:
    """Its pauses, which only simulate work, are left out."""
    hasty = SimpleNamespace(sleep=lambda _: asyncio.sleep(0), create_task=asyncio.create_task)
    given = {"app": Door(), "RegeneratePayload": Any, "User": Any, "Depends": Any, "current_active_user_dep": None}
    text = documents["004 python 9"].replace("= Depends(current_active_user_dep)", "= None")
    names = await play(text, **(given | {"asyncio": hasty}))
    payload = SimpleNamespace(session_id=SESSION, query="why")
    async with broadcaster.subscribe(SESSION) as queue:
        answer = await names["regenerate_message"](payload)
        told = [frame async for frame in until(queue, "message_regenerated")]
    assert answer.keys() == {"success", "messageId", "message"}
    assert [name for name, _ in told] == ["regeneration_progress"] * 10 + ["message_regenerated"]
    assert {data["messageId"] for _, data in told} == {answer["messageId"]}


async def test_the_printed_endpoint_streams_a_session(
    documents: Documents, broadcaster: EnhancedSSEBroadcaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another web framework: only its names are stood in for."""
    door = Door()
    stand_in(monkeypatch, "fastapi", FastAPI=lambda: door, Depends=lambda _: None)
    stand_in(monkeypatch, "fastapi.responses", StreamingResponse=lambda body, **_: body)
    stand_in(monkeypatch, "app.auth.security", current_active_user_dep=None)
    stand_in(monkeypatch, "app.auth.models", User=object)
    names = await play(documents["004 python 2"])
    stream = await names["sse_endpoint"](SESSION, SimpleNamespace(id="ann"))
    assert '"userId":"ann"' in (await anext(stream)).replace(" ", "")
    await broadcaster.broadcast_event(SESSION, {"type": "message", "data": {"text": "one"}})
    assert "one" in await anext(stream)
    assert "disconnected" in await stream.athrow(asyncio.CancelledError)
    with pytest.raises(asyncio.CancelledError):
        await anext(stream)


async def until(queue: Subscriber, last: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Name and data of each event, to the first one of that name."""
    parser, name = sse.Parser(), ""
    while name != last:
        for event in parser.feed((await queue.get(timeout=20)).encode()):
            name = event.type
            yield name, msgspec.json.decode(event.data)


class Door:
    """An application of another framework: its decorators give back what they take."""

    def get(self, _: str) -> Any:
        return lambda handler: handler

    post = get


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **names: Any) -> None:
    """A module that is not installed, with these names, and the packages that it is in."""
    parts = name.split(".")
    for n in range(1, len(parts) + 1):
        package = ".".join(parts[:n])
        if package not in sys.modules:
            monkeypatch.setitem(sys.modules, package, ModuleType(package))
    vars(sys.modules[name]).update(names)
