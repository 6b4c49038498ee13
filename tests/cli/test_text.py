"""How texts and results from elsewhere are written down for a person."""

from __future__ import annotations

from typing import Any

import pytest

from sse_server.cli.finale import Finale, finale
from sse_server.cli.text import compact, line, outline, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\r\nlines\n\ttabbed", "two\nlines\n\ttabbed"),
        ("\x1b[2J\x07\x9b31m\x7f\x00\r", "\ufffd[2J\ufffd\ufffd31m\ufffd\ufffd\ufffd"),
        ("e\u0301 👩\u200d🚀 \u2028", "e\u0301 👩\u200d🚀 \u2028"),
    ],
)
def test_what_would_command_a_terminal_becomes_a_mark(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_line_is_one_line() -> None:
    assert line(" a\nb\r\n\tc  d ") == "a b c d"
    assert compact({"a": ["b\n", 1]}) == '{"a":["b\\n",1]}'
    assert compact("x" * 300) == "x" * 200 + "…"


LONG = "This is a sentence that is long enough to stand in a paragraph of its own."


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (None, ["none"]),
        ("two\nlines", ["two", "lines"]),
        (3.5, ["3.5"]),
        ({"a_field": 1, "on": True, "none": None, "empty": []}, ["a field: 1", "on: yes", "none: none", "empty: none"]),
        ({"words": ["a", "b", 3]}, ["words: a, b, 3"]),
        ({"text": LONG}, ["text:", f"  {LONG}"]),
        ({"texts": [LONG, "short"]}, ["texts:", f"  - {LONG}", "  - short"]),
        (
            {"found": [{"need": "Python", "pct": 90, "why": None, "lines": [{"line": "Wrote it", "n": 2}]}]},
            ["found:", "  - Python (pct: 90)", "    lines:", "      - Wrote it (n: 2)"],
        ),
        ({"deep": {"er": {"est": 1}}}, ["deep:", "  er:", "    est: 1"]),
        ([[1, [2]]], ["- [1,[2]]"]),
        ({}, []),
    ],
)
def test_a_result_is_outlined(value: Any, lines: list[str]) -> None:
    assert list(outline(value)) == lines


def test_the_text_that_a_job_wrote_comes_last_and_once() -> None:
    assert finale({"summary": "It is so.", "n": 1}, "It is\nso. ") == Finale(["n: 1"], "summary", "It is so.")
    assert finale("It is so.", "It is so.") == Finale([], "result", "It is so.")
    assert finale({"n": 1}, "It is so.") == Finale(["n: 1"])
    assert finale({"empty": ""}, "") == Finale(["empty: none"])
    assert finale(None, "It is so.") == Finale([])
