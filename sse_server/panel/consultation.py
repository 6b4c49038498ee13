"""One question to the panel, step by step: who is asked, what they compute side by side, and the answer that sums up.

With its specialists it takes a tenth of a second to load, most of it patterns: the agent does so with its first job.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import date
from functools import partial
from typing import Final

from sse_server.agents import Job, Provider
from sse_server.errors import AgentError, ServerError
from sse_server.panel.consulting import consult
from sse_server.panel.pace import Pace
from sse_server.panel.prompt import MAX_TOKENS, messages
from sse_server.panel.question import Question, read_question
from sse_server.panel.result import PanelResult, Report
from sse_server.panel.specialists import PANEL, Desk, Specialist, Task
from sse_server.panel.summary import sources_of, stands, what_it_can, write_answer

OFFLINE: Final = "offline"
_TOTAL: Final = 3
_CHUNK: Final = re.compile(r"(?:\S+\s*){1,2}")

Picked = list[tuple[Specialist, list[Task]]]


class Consultation:
    """One job, step by step."""

    def __init__(
        self, message: str, job: Job, pace: Pace, specialists: Sequence[Specialist] | None, today: date
    ) -> None:
        self._message = message
        self._job = job
        self._pace = pace
        self._specialists = PANEL if specialists is None else specialists
        self._today = today

    async def run(self) -> PanelResult:
        reports = await self._consult(await self._pick())
        answer, written_by = await self._answer(reports)
        return PanelResult(answer, written_by, reports, sources_of(reports))

    async def _pick(self) -> Picked:
        """Who is asked, and what."""
        async with self._job.step("read", label="Reading the question", index=1, total=_TOTAL):
            picked = await asyncio.to_thread(pick, self._message, self._specialists, self._today)
            for specialist, tasks in picked:
                about = "; ".join(task.about for task in tasks)
                self._job.insight(f"{specialist.name}: {about}"[:500], step="read", category="coordinator")
        return picked

    async def _consult(self, picked: Picked) -> list[Report]:
        """All at once; the reports are in the order of the panel."""
        step = self._job.step("consult", label="Asking the specialists", index=2, total=_TOTAL)
        async with step, asyncio.TaskGroup() as group:
            working = [
                group.create_task(consult(specialist, tasks, self._job, pause=self._pace.task))
                for specialist, tasks in picked
            ]
        return [task.result() for task in working]

    async def _answer(self, reports: list[Report]) -> tuple[str, str]:
        """The answer and who wrote it."""
        async with self._job.step("answer", label="Writing the answer", index=3, total=_TOTAL):
            if not reports:
                return await self._write(what_it_can(self._specialists)), OFFLINE
            plain = write_answer(reports)
            if self._job.llm is None:
                return await self._write(plain), OFFLINE
            return await self._write_with(self._job.llm, reports, plain)

    async def _write_with(self, model: Provider, reports: list[Report], plain: str) -> tuple[str, str]:
        """The model's answer, or the plain one behind it where the model failed or made a figure up."""
        completion = model.stream(messages(self._message, reports), max_tokens=MAX_TOKENS)
        draft = ""
        try:
            draft = await self._job.stream_text(completion, step="answer", expected_chars=len(plain))
        except AgentError:
            raise
        except ServerError as error:
            self._job.log("warning", f"the model wrote no answer ({error.code}); it is written without one")
            return await self._write(plain, after="\n\n"), OFFLINE
        usage = completion.usage
        if usage:
            self._job.usage(
                tokens_in=usage.tokens_in, tokens_out=usage.tokens_out, model=usage.model, cost_usd=usage.cost_usd
            )
        if not draft.strip() or not stands(draft, f"{self._message}\n{plain}"):
            self._job.log("warning", "the model's answer has a figure that no tool gave; this is the answer without it")
            return await self._write(plain, after="\n\nWhat the tools gave:\n"), OFFLINE
        return draft.strip(), usage.model if usage else "model"

    async def _write(self, text: str, *, after: str = "") -> str:
        """Stream the text; `after` parts it from a draft that has been streamed."""
        await self._job.stream_text(self._words(after + text), step="answer", expected_chars=len(text))
        return text

    async def _words(self, text: str) -> AsyncIterator[str]:
        """The text two words at a time, as somebody speaks."""
        at = 0
        for chunk in _CHUNK.finditer(text):
            yield text[at : chunk.end()]
            at = chunk.end()
            await asyncio.sleep(self._pace.words)


def pick(message: str, specialists: Sequence[Specialist], today: date) -> Picked:
    """The specialists that know something of the question, with what it asks of each."""
    question = read_question(message, today)
    asked = [(specialist, _tasks(specialist, question)) for specialist in specialists]
    return [(specialist, tasks) for specialist, tasks in asked if tasks]


def _tasks(specialist: Specialist, question: Question) -> list[Task]:
    """A specialist that can't read the question fails at its desk, as with any other fault of its own."""
    try:
        return specialist.read(question)
    except Exception as error:  # noqa: BLE001  (told and logged where the task is done)
        return [Task("the question", partial(_fail, error))]


async def _fail(error: Exception, _: Desk) -> str:
    raise error
