"""The calculator: right as far as it shows, and never in trouble."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sse_server.panel.tools import ToolError
from sse_server.panel.tools.sums import CALCULATE, LONGEST


def worked(expression: str) -> str:
    return CALCULATE({"expression": expression}).text


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("2+2", "4"),
        ("0.1 + 0.2", "0.3"),
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ** 2", "-4"),
        ("7 % 3", "1"),
        ("-7 % 3", "2"),
        ("7 % -3", "-2"),
        ("2 ** 64", "18446744073709551616"),
        ("2 ** -2", "0.25"),
        ("1 / 3", "0.333333333333333"),
        ("10 / 4", "2.5"),
        ("sqrt(2)", "1.4142135623731"),
        ("sqrt(16) + abs(-3)", "7"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.345, 2)", "2.35"),
        ("max(1, 2, 3) - min(1, 2, 3)", "2"),
        ("log(1000)", "3"),
        ("ln(e)", "1"),
        ("exp(0)", "1"),
        ("2 * pi", "6.28318530717959"),
        ("1.5e3", "1500"),
        ("1e-20", "1e-20"),
        ("10 ** 30", "1e+30"),
        ("0 * -1", "0"),
        ("- - -1", "-1"),
        (f"{'(' * 90}1{')' * 90}", "1"),
        (f"{'-' * (LONGEST - 1)}1", "-1"),
    ],
)
def test_known_results(expression: str, result: str) -> None:
    assert worked(expression) == result
    assert float(result) == pytest.approx(CALCULATE({"expression": expression}).value)


def sums() -> st.SearchStrategy[tuple[str, Fraction]]:
    """Expressions of whole numbers with their exact values."""

    def join(parts: tuple[tuple[str, Fraction], str, tuple[str, Fraction]]) -> tuple[str, Fraction]:
        (one, left), sign, (other, right) = parts
        match sign:
            case "+":
                value = left + right
            case "-":
                value = left - right
            case "*":
                value = left * right
            case _:
                value = left / right if right else Fraction(0)
                sign = "/" if right else "*0*"
        return f"({one} {sign} {other})", value

    numbers = st.integers(0, 999).map(lambda n: (str(n), Fraction(n)))
    return st.recursive(
        numbers, lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(join), max_leaves=12
    )


@given(sums())
def test_the_value_is_the_exact_one_to_15_digits(made: tuple[str, Fraction]) -> None:
    expression, exact = made
    if len(expression) > LONGEST or abs(exact) > 10**15:
        return
    shown = Fraction(Decimal(worked(expression)))
    # a difference of large numbers that are nearly equal leaves less of the 28 digits
    assert abs(shown - exact) <= abs(exact) / 10**14 + Fraction(1, 10**12)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("1 / 0", "divided by zero"),
        ("1 % 0", "no value"),
        ("0 / 0", "no value"),
        ("9**9**9", "too large"),
        ("9**9**9**9**9", "too large"),
        ("10**99 * 10", "too large"),
        ("1e999", "too large"),
        ("exp(10**9)", "too large"),
        ("9" * LONGEST, "too large"),
        ("(-8) ** (1/3)", "no value"),
        ("sqrt(-1)", "no value"),
        ("ln(-1)", "no value"),
        ("0 ** 0", "no value"),
        ("round(1, 999)", "0 to 20 places"),
        ("round(1, 2, 3)", "does not take 3"),
        ("sqrt()", "does not take 0"),
        ("1 +", "no whole expression"),
        ("(1", "no whole expression"),
        ("007", "no whole expression"),
        ("1 2", "no whole expression"),
        ("lambda", "no whole expression"),
        ("1, 2", "and nothing else"),
        ("2(3)", "and nothing else"),
        ("open(1)", "and nothing else"),
        ("x", "and nothing else"),
        ("1 if 2 else 3", "and nothing else"),
        ("1 or 2", "and nothing else"),
        ("not 1", "and nothing else"),
        ("__import__('os')", "more than numbers"),
        ("(1).real", "more than numbers"),
        ("'a' * 9", "more than numbers"),
        ("[1]*9", "more than numbers"),
        ("1or 2", "more than numbers"),
        ("0x10", "more than numbers"),
        ("1_000", "more than numbers"),
        ("1j", "more than numbers"),
        ("1 << 99", "more than numbers"),
        ("٣ + 1", "more than numbers"),
        ("", "length >= 1"),
        (" ", "no whole expression"),
        ("1" * (LONGEST + 1), "length <= 200"),
    ],
)
def test_what_is_no_sum_is_said(expression: str, said: str) -> None:
    with pytest.raises(ToolError) as failure:
        worked(expression)
    assert said in str(failure.value)


@given(st.text("0123456789.e+-*/%(),sqrtaboundminxlgp ", max_size=LONGEST))
@example("(" * LONGEST)
@example("1" + "**9" * 66)
@example("1.0000001**" + "9" * 20)
@example("1/3**9.9**9.9")
@example("e" * LONGEST)
@example("1 " * 100)
def test_any_text_is_worked_out_or_refused_at_once(expression: str) -> None:
    began = time.thread_time()
    try:
        found = CALCULATE({"expression": expression})
    except ToolError:
        pass
    else:
        assert abs(found.value) < 1e100
    assert time.thread_time() - began < 0.25
