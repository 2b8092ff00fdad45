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
_REMAINS = frozenset(("left", "remaining"))
_SUMMARY = frozenset(("total", "sum", "average"))
_RATE = frozenset(("each", "per", "every", "apiece", "daily", "weekly", "times"))
_RECEIVERS = frozenset(("him", "them", "me", "us", "you"))
_TAKE = frozenset(("took", "takes", "take", "taken"))
_AWAY = frozenset(("out", "away", "from", "of"))
_SKIPPED = wordset("then still also now only just already first later usually always")
_VERBS = dict.fromkeys(HAVE, "have") | dict.fromkeys(GAIN, "gain") | dict.fromkeys(LOSE, "lose")
_ENDS = frozenset((".", "?", "!"))
_ROLES = (
    dict.fromkeys(UNSURE, "unsure")
    | _VERBS
    | dict.fromkeys(_ENDS, "end")
    | dict.fromkeys((",", ";", ":", "and", "but", "then", "(", ")"), "break")
    | dict.fromkeys(("#", "$"), "number")
    | {"with": "with"}
)
_BE = frozenset(("is", "are", "was", "were"))
_LEFT = wordset("left ran flew died departed escaped away")
_FLED = wordset("leaked popped spilled melted evaporated escaped died")
_NO_NOUNS = FUNCTION_WORDS - {"more", "other"}
_BETWEEN = wordset("were was are got have been had of them the his her their these")
_DEPARTURES = _BETWEEN | _FLED


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
    # stops after the last entry, which are also before the first, spare the helpers their bounds
    words, values = [*reading.words, ".", ".", ".", "."], reading.values
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
            # no compound (15-meter) and no range (3-4)
            if i in values and words[i - 1] != "-" and words[i + 1] != "-":
                value, rate = values[i], not _RATE.isdisjoint(words[start:i])
                found.append(
                    _statement(words, i, value, owner, verb, unsure, rate, number_of_sentence)
                )
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
    after = words[i + 1]
    if after == "back" or after in _RECEIVERS:
        return True
    if after == "her" and words[i + 2] in ("#", "$", "another"):
        return True
    if words[i] == "given" and words[i - 1] in _BE and after in ("#", "$"):
        return True
    if words[i] not in _TAKE:
        return False
    end = min(sentence(words, i)[1], i + 8)
    return _AWAY.isdisjoint(words[i + 1 : end])


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
    if words[i - 1] == "and":
        return f"{words[i - 2]}+{word}"
    first = i
    while first > start and i - first < 3 and words[first - 1] not in FUNCTION_WORDS:
        first -= 1
    if first > start and words[first - 1] in PRONOUNS:
        # "the tree she climbs is": the last word is a verb
        return ""
    return " ".join(words[first : i + 1])


def _statement(
    words: list[str],
    i: int,
    value: Value,
    owner: str,
    verb: str,
    unsure: bool,
    rate: bool,
    sentence: int,
) -> Statement:
    before = words[i - 1]
    modifiers: tuple[str, ...]
    definite = before if before in DETERMINERS or before[-2:] == "'s" else ""
    if words[i] == "$":
        noun, modifiers, last = "$", (), i
    else:
        noun, modifiers, last = _phrase(words, i + 1)
        if not noun:
            last = i
    after = words[last + 1]
    of = after == "of"
    if of and not noun:
        # "5 of the pens"
        noun = singular(words[last + 2 + (words[last + 2] in DETERMINERS)])
    if not rate:
        rate = (last > i and after in ("a", "an")) or before in _RATE
        follows = words[last + 1 : last + 4]
        if not (rate or _RATE.isdisjoint(follows)):
            rate = next(w in _RATE for w in follows if w in _RATE or w in _ENDS)
    if verb == "lose" and (
        not _SUMMARY.isdisjoint(words[max(0, i - 4) : i])
        or words[last + 1 + (after in _BE)] in _REMAINS
    ):
        verb = ""
    if after in _DEPARTURES and _departs(words, last + 1):
        verb = "lose"
        if not of:
            owner = ""
    return Statement(
        i, last, value, noun, modifiers, owner, verb, unsure or before in _AROUND, rate, definite,
        of, sentence,
    )  # fmt: skip


def _phrase(words: list[str], first: int) -> tuple[str, tuple[str, ...], int]:
    """Return noun, its modifiers and last entry of the noun phrase that begins at ``first``."""
    i = first
    while i - first < 4:
        word = words[i]
        if word[-2:] != "'s":
            if word in _NO_NOUNS or not word.isalpha():
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
    j = i
    while j - i < 6 and (words[j] in _BETWEEN or (j > i and singular(words[j]))):
        j += 1
    inside = words[i:j]
    if words[j] in _LEFT:
        return "of" in inside
    if words[j] in _FLED:
        return words[j + 1] != "#"
    return words[j] in LOSE and not _BE.isdisjoint(inside)


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
