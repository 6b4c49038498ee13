"""The agent `regenerate`: writes an answer anew, and tells its session what it thinks and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Final

from msgspec import Meta, Struct

from sse_server.actions.outline import MAX_RECALLED, Outline, outline, written
from sse_server.actions.teller import Teller, message_of
from sse_server.agents import Agent, Job, Provider, Recollection, agent
from sse_server.agents.cadence import paced
from sse_server.broadcast import ProgressTracker, SSEEventBuilder, ThoughtProcessTracker
from sse_server.errors import JobCancelled, JobFailed, ServerError
from sse_server.jobs import MAX_TEXT

MAX_QUERY: Final = 4000
"""Characters of a question."""
MAX_ORIGINAL: Final = 16_000
"""Characters of a message that is written anew without its question."""
MAX_TOKENS: Final = 2000
EXPECTED: Final = 1500
"""Characters of a usual answer."""

NOTHING_KNOWN: Final = (
    "There is nothing to write this message from: it came without its question, and this session holds neither the"
    " question nor the message any more. Send the question along to get a new answer."
)
_SYSTEM: Final = (
    "You write a new answer to a question of a chat, in the language of the question: correct, to the point, and"
    " complete in itself. Where earlier messages are given, use what belongs to the question."
)

MessageId = Annotated[str, Meta(min_length=1, max_length=128)]
Query = Annotated[str, Meta(min_length=1, max_length=MAX_QUERY)]


class RegenerateInput(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """`query` is what the message answers, `original` how it reads now. Without a `messageId` it is a new message."""

    query: Query | None = None
    message_id: MessageId | None = None
    original: Annotated[str, Meta(max_length=MAX_ORIGINAL)] | None = None


class Regenerated(Struct, frozen=True, rename="camel"):
    """The new answer."""

    message_id: str
    content: str


def regenerate_at(pace: float) -> Agent:
    """The agent; offline it gives whoever watches `pace` seconds for every two words."""

    @agent("regenerate", timeout=300, description="Writes the answer to a question anew, telling how it comes about.")
    async def regenerate(input: RegenerateInput, job: Job) -> Regenerated:
        return await _Regeneration(input, job, pace).run()

    return regenerate


class _Regeneration:
    """One message."""

    def __init__(self, input: RegenerateInput, job: Job, pace: float) -> None:
        self._query = input.query
        self._original = input.original
        self._message_id = input.message_id or message_of(job.id)
        self._job = job
        self._pace = pace
        self._teller = Teller(job)
        place = self._message_id, job.session_id, job.id, self._teller
        self._thoughts = ThoughtProcessTracker(*place)
        self._progress = ProgressTracker(*place)

    async def run(self) -> Regenerated:
        started = SSEEventBuilder.message_regeneration_started(
            self._message_id, self._job.session_id, self._job.id, self._message_id, self._query or ""
        )
        await self._teller.broadcast_event(self._job.session_id, started)
        try:
            content = await self._think_and_write()
        except (asyncio.CancelledError, JobCancelled):
            raise
        except Exception as error:
            failure = _worded(error)
            await self._progress.error(failure.message if failure else "The message could not be written.")
            if failure is None:
                raise
        else:
            await self._progress.complete(content)
            return Regenerated(self._message_id, content)
        raise failure  # outside the except block: what a provider raised goes no further

    async def _think_and_write(self) -> str:
        subject = self._query or self._original
        await self._thoughts.start_thinking(subject or "A message that came without its question")
        await self._progress.update_progress(0, "Reading the question")
        if subject is None:
            await self._thoughts.complete_thinking("Neither the question nor the message is known here.")
            return NOTHING_KNOWN
        read = outline(subject)
        await self._thoughts.add_step("Query understanding", read.summary)
        recalled = await self._recall(subject)
        content = await self._write(subject, read, recalled)
        await self._progress.update_progress(100, "Written", content[-MAX_TEXT:])
        await self._thoughts.complete_thinking(f"Wrote {len(content)} characters.")
        return content

    async def _recall(self, subject: str) -> Sequence[Recollection]:
        if self._job.memory is None:
            return []
        recalled = (await self._job.memory.recall(subject))[:MAX_RECALLED]
        found = f"{len(recalled)} of what was said before belongs to it." if recalled else "Nothing said before does."
        await self._thoughts.add_step("Memory retrieval", found)
        return recalled

    async def _write(self, subject: str, read: Outline, recalled: Sequence[Recollection]) -> str:
        if self._job.llm is None:
            await self._thoughts.add_step("Writing", "Without a model: from the question and what was said before.")
            text = written(f"{'You asked' if self._query else 'The message was'}: {subject}", read, recalled)
            return await self._tell(self._words(text), len(text))
        await self._thoughts.add_step("Writing", "The model writes the answer.")
        return await self._ask(self._job.llm, subject, recalled)

    async def _ask(self, model: Provider, subject: str, recalled: Sequence[Recollection]) -> str:
        asked = subject if self._query else f"Write this message anew:\n\n{subject}"
        before = [{"role": each.role, "content": each.text} for each in recalled]
        completion = model.stream(
            [{"role": "system", "content": _SYSTEM}, *before, {"role": "user", "content": asked}],
            max_tokens=MAX_TOKENS,
        )
        content = (await self._tell(aiter(completion), EXPECTED)).strip()
        if usage := completion.usage:
            self._job.usage(
                tokens_in=usage.tokens_in, tokens_out=usage.tokens_out, model=usage.model, cost_usd=usage.cost_usd
            )
        if not content:
            raise JobFailed("empty_answer", "The model gave no answer. Please try again.")
        return content

    async def _tell(self, chunks: AsyncIterator[str], expected: int) -> str:
        """The whole text; meanwhile the session sees it grow."""
        text = ""
        async with aclosing(paced(chunks, self._job.cadence)) as pieces:
            async for piece in pieces:
                text += piece
                pct = min(95.0, round(len(text) / expected * 100, 1))
                await self._progress.update_progress(pct, f"Writing… {pct:.0f}%", text[-MAX_TEXT:])
        return text

    async def _words(self, text: str) -> AsyncIterator[str]:
        words = text.split(" ")
        for at in range(0, len(words), 2):
            yield (" " if at else "") + " ".join(words[at : at + 2])
            await asyncio.sleep(self._pace)


def _worded(error: Exception) -> JobFailed | None:
    """The failure in words for who waits; None where nobody has put it into words."""
    match error:
        case JobFailed():
            return error
        case ServerError():
            return JobFailed(error.code, error.detail)
        case _:
            return None


regenerate = regenerate_at(0.02)
