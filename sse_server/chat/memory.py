"""The chat's memory: implements `Memory` on the chat's file, within a time, a number and a budget of tokens."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from sse_server.agents import Memory, Recollection, Role
from sse_server.chat import messages
from sse_server.chat.file import ChatFile
from sse_server.chat.messages import Kept, Message
from sse_server.chat.relevance import clipped, estimated_tokens, relevance, weights
from sse_server.chat.words import content_words, token
from sse_server.config import Chat
from sse_server.errors import StoreUnavailable
from sse_server.jobs import JobSpec

MAX_WORDS: Final = 32
"""Content words of a question that are looked for: its first ones."""
CHOICE: Final = 4
"""BM25 offers so many times `memory_top_k` messages, of which the relevant ones are taken."""

logger = logging.getLogger(__name__)


class Memories:
    """Makes the memory of each job; what one user said is never another's to recall."""

    def __init__(self, file: ChatFile, rules: Chat) -> None:
        self._file = file
        self._rules = rules

    def of(self, spec: JobSpec) -> Memory:
        """The memory of the job's user, as its session sees it."""
        return SessionMemory(self._file, self._rules, spec)


class SessionMemory:
    """Implements `Memory` for one job."""

    def __init__(self, file: ChatFile, rules: Chat, spec: JobSpec) -> None:
        self._file = file
        self._rules = rules
        self._spec = spec

    async def recall(self, question: str) -> list[Recollection]:
        """Given up after `chat.memory_timeout` seconds."""
        session = None if self._spec.session == self._spec.id else self._spec.session
        work = partial(recall, user=self._spec.user, session=session, question=question, rules=self._rules)
        try:
            async with asyncio.timeout(self._rules.memory_timeout):
                return await self._file.read(work)
        except TimeoutError:
            logger.warning("memory given up: it took too long", extra={"job_id": self._spec.id})
        except StoreUnavailable as error:
            logger.warning("memory given up: %s", error.detail, extra={"job_id": self._spec.id})
        return []

    async def remember(self, said: Mapping[Role, str]) -> None:
        spec, at = self._spec, time.time_ns() // 1000
        new = [Message(spec.user, spec.session, spec.id, role, text, at) for role, text in said.items()]

        def keep(connection: sqlite3.Connection) -> None:
            for message in new:
                messages.keep(connection, message)

        try:
            await self._file.write(keep)
        except StoreUnavailable as error:
            logger.warning("nothing remembered: %s", error.detail, extra={"job_id": spec.id})


def recall(
    connection: sqlite3.Connection, user: str, session: str | None, question: str, rules: Chat
) -> list[Recollection]:
    """What belongs to the question, the most relevant first.

    A question without a content word ("What did we discuss before?") is one about the latest messages of its session,
    or of the user where that has none.
    """
    asked = [*dict.fromkeys(content_words(question))][:MAX_WORDS]
    if not asked:
        newest = messages.latest(connection, user, session, rules.memory_top_k)
        newest = newest or messages.latest(connection, user, None, rules.memory_top_k)
        return [*_within(((1.0, message) for message in newest), {}, rules)]
    seen = messages.frequencies(connection, user, asked)
    worth = weights(seen.messages, seen.often)
    found = messages.search(connection, user, seen.often, rules.memory_top_k * CHOICE)
    tokens = {token(user, word): word for word in asked}
    rated = [(relevance([tokens[each] for each in tokens.keys() & m.words.split()], worth), m) for m in found]
    relevant = [(score, m) for score, m in rated if score >= rules.min_relevance_score and m.text != question]
    relevant.sort(key=lambda each: -each[0])  # stable: of equals the one that BM25 put first
    return [*_within(relevant, worth, rules)]


def _within(scored: Iterable[tuple[float, Kept]], worth: dict[str, float], rules: Chat) -> Iterator[Recollection]:
    """Clipped, no text twice, and as many as `memory_top_k` and the budget of tokens allow."""
    left, told = rules.memory_token_budget, set[str]()
    for score, message in scored:
        text = clipped(message.text, rules.clip_sentences, worth)
        tokens = estimated_tokens(text)
        if text and tokens <= left and text not in told and len(told) < rules.memory_top_k:
            left -= tokens
            told.add(text)
            yield Recollection(message.role, text, score, tokens, message.created)
