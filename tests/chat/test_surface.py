"""A chat's frames, byte by byte."""

from __future__ import annotations

import pytest

from sse_server.chat.surface import CHAT, ChatSurface
from sse_server.encoding import encode_fields
from sse_server.events import Event

US = 1_704_074_400_000_000


def frame(kind: str, **fields: object) -> bytes:
    event = Event(7, kind, "job_1", 1, US, encode_fields(fields))
    return CHAT.frame(event, "s", "e")


def test_the_events_of_a_chat_have_the_fields_of_a_chat_and_their_id_last() -> None:
    assert frame("token", text="Hi", step="x") == b'event: token\ndata: {"text":"Hi"}\nid: e-7\n\n'
    usage = frame("usage", tokens_in=5, tokens_out=15, cost_usd=0.5, model="m")
    assert usage == (b'event: usage\ndata: {"tokens_in":5,"tokens_out":15,"cost_usd":0.5,"model":"m"}\nid: e-7\n\n')
    done = frame("done", status="succeeded", finish_reason="stop", result={"text": "Hi"})
    assert done == b'event: done\ndata: {"finish_reason":"stop"}\nid: e-7\n\n'


@pytest.mark.parametrize("kind", ["job_queued", "job_started", "step_progress", "insight", "log", "custom"])
def test_a_chat_shows_no_other_event(kind: str) -> None:
    assert frame(kind) == b""


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        ("provider_busy", "error", "Overloaded, please try again soon."),
        ("provider_timeout", "error", "Request timed out. Please try again with a shorter message."),
        ("provider_failed", "error", "Server error, please try again later."),
        ("timeout", "timeout", "Request timed out. Please try again with a shorter message."),
        ("interrupted", "interrupted", "Server error, please try again later."),
        ("agent_error", "error", "Server error, please try again later."),
    ],
)
def test_every_failure_is_one_safe_sentence_and_an_error(code: str, reason: str, said: str) -> None:
    told = frame("done", status="failed", finish_reason=reason, error={"code": code, "message": "/a/path and a stack"})
    token = f'event: token\ndata: {{"text":"{said}"}}\n\n'.encode()
    assert told == token + b'event: done\ndata: {"finish_reason":"error"}\nid: e-7\n\n'


def test_a_cancelled_chat_is_told_without_a_sentence() -> None:
    assert frame("done", status="cancelled", finish_reason="cancelled") == (
        b'event: done\ndata: {"finish_reason":"cancelled"}\nid: e-7\n\n'
    )


def test_a_heartbeat_is_one_comment_line_in_milliseconds() -> None:
    assert CHAT.heartbeat(US, 3) == b": heartbeat 1704074400000\n"
    assert CHAT.steady


def test_all_chats_share_their_frames() -> None:
    assert ChatSurface() == CHAT
    assert hash(ChatSurface()) == hash(CHAT)
