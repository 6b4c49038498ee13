"""The doors: every URL on one screen."""

from __future__ import annotations

from typing import Final

from sse_server.events import AnyJobEvent
from sse_server.hub import Gap
from sse_server.routes import jobs, openapi, ops, polling, proofs, session_stream, sessions, streams
from sse_server.routes.answers import (
    AgentList,
    CancelledJob,
    EventPage,
    Health,
    Heartbeat,
    JobDetail,
    JobList,
    Reconnect,
    Snapshot,
    StartedJob,
)
from sse_server.routes.proofs import CsrfAnswer, TicketAnswer, TicketFor
from sse_server.routes.session_surface import Connected, Disconnected, Keepalive
from sse_server.routes.starting import StartJob
from sse_server.routes.table import Frames, Route, Stream

JOB_STREAM: Final = Stream(AnyJobEvent | Snapshot | Gap | Heartbeat | Reconnect)
SESSION_STREAM: Final = Frames(
    {"connection": Connected | Disconnected, "keepalive": Keepalive, "gap": Gap, "reconnect": Reconnect}
)
JOB: Final = "/api/jobs/{job_id}"
SESSION: Final = "/api/sessions/{session_id}"

ROUTES: Final = (
    Route("GET", "/api/agents", "own", ops.list_agents, {200: (AgentList,)}, tag="agents"),
    Route(
        "POST",
        "/api/jobs",
        "own",
        jobs.start_job,
        {202: (StartedJob,), 200: (JOB_STREAM,)},
        body=StartJob,
        problems=(422, 429),
    ),
    Route("GET", "/api/jobs", "own", jobs.list_jobs, {200: (JobList,)}, query=jobs.ListQuery),
    Route("GET", JOB, "own", jobs.show_job, {200: (JobDetail,)}, problems=(404,)),
    Route("DELETE", JOB, "own", jobs.erase_job, {204: ()}, problems=(404, 409)),
    Route(
        "GET",
        f"{JOB}/stream",
        "job",
        streams.stream_job,
        {200: (JOB_STREAM,), 204: ()},
        query=streams.StreamQuery,
        problems=(404,),
    ),
    Route(
        "GET",
        f"{JOB}/events",
        "job",
        polling.poll_job,
        {200: (EventPage,)},
        query=polling.PollQuery,
        problems=(404,),
    ),
    Route(
        "POST",
        f"{JOB}/cancel",
        "own",
        jobs.cancel_job,
        {200: (CancelledJob,)},
        query=jobs.CancelQuery,
        problems=(404,),
    ),
    Route(
        "GET",
        f"{SESSION}/events",
        "session",
        polling.poll_session,
        {200: (EventPage,)},
        query=polling.PollQuery,
        tag="sessions",
    ),
    Route(
        "POST",
        "/api/tickets",
        "own",
        proofs.mint_ticket,
        {201: (TicketAnswer,)},
        body=TicketFor,
        tag="access",
        problems=(404,),
    ),
    Route("GET", "/api/csrf", "own", proofs.give_csrf, {200: (CsrfAnswer,)}, tag="access"),
    *(
        Route(
            "GET",
            f"{prefix}/{{session_id}}",
            "session",
            session_stream.stream_session,
            {200: (SESSION_STREAM,)},
            query=session_stream.SessionQuery,
            tag="sessions",
        )
        for prefix in ("/agent_network_sse", "/sse", "/api/sse/agent_network_sse", "/api/sse")
    ),
    Route(
        "POST",
        f"{SESSION}/events",
        "own",
        sessions.publish,
        {201: (sessions.Published,)},
        body=sessions.Publish,
        tag="sessions",
        problems=(429,),
    ),
    Route(
        "GET",
        SESSION,
        "own",
        sessions.show_session,
        {200: (sessions.SessionFigures,)},
        tag="sessions",
        problems=(404,),
    ),
    Route("DELETE", SESSION, "own", sessions.clear_session, {204: ()}, tag="sessions", problems=(404, 409)),
    Route("GET", "/sse/stats", "stats", sessions.show_stats, {200: (sessions.SessionStats,)}, tag="operations"),
    Route("GET", "/metrics", "metrics", sessions.show_metrics, {200: ("text/plain",)}, tag="operations"),
    Route("GET", "/health", "public", ops.health, {200: (Health,)}, tag="operations"),
    Route("GET", "/ready", "public", ops.ready, {200: (Health,)}, tag="operations"),
    Route("GET", "/openapi.json", "public", openapi.show, {200: (dict,)}, tag="operations"),
)
