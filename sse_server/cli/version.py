"""Which version this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _installed() -> str:
    try:
        return version("sse-server")
    except PackageNotFoundError:
        return "(not installed)"


VERSION: Final = _installed()
