"""Who has, gets or gives up how many of what: the statements of a problem, read in one pass."""

from math import prod
from typing import NamedTuple

from argus_gym.premise.claims import sentence
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading
from argus_gym.premise.words import (
    DETERMINERS,
    FUNCTION_WORDS,
    GAIN,
    HAVE,
    LOSE,
    PRONOUNS,
    UNSURE,
    singular,
    wordset,
)

__all__ = ["MAX_STATEMENTS", "Statement", "derived", "statements"]

MAX_STATEMENTS = 32
"""Only this many quantities of a problem are read."""

_REACH = 12
_AROUND = wordset(
    "about almost nearly over approximately roughly around least most than every per another "
    "up under only"
)
_SUMMARY = frozenset(("total", "sum", "average"))
_RATE = frozenset(("each", "per", "every", "apiece", "daily", "weekly", "times"))
_RECEIVERS = frozenset(("him", "them", "me", "us", "you"))
_TAKE = frozenset(("took", "takes", "take", "taken"))
_AWAY = frozenset(("out", "away", "from", "of"))
_SKIPPED = wordset("then still also now only just already first later usually always")
_VERBS = dict.fromkeys(HAVE, "have") | dict.fromkeys(GAIN, "gain") | dict.fromkeys(LOSE, "lose")
_ROLES = (
    dict.fromkeys(UNSURE, "unsure")
    | _VERBS
    | dict.fromkeys((".", "?", "!"), "end")
    | dict.fromkeys((",", ";", ":", "and", "but", "then", "(", ")"), "break")
    | dict.fromkeys(("#", "$"), "number")
    | {"with": "with"}
)
_BE = frozenset(("is", "are", "was", "were"))
_LEFT = wordset("left ran flew died departed escaped away")
_FLED = wordset("leaked popped spilled melted evaporated escaped died")
_BETWEEN = wordset("were was are got have been had of them the his her their these")


class Statement(NamedTuple):
    """One quantity and what is said of it.

    Attributes:
        at: Entry of the number.
        last: Last entry of the phrase.
        value: The number.
        noun: The thing counted, or taken from (``5 of the pens``), in the singular; ``$`` for
            money; empty where none is named.
        modifiers: The words between the number and the noun.
        owner: Whose it is: a noun or name, ``there``, or empty where unknown.
        verb: ``have``, ``be``, ``gain``, ``lose``, ``with`` or empty.
        unsure: Whether it is only wanted, possible, approximate or supposed.
        rate: Whether it is an amount for each of several.
        definite: The determiner before the number, empty where there is none.
        of: Whether ``of them``, ``of the ...`` follows the number.
        sentence: Index of the sentence.
    """

    at: int
    last: int
    value: Value
    noun: str
    modifiers: tuple[str, ...]
    owner: str
    verb: str
    unsure: bool
    rate: bool
    definite: str
    of: bool
    sentence: int


def statements(reading: Reading) -> list[Statement]:
    """Return the quantities of the text in order, at most :data:`MAX_STATEMENTS`."""
    words, values = reading.words, reading.values
    found: list[Statement] = []
    number_of_sentence = 0
    start = 0
    owner = last_owner = verb = ""
    unsure = False
    for i, word in enumerate(words):
        role = _ROLES.get(word)
        if role is None:
            continue
        if role == "end":
            number_of_sentence += 1
            start = i + 1
            verb, owner, unsure = "", "", False
        elif role == "break":
            start = i + 1
        elif role == "unsure":
            unsure = True
        elif role == "number":
            if i in values and not _hyphenated(words, i):
                rate = not _RATE.isdisjoint(words[start:i])
                found.append(_statement(reading, i, owner, verb, unsure, rate, number_of_sentence))
                if len(found) == MAX_STATEMENTS:
                    break
        elif role == "with":
            verb, owner = "with", ""
        elif role == "lose" and _not_lost(words, i):
            verb = ""
        else:
            subject = _subject(words, start, i)
            if subject in PRONOUNS:
                subject = last_owner
            if subject:
                owner = last_owner = subject
            verb = "be" if word in _BE and subject != "there" else role
    return found


def _not_lost(words: list[str], i: int) -> bool:
    """Whether the verb at ``i`` takes nothing away: ``gives her``, ``pays back``."""
    after = words[i + 1] if i + 1 < len(words) else ""
    if after == "back" or after in _RECEIVERS:
        return True
    if after == "her" and words[i + 2 : i + 3] in (["#"], ["$"], ["another"]):
        return True
    if words[i] == "given" and words[i - 1] in _BE and after in ("#", "$"):
        return True
    if words[i] not in _TAKE:
        return False
    end = min(sentence(words, i)[1], i + 8)
    return _AWAY.isdisjoint(words[i + 1 : end])


def _hyphenated(words: list[str], i: int) -> bool:
    """Whether the number at ``i`` belongs to a compound (``15-meter``) or a range (``3-4``)."""
    return words[i - 1 : i] == ["-"] or words[i + 1 : i + 2] == ["-"]


def _subject(words: list[str], start: int, verb: int) -> str:
    """Return the subject of the verb at ``verb`` in a clause that begins at ``start``."""
    i = verb - 1
    start = max(start, verb - _REACH)
    while i >= start and (words[i] in _SKIPPED or words[i] in _VERBS or words[i].endswith("ly")):
        i -= 1
    if i < start or not words[i].isalpha():
        return ""
    word = words[i]
    if word in FUNCTION_WORDS and word not in PRONOUNS and word != "there":
        return ""
    if word in PRONOUNS or word == "there":
        return word
    if i > 1 and words[i - 1] == "and":
        return f"{words[i - 2]}+{word}"
    first = i
    while first > start and i - first < 3 and words[first - 1] not in FUNCTION_WORDS:
        first -= 1
    if words[first - 1 : first] and words[first - 1] in PRONOUNS and first > start:
        # "the tree she climbs is": the last word is a verb
        return ""
    return " ".join(words[first : i + 1])


def _statement(
    reading: Reading, i: int, owner: str, verb: str, unsure: bool, rate: bool, sentence: int
) -> Statement:
    words, n = reading.words, len(reading.words)
    definite = words[i - 1] if i and words[i - 1] in DETERMINERS else ""
    if i and words[i - 1].endswith("'s"):
        definite = words[i - 1]
    noun, modifiers, last = ("$", (), i) if words[i] == "$" else _phrase(words, i + 1)
    if not noun:
        last = i
    after = words[last + 1] if last + 1 < n else ""
    of = after == "of"
    if of and not noun:
        # "14 of the movies"
        j = last + 2
        j += words[j : j + 1] != [] and words[j] in DETERMINERS
        noun = singular(words[j]) if j < n and words[j] not in DETERMINERS else ""
    rate = rate or (after in ("a", "an") and last > i) or definite in _RATE
    for word in words[last + 1 : last + 4]:
        if word in _ROLES and _ROLES[word] == "end":
            break
        rate = rate or word in _RATE
    if verb == "lose" and not _SUMMARY.isdisjoint(words[max(0, i - 4) : i]):
        verb = ""
    vague = bool(i) and words[i - 1] in _AROUND
    passive = _departs(words, last + 1)
    if passive:
        verb = "lose"
        if not of:
            owner = ""
    return Statement(
        i, last, reading.values[i], noun, modifiers, owner, verb, unsure or vague, rate, definite,
        of, sentence,
    )  # fmt: skip


def _phrase(words: list[str], i: int) -> tuple[str, tuple[str, ...], int]:
    """Return noun, its modifiers and last entry of the noun phrase that begins at ``i``."""
    first, n = i, len(words)
    while i < n and i - first < 4:
        word = words[i]
        if word.endswith("'s"):
            i += 1
            continue
        if not word.isalpha() or (word in FUNCTION_WORDS and word not in ("more", "other")):
            break
        noun = singular(word)
        if noun:
            return noun, tuple(words[first:i]), i
        i += 1
    if i == first or words[first] in LOSE or words[first].endswith("ed"):
        return "", (), i
    # "500 ml bottle": a thing is named, though no plural says which word is the noun
    return words[i - 1], tuple(words[first : i - 1]), i - 1


def _departs(words: list[str], i: int) -> bool:
    """Whether ``were sold``, ``of them ran away``, ``of the birds left`` follows at ``i``."""
    n = len(words)
    moved = 0
    j = i
    while j < n and j - i < 6 and (words[j] in _BETWEEN or (moved and singular(words[j]))):
        moved += 1
        j += 1
    if j >= n:
        return False
    if words[j] in _LEFT:
        return moved > 0 and "of" in words[i:j]
    if words[j] in _FLED:
        return words[j + 1 : j + 2] != ["#"]
    return words[j] in LOSE and moved > 0 and not _BE.isdisjoint(words[i:j])


def derived(value: Value, before: list[Statement]) -> bool:
    """Whether ``value`` is a sum, difference or product of two numbers said before, or of all."""
    numbers = [s.value for s in before]
    if value in (sum(numbers), prod(numbers)):
        return True
    return any(
        value in (a + b, a * b, a - b, b - a)
        for k, a in enumerate(numbers)
        for b in numbers[k + 1 :]
    )
