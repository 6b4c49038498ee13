"""One refusal for everything that is wrong with a proof: the caller hears the same words, the log has the cause."""

from __future__ import annotations

import logging

from sse_server.errors import Unauthenticated

logger = logging.getLogger(__name__)


def refused(cause: str) -> Unauthenticated:
    """The error to raise. `cause` holds nothing of the proof itself, nor of what it claims."""
    logger.info("not authenticated: %s", cause)
    return Unauthenticated("this needs a valid token: sign in, or get a new one")
