"""Whatever is pasted: an answer, in time that grows with the text and not faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.tailor.result import LONGEST, TailorInput, TailorResult
from sse_server.tailor.told import result_of

# Each of these made some pattern or loop quadratic while this was written, or could have. At 200,000 characters
# anything quadratic takes minutes, which pytest's own limit ends; what is linear takes about a second.
HOSTILE = {
    "one word": "a" * LONGEST,
    "dots": "." * LONGEST,
    "quotes after a dot": "." + '"' * LONGEST,
    "line ends": "\r\n" * (LONGEST // 2),
    "columns": "x" + " \t" * (LONGEST // 2),
    "bullets": "• a\n" * (LONGEST // 4),
    "figures": "1," * (LONGEST // 2),
    "figures that end as words": "1" * (LONGEST - 1) + "A",
    "addresses": "a@" * (LONGEST // 2),
    "telephones": "+1 (2) 3-4 " * (LONGEST // 11),
    "combining marks": "e" + "\u0301\u0323" * (LONGEST // 2),
    "marks on many words": ("e" + "\u0301\u0323" * 400 + " ") * (LONGEST // 802),
    "short lower-case lines": "abc def\n" * (LONGEST // 8),
    "wrapped lower-case lines": ("abc " * 12 + "\n") * (LONGEST // 49),
    "roles": "Engineer, Acme 2010 - 2012\n" * (LONGEST // 27),
    "one list of alternatives": "a1 or " * (LONGEST // 6),
    "names": "Acme Corp " * (LONGEST // 10),
    "Chinese": "使用分布式系统开发" * (LONGEST // 9),
    "different lines": "\n".join(f"- term{n} other{n}" for n in range(10_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_long_text_takes_no_longer_than_its_length(name: str, tailored: Callable[[str, str], Any]) -> None:
    text = HOSTILE[name][:LONGEST]
    assert len(tailored(text, text).summary) < 5_000


def test_a_long_real_text_keeps_its_summary(
    tailored: Callable[[str, str], Any], resume_text: str, posting_text: str
) -> None:
    long = (resume_text + "\n") * (LONGEST // len(resume_text))
    assert tailored(long, posting_text).summary.startswith("Senior Backend Engineer with experience since 2013")


@given(st.text(), st.text())
def test_any_text_gives_a_result_of_the_declared_shape(
    tailored: Callable[[str, str], Any], resume: str, posting: str
) -> None:
    fit = tailored(resume, posting)
    result = result_of(
        summary=fit.summary,
        written_by="offline",
        posting=fit.posting,
        matches=fit.matches,
        shown=fit.shown,
        unshown=fit.unshown,
        removed=[],
    )
    assert msgspec.json.decode(msgspec.json.encode(result), type=TailorResult) == result


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"resume": "", "posting": "x"}, "$.resume"),
        ({"resume": "x", "posting": ""}, "$.posting"),
        ({"resume": "x" * (LONGEST + 1), "posting": "x"}, "$.resume"),
        ({"resume": "x"}, "posting"),
        ({"resume": 1, "posting": "x"}, "$.resume"),
        ({"resume": "x", "posting": "x", "tone": "bold"}, "tone"),
    ],
)
def test_an_input_that_is_not_one_is_refused_and_says_where(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=path.replace("$", r"\$")):
        msgspec.convert(fields, TailorInput)


def test_the_longest_input_is_taken() -> None:
    fields = {"resume": "é" * LONGEST, "posting": "x"}
    assert msgspec.convert(fields, TailorInput).posting == "x"
