"""The implementation guide's components, as printed, with React in a browser: each event has the fields they read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.chromium import Chromium
from tests.seeds.build import scene
from tests.seeds.documents import Documents
from tests.seeds.front import DOWN, Front
from tests.seeds.house import Visitor

PRESS = "document.querySelector('button') ? document.querySelector('button').click() : setTimeout(press, 100)"


async def test_a_regeneration_moves_the_button_the_progress_and_the_thoughts(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """The page presses the printed button; all else comes through the session."""
    whose = 'sessionId="talk" messageId="m1"'
    parts = "\n".join(documents[name] for name in ("004 typescript 5", "004 typescript 6", "004 typescript 7"))
    shown = f"<><RegenerateButton {whose} /><RegenerationProgress {whose} /><ThinkingIndicator {whose} /></>"
    page = front.serve(f"{scene('shows', parts, shown)}\nfunction press() {{ {PRESS} }}\npress()")
    async with Chromium(page, tmp_path):
        await front.until(lambda: any_has(front.told("shows"), "Complete"))
        await front.until(lambda: "Complete" not in front.told("shows")[-1])
    events = await history(visitor)
    [content] = [event["content"] for event in events["message_regenerated"]]
    assert set(front.told("content")) == {content}
    screens = front.told("shows")
    shown_at_times = [
        event["message"] for event in events["regeneration_progress"] if any_has(screens, event["message"])
    ]
    assert shown_at_times, "React draws at its own pace, so some may be passed over"
    in_order(screens, "Regenerating...", *shown_at_times, "Complete")
    [start] = events["thought_process_start"]
    steps = events["thought_process_step"]
    assert steps
    thoughts = [start["thinkingAbout"], *(text for step in steps for text in (step["step"], step["reasoning"]))]
    assert all(thought in screens[-1] for thought in thoughts)
    assert {event["messageId"] for kind in events.values() for event in kind if "messageId" in event} == {"m1"}


async def test_a_chat_shows_what_is_regenerated_and_forgets_what_is_deleted(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """Three components listen to the one session, each in its own way."""
    chat = scene("chat", documents["004 typescript 1"], '<ChatInterface sessionId="talk" />')
    advanced = scene("advanced", documents["004 typescript 2"], '<AdvancedChat sessionId="talk" />')
    feed = scene("feed", documents["004 typescript 4"], '<MessageFeed sessionId="talk" />')
    async with Chromium(front.serve(f"{chat}\n{advanced}\n{feed}"), tmp_path):
        await visitor.post(
            "/api/chat_actions/regenerate", {"sessionId": "talk", "messageId": "m1", "query": "What was it again?"}
        )
        await front.until(lambda: front.told("message"))
        [content] = [event["content"] for event in (await history(visitor))["message_regenerated"]]
        await front.until(lambda: content in (front.told("chat") or [""])[-1])
        await visitor.post("/api/chat_actions/edit", {"sessionId": "talk", "messageId": "m1", "content": "Mended"})
        await front.until(lambda: "message_edited: Mended" in front.told("feed")[-1])
        await visitor.post("/api/chat_actions/delete", {"sessionId": "talk", "messageId": "m1"})
        await front.until(lambda: "message_deleted" in front.told("feed")[-1] and content not in front.told("chat")[-1])
    events = await history(visitor)
    assert "m1" in events["message_deleted"][0]["deletedMessageIds"]
    progress = events["regeneration_progress"]
    assert front.told("update") == [event["progress"] for event in progress]
    assert set(front.told("progress")) == {event["progress"] for event in progress}
    assert set(front.told("partial")) == {event["partialContent"] for event in progress}
    steps = events["thought_process_step"]
    assert front.told("thought") == [{"step": step["step"], "reasoning": step["reasoning"]} for step in steps]
    assert front.told("message") == events["message_regenerated"]
    assert f"message_regenerated: {content}" in front.told("feed")[-1]


async def test_a_connection_is_shown_as_it_is_lost_and_found(
    documents: Documents, front: Front, tmp_path: Path
) -> None:
    """And a dashboard holds several sessions at once."""
    front.cuts = [DOWN]
    status = scene("status", documents["004 typescript 3"], '<ConnectionStatus sessionId="talk" />')
    async with Chromium(front.serve(status), tmp_path / "status"):
        await front.until(lambda: "Connected" in (front.told("status") or [""])[-1])
    in_order(front.told("status"), "Connecting...", "Reconnecting (attempt 1)...", "Connected")
    both = scene("both", documents["004 typescript 8"], "<MultiSessionDashboard sessionIds={['one', 'two']} />")
    async with Chromium(front.serve(both), tmp_path / "both"):
        await front.until(lambda: front.told("both") and front.told("both")[-1].split("\n") == ["one true", "two true"])


async def test_printed_logging_sees_every_event_and_its_time(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """The hook calls back, keeps the events, and its options are the printed ones."""
    await visitor.publish("talk", "message", content="first")
    loud = f"function Loud({{ url }}: any) {{ {documents['000 typescript 2']}\nreturn null }}"
    logged = f"function Logged({{ url }}: any) {{ {documents['000 typescript 15']}\nreturn null }}"
    scenes = [scene("loud", loud, '<Loud url="/sse/talk" />'), scene("logged", logged, '<Logged url="/sse/talk" />')]
    async with Chromium(front.serve("\n".join(scenes)), tmp_path):
        await front.until(lambda: ["[SSE] Connected!"] in front.told("log"))
        await front.until(lambda: ["[SSE] Total events:", 2] in front.told("log"))
        await front.until(lambda: "message" in {told["type"] for told in logged_by(front)})
    assert [told["type"] for told in logged_by(front)] == ["connection", "message"]
    assert all(told["timestamp"] == told["data"]["timestamp"] for told in logged_by(front))


def logged_by(front: Front) -> list[dict[str, Any]]:
    return [words[1] for words in front.told("log") if words[0] == "[SSE Event]"]


async def test_both_polling_fallbacks_get_what_was_published(
    documents: Documents, front: Front, visitor: Visitor, tmp_path: Path
) -> None:
    """They start once the stream is refused, and read a session's events as JSON."""
    await visitor.publish("talk", "message_regenerated", messageId="m1", content="polled")
    blocked = f"function Blocked({{ sessionId, url }}: any) {{ {documents['000 typescript 12']}\nreturn null }}"
    old = scene("old", blocked, '<Blocked sessionId="talk" url="/sse/talk" />')
    robust = scene("robust", documents["004 typescript 9"], '<RobustSSEConnection sessionId="talk" />')
    front.cuts = [DOWN, DOWN]
    async with Chromium(front.serve(f"{old}\n{robust}"), tmp_path):
        await front.until(lambda: len([visit for visit in front.visits if visit.path.endswith("/events")]) > 2)
        await front.until(lambda: front.told("polled"))
    assert {visit.status for visit in front.visits if visit.path.endswith("/events")} <= {0, 200}
    [event] = front.told("polled")[0]
    assert event.keys() == {"id", "seq", "type", "data", "timestamp"}
    assert event["data"].items() >= {"messageId": "m1", "content": "polled"}.items()


async def history(visitor: Visitor) -> dict[str, list[dict[str, Any]]]:
    """The data of the session's events, by type."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in (await visitor.get("/api/sessions/talk/events"))["events"]:
        found.setdefault(event["type"], []).append(event.get("data", event))
    return found


def any_has(screens: list[str], text: str) -> bool:
    return any(text in screen for screen in screens)


def in_order(screens: list[str], *texts: str) -> None:
    """Each text was seen, none of them before the one that stands before it here."""
    at = 0
    for text in texts:
        at = next((n for n, screen in enumerate(screens[at:], at) if text in screen), -1)
        assert at >= 0, (text, screens)
