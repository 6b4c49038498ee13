"""The chat's memory on its real file: what is recalled, for whom, how much of it, and what happens when it dawdles."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from sse_server.agents import Memory
from sse_server.chat import messages
from sse_server.chat.file import ChatFile, beside
from sse_server.chat.memory import Memories
from sse_server.chat.messages import Message
from sse_server.chat.relevance import estimated_tokens
from sse_server.config import Chat
from sse_server.errors import StoreUnavailable
from sse_server.jobs import JobSpec

_numbers = count()


class Notes:
    """A file, and the memories of jobs of `ann` and of others."""

    def __init__(self, file: ChatFile) -> None:
        self.file = file

    def of(self, user: str = "ann", session: str | None = None, **rules: Any) -> Memory:
        job = f"job_{next(_numbers)}"
        spec = JobSpec(job, user, session or job, "chat", Raw(b"{}"), 0, 1.0)
        return Memories(self.file, Chat(**rules)).of(spec)

    async def recalled(self, question: str, user: str = "ann", session: str | None = None, **rules: Any) -> list[str]:
        return [each.text for each in await self.of(user, session, **rules).recall(question)]

    async def remember(self, *texts: str, user: str = "ann", session: str | None = None) -> None:
        for text in texts:
            await self.of(user, session).remember({"user": text})


@asynccontextmanager
async def opened(path: Path | None = None) -> AsyncIterator[Notes]:
    file = ChatFile(path)
    await file.open()
    try:
        yield Notes(file)
    finally:
        await file.close()


@pytest.fixture
async def notes() -> AsyncIterator[Notes]:
    async with opened() as notes:
        yield notes


async def test_a_question_recalls_what_was_said_about_it(notes: Notes) -> None:
    await notes.remember("My dog is called Rex.", "I work in Oslo.", "Rex loves the beach.", "Dogs bark.")
    assert await notes.recalled("What is my dog called?") == ["My dog is called Rex."]
    assert await notes.recalled("Where do I work?") == ["I work in Oslo."]
    assert await notes.recalled("Tell me about quantum physics") == []


async def test_what_is_recalled_says_who_said_it_and_when(notes: Notes) -> None:
    await notes.of().remember({"assistant": "Paris is the capital of France."})
    (found,) = await notes.of().recall("capital of France")
    assert (found.role, found.score, found.tokens) == ("assistant", 1.0, 8)
    assert found.created > 1_700_000_000_000_000


async def test_the_more_relevant_comes_first(notes: Notes) -> None:
    await notes.remember("green tea", "green tea in Kyoto", "a green house")
    assert await notes.recalled("green tea in Kyoto?", min_relevance_score=0.0) == [
        "green tea in Kyoto",
        "green tea",
        "a green house",
    ]
    assert await notes.recalled("green tea in Kyoto?") == ["green tea in Kyoto"]


async def test_the_question_itself_is_nothing_to_recall(notes: Notes) -> None:
    await notes.remember("Where is my red bicycle?", "My red bicycle is in the shed.")
    assert await notes.recalled("Where is my red bicycle?") == ["My red bicycle is in the shed."]


async def test_the_same_text_is_recalled_once(notes: Notes) -> None:
    await notes.remember("I like jazz music.", "I like jazz music.", "I like jazz music.")
    assert await notes.recalled("jazz music") == ["I like jazz music."]


async def test_a_question_without_a_subject_is_one_about_this_session(notes: Notes) -> None:
    await notes.remember("one", "two", "three", session="s1")
    await notes.remember("elsewhere", session="s2")
    await notes.remember("somebody else", user="bob", session="s1")
    asked = "What did we discuss before?"
    assert await notes.recalled(asked, session="s1") == ["three", "two", "one"]
    assert await notes.recalled(asked, session="s1", memory_top_k=2) == ["three", "two"]
    assert await notes.recalled(asked, session="s3") == ["elsewhere", "three", "two", "one"]
    assert await notes.recalled(asked) == ["elsewhere", "three", "two", "one"]
    assert await notes.recalled(asked, user="eve") == []


@pytest.mark.parametrize(
    "question",
    ['"', "'", '" OR words:*', "dog AND", "NEAR(dog beach, 5)", "dog*", "-dog", "^dog", "{words} : dog", "(", "\0dog"],
)
async def test_a_question_is_no_query(notes: Notes, question: str) -> None:
    await notes.remember("the dog", user="bob")
    await notes.remember("my dog")
    assert set(await notes.recalled(question)) <= {"my dog"}


async def test_any_text_can_be_remembered(notes: Notes) -> None:
    odd = "torn \ud83d pair, nul \0, and \U0001f600 zebra"
    await notes.remember(odd, "", "?!")
    assert await notes.recalled("zebra pair torn nul") == ["torn ? pair, nul \0, and \U0001f600 zebra"]


users = st.sampled_from(["ann", "bob", "ann\0", ""])
words = st.sampled_from(["dog", "beach", "Oslo", "tea", "Rex", "jazz", "the", "again"])
texts = st.lists(words, min_size=1, max_size=12).map(". ".join)


rules = st.builds(
    Chat,
    memory_top_k=st.integers(1, 5),
    memory_token_budget=st.integers(1, 60),
    clip_sentences=st.integers(1, 3),
    min_relevance_score=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
)


@given(st.lists(st.tuples(users, st.sampled_from(["s1", "s2"]), texts), max_size=25), texts, users, rules)
async def test_no_recollection_is_another_users_nor_beyond_its_bounds(
    said: list[tuple[str, str, str]], question: str, user: str, rules: Chat
) -> None:
    async with opened() as notes:
        for number, (speaker, session, text) in enumerate(said):
            # Each sentence names its speaker in a word of its own, so that whatever comes back tells whose it was.
            mark = f" by{speaker.encode().hex()}x{number}"
            await notes.remember(text.replace(".", f"{mark}.") + mark, user=speaker, session=session)
        found = await notes.of(user, "s1", **msgspec.structs.asdict(rules)).recall(question)
        mark = f" by{user.encode().hex()}x"
        assert all(each.text.count(" by") == each.text.count(mark) > 0 for each in found)
        assert len(found) <= rules.memory_top_k
        assert sum(estimated_tokens(each.text) for each in found) <= rules.memory_token_budget
        assert all(each.text.count(mark) <= rules.clip_sentences for each in found)
        assert all(rules.min_relevance_score <= each.score <= 1 for each in found)
        assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


async def test_what_does_not_fit_into_the_budget_leaves_room_for_what_does(notes: Notes) -> None:
    await notes.remember("jazz " * 100, "jazz bar")
    assert await notes.recalled("jazz", memory_token_budget=10) == ["jazz bar"]


async def test_common_words_are_looked_for_among_the_newest(notes: Notes) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        for n in range(messages.MAX_CANDIDATES + 500):
            messages.keep(connection, Message("ann", "s", "j", "user", f"weather report n{n}", n))
        messages.keep(connection, Message("ann", "s", "j", "user", "weather was odd", 0))

    await notes.file.write(fill)
    assert await notes.recalled("odd weather") == ["weather was odd"]
    assert len(await notes.recalled("weather")) == 10
    assert await notes.recalled("weather n0") == ["weather report n0"]


async def test_a_users_oldest_messages_go_when_there_are_too_many(notes: Notes) -> None:
    def fill(connection: sqlite3.Connection) -> list[tuple[str, int]]:
        for n in range(20):
            for user in ("ann", "bob"):
                text = f"number n{n}"
                messages.keep(connection, Message(user, "s", "j", "user", text, n), per_user=5 if user == "ann" else 99)
        return connection.execute("SELECT name, messages FROM users ORDER BY name").fetchall()

    assert await notes.file.write(fill) == [("ann", 5), ("bob", 20)]
    assert await notes.recalled("n14") == []
    assert await notes.recalled("n15") == ["number n15"]
    assert await notes.recalled("n0", user="bob") == ["number n0"]
    await notes.file.write(
        lambda c: c.execute("INSERT INTO word_index (word_index, rank) VALUES ('integrity-check', 1)")
    )


async def test_the_oldest_messages_go_when_the_file_is_too_large(notes: Notes) -> None:
    def fill(connection: sqlite3.Connection, most: int) -> int:
        for n in range(300):
            message = Message(f"user{n % 7}", "s", "j", "user", f"n{n} " + "filler " * 300, n)
            messages.keep(connection, message, max_bytes=most)
        kept: int = connection.execute("SELECT count(*) FROM messages").fetchone()[0]
        return kept

    kept = await notes.file.write(partial(fill, most=500_000))
    assert 20 < kept < 200
    pages = await notes.file.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    assert pages * 4096 < 1_000_000


async def test_a_long_message_is_kept_in_part(notes: Notes) -> None:
    await notes.remember("start " + "x" * 50_000 + " end")
    assert await notes.recalled("end") == []
    kept = await notes.file.write(lambda c: c.execute("SELECT length(text) FROM messages").fetchone()[0])
    assert kept == messages.MAX_TEXT


async def test_a_memory_that_takes_too_long_is_given_up_and_interrupted(notes: Notes) -> None:
    await notes.remember("my dog Rex")
    long = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2e8) SELECT count(*) FROM n"
    running = Event()

    def hang(connection: sqlite3.Connection) -> None:
        running.set()
        connection.execute(long).fetchone()

    work = asyncio.create_task(notes.file.write(hang))
    await asyncio.to_thread(running.wait)
    assert await notes.recalled("dog", memory_timeout=0.05) == []
    work.cancel()
    assert await notes.recalled("dog", memory_timeout=5) == ["my dog Rex"]


async def test_a_recall_does_not_wait_for_what_is_being_written(tmp_path: Path) -> None:
    gate, writing = Event(), Event()

    def slow(connection: sqlite3.Connection) -> None:
        messages.keep(connection, Message("ann", "s", "j", "user", "my new dog", 0))
        writing.set()
        gate.wait(20)

    async with opened(tmp_path / "x-chat.db") as notes:
        await notes.remember("my old dog")
        work = asyncio.create_task(notes.file.write(slow))
        await asyncio.to_thread(writing.wait)
        assert await notes.recalled("dog", memory_timeout=20) == ["my old dog"]
        gate.set()
        await work
        assert set(await notes.recalled("dog")) == {"my new dog", "my old dog"}


async def test_work_that_nobody_waits_for_writes_nothing(notes: Notes) -> None:
    gate = Event()
    first = asyncio.create_task(notes.file.write(lambda _: gate.wait(20)))
    await asyncio.sleep(0)  # it is in the thread's queue now
    second = asyncio.create_task(notes.remember("my dog Rex"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    gate.set()
    await first
    assert await notes.recalled("dog") == []


async def test_work_that_fails_leaves_no_trace(notes: Notes) -> None:
    def half(connection: sqlite3.Connection) -> None:
        messages.keep(connection, Message("ann", "s", "j", "user", "my dog", 0))
        connection.execute("SELECT nonsense")

    with pytest.raises(StoreUnavailable):
        await notes.file.write(half)
    assert await notes.recalled("dog") == []


async def test_a_memory_outlives_its_server_and_is_its_owners_alone_to_read(tmp_path: Path) -> None:
    path = beside(tmp_path / "folder" / "mine.db")
    assert path.name == "mine-chat.db"
    async with opened(path) as notes:
        await notes.remember("my dog Rex")
    assert path.stat().st_mode & 0o077 == 0
    async with opened(path) as notes:
        assert await notes.recalled("dog") == ["my dog Rex"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no database" * 100),
        lambda path: path.mkdir(),
        lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 9").connection.close(),
    ],
)
async def test_a_file_that_is_not_the_chats_is_refused_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "x-chat.db"
    spoil(path)
    with pytest.raises(StoreUnavailable, match=r"x-chat\.db"):
        async with opened(path):
            pass
    assert path.exists()


async def test_a_file_that_is_closed_recalls_and_remembers_nothing_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened() as notes:
        pass
    await notes.remember("my dog")
    assert await notes.recalled("dog") == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    await notes.file.close()
