"""The specialist for sums: arithmetic that stands in the question, in signs or in words."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from sse_server.panel.question import DIGITS, Question
from sse_server.panel.specialists.specialist import Desk, Specialist, Task
from sse_server.panel.tools.sums import CALCULATE, FUNCTIONS

_NUMBER: Final = rf"(?<![\w.]){DIGITS}(?![\w])"
_WORDS: Final = [
    (re.compile(rf"({_NUMBER})\s{{0,3}}(?:%|per ?cent)\s{{1,3}}(?:of|from)\s{{1,3}}({_NUMBER})"), r"(\1/100*\2)"),
    (re.compile(rf"\b(?:the )?square root of\s{{1,3}}({_NUMBER})"), r"sqrt(\1)"),
    (re.compile(rf"({_NUMBER})\s{{1,3}}squared\b"), r"(\1**2)"),
    (re.compile(rf"({_NUMBER})\s{{1,3}}cubed\b"), r"(\1**3)"),
    (re.compile(r"(?<=[\d)])\s{1,3}(?:to the power of|to the power)\s{1,3}(?=[\d(])"), "**"),
    (re.compile(r"(?<=[\d)])\s{1,3}(?:multiplied by|times|x)\s{1,3}(?=[\d(])"), "*"),
    (re.compile(r"(?<=[\d)])\s{1,3}(?:divided by|over)\s{1,3}(?=[\d(])"), "/"),
    (re.compile(r"(?<=[\d)])\s{1,3}plus\s{1,3}(?=[\d(])"), "+"),
    (re.compile(r"(?<=[\d)])\s{1,3}minus\s{1,3}(?=[\d(])"), "-"),
    (re.compile(r"(?<=[\d)])\s{1,3}mod(?:ulo)?\s{1,3}(?=[\d(])"), "%"),
]
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_POWER: Final = re.compile(r"\^")
_NAME: Final = rf"\b(?:{'|'.join(FUNCTIONS)})\s?(?=\()|\b(?:pi|e)\b"
_RUN: Final = re.compile(rf"(?:{_NAME}|(?<![\w.]){DIGITS}(?!\w)|\.\d++(?!\w)|[-+*/%(),]|\s)++")
_OPERATION: Final = re.compile(r"[\d)]\s{0,3}(?:\*\*|[-+*/%])\s{0,3}[-+(.\w]|[a-z]\s?\(")
_RANGE: Final = re.compile(r"\d+(?:-\d+)+")
_ASKS: Final = re.compile(r"\b(?:calculate|compute|evaluate|what'?s|what is|how much is|solve|work out|sum of)\b|=")


def read(question: Question) -> list[Task]:
    """A task for each run of the text that is an expression with something to work out."""
    text = _THOUSANDS.sub("", question.rest)
    for pattern, signs in _WORDS:
        text = pattern.sub(signs, text)
    text = _POWER.sub("**", text)
    found = dict.fromkeys(" ".join(_whole(match[0]).split()) for match in _RUN.finditer(text))
    asked = question.has(_ASKS)
    return [
        Task(expression[:80], partial(_calculate, expression))
        for expression in found
        if _OPERATION.search(expression) and (asked or not _RANGE.fullmatch(expression))
    ]


def _whole(run: str) -> str:
    """The run without what belongs to the sentence around it: commas, a dash, a bracket that nothing closes."""
    run = run.strip(" \t\r\n,+*/%").rstrip("-(").strip(" \t\r\n,")
    depth = 0
    for at, character in enumerate(run):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return run[:at].rstrip(" ,")
    return run


async def _calculate(expression: str, desk: Desk) -> str:
    found = await desk.use(CALCULATE, {"expression": expression})
    return f"{expression} = {found.text}"


CALCULATOR: Final = Specialist(
    name="calculator",
    offers=f"calculate with + - * / % ** and {', '.join(FUNCTIONS)}",
    example="15% of 80, or sqrt(2) * (3 + 4)",
    read=read,
)
