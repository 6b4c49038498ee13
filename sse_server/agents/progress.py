"""The percentages that a job has told: they never fall, within a step and within the job."""

from __future__ import annotations

from typing import Any


class Progress:
    """Raises what an event says to what was said before. Its caller sees to it that events pass one at a time."""

    def __init__(self) -> None:
        self._steps: dict[str, float] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._job = 0.0

    def raised(self, fields: dict[str, Any]) -> dict[str, Any]:
        """A `step_progress` as it may go out; where the step stands among the others gives the job's percentage.

        A step's place is remembered: `stream_text` knows only its name.
        """
        step = fields["step"]
        pct = self._steps[step] = max(round(float(fields["pct"]), 1), self._steps.get(step, 0.0))
        index, total = fields.get("index"), fields.get("total")
        if index is not None and total:
            self._places[step] = index, total
        share = fields.get("job_pct")
        if share is None and step in self._places:
            index, total = self._places[step]
            share = min(100.0, max(0.0, (index - 1 + pct / 100) / total * 100))
        if share is None:
            return fields | {"pct": pct}
        self._job = max(self._job, round(float(share), 1))
        return fields | {"pct": pct, "job_pct": self._job}
