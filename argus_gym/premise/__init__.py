"""The premise validator: claims of a problem that are false on their own."""

from argus_gym.premise.validator import KINDS, check
from argus_gym.records import Premise

__all__ = ["KINDS", "Premise", "check"]
