r"""Exact numbers in text: where they stand, what they are, and arithmetic rewritten as plain ASCII.

Text is only ever matched, never evaluated. Every pattern takes linear time, a text is read up to
:data:`MAX_CHARS` characters and a number up to :data:`MAX_DIGITS` digits, so that any input costs
bounded time. A number beyond that becomes a short text that stands for it.
"""

import re
from fractions import Fraction
from functools import lru_cache

from argus_gym.records import Value

__all__ = ["FREE", "MAX_CHARS", "MAX_DIGITS", "NUMBER", "RESULT", "clean", "exact", "number"]

MAX_CHARS = 4096
"""Longest text read in full; of a longer one the first and the last half of this are read."""
MAX_DIGITS = 64
"""Most digits of a number."""

# Most LaTeX marks rewritten in one text; each costs a call.
_MARKS = 320
# Bounded repeats keep what is captured, and so cached, small however long the digits run on.
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,26}(?![0-9])|[0-9]{1,80})"
_DECIMAL = rf"(?:{_DIGITS}(?:\.[0-9]{{1,80}})?|\.[0-9]{{1,80}})"
_PLAIN = (
    rf"{_DECIMAL}(?: {{1,4}}[0-9]{{1,80}}/[0-9]{{1,80}}|/[0-9]{{1,80}}|[eE][-+]?[0-9]{{1,4}}\b)?"
)
NUMBER = rf"[-+]? ?[$£€¥]?{_PLAIN}"
"""Pattern of a number with its sign and currency."""

# What follows the number tells a result from the start of an expression: "= 9 * 2" and "= 2x" go
# on, and in "= 9 = 3 * 3" the last of the chain counts. The unit in between holds no digit, so the
# look ahead stops at the next equals sign and the whole stays linear.
RESULT = re.compile(
    rf"=(?<![<>!]=)[\s$*_(]*+((?>{NUMBER}))"
    r"(?!\ ?[xX]\ ?[$(]?[0-9]|[a-z]\b(?<![gmlsh])"
    r"|[^=\n0-9.;,*+/^$(-]*+(?:=|[*+^]\ ?[($0-9a-z]|[-/]\ ?[($]*[0-9]|[($]?(?<=[\ )]x\ )[0-9]"
    r"|[0-9]?(?<=%\ of\ [0-9])))"
)
"""A stated result: its number, behind an equals sign, is group 1."""

FREE = re.compile(rf"(?<![0-9A-Za-z.,/])(?:(?<![0-9)%]\ )[-+])?[$£€¥]?{_PLAIN}")
"""A number anywhere in prose; a minus sign counts only where no operand stands before it."""

_PARTS = re.compile(
    rf"([-+]?) ?[$£€¥]?(?:({_DIGITS}) +(?=[0-9]+/))?({_DECIMAL})(?:/([0-9]+)|[eE]([-+]?[0-9]+))?"
)
_RARE = [
    *((sign, "-") for sign in "−–‐‑"), *((sign, "*") for sign in "×⋅·∗"), ("≈", "="), ("％", "%"),
    *((sign, "/") for sign in "÷⁄∕"), *((sign, " ") for sign in "\u00a0\u2009\u202f"),
    ("½", " 1/2"), ("⅓", " 1/3"), ("⅔", " 2/3"), ("¼", " 1/4"), ("¾", " 3/4"), ("⅕", " 1/5"),
    ("⅖", " 2/5"), ("⅗", " 3/5"), ("⅘", " 4/5"), ("⅙", " 1/6"), ("⅛", " 1/8"), ("⅜", " 3/8"),
    ("⅝", " 5/8"), ("⅞", " 7/8"),
]  # fmt: skip
_LATEX = re.compile(
    r"\\[dtc]?frac *(?:\{([^{}]{1,80})\}|([0-9])) *(?:\{([^{}]{1,80})\}|([0-9]))"
    r"|\\(?:text|mathrm|mathbf|textbf|mbox|operatorname) *\{([^{}]{0,80})\}"
    r"|\\(times|cdot|ast|div|approx|quad|qquad|displaystyle|left|right)(?![A-Za-z])"
    r"|\\(?:circ|degree)(?![A-Za-z])\}?|\\(n)(?![a-z])|\\([^A-Za-z0-9])"
)
_LATEX_WORDS = {"times": "*", "cdot": "*", "ast": "*", "div": "/", "approx": "="}
_LATEX_SIGNS = {"\\": "\n", "[": "\n", "]": "\n", "$": "$", "%": "%", "{": "{", "}": "}", '"': '"'}


def _unlatex(match: re.Match[str]) -> str:
    top, top_digit, bottom, bottom_digit, text, word, newline, sign = match.groups()
    if top or top_digit:
        a, b = top or top_digit, bottom or bottom_digit
        whole = a.lstrip("-").isdigit() and b.isdigit()
        return f" {a}/{b}" if whole else f"({a})/({b})"
    if text is not None:
        return f" {text}"
    if word:
        return _LATEX_WORDS.get(word, " ")
    if newline:
        return "\n"
    if sign:
        return _LATEX_SIGNS.get(sign, " " if sign in "() " else "")
    return "°"


def clean(text: str) -> str:
    """Bound the length and rewrite LaTeX and typographic signs in plain ASCII arithmetic."""
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS // 2] + "\n" + text[-MAX_CHARS // 2 :]
    if "\\" in text:
        text = _LATEX.sub(_unlatex, text, count=_MARKS).replace("{,}", ",")
        text = text.replace("^{°", "°").replace("^°", "°")
    if not text.isascii():
        for sign, plain in _RARE:
            text = text.replace(sign, plain)
    return text


@lru_cache(maxsize=1 << 14)
def number(text: str) -> Value:
    """Return the exact value of a match of ``NUMBER``, ``3/4`` and ``7 1/2`` included.

    Too many digits, too large an exponent or a denominator of zero give a bounded text instead.

    Raises:
        ValueError: If ``text`` holds no number.
    """
    if text.isdigit() and len(text) <= MAX_DIGITS:
        return int(text)
    match = _PARTS.match(text)
    if match is None:
        raise ValueError(f"text must match NUMBER, got {text!r}")
    sign, whole, top, bottom, exponent = match.groups()
    shift = int(exponent) if exponent else 0
    digits = sum(map(str.isdigit, f"{whole}{top}{bottom}")) + abs(shift)
    if digits > MAX_DIGITS or (bottom is not None and not bottom.strip("0")):
        return text.replace(",", "")[:MAX_DIGITS] + "…"
    units, _, decimals = top.replace(",", "").partition(".")
    decimals = decimals.rstrip("0")
    value = Fraction(int(units + decimals or "0"), 10 ** len(decimals) * int(bottom or 1))
    if shift:
        value *= Fraction(10) ** shift
    if whole:
        value += int(whole.replace(",", ""))
    return exact(-value if sign == "-" else value)


def exact(value: Fraction | int) -> int | Fraction:
    """Return ``value``, as an integer where it is one."""
    return value.numerator if value.denominator == 1 else value
