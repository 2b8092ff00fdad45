"""argus_gym: tells real self-improvement of language models from self-deception."""

from importlib.metadata import PackageNotFoundError, version

import gymnasium as gym

from . import consensus, premise, records

try:
    __version__ = version("argus-gym")
except PackageNotFoundError:
    __version__ = "0+unknown"

__all__ = ["__version__", "consensus", "premise", "records"]

if "ArgusSelfImprove-v0" not in gym.registry:
    gym.register(id="ArgusSelfImprove-v0", entry_point="argus_gym.env:ArgusSelfImprove")
