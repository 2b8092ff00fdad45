"""What the environment's arguments may be."""

from collections.abc import Mapping
from typing import Any

from argus_gym.spaces import MAX_K

__all__ = ["check_settings"]

PROCESSES = ("aligned", "jaccard")


def check_settings(settings: Mapping[str, Any], render_modes: tuple[str, ...]) -> None:
    """Check the arguments of ``ArgusSelfImprove`` that nothing else checks.

    Args:
        settings: The arguments by name.
        render_modes: The render modes there are.

    Raises:
        ValueError: If one is outside its range; names it, the rule and the value.
    """
    get = settings.__getitem__
    low, high = get("frontier")
    modes = (None, *render_modes)
    rules = {
        "frontier": (0 <= low < high <= 1, "a pair with 0 <= low < high <= 1"),
        "process": (get("process") in PROCESSES, f"one of {PROCESSES}"),
        "penalty": (get("penalty") <= 0, "at most 0"),
        "render_mode": (get("render_mode") in modes, f"one of {modes}"),
        **{n: (get(n) >= 1, "at least 1") for n in ("rounds", "problems_per_round")},
        **{n: (1 <= get(n) <= MAX_K, f"in [1, {MAX_K}]") for n in ("k", "retest_chains")},
        **{n: (get(n) >= 0, "at least 0") for n in ("anchor_items", "past_items")},
        **{
            n: (0 <= get(n) <= 1, "in [0, 1]")
            for n in ("verifier_strength", "weight", "external_rate", "blind_spot_rate")
        },
    }
    for name, (fits, rule) in rules.items():
        if not fits:
            raise ValueError(f"{name} must be {rule}, got {get(name)!r}")
