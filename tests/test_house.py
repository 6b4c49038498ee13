"""The house keeps its own rules: floors, pins, and a wheel that holds the whole package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import sse_server

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

UNDER_TYPE_CHECKING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sse_server import hub"
PLANTS = [
    # contract, {module: a line that breaks it}, what the linter's report must name
    ("floors", {"errors": "from sse_server import config"}, "sse_server.errors -> sse_server.config"),
    ("floors", {"jobs": UNDER_TYPE_CHECKING}, "sse_server.jobs -> sse_server.hub"),
    ("floors", {"sse": "from sse_server import agents"}, "sse_server.sse -> sse_server.agents"),
    ("floors", {"actions": "from sse_server import tailor"}, "sse_server.actions -> sse_server.tailor"),
    ("floors", {"broadcast": "from sse_server import runner"}, "sse_server.broadcast -> sse_server.runner"),
    ("floors", {"homeless": ""}, "sse_server.homeless"),
    (
        "circles",
        {"eventlog.left": "from sse_server.eventlog import right", "eventlog.right": "from . import left"},
        "allowed in sse_server.eventlog.",
    ),
    ("stores", {"eventlog.memory": "from sse_server.eventlog import sqlite"}, "memory -> sse_server.eventlog.sqlite"),
    ("choices", {"hub": "from sse_server.eventlog import memory"}, "sse_server.hub -> sse_server.eventlog.memory"),
    ("choices", {"hub": "from sse_server.eventlog import sqlite"}, "sse_server.hub -> sse_server.eventlog.sqlite"),
    (
        "choices",
        {"broadcast.stats": "from sse_server.eventlog import memory"},
        "sse_server.broadcast.stats -> sse_server.eventlog.memory",
    ),
    (
        "choices",
        {"broadcast.ground": "from sse_server.eventlog import sqlite"},
        "sse_server.broadcast.ground -> sse_server.eventlog.sqlite",
    ),
    ("choices", {"actions": "", "cli": "import sse_server.actions"}, "sse_server.cli -> sse_server.actions"),
    ("choices", {"cli": "import sse_server.tailor"}, "sse_server.cli -> sse_server.tailor"),
    ("choices", {"chat": "", "__main__": "import sse_server.chat"}, "sse_server.__main__ -> sse_server.chat"),
    ("client", {"client": "from sse_server.hub import Hub"}, "sse_server.client -> sse_server.hub"),
    ("client", {"client": "from sse_server import Job"}, "sse_server.client -> sse_server "),
    ("aiojobs", {"hub": "import aiojobs"}, "sse_server.hub -> aiojobs"),
    ("sqlite3", {"eventlog": "import sqlite3"}, "sse_server.eventlog -> sqlite3"),
    ("openai", {"tailor": "def write() -> None:\n    from openai import AsyncOpenAI"}, "sse_server.tailor -> openai"),
    ("structlog", {"app": "import structlog"}, "sse_server.app -> structlog"),
    ("prometheus", {"hub": "import prometheus_client"}, "sse_server.hub -> prometheus_client"),
    ("tokens", {"routes": "import jwt"}, "sse_server.routes -> jwt"),
    ("tokens", {"routes": "import limits"}, "sse_server.routes -> limits"),
    ("terminal", {"app": "import typer"}, "sse_server.app -> typer"),
    ("terminal", {"app": "from rich.console import Console"}, "sse_server.app -> rich"),
    ("http", {"runner": "from aiohttp import web"}, "sse_server.runner -> aiohttp"),
    ("http", {"hub": "import aiohttp_cors"}, "sse_server.hub -> aiohttp_cors"),
]


def lint_imports(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """import-linter on the package in `tree`, as the command line runs it, never on the one that is installed."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", *arguments],
        cwd=tree,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(tree: Path, module: str, line: str) -> None:
    """Add `line` to a module of the copy, which is made if it is not there."""
    path = tree / "sse_server" / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    before = path.read_text() if path.exists() else ""
    path.write_text(f"{before}\n{line}\n")


def test_every_floor_and_home_is_kept() -> None:
    linted = lint_imports(ROOT)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(("contract", "lines", "named"), PLANTS)
def test_a_planted_violation_is_caught(contract: str, lines: dict[str, str], named: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "sse_server", tmp_path / "sse_server", ignore=shutil.ignore_patterns("__pycache__"))
    for module, line in lines.items():
        plant(tmp_path, module, line)
    linted = lint_imports(tmp_path, "--contract", contract)
    assert linted.returncode == 1
    assert "0 kept, 1 broken" in linted.stdout, linted.stdout + linted.stderr
    assert named in linted.stdout


def test_every_contract_has_a_plant() -> None:
    assert {contract["id"] for contract in CONTRACTS} == {contract for contract, _, _ in PLANTS}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_by_hash_and_names_no_index(name: str) -> None:
    text = re.sub(r"^ *#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE).replace("\\\n", "")
    for line in text.splitlines():
        assert re.fullmatch(r"[a-z0-9._-]+==[^ ]+( ; [^@:]+?)?( +--hash=sha256:[0-9a-f]{64})+", line), line


def test_a_start_waits_for_nothing_that_can_be_loaded_behind_it() -> None:
    """Each of these would take its share of a start (docs/performance.md)."""
    later = ["cryptography", "jwt", "limits", "openai", "prometheus_client", "rich", "structlog"]
    program = "import sys, sse_server.cli.program, sse_server.cli.serve; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "sse_server.app" in loaded
    assert not set(later) & set(loaded)


def test_what_is_tested_is_what_is_installed() -> None:
    """The checks' pins are the server's pins and more."""
    runtime, checks = (
        set(re.findall(r"^[a-z0-9._-]+==[^ ]+", (ROOT / name).read_text(), flags=re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert runtime < checks


@pytest.mark.skipif("SSE_TESTS_WHEEL" not in os.environ, reason="only scripts/test builds and installs the wheel")
def test_the_suite_meets_the_built_wheel_and_the_wheel_is_whole() -> None:
    installed = Path(sse_server.__file__).parent
    assert installed != ROOT / "sse_server"
    source, wheel = (
        {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
        for folder in (ROOT / "sse_server", installed)
    )
    assert source == wheel
    assert [script.value for script in entry_points(name="sse-server")] == ["sse_server.cli:main"]
