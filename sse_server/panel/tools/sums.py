"""A calculator that nobody can hurt: Python's grammar is only read, and every step is bounded.

It computes with decimals of 28 digits, so that 0.1 + 0.2 is 0.3. An expression has at most `LONGEST` characters, and a
value beyond 10**99 ends it, so no power takes long.
"""

from __future__ import annotations

import ast
import decimal
import math
import operator
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct

from sse_server.panel.tools.tool import Tool, ToolError

LONGEST: Final = 200
"""Characters of an expression."""
_DIGITS: Final = 28
_CONTEXT: Final = decimal.Context(
    prec=_DIGITS,
    Emax=99,
    Emin=-99,
    traps=[decimal.Overflow, decimal.DivisionByZero, decimal.InvalidOperation],
)
_NAMES: Final = {"pi": Decimal("3.141592653589793238462643383"), "e": Decimal("2.718281828459045235360287471")}

# Only this is shown to Python's parser: no strings, no attributes, no words glued to digits.
_NUMBER: Final = r"(?:\d++(?:\.\d*+)?+|\.\d++)(?:e[+-]?\d++)?+(?![\w.])"
_READABLE: Final = re.compile(rf"(?:\s*+(?:{_NUMBER}|[a-z]++(?!\w)|[-+*/%(),]))*+\s*+", re.ASCII)


class Expression(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers, `+ - * / % **`, parentheses, `pi`, `e`, and the functions of `FUNCTIONS`."""

    expression: Annotated[str, Meta(min_length=1, max_length=LONGEST)]


class Worked(Struct, frozen=True):
    """The value, and the same as text: all digits of a whole number, 15 of another."""

    value: float
    text: str


def calculate(asked: Expression) -> Worked:
    """Work an expression out. Raises `ToolError` for what is none, and for what has no value that can be held."""
    try:
        with decimal.localcontext(_CONTEXT):
            value = +_value(_tree(asked.expression))
            return Worked(float(value), _shown(value))
    except decimal.DivisionByZero:
        raise ToolError("nothing can be divided by zero") from None
    except decimal.Overflow:
        raise ToolError("the result is too large: it is beyond 10 to the power of 99") from None
    except decimal.InvalidOperation:
        raise ToolError("this has no value among the real numbers") from None


def _tree(expression: str) -> ast.expr:
    if not _READABLE.fullmatch(expression):
        raise ToolError("this is more than numbers, + - * / % ** and parentheses")
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolError("this is no whole expression") from None


def _value(node: ast.expr) -> Decimal:
    match node:
        case ast.Constant(value=int() | float() as number):
            return _read(number)
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            return -_value(operand) if isinstance(op, ast.USub) else _value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return _called(name, [_value(argument) for argument in arguments])
        case _:
            raise ToolError(f"this knows + - * / % **, pi, e, {', '.join(FUNCTIONS)}, and nothing else")


def _read(number: float) -> Decimal:
    if number == math.inf:  # what Python makes of 1e999
        raise decimal.Overflow
    return +Decimal(repr(number))


def _called(name: str, values: list[Decimal]) -> Decimal:
    least, most, function = FUNCTIONS[name]
    if not least <= len(values) <= most:
        raise ToolError(f"{name} does not take {len(values)} values")
    return function(*values)


def _modulo(number: Decimal, divisor: Decimal) -> Decimal:
    """The remainder has the sign of the divisor, as in Python; a decimal's own has the other's."""
    rest = number % divisor
    return rest + divisor if rest and (rest < 0) != (divisor < 0) else rest


def _rounded(number: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    """Half away from zero, as people are taught."""
    if places != places.to_integral_value() or not 0 <= places <= 20:
        raise ToolError("numbers are rounded to 0 to 20 places")
    return number.quantize(Decimal(1).scaleb(-int(places)), rounding=ROUND_HALF_UP)


def _shown(value: Decimal) -> str:
    if not value:
        return "0"
    if value == value.to_integral_value() and value.adjusted() < _DIGITS:
        return f"{value:.0f}"
    short = decimal.Context(prec=15).create_decimal(value).normalize()
    return f"{short:f}" if -10 < short.adjusted() < _DIGITS else f"{short:e}"


_OPERATORS: Final[dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: _modulo,
    ast.Pow: operator.pow,
}
FUNCTIONS: Final[dict[str, tuple[int, int, Callable[..., Decimal]]]] = {
    "sqrt": (1, 1, Decimal.sqrt),
    "abs": (1, 1, abs),
    "round": (1, 2, _rounded),
    "min": (1, 20, min),
    "max": (1, 20, max),
    "ln": (1, 1, Decimal.ln),
    "log": (1, 1, Decimal.log10),
    "exp": (1, 1, Decimal.exp),
}
"""By name: the fewest and the most values that each takes, and what computes it."""

CALCULATE: Final = Tool("calculate", Expression, calculate)
