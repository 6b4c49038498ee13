"""The documents are found whole, and nothing that they print goes without a test or a reason."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.seeds.documents import Documents
from tests.seeds.printed import RUN

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
FOLDERS: Final = ("docs", "scripts", "sse_server", "tests")
TEXTS: Final = {".html", ".js", ".md", ".mjs", ".py", ".ts", ".tsx", ".txt"}
NOT_RUN: Final = {
    "lines of another program's settings file": ("000 bash 2.1", "000 bash 2.2"),
    "looks at the machine's processes, for the name of another server": ("000 bash 3.1",),
    "asks another company's machines, with that company's tool": ("000 bash 5.1", "000 bash 5.2", "000 bash 5.3"),
    "records or lists what passes the machine's network, and says nothing of the server": (
        "001 bash 11.1",
        "001 bash 11.2",
    ),
}
"""The commands that have no test, by the reason."""
NOT_SHOWN: Final = {
    "another server, in another framework, that answers as this one does": (
        "000 python 6",
        "000 python 9",
        "003 python 1",
        "004 python 3",
        "004 python 16",
    ),
    "a piece from the inside of another server": (
        "000 python 11",
        "001 typescript 3",
        "001 typescript 6",
        "001 typescript 8",
    ),
    "the settings of a proxy or of a container that these tests do not have": ("001 apache 1", "001 dockerfile 1"),
    "can't work: there is no such element, and its selector finds nothing": ("000 javascript 1",),
    "can't work: an EventSource tells no status; this server ends the stream with `reconnect` and its reason": (
        "000 typescript 13",
    ),
    "half of it is an ellipsis; both halves are printed whole elsewhere, and run": ("003 typescript 4",),
    "tests of a hook that no document prints, against a mock": ("004 typescript 14",),
    "about a page alone: how it draws, keeps and names things": (
        "000 typescript 1",
        "000 typescript 3",
        "000 typescript 4",
        "000 typescript 5",
        "000 typescript 6",
        "000 typescript 7",
        "000 typescript 8",
        "000 typescript 9",
        "000 typescript 10",
        "000 typescript 11",
        "000 typescript 16",
        "000 typescript 17",
        "004 typescript 10",
        "004 typescript 11",
        "004 typescript 12",
        "004 typescript 13",
        "004 typescript 15",
        "004 typescript 16",
        "004 typescript 17",
        "004 typescript 18",
    ),
}
"""The blocks of code that have no test, by the reason."""


def test_every_command_is_run_or_has_a_reason_why_not(documents: Documents) -> None:
    for path in HERE.glob("test_*.py"):
        importlib.import_module(f"tests.seeds.{path.stem}")
    reasons = {name for names in NOT_RUN.values() for name in names}
    assert RUN.isdisjoint(reasons)
    assert RUN | reasons == documents.commands.keys()
    curls = {name for name, command in documents.commands.items() if "curl " in command.text}
    assert len(curls) == 24
    assert curls <= RUN


def test_every_block_of_code_is_in_a_test_or_has_a_reason_why_not(documents: Documents) -> None:
    """In a test is what a test names."""
    sources = "".join(path.read_text() for path in HERE.glob("test_*.py") if path != Path(__file__))
    named = set(re.findall(r"""["'](\d{3} [a-z]+ \d+)["']""", sources))
    reasons = {name for names in NOT_SHOWN.values() for name in names}
    assert named.isdisjoint(reasons)
    code = {name for name, block in documents.blocks.items() if block.language != "bash"}
    assert (named | reasons) - {name for name in named if " bash " in name} == code


def test_all_five_documents_are_there(documents: Documents) -> None:
    assert {name.split()[0] for name in documents.blocks} == {"000", "001", "002", "003", "004"}


def test_no_copy_of_a_block_is_kept_in_the_project(documents: Documents) -> None:
    """Three lines on end would be one."""
    printed = {lines: block.name for block in documents.blocks.values() for lines in on_end(block.text)}
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "node_modules" not in path.parts]
    for path in [*files, *ROOT.glob("*.md")]:
        if path.suffix in TEXTS:
            found = [printed[lines] for lines in on_end(path.read_text()) if lines in printed]
            assert not found, path


def on_end(text: str) -> Iterator[tuple[str, ...]]:
    """Each three lines that follow one another; short ones, such as brackets, say nothing."""
    lines = [" ".join(line.split()) for line in text.splitlines() if len(line.strip()) > 12]
    return zip(lines, lines[1:], lines[2:], strict=False)
