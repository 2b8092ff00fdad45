"""Kind ``indivisible``: quantities that cannot be: negative, broken, or shared out by zero."""

from collections.abc import Iterator
from fractions import Fraction

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted, sentence
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading
from argus_gym.premise.words import DETERMINERS, FUNCTION_WORDS, INDIVISIBLE, singular, wordset

__all__ = ["counts"]

_SIGNED_SENTENCE = wordset(
    "intercept root roots polynomial quadratic graph parabola sequence matrix vector real "
    "temperature temperatures celsius fahrenheit degree degrees ° elevation altitude sea "
    "underground depth balance account overdraft overdrawn overdrawing debt debit owes profit "
    "profits loss losses net change changed growth return returns voltage volt volts equation "
    "function slope axis coordinate coordinates integer integers point points score scored "
    "charge charges electron floor floors basement level latitude longitude yardage football "
    "rushing budget deficit"
)
_SIGNED_NEAR = wordset(
    "number numbers sum product difference value equals = + * / ^ ( < > plus minus times "
    "between root to"
)
_AVERAGED = wordset(
    "average averages mean per each every rate ratio expected times equivalent approximately "
    "about typical typically estimated for"
)
_FORMULA = frozenset(("\\", "{", "^", "_"))
_GROUPS = wordset("groups rows teams packs sets piles boxes bags stacks bunches")
_COUNTED = frozenset(("#", "$", "%"))
_AGE = frozenset(("old", "age", "older", "younger"))
_SHARED_OUT = frozenset(("into", "among", "amongst", "between"))


def counts(reading: Reading) -> Iterator[Claim]:
    """Yield the counts, prices, lengths and times that cannot be."""
    words = reading.words
    checked = 0
    for i, value in reading.values.items():
        word = words[i]
        whole = value.denominator == 1
        if word not in _COUNTED or (whole and value > 0 and word != "%"):
            continue
        checked += 1
        if checked > MAX_CLAIMS:
            return
        if word == "%":
            found = _broken(reading, i, Fraction(value) / 100) if 0 < value <= 100 else None
        elif value < 0:
            found = _negative(reading, i)
        elif value == 0:
            found = _zero(reading, i)
        else:
            found = _broken(reading, i, value) if word == "#" else None
        if found is not None and asserted(reading, i):
            last, reason = found
            yield Claim("indivisible", i, last, reason)


def _negative(reading: Reading, i: int) -> tuple[int, str] | None:
    words, n = reading.words, len(reading.words)
    first, last = sentence(words, i)
    around = words[first:last]
    if not _SIGNED_SENTENCE.isdisjoint(around) or not _mathless(words, i):
        return None
    if words[i] == "$":
        return i, "an amount paid cannot be negative"
    after = words[i + 1] if i + 1 < n else ""
    if not _FORMULA.isdisjoint(words) and not singular(after):
        return None
    noun = after.isalpha() and len(after) > 1 and after not in FUNCTION_WORDS
    if noun or after == "of" or after in ("more", "fewer", "other", "-"):
        end = i + 1
        if after in ("of", "more", "fewer", "other") and i + 2 < n and words[i + 2].isalpha():
            end = i + 2
        return end, "a quantity of things cannot be negative"
    if not _AGE.isdisjoint(around):
        return i, "an age cannot be negative"
    if i > 1 and words[i - 1] == "of" and words[i - 2] in _GROUPS:
        return i, "a group cannot have a negative size"
    return None


def _mathless(words: list[str], i: int) -> bool:
    """Whether the number at ``i`` is not a bare number of a formula."""
    before = words[i - 1] if i else ""
    after = words[i + 1] if i + 1 < len(words) else ""
    if before in _SIGNED_NEAR or (len(before) == 1 and before.isalnum() and before not in "ai"):
        return False
    return before not in ("\\", "{", "_", "|", "[", "#") and after not in (
        "=", "+", "*", "/", "^", ")", "]", "}", "\\", "x", "_", "<", ">",
    )  # fmt: skip


def _zero(reading: Reading, i: int) -> tuple[int, str] | None:
    """Find what is divided by zero: ``into 0 groups``, ``for every 0 cups``, ``0 in each``."""
    words, n = reading.words, len(reading.words)
    before = words[i - 1] if i else ""
    before2 = words[i - 2] if i > 1 else ""
    after = words[i + 1] if i + 1 < n else ""
    noun = after.isalpha() and after not in FUNCTION_WORDS
    reason = "nothing can be shared out by zero"
    if noun and before in _SHARED_OUT and "#" not in words[i + 2 : i + 4]:
        return i + 1, reason
    if noun and before == "every":
        return i + 1, reason
    if before == "of" and before2 in _GROUPS:
        return i, reason
    if words[i + 1 : i + 3] == ["in", "each"] and _SHARED_OUT & set(words[max(0, i - 6) : i]):
        return i + 2, reason
    if before == "in" and after in ("hours", "minutes", "seconds", "days", "weeks", "hour") and (
        "#" in words[max(0, i - 5) : i - 1]
    ):  # fmt: skip
        return i + 1, "nothing happens in no time"
    return None


def _broken(reading: Reading, i: int, value: Value) -> tuple[int, str] | None:
    """Find fractional counts: ``3.5 dogs``, ``half of the 7 children``."""
    words, values, n = reading.words, reading.values, len(reading.words)
    j = i + 1
    if j < n and words[j] == "of":
        j += 1
    while j < n and j - i < 4 and (words[j] in DETERMINERS or words[j] == "all"):
        j += 1
    if j > i + 1 and j < n and words[j] == "#" and j in values:
        count = Fraction(values[j]) * value
        head = _head(words, j + 1)
        if count.denominator > 1 and head and singular(words[head]) in INDIVISIBLE:
            return head, f"that is {count}"
        return None
    if words[i] == "%" or (value < 1 and i not in reading.places):
        return None
    head = _head(words, i + 1)
    if not head or singular(words[head]) not in INDIVISIBLE:
        return None
    first, last = sentence(words, i)
    if not _AVERAGED.isdisjoint(words[max(first, i - 6) : min(last, head + 6)]):
        return None
    return head, "there is no such part of one"


def _head(words: list[str], i: int) -> int:
    """Return the first plural noun among the three entries from ``i`` on, 0 where there is none."""
    for j in range(i, min(i + 3, len(words))):
        if not words[j].isalpha() or words[j] in FUNCTION_WORDS:
            return 0
        if singular(words[j]):
            return j
    return 0
