"""Numbers as a person reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_server.panel.figures import counted, listed, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (8.04672, "8.04672"),
        (1609.344, "1,609.34"),
        (0.000123456789, "0.000123457"),
        (1234567.89, "1,234,568"),
        (-40.0, "-40"),
        (100.0, "100"),
        (999999.9, "1,000,000"),
        (1.2e-7, "1.2e-07"),
        (1e15, "1e+15"),
    ],
)
def test_known_numbers(value: float, text: str) -> None:
    assert shown(value) == text


@given(st.floats(-1e15, 1e15))
def test_what_is_shown_is_near(value: float) -> None:
    assert float(shown(value).replace(",", "")) == pytest.approx(value, rel=1e-5)


def test_lists_and_counts() -> None:
    assert [listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [counted(n, "day") for n in (1, -1, 0, 1234)] == ["1 day", "-1 day", "0 days", "1,234 days"]
