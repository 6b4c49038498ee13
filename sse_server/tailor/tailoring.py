"""One résumé tailored to one posting, in five steps. Its reading runs in threads: the loop is never held.

With its tables of words it takes a while to load: the agent does so with its first job.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct, to_builtins

from sse_server.agents import Job, Provider
from sse_server.errors import AgentError, ServerError
from sse_server.tailor.check import Claim, Grounds, supported
from sse_server.tailor.matching import Index, Match, coverage_of, keywords, match_all
from sse_server.tailor.pace import Pace
from sse_server.tailor.posting import Posting, read_posting
from sse_server.tailor.prompt import MAX_TOKENS, messages
from sse_server.tailor.result import TailorInput, TailorResult
from sse_server.tailor.resume import Resume, read_resume
from sse_server.tailor.summary import write_summary
from sse_server.tailor.terms import Term
from sse_server.tailor.told import requirement_match, result_of

OFFLINE: Final = "offline"
_TOTAL: Final = 5
_EXPECTED: Final = 900
"""Characters of a usual summary."""

_TOLD: Final = 9
"""Matches that become insights; the result has them all."""

_CHUNK: Final = re.compile(r"(?:\S+\s*){1,2}")


class _Fit(Struct, frozen=True):
    """How a résumé meets a posting."""

    matches: list[Match]
    shown: list[Term]
    unshown: list[Term]


class Tailoring:
    """One job, step by step."""

    def __init__(self, input: TailorInput, job: Job, pace: Pace) -> None:
        self._input = input
        self._job = job
        self._pace = pace

    async def run(self) -> TailorResult:
        posting = await self._read_posting()
        resume = await self._read_resume()
        fit = await self._match(posting, resume)
        grounds = await asyncio.to_thread(Grounds, resume)
        draft, written_by = await self._write(resume, fit, grounds)
        summary, written_by, removed = await self._check(draft, written_by, resume, fit, grounds)
        return result_of(
            summary=summary,
            written_by=written_by,
            posting=posting,
            matches=fit.matches,
            shown=fit.shown,
            unshown=fit.unshown,
            removed=removed,
        )

    async def _read_posting(self) -> Posting:
        name = "read_posting"
        async with self._job.step(name, label="Reading the posting", index=1, total=_TOTAL) as step:
            posting = await asyncio.to_thread(read_posting, self._input.posting)
            step.progress(50, f"{len(posting.requirements)} requirements")
            if posting.title:
                await self._tell(f"The posting is for: {posting.title}", step=name, category="posting")
            if posting.terms:
                first = ", ".join(term.text for term in posting.terms[:6])
                await self._tell(f"It speaks most of: {first}", step=name, category="keyword")
            required = [each.text for each in posting.requirements if each.need == "required"]
            if required:
                text = f"The first of {len(required)} things it requires: {required[0]}"
                await self._tell(text, step=name, category="requirement")
            elif not posting.requirements:
                await self._tell("The posting names no requirement", step=name, category="posting")
        return posting

    async def _read_resume(self) -> Resume:
        name = "read_resume"
        async with self._job.step(name, label="Reading the résumé", index=2, total=_TOTAL) as step:
            year = datetime.now(UTC).year
            resume = await asyncio.to_thread(read_resume, self._input.resume, this_year=year)
            step.progress(50, f"{len(resume.lines)} lines")
            if resume.roles:
                latest = resume.roles[0]
                told = " at ".join(filter(None, [latest.title, latest.employer]))
                text = f"{len(resume.roles)} roles over {resume.years} years, first listed: {told}"
                await self._tell(text, step=name, category="evidence")
            with_figures = sum(any(map(str.isdecimal, line.text)) for line in resume.lines if line.kind != "role")
            text = f"{len(resume.lines)} lines that can stand as evidence, {with_figures} of them with figures"
            await self._tell(text, step=name, category="evidence")
        return resume

    async def _match(self, posting: Posting, resume: Resume) -> _Fit:
        name = "match"
        async with self._job.step(name, label="Matching requirements with evidence", index=3, total=_TOTAL) as step:
            fit = await asyncio.to_thread(_fit, posting, resume)
            asked = [match for match in fit.matches if match.requirement.need != "duty"]
            # What is missing is told before the last things that are shown: there may be many of these.
            met = [match for match in asked if match.met][: _TOLD - 3]
            told = [*met, *[match for match in asked if not match.met]][:_TOLD]
            for at, match in enumerate(told, start=1):
                data = to_builtins(requirement_match(match))
                await self._tell(_said(match), step=name, category="evidence" if match.met else "gap", data=data)
                step.progress(100 * at / (len(told) + 1), f"{at} of {len(told)}")
            text = f"The résumé shows {coverage_of(fit.matches)}% of what the posting asks for"
            await self._tell(text, step=name, category="coverage")
        return fit

    async def _write(self, resume: Resume, fit: _Fit, grounds: Grounds) -> tuple[str, str]:
        """The draft and who wrote it."""
        name = "write_summary"
        async with self._job.step(name, label="Tailoring professional summary…", index=4, total=_TOTAL):
            if self._job.llm is None:
                return await self._write_offline(resume, fit, grounds, step=name), OFFLINE
            draft, model = await self._write_with(self._job.llm, fit)
            if draft:
                return draft, model
            return await self._write_offline(resume, fit, grounds, step=name, after="\n\n"), OFFLINE

    async def _write_offline(self, resume: Resume, fit: _Fit, grounds: Grounds, *, step: str, after: str = "") -> str:
        """Write without a model; `after` parts the text from a draft that has been streamed."""
        text = await asyncio.to_thread(write_summary, resume, fit.matches, fit.shown, grounds)
        if text:
            await self._job.stream_text(self._words(after + text), step=step, expected_chars=len(text))
        return text

    async def _write_with(self, model: Provider, fit: _Fit) -> tuple[str, str]:
        """The model's draft, empty where it failed, and its name."""
        asked = messages(self._input.resume, self._input.posting, fit.matches, fit.shown)
        completion = model.stream(asked, max_tokens=MAX_TOKENS)
        try:
            draft = await self._job.stream_text(completion, step="write_summary", expected_chars=_EXPECTED)
        except AgentError:
            raise
        except ServerError as error:
            self._job.log("warning", f"the model wrote no summary ({error.code}); it is written without one")
            return "", ""
        usage = completion.usage
        if usage:
            self._job.usage(
                tokens_in=usage.tokens_in, tokens_out=usage.tokens_out, model=usage.model, cost_usd=usage.cost_usd
            )
        return " ".join(draft.split()), usage.model if usage else "model"

    async def _check(
        self, draft: str, written_by: str, resume: Resume, fit: _Fit, grounds: Grounds
    ) -> tuple[str, str, list[Claim]]:
        """What stays of the draft, who wrote that, and what was taken out."""
        name = "check"
        label = "Checking the summary against the résumé"
        async with self._job.step(name, label=label, index=5, total=_TOTAL) as step:
            summary, removed = await asyncio.to_thread(supported, draft, grounds)
            step.progress(50)
            for claim in removed[:_TOLD]:
                text = f"Taken out, the résumé does not show it: {claim.claim}"
                await self._tell(text, step=name, category="unsupported", data=to_builtins(claim))
            if not summary and written_by != OFFLINE:
                text = "Nothing of the draft stands in the résumé; the summary is written from its own lines"
                await self._tell(text, step=name, category="check")
                summary = await self._write_offline(resume, fit, grounds, step=name, after="\n\n")
                written_by = OFFLINE
            stands = "Everything the summary says stands in the résumé"
            empty = "The résumé has nothing to write a summary from"
            await self._tell(stands if summary else empty, step=name, category="check")
        return summary, written_by, removed

    async def _tell(self, text: str, *, step: str, category: str, data: dict[str, object] | None = None) -> None:
        self._job.insight(text, step=step, category=category, data=data)
        await asyncio.sleep(self._pace.insight)

    async def _words(self, text: str) -> AsyncIterator[str]:
        """The text two words at a time, as somebody writes who thinks."""
        at = 0
        for chunk in _CHUNK.finditer(text):
            yield text[at : chunk.end()]
            at = chunk.end()
            await asyncio.sleep(self._pace.words)


def _fit(posting: Posting, resume: Resume) -> _Fit:
    index = Index(resume)
    return _Fit(match_all(posting, resume, index), *keywords(posting, index))


def _said(match: Match) -> str:
    if match.met:
        return f"{match.requirement.text} ← {match.found[0].evidence.text}"
    if match.found:
        return f"Shown in part only: {match.requirement.text}"
    return f"Not shown: {match.requirement.text}"
