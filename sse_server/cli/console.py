"""The terminal that a person sits at, if one does."""

from __future__ import annotations

import sys

from rich.console import Console


def console() -> Console | None:
    """None where stdout is a file or a pipe, whatever else claims that it may be coloured, or a terminal of 1970."""
    terminal = Console(highlight=False, markup=False)
    return terminal if sys.stdout.isatty() and not terminal.is_dumb_terminal else None
