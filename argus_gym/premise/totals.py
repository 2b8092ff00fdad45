"""Kinds ``parts_total`` and ``overdraw``: more taken out of a whole than there is in it."""

import re
from collections.abc import Iterator

from argus_gym.premise.claims import MAX_CLAIMS, Claim, asserted, sentence
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading
from argus_gym.premise.statements import Statement
from argus_gym.premise.words import BEINGS, MEASURES

__all__ = ["asks_balance", "listed_parts", "overdraws", "part_sums"]

_MULTIPLIES = frozenset(
    "each times twice double doubles doubled doubling triple triples tripled apiece half both".split()
)
_UNKNOWN = frozenset(
    "some several another many few others % ~ unknown certain number rest remaining more every per "
    "daily weekly monthly yearly hourly".split()
)
_BALANCE = frozenset("left remain remains remaining still now end over have has".split())
_COMPARES = frozenset(("than", "did"))
_SUBTYPES = frozenset("boy girl man woman adult child male female".split())
_ABSTRACT = frozenset("color colour type kind sort flavor flavour size way group time".split())
_WORD = r"(?:[a-z'-]+ )"
_PART = rf"# {_WORD}{{1,4}}?"
_LIST = re.compile(
    rf" # {_WORD}{{1,8}}(?P<lead>: |consisting of |made up of |composed of )"
    rf"(?P<parts>{_PART}(?:, (?:and )?{_PART}|and {_PART}){{1,9}})(?=[.;?!)])"
)
_OUT_OF = re.compile(r" # (?:out )?of (?:the|his|her|their|its|these|those|my|our) # ")


def part_sums(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield the parts that do not fit into a total stated before them."""
    yield from _followed(reading, found)
    yield from _contained(reading, found)


def listed_parts(reading: Reading) -> Iterator[Claim]:
    """Yield the lists that are not their total: ``20 balls: 8 red, 7 blue and 9 green``."""
    yield from _subsets(reading)
    for _, match in zip(range(MAX_CLAIMS), _LIST.finditer(reading.shape)):
        first = reading.index(match.start() + 1)
        begin = reading.index(match.start("parts"))
        last = begin + match.group("parts").strip().count(" ")
        parts = [reading.values[i] for i in range(begin, last + 1) if i in reading.values]
        words = reading.words[begin : last + 1]
        if "each" in words or "of" in words or "per" in words or "every" in words:
            continue
        total = reading.values[first]
        if sum(parts) != total and asserted(reading, first):
            yield Claim("parts_total", first, last, f"the parts add up to {sum(parts)}, not {total}")


def _subsets(reading: Reading) -> Iterator[Claim]:
    """``25 of the 20 students``."""
    for _, match in zip(range(MAX_CLAIMS), _OUT_OF.finditer(reading.shape)):
        first = reading.index(match.start() + 1)
        last = first + match.group().strip().count(" ")
        part, whole = reading.values[first], reading.values[last]
        if part > whole and asserted(reading, first):
            yield Claim("parts_total", first, last, f"{part} is more than {whole}")


def _followed(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """``There are 20 students. 12 are boys and 10 are girls``; ``Of the 20 balls, 25 are red``."""
    words = reading.words
    for k, total in enumerate(found):
        if not total.noun or total.rate or total.unsure or total.value.denominator > 1:
            continue
        if total.noun == "$" or total.noun in _ABSTRACT or total.noun in _SUBTYPES:
            continue
        opened = total.at > 1 and words[total.at - 2 : total.at - 1] == ["of"] and (
            total.at == 2 or words[total.at - 3] in (".", "?", "!", ",", "out")
        )  # fmt: skip
        if total.definite and not opened:
            continue
        parts = []
        for part in found[k + 1 :]:
            if part.sentence > total.sentence + 1 or part.rate or part.unsure:
                break
            subtype = part.noun in _SUBTYPES and total.noun in BEINGS
            if (part.noun and not subtype) or part.definite:
                break
            if subtype and part.owner == "there" and part.sentence > total.sentence:
                break
            after = words[part.last + 1 : part.last + 3]
            is_part = after[:1] in (["are"], ["were"], ["is"], ["was"]) or subtype
            of_them = part.owner in ("", total.owner) and after in (["of", "them"], ["of", "which"], ["of", "these"], ["of", "whom"])
            if (of_them or (opened and is_part)) and part.value > total.value:
                if part.verb != "lose" and asserted(reading, part.at):
                    reason = f"{part.value} is more than the {total.value} there are"
                    yield Claim("parts_total", part.at, part.last, reason)
                return
            if not (is_part or of_them):
                break
            parts.append(part)
        predicates = [
            p.noun or " ".join(words[p.last + 2 : p.last + 3]) for p in parts
        ]  # fmt: skip
        if len(parts) > 1 and len(set(predicates)) == len(parts):
            amount = sum(p.value for p in parts)
            if amount > total.value and asserted(reading, total.at):
                reason = f"the parts add up to {amount}, more than the {total.value} there are"
                yield Claim("parts_total", total.at, parts[-1].last, reason)


def _contained(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """``There are 10 peaches. Each basket has 9 red peaches and 6 green peaches``."""
    words = reading.words
    for k, total in enumerate(found):
        if total.owner != "there" or total.verb != "have" or total.rate or total.unsure:
            continue
        if not total.noun or total.definite:
            continue
        inside: list[Statement] = []
        for part in found[k + 1 : k + 6]:
            if part.noun != total.noun or part.sentence > total.sentence + 1:
                break
            begins = part.at
            while begins > 0 and words[begins - 1] not in (".", "?", "!", "each"):
                begins -= 1
            if begins == 0 or words[begins - 1] != "each":
                break
            inside.append(part)
        amount = sum(p.value for p in inside)
        if inside and amount > total.value and asserted(reading, inside[0].at):
            reason = f"one of them holds {amount}, more than the {total.value} there are"
            yield Claim("parts_total", inside[0].at, inside[-1].last, reason)


def overdraws(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield what is given away, eaten, sold or lost although there is not so much of it.

    A story that is not asked what is left may leave out what came in, so it is not held to its
    account unless it says that the loss was a part ("91 of them").
    """
    balanced = asks_balance(reading.words)
    for k, loss in enumerate(found):
        if loss.verb != "lose" or loss.unsure or loss.rate or k == 0:
            continue
        if not balanced and not loss.of:
            continue
        supply = [s for s in found[:k] if s.verb in ("have", "gain") and not s.unsure]
        if loss.noun:
            noun = loss.noun
        else:
            named = [s.noun for s in supply if s.noun not in ("", "$") and s.noun not in MEASURES]
            if not named:
                continue
            noun = named[-1]
        same = [s for s in supply if s.noun == noun and _fits(loss, s)]
        if not same or not _owned(loss, same) or (noun == "$" and same[0].verb != "have"):
            continue
        limit = _limit(reading, found[:k], same, loss)
        if limit is not None and loss.value > limit and asserted(reading, loss.at):
            reason = f"there are at most {limit} to begin with"
            yield Claim("overdraw", loss.at, loss.last, reason)


def asks_balance(words: list[str]) -> bool:
    """Whether the last question is what is left; a text without a question counts as well."""
    if "?" not in words:
        return True
    end = len(words) - 1 - words[::-1].index("?")
    first, _ = sentence(words, end)
    asked = words[first:end]
    return not _BALANCE.isdisjoint(asked) and _COMPARES.isdisjoint(asked)


def _fits(loss: Statement, s: Statement) -> bool:
    return not loss.modifiers or not s.modifiers or loss.modifiers == s.modifiers


def _owned(loss: Statement, supply: list[Statement]) -> bool:
    owners = {s.owner for s in supply}
    return not loss.owner or loss.owner in owners or "there" in owners


def _limit(
    reading: Reading, before: list[Statement], same: list[Statement], loss: Statement
) -> Value | None:
    """Return an upper bound of what there can be before ``loss``, ``None`` where there is none."""
    words = reading.words[: loss.at]
    if not _UNKNOWN.isdisjoint(words):
        return None
    total: Value = sum(s.value for s in same)
    if _MULTIPLIES.isdisjoint(words) and not any(s.rate for s in before):
        return total
    product: Value = 1
    for s in before:
        if abs(s.value) > 1:
            product *= s.value
        if product > 10**15:
            return None
    return max(total, product)
