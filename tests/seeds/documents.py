"""The source documents: their fenced blocks and shell commands, found at test time; this folder keeps no copy."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from msgspec import Struct

BESIDE: Final = Path(__file__).parents[3] / "shared" / "seeds"
"""Where they lie when the project is checked out beside them."""


class Block(Struct, frozen=True):
    """A fenced block. Its name is the document's number, the language, and which one of that language it is."""

    name: str
    heading: str
    text: str

    @property
    def language(self) -> str:
        """What stands behind the fence."""
        return self.name.split()[1]


class Command(Struct, frozen=True):
    """A shell command. Its name is the block's, a dot, and which one in the block it is."""

    name: str
    heading: str
    text: str
    comments: tuple[str, ...]
    """What the document says below it, such as the output that it expects."""


class Documents:
    """All blocks and all commands of a folder, by name."""

    def __init__(self, folder: Path) -> None:
        self.blocks = {block.name: block for path in sorted(folder.glob("*.txt")) for block in blocks(path)}
        self.commands = {
            command.name: command
            for block in self.blocks.values()
            if block.language == "bash"
            for command in commands(block)
        }

    def __getitem__(self, name: str) -> str:
        """The text of a block."""
        return self.blocks[name].text


def folder() -> Path | None:
    """The folder that SSE_SEEDS names, else the one beside the project; None where no document is."""
    found = Path(os.environ.get("SSE_SEEDS") or BESIDE)
    return found if any(found.glob("*.txt")) else None


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of one document, in order."""
    count: Counter[str] = Counter()
    heading, opened = "", False
    for token in MarkdownIt().parse(path.read_text()):
        if opened:
            heading = token.content
        elif token.type == "fence":
            count[token.info] += 1
            yield Block(f"{path.name[:3]} {token.info} {count[token.info]}", heading, token.content)
        opened = token.type == "heading_open"


def commands(block: Block) -> Iterator[Command]:
    """The commands of a block: a line goes on behind a backslash and within quotes."""
    found: list[tuple[str, list[str]]] = []
    pending = ""
    for line in block.text.splitlines():
        if pending or (line.strip() and not line.startswith("#")):
            pending += line + "\n"
            if _is_whole(pending):
                found.append((pending.strip(), []))
                pending = ""
        elif found and line.strip():
            found[-1][1].append(line.removeprefix("#").removeprefix(" "))
    assert not pending, f"a command of {block.name} does not end"
    for n, (text, comments) in enumerate(found, 1):
        yield Command(f"{block.name}.{n}", block.heading, text, tuple(comments))


def _is_whole(text: str) -> bool:
    if text.endswith("\\\n"):
        return False
    try:
        shlex.split(text)
    except ValueError:  # a quotation is open
        return False
    return True
