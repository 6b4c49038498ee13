"""What a chat remembers and what it recalls, as its user sees it."""

from __future__ import annotations

from pathlib import Path

from sse_server.auth import development_token
from sse_server.config import Auth
from tests.chat.place import SESSION, Place, place, settings
from tests.chat.upstream import hello, refusing, serving

SECRET = "a-secret-of-more-than-thirty-two-bytes"
OTHER = "session-20261121-101500-zzzz"


async def test_a_chat_with_memory_tells_what_was_said_before(offline: Place) -> None:
    await offline.chat("My dog is called Rex.", useMemory=True)
    answer = await offline.chat("What is my dog called?", useMemory=True)
    assert "My dog is called Rex." in answer.text
    assert "My dog is called Rex." not in (await offline.chat("What is my dog called?")).text


async def test_what_is_recalled_counts_as_tokens(offline: Place) -> None:
    await offline.chat("My dog is called Rex.", useMemory=True)
    without = dict((await offline.chat("What is my dog called?")).frames)["usage"]
    with_memory = dict((await offline.chat("What is my dog called?", useMemory=True)).frames)["usage"]
    assert with_memory["tokens_in"] == without["tokens_in"] + 6


async def test_a_message_of_a_named_session_is_remembered_and_one_of_no_session_is_not(offline: Place) -> None:
    await offline.chat("My cat is called Tom.", sessionId=SESSION)
    await offline.chat("My dog is called Rex.")
    answer = await offline.chat("What are my cat and my dog called?", useMemory=True)
    assert "Tom" in answer.text
    assert "Rex" not in answer.text


async def test_what_did_we_discuss_before_is_about_the_session(offline: Place) -> None:
    await offline.chat("Tea in Kyoto", sessionId=SESSION)
    await offline.chat("Jazz in Oslo", sessionId=OTHER)
    answer = await offline.chat("What did we discuss before?", sessionId=SESSION, useMemory=True)
    assert "Tea in Kyoto" in answer.text
    assert "Jazz" not in answer.text


async def test_two_users_with_the_same_session_never_meet() -> None:
    async with place(settings(auth={"jwt_secret": SECRET})) as served:
        ann, bob = (_token(user) for user in ("ann", "bob"))
        await served.chat("My dog is called Rex.", ann, sessionId=SESSION, useMemory=True)
        for question in ("What is my dog called?", "What did we discuss before?"):
            assert "Rex" in (await served.chat(question, ann, sessionId=SESSION, useMemory=True)).text
            assert "Rex" not in (await served.chat(question, bob, sessionId=SESSION, useMemory=True)).text


def _token(user: str) -> dict[str, str]:
    import time

    token = development_token(Auth(jwt_secret=SECRET), user, now=time.time(), ttl=60, scopes=[])
    return {"Authorization": f"Bearer {token}"}


async def test_the_model_is_given_what_was_said_and_its_own_answers_are_remembered() -> None:
    async with serving(hello) as upstream, place(settings(upstream=upstream)) as served:
        await served.chat("My dog is called Rex.", useMemory=True)
        await served.chat("What is my dog called?", useMemory=True)
        system, question = upstream.requests[-1]["body"]["messages"]
        assert "user: My dog is called Rex." in system["content"]
        assert question == {"role": "user", "content": "What is my dog called?"}
        await served.chat("Who said hello to the world?", useMemory=True)
        assert "assistant: Hello, world" in upstream.requests[-1]["body"]["messages"][0]["content"]


async def test_a_chat_that_failed_is_not_remembered() -> None:
    async with serving(refusing(500), hello) as upstream, place(settings(upstream=upstream)) as served:
        await served.chat("My dog is called Rex.", useMemory=True)
        await served.chat("What is my dog called?", useMemory=True)
        assert "Rex" not in upstream.requests[-1]["body"]["messages"][0]["content"]


async def test_a_memory_outlives_a_restart(tmp_path: Path) -> None:
    rules = settings(tmp_path / "store.db")
    async with place(rules) as served:
        await served.chat("My dog is called Rex.", useMemory=True)
    async with place(rules) as served:
        assert "Rex" in (await served.chat("What is my dog called?", useMemory=True)).text


async def test_the_settings_bound_what_is_recalled() -> None:
    async with place(settings(chat={"memory_top_k": 2, "clip_sentences": 1})) as served:
        for n in range(4):
            await served.chat(f"Jazz number {n}. It was loud.", useMemory=True)
        text = (await served.chat("jazz", useMemory=True)).text
        assert text.count("Jazz number") == 2
        assert "loud" not in text


async def test_a_chat_goes_on_without_a_memory_that_fails(offline: Place) -> None:
    await offline.server.chat_file.close()
    assert (await offline.chat("Hello", useMemory=True, sessionId=SESSION)).text
