"""What somebody does with a message of a chat, as jobs whose events their session shows; and ADK-style runs."""

from __future__ import annotations

from typing import Final

from sse_server.actions import adk, doors
from sse_server.actions.marks import delete_message, edit_message
from sse_server.actions.regenerate import regenerate
from sse_server.actions.words import RUN
from sse_server.routes.table import Route

AGENTS: Final = (regenerate, edit_message, delete_message)
ROUTES: Final = (
    *(
        Route(
            "POST",
            f"/api/chat_actions/{name}",
            "own",
            handler,
            {200: (doors.Started,)},
            body=body,
            tag="chat actions",
            problems=(422, 429),
        )
        for name, handler, body in (
            ("regenerate", doors.regenerate, doors.Regenerate),
            ("edit", doors.edit, doors.Edit),
            ("delete", doors.delete, doors.Delete),
        )
    ),
    Route(
        "GET",
        "/apps/{app_name}/users/{user_id}/sessions/{session_id}/run",
        "own",
        adk.run,
        {200: (RUN,), 204: ()},
        query=adk.RunQuery,
        tag="chat actions",
        problems=(403, 404),
    ),
)
