"""The command line: serves agents, and starts, watches and stops their jobs on a server that runs."""

from __future__ import annotations

from sse_server.cli.program import main

__all__ = ["main"]
