"""Each event in words, as a person is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sse_server.cli.text import compact, line
from sse_server.client import Event
from sse_server.events import (
    ENVELOPE,
    AttemptReset,
    Done,
    Insight,
    JobEvent,
    JobQueued,
    JobStarted,
    LogLine,
    SpecialistUpdate,
    StepProgress,
    Token,
    ToolCall,
    ToolResult,
    Usage,
)

UNDER_WAY: Final = frozenset({"started", "running"})


def sentence(event: Event) -> str:
    """What happened, nearly always on one line; empty for a token, which is no sentence."""
    known = event.known()
    if known is not None:
        return _SENTENCES[type(known)](known)
    match event.type:
        case "gap":
            return f"some events are no longer kept ({line(str(event.data.get('reason')))})"
        case "snapshot":
            return "\n".join(_standing(event.data.get("job", {})))
        case own:
            return f"{line(own)} {compact({k: v for k, v in event.data.items() if k not in ENVELOPE})}"


def ending(done: Done) -> str:
    """How the job ended, and why."""
    if done.error:
        return f"{done.status} ({line(done.error.code)}): {line(done.error.message)}"
    return f"{done.status} ({done.finish_reason})" if done.finish_reason == "interrupted" else done.status


def _queued(event: JobQueued) -> str:
    return f"{line(event.agent)} is queued{f', {event.position} before it' if event.position else ''}"


def _started(event: JobStarted) -> str:
    return f"attempt {event.attempt} started" if event.attempt > 1 else "started"


def _step(step: StepProgress) -> str:
    place = f"[{step.index}/{step.total}] " if step.index and step.total else ""
    state = f"{step.pct:.0f} %" if step.status in UNDER_WAY else step.status
    return f"{place}{line(step.label or step.step)}: {state}{f', {line(step.message)}' if step.message else ''}"


def _insight(event: Insight) -> str:
    return f"• {f'{line(event.category)}: ' if event.category else ''}{line(event.text)}"


def _tool_call(event: ToolCall) -> str:
    return f"{line(event.tool)} {compact(event.arguments)}"


def _tool_result(event: ToolResult) -> str:
    return f"{line(event.tool)} {f'failed: {line(event.error)}' if event.error else f'gave {compact(event.result)}'}"


def _specialist(event: SpecialistUpdate) -> str:
    return f"{line(event.specialist)} is {line(event.status)}{f': {line(event.message)}' if event.message else ''}"


def _usage(event: Usage) -> str:
    cost = "" if event.cost_usd is None else f", ${event.cost_usd:.4f}"
    return f"{line(event.model)}: {event.tokens_in} tokens in, {event.tokens_out} out{cost}"


def _log_line(event: LogLine) -> str:
    return f"{line(event.level)}: {line(event.message)}"


def _reset(event: AttemptReset) -> str:
    return f"the attempt ended ({line(event.reason)}); what it said is void, the next one follows"


def _standing(job: dict[str, Any]) -> Iterator[str]:
    """What a snapshot says; its text is left to who shows texts."""
    yield f"this is how it stands: {job.get('status')}, {job.get('job_pct', 0):.0f} %"
    for step in job.get("steps", []):
        state = f"{step['pct']:.0f} %" if step["status"] in UNDER_WAY else step["status"]
        yield f"{line(step.get('label') or step['step'])}: {line(state)}"
    for insight in job.get("insights", []):
        yield f"• {line(insight['text'])}"


_SENTENCES: Final[dict[type[JobEvent], Callable[[Any], str]]] = {
    JobQueued: _queued,
    JobStarted: _started,
    StepProgress: _step,
    Insight: _insight,
    Token: lambda _: "",
    ToolCall: _tool_call,
    ToolResult: _tool_result,
    SpecialistUpdate: _specialist,
    Usage: _usage,
    LogLine: _log_line,
    AttemptReset: _reset,
    Done: ending,
}
