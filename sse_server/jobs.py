"""Jobs: what is asked for, the table of their states, and the fold that makes a job's state out of its events.

A store keeps the fold beside the events, in the same transaction; a snapshot is that fold. So `JobState.apply` is the
one place that says what an event means.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from sse_server.entropy import new_word
from sse_server.events import EndStatus, ErrorInfo, Event, FinishReason, Status, Tokens

MAX_TEXT: Final = 64 * 1024
"""Characters of a job's text that a snapshot keeps; beyond that it is cut from the front."""
MAX_ITEMS: Final = 500
"""Steps, insights, tool calls and specialists that a snapshot keeps each; the oldest go first."""
MAX_ITEM_TEXT: Final = 4096
"""Characters of one name, insight or message, and bytes of one tool's arguments or result, in a snapshot."""

TRANSITIONS: Final[dict[tuple[Status | None, str], Status]] = {
    (None, "job_queued"): "queued",
    ("queued", "job_started"): "running",
    ("running", "attempt_reset"): "queued",
}
"""State and event give the next state; `done` ends a job in any state, with the status that it carries."""

ACTIVE: Final = frozenset({"queued", "running"})


class CancelAfter(Struct, frozen=True, forbid_unknown_fields=True):
    """Cancel the job once nobody has watched or polled it for so many seconds."""

    cancel_after: Annotated[float, Meta(ge=0, le=86_400)]


OnDisconnect = Literal["continue", "cancel"] | CancelAfter


def new_job_id(now: int) -> str:
    """A job's id: it sorts by `now` (Unix microseconds) and can't be guessed."""
    return f"job_{now:014x}{new_word()}"


class JobSpec(Struct, frozen=True):
    """What was asked for; it never changes. `input` is JSON, `created` Unix microseconds, `timeout` seconds."""

    id: str
    user: str
    session: str
    agent: str
    input: Raw
    created: int
    timeout: float
    on_disconnect: OnDisconnect = "continue"
    metadata: dict[str, Any] = {}
    request_id: str = ""


class StepState(Struct, omit_defaults=True):
    """The latest `step_progress` of one step."""

    step: str
    pct: float
    status: str
    label: str | None = None
    message: str | None = None
    index: int | None = None
    total: int | None = None


class InsightState(Struct, omit_defaults=True):
    """An insight without its `data`, which the events keep."""

    text: str
    step: str | None = None
    category: str | None = None


class ToolState(Struct, omit_defaults=True):
    """A tool call with its result; a large value is left to the events."""

    call_id: str
    tool: str
    arguments: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: str | None = None


class SpecialistState(Struct, omit_defaults=True):
    """The latest `specialist_update` of one specialist."""

    specialist: str
    status: str
    message: str | None = None


class UsageState(Struct):
    """The sum of all calls; `cost_usd` is null once one price was not known, `model` is the last one called."""

    tokens_in: Tokens
    tokens_out: Tokens
    cost_usd: float | None
    model: str


class Work(Struct):
    """What the events of the current attempt add up to; an `attempt_reset` voids it."""

    job_pct: float = 0.0
    steps: dict[str, StepState] = field(default_factory=dict)
    insights: list[InsightState] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    truncated: bool = False
    usage: UsageState | None = None
    tools: dict[str, ToolState] = field(default_factory=dict)
    specialists: dict[str, SpecialistState] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All tokens so far, cut from the front beyond `MAX_TEXT`."""
        return "".join(self.pieces)[-MAX_TEXT:]

    def write(self, text: str) -> None:
        """Add a token; a copy of the whole is made only once in `MAX_TEXT` characters."""
        if not text:
            return
        self.pieces.append(text)
        self.length += len(text)
        if self.length > 2 * MAX_TEXT or (self.length > MAX_TEXT and not self.truncated):
            self.pieces, self.length, self.truncated = [self.text], MAX_TEXT, True

    def apply(self, kind: str, body: bytes) -> None:
        """Add what one event of the agent says; a body that is not what its type asks for adds nothing."""
        try:  # each event comes here, and `suppress` costs as much as reading a token
            match kind:
                case "token":
                    self.write(_token(body).text)
                case "step_progress":
                    self._step(_bounded(_step(body)), _job_pct(body).job_pct or 0.0)
                case "insight":
                    self.insights.append(_bounded(_insight(body)))
                    del self.insights[:-MAX_ITEMS]
                case "tool_call" | "tool_result":
                    self._tool(_bounded(_tool(body)))
                case "specialist_update":
                    specialist = _bounded(_specialist(body))
                    _keep(self.specialists, specialist.specialist, specialist)
                case "usage":
                    self._usage(_bounded(_usage(body)))
                case _:
                    pass
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            pass

    def _step(self, step: StepState, job_pct: float) -> None:
        before = self.steps.get(step.step)
        if before:
            step.label = step.label or before.label
            step.message = step.message or before.message
        _keep(self.steps, step.step, step)
        self.job_pct = max(self.job_pct, job_pct)

    def _tool(self, call: ToolState) -> None:
        before = self.tools.get(call.call_id)
        if before and call.arguments is UNSET:
            call.arguments = before.arguments
        _keep(self.tools, call.call_id, call)

    def _usage(self, call: UsageState) -> None:
        if self.usage:
            known = self.usage.cost_usd is not None and call.cost_usd is not None
            call.tokens_in += self.usage.tokens_in
            call.tokens_out += self.usage.tokens_out
            call.cost_usd = (self.usage.cost_usd or 0.0) + (call.cost_usd or 0.0) if known else None
        self.usage = call


class Ending(Struct, omit_defaults=True):
    """The fields of `done`."""

    status: EndStatus
    finish_reason: FinishReason
    result: Raw | UnsetType = UNSET
    error: ErrorInfo | None = None


class DoneState(Struct):
    """A job's `done` as it stands in the log: kept as long as the job, also where the log is trimmed."""

    event: Event
    ending: Ending


class JobState(Struct):
    """What a job's events add up to.

    `first` and `last` are the seqs of its first and latest event, `attempt_seq` where its current attempt began,
    `started` Unix microseconds.
    """

    status: Status = "queued"
    attempt: int = 1
    first: int = 0
    last: int = 0
    attempt_seq: int = 0
    started: int | None = None
    work: Work = field(default_factory=Work)
    done: DoneState | None = None

    def apply(self, event: Event) -> None:
        """Add one event. Whatever follows `done` must not come here: the log refuses it before."""
        self.first, self.last = self.first or event.seq, event.seq
        self.status = TRANSITIONS.get((self.status, event.type), self.status)
        match event.type:
            case "job_started":
                self.started = self.started or event.time
                self.attempt_seq = event.seq
            case "attempt_reset":
                self.attempt, self.work = event.attempt, Work()
            case "done":
                ending = _ended(event.body)
                self.status, self.done = ending.status, DoneState(event, ending)
                if ending.status == "succeeded":
                    self.work.job_pct = 100.0
            case kind:
                self.work.apply(kind, event.body)


def fold(events: Iterable[Event]) -> JobState:
    """The state that a job's events add up to, from its first event on."""
    state = JobState()
    for event in events:
        state.apply(event)
    return state


Item = TypeVar("Item", bound=Struct)


class _Token(Struct):
    text: str


class _JobPct(Struct):
    job_pct: float | None = None


_token = msgspec.json.Decoder(_Token).decode
_step = msgspec.json.Decoder(StepState).decode
_job_pct = msgspec.json.Decoder(_JobPct).decode
_insight = msgspec.json.Decoder(InsightState).decode
_tool = msgspec.json.Decoder(ToolState).decode
_specialist = msgspec.json.Decoder(SpecialistState).decode
_usage = msgspec.json.Decoder(UsageState).decode
_ending = msgspec.json.Decoder(Ending).decode


def _keep(kept: dict[str, Any], name: str, item: Any) -> None:
    kept[name] = item
    if len(kept) > MAX_ITEMS:
        del kept[next(iter(kept))]


def _bounded(item: Item) -> Item:
    """The item with its texts cut and its large values left out: what a snapshot keeps of one event is bounded."""
    for name in item.__struct_fields__:
        value = getattr(item, name)
        if isinstance(value, str):
            setattr(item, name, value[:MAX_ITEM_TEXT])
        elif isinstance(value, Raw):
            setattr(item, name, value.copy() if len(bytes(value)) <= MAX_ITEM_TEXT else UNSET)
    return item


def _ended(body: bytes) -> Ending:
    """A `done` ends its job, even one that can't be read."""
    try:
        return _ending(body)
    except (ValueError, RecursionError):
        return Ending("failed", "error")
