"""Text that was made to hurt: it ends quickly and in good order, like any other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.errors import InvalidInput
from sse_server.panel.agent import panel
from sse_server.panel.consultation import pick
from sse_server.panel.result import LONGEST, PanelResult
from sse_server.panel.specialists import PANEL
from sse_server.panel.tools.foods import FOODS
from sse_server.panel.tools.measures import UNITS
from tests.panel.run import TODAY, Run

PIECES = [
    "1 ", "1,", "1.", "1", "-", "- ", "+1", "(", "()", "1+", "1*(", "2**", "9**9", "1e", "1e9", "%", "% of ",
    "1% of 1 ", " ", "\t", "\n", "\u00a0", "a ", "an ", "half a ", "a dozen ",
    "km ", "1 km ", "1 km to m ", "how many km ",
    "how many km in 1 m ", "5 ft ", "1'1", "1'1\"", "1m80 ", "to ", "in ", "in to ", "°", "° c", "degrees ", "sq ",
    "bmi ", "bmi 82 kg 1.80 m ", "weight 1 height 2 ", "30 years old ", "tdee ", "i am ", "calories ",
    "2024-01-01 ", "2024-", "1111-11-", "1/1/", "1. 1. ", "jan 1 ", "1 jan ", "1st of ", "today ", "1 day ",
    "1 day and ", "1 day before ", "add 1 day to ", "3 weeks ago ", "2024-01-01 plus 1 day ",
    "rice ", "1 rice ", "150 g of rice ", "150 g ", "150 g of ", "rice: ", "1 large egg ", "30 g protein ", "fat: 1 g ",
    "sqrt(", "sqrt ", "the square root of ", "1 squared ", "e ", "pi ", "1 to the power of ", "max(1,", "\u0663",
    "\uff11", "\u00b2", "\U0001f4a5", "\u202e", "\ufb03", "\u0130", "\u1e9e", "x" * 60, "1x", "_", "\\", "'", '"', "\0",
    "</script>", "\ud83d",
]  # fmt: skip
QUICK = 0.5
"""Seconds of this thread alone: the machine may be busy with other tests."""


def took(message: str) -> float:
    began = time.thread_time()
    pick(message, PANEL, TODAY)
    return time.thread_time() - began


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_a_piece_over_and_over_is_read_at_once(piece: str) -> None:
    assert took((piece * LONGEST)[:LONGEST]) < QUICK


@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=6), st.integers(1, 400))
def test_pieces_over_and_over_are_read_at_once(pieces: list[str], times: int) -> None:
    assert took(("".join(pieces) * times)[:LONGEST]) < QUICK


@given(st.text(max_size=LONGEST))
def test_any_text_is_read_at_once(text: str) -> None:
    assert took(text) < QUICK


@given(st.lists(st.sampled_from([*PIECES, *UNITS, *FOODS]), min_size=1, max_size=40))
def test_any_question_is_answered(pieces: list[str]) -> None:
    """Whatever the specialists make of it, no tool or specialist breaks."""
    message = " ".join(pieces).encode(errors="replace").decode()[:LONGEST] or "x"
    result = asyncio.run(_answered(message))
    assert result.answer
    assert not any("went wrong" in problem for report in result.specialists for problem in report.problems)


async def _answered(message: str) -> PanelResult:
    return await Run().of(message)


@pytest.mark.parametrize(
    "message",
    [
        "convert 1e999 km to miles and 99999999999999999999 kg to g",
        "add 1e999 days to 2024-01-01",
        "add 1.5 days and 2 days to 2024-01-01",
        "bmi of 1e999 kg at 1e999 m",
        "bmi of -82 kg at 0 m, 1e999 years old",
        "bmr of a 1e999 year old man of 82 kg and 1.80 m",
        "calories in 1e999 g of rice and 1e999 eggs",
        "1e999 g protein and 3 g protein",
        "days between 99999-01-01 and 0000-00-00",
        "9**9**9**9 and 1e999 + 1 and 1/0",
        "what is " + "9" * 199 + " + 1",
    ],
)
async def test_numbers_beyond_all_bounds_are_refused_in_words(make_run: Callable[..., Run], message: str) -> None:
    run = make_run()
    result = await run.of(message)
    assert result.specialists
    for report in result.specialists:
        assert report.status == "failed"
        assert report.problems
        assert all(call.error for call in report.calls)
    assert "inf" not in str(run.fields("tool_call"))


@pytest.mark.parametrize("message", ["", "x" * (LONGEST + 1), 5, None, ["x"]])
def test_what_is_no_message_is_not_taken(message: object) -> None:
    with pytest.raises(InvalidInput):
        panel.read_input(msgspec.json.encode({"message": message}))
    with pytest.raises(InvalidInput):
        panel.read_input(msgspec.json.encode({"message": "x", "more": 1}))
