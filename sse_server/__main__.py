"""`python -m sse_server` is `sse-server`."""

from __future__ import annotations

from sse_server.cli import main

if __name__ == "__main__":
    main()
