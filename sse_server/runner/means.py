"""What the agents have to work with beside their input: the same for every job of a server."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from sse_server.agents import Job, Memory, Outbox, Provider, Telemetry
from sse_server.config import Emission
from sse_server.jobs import JobSpec


class Means(Struct, frozen=True):
    """`memory` makes what a job's agent may ask about its user's past; None stands for what there is not."""

    cadence: Emission = Emission()
    llm: Provider | None = None
    memory: Callable[[JobSpec], Memory] | None = None
    telemetry: Telemetry | None = None

    def job(self, spec: JobSpec, attempt: int, outbox: Outbox) -> Job:
        """One attempt at a job, as its agent sees it."""
        return Job(
            id=spec.id,
            session_id=spec.session,
            attempt=attempt,
            outbox=outbox,
            cadence=self.cadence,
            llm=self.llm,
            memory=self.memory(spec) if self.memory else None,
            telemetry=self.telemetry,
            request_id=spec.request_id,
        )
