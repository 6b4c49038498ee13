"""What a job's events add up to on a screen: its steps, and the text that it writes."""

from __future__ import annotations

from msgspec import Struct

from sse_server.client import Event
from sse_server.events import AttemptReset, StepProgress, Token


class Row(Struct, frozen=True):
    """A step as it stands."""

    label: str
    pct: float
    status: str
    message: str


class Board:
    """Rows are replaced, never changed, so that another thread may draw them at any time."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """All that it has written in its current attempt."""
        return "".join(self._pieces)

    def apply(self, event: Event) -> None:
        """Add one event."""
        match event.known():
            case StepProgress() as step:
                self._put(step.step, step.label, step.pct, step.status, step.message)
            case Token(text=text):
                self._pieces.append(text)
            case AttemptReset():
                self.rows, self._pieces = {}, []
            case None if event.type == "snapshot":
                self._restore(event)
            case _:
                pass

    def _put(self, name: str, label: str | None, pct: float, status: str, message: str | None) -> None:
        before = self.rows.get(name)
        label = label or (before.label if before else name)
        message = message or (before.message if before else "")
        self.rows[name] = Row(label, pct, status, message)

    def _restore(self, event: Event) -> None:
        job = event.data.get("job", {})
        self.rows, self._pieces = {}, [str(job.get("text", ""))]
        for step in job.get("steps", []):
            self._put(step["step"], step.get("label"), step["pct"], step["status"], step.get("message"))
