r"""Exact values read from reasoning text: the final answer and the results stated on the way.

Text is only ever matched, never evaluated, in bounded time (see :mod:`argus_gym.numerals`).
"""

import re
from fractions import Fraction
from functools import lru_cache

from argus_gym.numerals import FREE, MAX_DIGITS, NUMBER, RESULT, clean, exact, number
from argus_gym.records import Chain, Value

__all__ = [
    "MAX_RESULTS",
    "final_answer",
    "read",
    "read_value",
    "right",
    "same",
    "stated_results",
]

MAX_RESULTS = 256
"""Most results read from one text."""

# Characters read of one answer, and of prose without equals signs: dense digits cost most there.
_SPAN = 240
_PROSE = 2048
_LEAD = re.compile(rf"[\s*_`\"'$:(\[{{]*+(?:\\?[a-zA-Z] ?= ?)?({NUMBER})")
_RULED_OUT = re.compile(r" ?[*+^] ?[($0-9a-zA-Z]| ?[=<>]| ?[/x-] ?[$(]?[0-9]| ?- |[0-9]|:[0-9]")
_PERCENT = re.compile(r" ?(?:%|percent|per cent)(?! of)")
_SCALE = re.compile(r" (hundred|thousand|million|billion|trillion)\b")
_SCALES = {"hundred": 100} | {
    word: 1000**i for i, word in enumerate(("thousand", "million", "billion", "trillion"), 1)
}
_UNIT = re.compile(
    r"(?: +[A-Za-z][^0-9=+*<>]*| ?/ ?[A-Za-z][^0-9=+*<>]*| ?°[A-Z]?"
    r"|(?:[cmk]?m|[mk]?g|m?l|lbs?|oz|ft|in|mph|hrs?|mins?|secs?|[ap]\.?m|st|nd|rd|th)\b[^0-9=+*<>]*)"
    r"(?:\^?\{?[23]\}?)?"
)
_CLOSERS = " \t\n\r.,;!*_`\"'$)]}"
_JSON = re.compile(r'"answer"\s*:\s*(?:"((?:[^"\n\\]|\\.){0,2000})|([^"\n}]{1,200}))')
_PHRASE = re.compile(
    r"nswer\b(?:[\s*_\")]{0,4}(?:is|are|(?:would|will|should|must) be|equals|[:=])"
    r"| (?:to|for|of) [^.\n=:]{0,80}?(?: is|:))[\s*_:]*+"
)
_SENTENCE = re.compile(r"\n|[.!?;](?=\s|$)")
_NUMBERING = re.compile(r"^[ \t]*(?:#+ ?)?(?:[Ss]tep )?[0-9]{1,3}[.):](?=\s)", re.MULTILINE)
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_GAPS = re.compile(r"\s+|\\(?:left|right|displaystyle)\b|\$")


def _scaled(match: re.Match[str], text: str) -> tuple[Value, bool, int]:
    """Return value, percent sign and end of the number ``match`` found in ``text``."""
    value, end = number(match[match.lastindex or 0]), match.end()
    scale = _SCALE.match(text, end)
    if scale and not isinstance(value, str):
        value, end = exact(value * _SCALES[scale[1]]), scale.end()
    percent = _PERCENT.match(text, end)
    return value, percent is not None, percent.end() if percent else end


@lru_cache(maxsize=1 << 14)
def _whole(text: str) -> tuple[Value | None, bool]:
    """Read an answer that should be the whole of ``text``, at most ``_SPAN`` characters."""
    lead = _LEAD.match(text)
    if lead:
        value, percent, end = _scaled(lead, text)
        rest = text[end:].rstrip(_CLOSERS)
        if not rest or _UNIT.fullmatch(rest):
            return value, percent
    results = list(RESULT.finditer(text)) if "=" in text else []
    if not results and not lead and re.match(r"\W*[A-Za-z]{2}", text):
        numbers = list(FREE.finditer(text))
        results = numbers if len(numbers) == 1 else []
    if results:
        value, percent, _ = _scaled(results[-1], text)
        return value, percent
    return _as_text(text), False


def _as_text(text: str) -> str | None:
    plain = _GAPS.sub("", text).strip("*_`\"'.,;:").lower()
    return (plain if len(plain) <= MAX_DIGITS else plain[:MAX_DIGITS] + "…") or None


@lru_cache(maxsize=1 << 14)
def _opening(text: str) -> tuple[Value | None, bool]:
    """Read an answer that opens ``text``, one sentence that may go on after it."""
    lead = _LEAD.match(text)
    if lead and not _RULED_OUT.match(text, lead.end()):
        value, percent, _ = _scaled(lead, text)
        return value, percent
    found = list(RESULT.finditer(text)) if "=" in text else []
    if not found and not lead:
        found = list(FREE.finditer(text))
    if found:
        value, percent, _ = _scaled(found[-1], text)
        return value, percent
    return (_as_text(text) if len(text) <= MAX_DIGITS else None), False


def _braced(text: str) -> str:
    """Return what stands between the brace that opens ``text`` and the one that closes it."""
    depth = 0
    for end, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return text[1:end]
    return text[1:]


def _boxed(text: str) -> tuple[str, int] | None:
    """Return the content and the start of the last box that is not empty."""
    at = len(text)
    for _ in range(8):
        at = text.rfind("\\boxed", 0, at)
        if at < 0:
            return None
        body = text[at + 6 : at + 6 + _SPAN].lstrip()
        braced = body.startswith("{")
        content = _braced(body) if braced else body.split("$")[0].split("\n")[0]
        if content.strip() and "\\phantom" not in content:
            return content, at
    return None


def _statement(text: str) -> tuple[Value | None, bool, int]:
    """Return the final answer of a cleaned text and where its statement starts."""
    at = text.rfind("####")
    if at >= 0:
        line, _, after = text[at + 4 : at + 4 + _SPAN].lstrip("# \t").partition("\n")
        value, percent = _whole(line)
        heading = after.strip() and (isinstance(value, str) or not _LEAD.match(line))
        if value is not None and not heading:
            return value, percent, at
    box = _boxed(text) if "\\boxed" in text else None
    if box:
        value, percent = _whole(box[0])
        if value is not None:
            return value, percent, box[1]
    if '"answer"' in text:
        at = text.rfind('"answer"')
        field = _JSON.match(text, at)
        if field:
            value, percent = _whole((field[1] or field[2] or "")[-_SPAN:])
            if value is not None:
                return value, percent, at
    end = len(text)
    marked = max(text.rfind("\nA:"), 0 if text.startswith("A:") else -1)
    for _ in range(8):
        at = text.rfind("nswer", 0, end)
        if at <= marked:
            break
        phrase = _PHRASE.match(text, at)
        if phrase:
            sentence = _SENTENCE.split(text[phrase.end() : phrase.end() + _SPAN], maxsplit=1)
            value, percent = _opening(sentence[0])
            if isinstance(value, str) and any(map(str.strip, sentence[1:])):
                value = None
            if value is not None:
                return value, percent, at
        end = at
    if marked >= 0:
        value, percent = _whole(text[marked:][:_SPAN].lstrip("\nA").partition("\n")[0].lstrip(":"))
        if value is not None:
            return value, percent, marked
    return _unmarked(text)


def _unmarked(text: str) -> tuple[Value | None, bool, int]:
    """Fall back on the last line with a number: its last result, bold number, or last number."""
    end = len(text)
    for _ in range(8):
        digit = max(text.rfind(d, 0, end) for d in "0123456789")
        if digit < 0:
            break
        start = text.rfind("\n", 0, digit) + 1
        stop = text.find("\n", digit, end)
        line = text[max(start, digit - 2 * _SPAN) : min(end if stop < 0 else stop, digit + _SPAN)]
        found = list(RESULT.finditer(line)) if "=" in line else []
        bold = _BOLD.findall(line) if not found and "**" in line else []
        if bold and any(char.isdigit() for char in bold[-1]):
            value, percent = _whole(bold[-1])
            return value, percent, start
        found = found or list(FREE.finditer(_NUMBERING.sub("", line)))
        if found:
            value, percent, _ = _scaled(found[-1], found[-1].string)
            return value, percent, start
        end = start
    return None, False, 0


def _results(text: str, start: int) -> tuple[Value, ...]:
    """Return the results a cleaned text states, its answer's statement starting at ``start``."""
    if "=" in text:
        if "\\boxed" in text:
            text = text.replace("\\boxed{", " ")
        found = RESULT.findall(text)
        if found:
            return tuple(map(number, found[:MAX_RESULTS]))
    numbers = map(FREE.findall, _SENTENCE.split(_NUMBERING.sub("", text[: min(start, _PROSE)])))
    return tuple([number(n[-1]) for n in numbers if n][:MAX_RESULTS])


def read(text: str) -> tuple[Value | None, bool, tuple[Value, ...]]:
    """Return :func:`final_answer` and :func:`stated_results` of one text, read once."""
    text = clean(text)
    value, percent, start = _statement(text)
    return value, percent, _results(text, start)


def final_answer(text: str) -> tuple[Value | None, bool]:
    r"""Return the final answer a reasoning text states, and whether it carries a percent sign.

    The last of the first form present counts: ``#### 42``; ``\boxed{42}``; ``"answer": "42"``;
    ``the answer is 42`` or ``Answer: 42``, or a line ``A: 42`` if that comes later. Without any,
    the last line with a number is read: its last stated result, else a bold number, else its last
    number.

    Args:
        text: Any text; read in bounded time.

    Returns:
        The value, ``None`` where nothing is stated, and the percent flag (``50%`` is 50 and true).
    """
    value, percent, _ = _statement(clean(text))
    return value, percent


def read_value(text: str) -> tuple[Value | None, bool]:
    """Return the value of an answer given on its own, such as ``$1,410.00``, and its percent flag.

    What is not a number with at most a unit behind it becomes a normalised text of bounded length.
    """
    return _whole(clean(text[: 4 * _SPAN]).strip()[:_SPAN])


def stated_results(text: str) -> tuple[Value, ...]:
    """Return the results a text states, in order, the final one included; at most 256.

    A result is the number after an equals sign: of ``a = b = c`` only the last, of ``<<2*3=6>>6``
    the one inside the mark. A text that states none gives the last number of each sentence before
    the statement of its final answer.
    """
    return read(text)[2]


def same(a: Value, b: Value, percent_a: bool = False, percent_b: bool = False) -> bool:
    """Return whether two answers agree: exactly, or one a percentage of the other's unit.

    ``50%`` agrees with 50 and with 1/2, which do not agree with each other; a chain set therefore
    puts a percentage with one of the two (see :func:`argus_gym.consensus.score`).
    """
    if a == b or percent_a == percent_b:
        return a == b
    part, other = (a, b) if percent_a else (b, a)
    return not isinstance(part, str) and not isinstance(other, str) and Fraction(part, 100) == other


def right(chain: Chain, answer: Value | None) -> bool:
    """Return whether a chain's final answer is the known ``answer``; a missing one never is."""
    if chain.answer is None or answer is None:
        return False
    return same(chain.answer, answer, chain.percent)
