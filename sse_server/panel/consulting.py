"""One specialist at work on its tasks: what it finds is told at once, and what fails stays its own."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import msgspec

from sse_server.agents import Job
from sse_server.errors import AgentError, JobCancelled
from sse_server.panel.result import Call, Report
from sse_server.panel.specialists import Desk, NotEnough, Specialist, Task
from sse_server.panel.specialists.specialist import MOST
from sse_server.panel.tools import ToolError

BROKEN: Final = "something went wrong here"
"""What a person is told of a fault of ours; the server's log has the rest."""

logger = logging.getLogger(__name__)


async def consult(specialist: Specialist, tasks: list[Task], job: Job, *, pause: float) -> Report:
    """Do the tasks one by one, with `pause` seconds before each.

    A task that can't be done is a problem to report; the specialist has failed when it found nothing at all.
    """
    findings: list[str] = []
    problems: list[str] = []
    desk = Desk(job)
    job.specialist(specialist.name, "started", f"{len(tasks)} to find out" if len(tasks) > 1 else tasks[0].about)
    for task in tasks[:MOST]:
        await asyncio.sleep(pause)
        job.specialist(specialist.name, "working", task.about)
        try:
            findings.append(await task.work(desk))
        except (ToolError, NotEnough) as error:
            problems.append(f"{task.about}: {error}")
        except (JobCancelled, AgentError):
            raise
        except Exception:  # a fault of one specialist is no reason to lose what the others find
            logger.exception("a specialist failed", extra={"job_id": job.id, "specialist": specialist.name})
            problems.append(f"{task.about}: {BROKEN}")
        else:
            job.insight(findings[-1], step="consult", category=specialist.name)
    if len(tasks) > MOST:
        problems.append(f"only the first {MOST} of {len(tasks)} were looked at")
    status = "finished" if findings else "failed"
    job.specialist(specialist.name, status, "; ".join(problems) or None)
    return Report(
        specialist.name,
        "finished" if findings else "failed",
        findings,
        problems,
        msgspec.convert(desk.calls, list[Call]),
        specialist.source,
    )
