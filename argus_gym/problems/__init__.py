"""Word problems with known answers: generate them, read them back, work them out, falsify them."""

from argus_gym.problems.core import MAX_STEPS, Problem, Step, solution
from argus_gym.problems.falsify import FALSE_KINDS, FalseProblem, falsify, truthful
from argus_gym.problems.generate import FAMILIES, generate
from argus_gym.problems.read import read

__all__ = [
    "FALSE_KINDS",
    "FAMILIES",
    "MAX_STEPS",
    "FalseProblem",
    "Problem",
    "Step",
    "falsify",
    "generate",
    "read",
    "solution",
    "truthful",
]
