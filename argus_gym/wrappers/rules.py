"""The gate's rules by name."""

import difflib
import inspect
from typing import Any

from argus_gym.wrappers.certified import Certified
from argus_gym.wrappers.rule import Rule
from argus_gym.wrappers.rules_baseline import HillClimb, McNemar, Never, Pace
from argus_gym.wrappers.rules_published import V34, Published, Stability

__all__ = ["RULES", "make"]

RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (Certified, Published, V34, Stability, Never, HillClimb, McNemar, Pace)
}
"""Every rule by name."""


def make(name: str, **options: Any) -> Rule:
    """Return the rule called ``name``.

    Args:
        name: A key of :data:`RULES`.
        options: The rule's arguments.

    Raises:
        ValueError: If there is no such rule, it has no such option or an option is out of range.
    """
    if name not in RULES:
        near = difflib.get_close_matches(name, RULES, n=1, cutoff=0.0)
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {name!r}: {near[0]}?")
    known = inspect.signature(RULES[name]).parameters
    for option in options:
        if option not in known:
            raise ValueError(f"rule {name} has the options {', '.join(known)}, got {option!r}")
    return RULES[name](**options)
