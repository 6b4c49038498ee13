#!/usr/bin/env python3
"""Puts load on a server of this kind, and says what it holds: times, losses, errors, and a verdict.

usage: python scripts/load_test.py [OPTIONS]    (--help tells them; docs/load_testing.md tells what the figures mean)
"""

from __future__ import annotations

import sys
from pathlib import Path

try:
    from loadtest.main import main
except ModuleNotFoundError as missing:
    sys.stderr.write(f"load_test.py: {missing.name} is not installed: use .venv/bin/python, which scripts/run makes\n")
    sys.exit(2)

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[1]))  # the server of this folder, where none is installed
    sys.exit(main(sys.argv[1:]))
