"""Kinds ``parts_total`` and ``overdraw``: more taken out of a whole than there is in it."""

from collections.abc import Iterator
from fractions import Fraction

from argus_gym.premise.claims import Claim, asserted, sentence
from argus_gym.premise.numerals import Value
from argus_gym.premise.reading import Reading
from argus_gym.premise.statements import Statement
from argus_gym.premise.words import BEINGS, GAIN, LOSE, MEASURES, singular, wordset

__all__ = ["asks_balance", "leftovers", "overdraws", "part_sums"]

_SUBTYPES = wordset("boy girl man woman adult child male female")
_ABSTRACT = wordset("color colour type kind sort flavor flavour size way group time")
_FACTORS = {
    "twice": 2, "double": 2, "doubles": 2, "doubled": 2, "doubling": 2, "both": 2, "triple": 3,
    "triples": 3, "tripled": 3, "quadruple": 4, "quadruples": 4,
}  # fmt: skip
_PRODUCT = frozenset(("each", "times", "apiece"))
_UNKNOWN = wordset(
    "some several another many few others % ~ unknown certain number rest remaining more "
    "every per daily weekly monthly yearly hourly"
)
_VAGUE = frozenset(("some", "several", "few", "many"))
_GOES = LOSE | wordset("left flew ran died departed escaped")
_BALANCE = wordset("left remain remains remaining still now end over have has")
_COMPARES = frozenset(("than", "did"))
_OVERLAP = frozenset(("both", "neither", "also", "either", "overlap"))
_STOPS = wordset(". , ; : ? ! ) and but while")
_STOCK = frozenset(("have", "gain", "with"))


def part_sums(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield the parts that do not fit into a total stated before them."""
    words = reading.words
    for k, total in enumerate(found):
        if total.of and total.last == total.at:
            continue
        if total.unsure or total.verb == "lose" or total.value.denominator > 1 or total.value < 2:
            continue
        if total.noun in ("", "$") or total.noun in _ABSTRACT or total.noun in _SUBTYPES:
            continue
        if not total.rate:
            whole: Value = sum(
                s.value
                for s in found[: k + 1]
                if s.sentence == total.sentence and s.noun == total.noun
            )
            yield from _followed(reading, total._replace(value=whole), found[k + 1 : k + 13])
        if total.owner == "there" and total.verb == "have" and "each" in words:
            yield from _contained(reading, total, found[k + 1 : k + 7])


def _followed(reading: Reading, total: Statement, after: list[Statement]) -> Iterator[Claim]:
    """``There are 20 students. 12 are boys and 10 are girls``; ``Of the 20 balls, 25 are red``."""
    words = reading.words
    opened = _opened(words, total)
    if total.definite and not opened:
        return
    parts: list[Statement] = []
    predicates: list[str] = []
    others = False
    for part in after:
        if part.sentence > total.sentence + 1 or part.rate or part.unsure:
            break
        subtype = part.noun in _SUBTYPES and total.noun in BEINGS
        out_of_total = part.of and part.noun == total.noun and part.last == part.at
        if (part.noun and not subtype and not out_of_total) or part.value.denominator > 1:
            break
        if part.definite and words[part.at - 1] != "other":
            break
        if subtype and part.owner == "there" and part.sentence > total.sentence:
            break
        follows = words[part.last + 1 : part.last + 3]
        of_them = (
            part.of and part.owner in ("", total.owner) and (out_of_total or follows[1:] in _THEM)
        )
        is_part = subtype or (follows[:1] in (["are"], ["were"]) and _kind_of(words, part.last + 2))
        if part.value > total.value and (of_them or (opened and part.sentence == total.sentence)):
            if not opened and _may_be_more(words, total, part):
                return
            if asserted(reading, part.at) and follows:
                lost = part.verb == "lose" or (opened and follows[0] in LOSE)
                lost = lost or "off" in words[part.last + 1 : part.last + 6]
                reason = f"{part.value} is more than the {total.value} there are"
                yield Claim("overdraw" if lost else "parts_total", total.at, part.last, reason)
            return
        if not (is_part or of_them):
            break
        others = others or words[part.at - 1] == "other"
        parts.append(part)
        predicates.append(part.noun if subtype else " ".join(words[part.last + 2 : part.last + 4]))
    if len(parts) < 2 or len(set(predicates)) < len(parts) or not _OVERLAP.isdisjoint(words):
        return
    amount = sum(p.value for p in parts)
    if (amount > total.value or (others and amount != total.value)) and asserted(reading, total.at):
        reason = f"the parts add up to {amount}, and {total.value} there are"
        yield Claim("parts_total", total.at, parts[-1].last, reason)


_THEM = (["them"], ["which"], ["these"], ["whom"], ["those"])


def _kind_of(words: list[str], i: int) -> bool:
    """Whether one word says what the parts are, as in ``12 are boys``, and not what they do."""
    after = words[i + 1] if i + 1 < len(words) else "."
    return words[i : i + 1] != [] and not words[i].endswith("ing") and after in _STOPS


def _may_be_more(words: list[str], total: Statement, part: Statement) -> bool:
    """Whether ``them`` may be more than the total: some are spoken of before it."""
    if part.sentence == total.sentence and "more" not in total.modifiers:
        return False
    begin = sentence(words, total.at)[0]
    return any(singular(w) == total.noun for w in words[:begin])


def _opened(words: list[str], total: Statement) -> bool:
    """Whether the total opens a partition: ``Of the 20 balls``, ``Out of 20 balls``."""
    i = total.at - 1
    if i >= 0 and total.definite:
        i -= 1
    if i < 0 or words[i] != "of":
        return False
    return i == 0 or words[i - 1] in (".", "?", "!", ",", "out")


def _contained(reading: Reading, total: Statement, after: list[Statement]) -> Iterator[Claim]:
    """``There are 14 shells. Each bowl has 12 large shells and 5 small shells``."""
    words = reading.words
    inside: list[Statement] = []
    if total.definite or total.rate:
        return
    for part in after:
        if part.noun != total.noun or part.sentence > total.sentence + 1:
            break
        if "each" not in words[sentence(words, part.at)[0] : part.at]:
            break
        inside.append(part)
    amount = sum(p.value for p in inside)
    if inside and amount > total.value and asserted(reading, inside[0].at):
        reason = f"one of them holds {amount}, more than the {total.value} there are"
        yield Claim("parts_total", inside[0].at, inside[-1].last, reason)


def overdraws(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield what is given away, eaten, sold or lost although there is not so much of it.

    A story that is not asked what is left may leave out what came in, so it is not held to its
    account unless the loss is said to be a part (``55 of them``) or follows in the same sentence.
    """
    balanced = asks_balance(reading.words)
    for k, loss in enumerate(found):
        if loss.verb != "lose" or loss.unsure or loss.rate or k == 0:
            continue
        # "2/9 of the books" is a share, not a stock
        supply = [
            s
            for s in found[:k]
            if s.verb in _STOCK and not s.unsure and not (s.of and s.last == s.at)
        ]
        if not balanced and not loss.of:
            supply = [s for s in supply if s.sentence == loss.sentence]
        noun = loss.noun or _latest_noun(found[:k])
        same = [s for s in supply if s.noun == noun and _fits(loss, s)]
        if not same or not noun or not _owned(loss, same):
            continue
        stock = found[:k]
        here = [s for s in same if s.sentence == loss.sentence and s.verb != "gain"]
        if here:
            # what is said to be there just before the loss is all there is
            stock, same = [s for s in stock if s.sentence == loss.sentence], here
        if same[0].verb == "gain" and _known_before(reading.words[: same[0].at], noun):
            continue
        limit = _limit(reading, stock, same, loss)
        if limit is not None and loss.value > limit and asserted(reading, loss.at):
            reason = f"there are at most {limit} to begin with"
            yield Claim("overdraw", same[-1].at, loss.last, reason)


def _known_before(words: list[str], noun: str) -> bool:
    """Whether there may have been some before the first number is gained."""
    return noun == "$" or noun in MEASURES or any(singular(w) == noun for w in words)


def leftovers(reading: Reading, found: list[Statement]) -> Iterator[Claim]:
    """Yield what is left although there was not so much of it: ``had 12 [...] 15 are left``."""
    words = reading.words
    for k, rest in enumerate(found):
        follows = words[rest.last + 1 : rest.last + 3]
        if follows[:1] in (["are"], ["were"]):
            del follows[0]
        if follows[:1] not in (["left"], ["remaining"]) or rest.unsure:
            continue
        stock = found[:k]
        same = [s for s in stock if s.noun == rest.noun and s.verb == "have" and _fits(rest, s)]
        if not same or rest.noun in ("", "$") or rest.noun in MEASURES or rest.rate:
            continue
        limit = _limit(reading, stock, same, rest)
        if limit is not None and rest.value > limit and asserted(reading, rest.at):
            reason = f"there were at most {limit} to begin with"
            yield Claim("parts_total", same[-1].at, rest.last, reason)


def _latest_noun(before: list[Statement]) -> str:
    """Return the thing last counted, which is what a number without a noun counts."""
    named = [s.noun for s in before if s.noun not in ("", "$") and s.noun not in MEASURES]
    return named[-1] if named else ""


def asks_balance(words: list[str]) -> bool:
    """Whether the last question is what is left; a text without a question counts as well."""
    if "?" not in words:
        return True
    end = len(words) - 1 - words[::-1].index("?")
    asked = words[sentence(words, end)[0] : end]
    return not _BALANCE.isdisjoint(asked) and _COMPARES.isdisjoint(asked)


def _fits(loss: Statement, s: Statement) -> bool:
    """Whether ``s`` may be of the things that ``loss`` takes from."""
    if s.verb == "with" and s.sentence != loss.sentence:
        return False
    if s.modifiers == loss.modifiers:
        return True
    # "12 cookies" may be the "sweet cookies", but "12 feet" are not "square feet"
    return s.noun not in MEASURES and not (s.modifiers and loss.modifiers)


def _owned(loss: Statement, supply: list[Statement]) -> bool:
    owners = {s.owner for s in supply}
    if not loss.owner or loss.owner in owners:
        return True
    return any(s.verb == "with" for s in supply) or ("there" in owners and loss.noun != "$")


def _limit(
    reading: Reading, before: list[Statement], same: list[Statement], loss: Statement
) -> Value | None:
    """Return an upper bound of what there can be before ``loss``, ``None`` where there is none."""
    first = sentence(reading.words, same[0].at)[0]
    words = reading.words[first : loss.at]
    if not _PRODUCT.isdisjoint(reading.words[first : same[0].last + 8]):
        # "Each box holds 12": how many boxes was said before
        words = reading.words[: loss.at]
        first = 0
    if any(
        w in _UNKNOWN and not (w in _VAGUE and not _GOES.isdisjoint(words[max(0, k - 1) : k + 3]))
        for k, w in enumerate(words)
    ):
        return None
    gained = sum(s.verb == "gain" for s in before if s.at >= first)
    if sum(w in GAIN for w in words) > gained:
        # something comes in that has no number
        return None
    total: Value = sum(s.value for s in before if s.noun in (loss.noun, same[0].noun))
    product = Fraction(1)
    for word in words:
        product *= _FACTORS.get(word, 1)
        if product > 2**20:
            return None
    if _PRODUCT.isdisjoint(words) and not any(s.rate for s in before if s.at >= first):
        return total * product
    for s in before:
        if s.at >= first and s.value > 1:
            product *= Fraction(s.value)
        if product > 10**15:
            return None
    return max(Fraction(total), product)
