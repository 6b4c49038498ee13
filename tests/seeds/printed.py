"""What of the documents has a test, and how a test says which printed command it runs."""

from __future__ import annotations

from typing import Final

import pytest

RUN: Final[set[str]] = set()
"""The commands that tests run."""


def printed(*names: str) -> pytest.MarkDecorator:
    """Run the test with each of these commands as its `command`."""
    RUN.update(names)
    return pytest.mark.parametrize("command", names, indirect=True)
