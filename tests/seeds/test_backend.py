"""The implementation guide's own tests of the broadcaster, changed in their imports only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.seeds.documents import Documents
from tests.seeds.house import ENVIRON
from tests.seeds.snippet import ours

INI: Final = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
timeout = 30
"""


def test_the_three_printed_tests_pass(documents: Documents, tmp_path: Path) -> None:
    """They use asyncio and do not import it; their fixture is a coroutine, which pytest-asyncio takes in auto mode."""
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "test_printed.py").write_text(f"import asyncio\n{ours(documents['004 python 14'])}")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"],
        cwd=tmp_path,
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout
